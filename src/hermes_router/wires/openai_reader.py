"""Bytes of a Chat Completions answer into events: framing, bad JSON, and an ending that is due.

Whether a body is a stream is told by its first byte, whatever was asked for and whatever the content type says:
providers answer a stream request with a JSON body and send streams as ``application/json`` (both recorded). What a
chunk means is ``openai_chunks``'s matter.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import orjson

from ..core.events import Event, Finish, FinishReason, ReasoningDelta, Start, TextDelta
from ..sse import LF, Frame, SseParser, read_block
from .base import Target
from .classify import classify_event_error
from .openai_chunks import AnswerReader, cut, malformed, read_usage

_BOM = b"\xef\xbb\xbf"
_SSE_FIRST = b":deir"
"""First bytes of a comment and of the field names data, event, id, retry."""
_NOT_PLAIN = (msgspec.DecodeError, UnicodeDecodeError)
_TOLD = frozenset({"error", "usage"})
"""What Groq may put into ``x_groq`` that matters."""


class _PlainDelta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_details: None = None
    refusal: None = None
    extra_content: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    delta: _PlainDelta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None
    error: None = None
    usage: None = None


class _PlainChunk(msgspec.Struct, gc=False):
    """The chunk most of a stream is made of: nothing but a little more text. Any other one does not decode to this."""

    choices: tuple[_PlainChoice]
    usage: None = None
    error: None = None
    x_groq: None = None


class _PlainMessage(msgspec.Struct, gc=False):
    content: str
    reasoning_content: None = None
    reasoning: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_details: None = None
    refusal: None = None


class _PlainEnding(msgspec.Struct, gc=False):
    message: _PlainMessage
    finish_reason: Literal["stop", "length"]
    index: int = 0
    logprobs: None = None
    error: None = None
    usage: None = None
    stop_reason: None = None
    matched_stop: None = None


class _PlainAnswer(msgspec.Struct, gc=False):
    """The whole answer most are: one text that came to its end."""

    choices: tuple[_PlainEnding]
    id: str = ""
    model: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    usage: dict[str, Any] | None = None
    error: None = None
    x_groq: dict[str, Any] | None = None


_PLAIN = msgspec.json.Decoder(_PlainChunk)
_WHOLE = msgspec.json.Decoder(_PlainAnswer)
_ENDINGS = {"stop": Finish(FinishReason.STOP, "stop"), "length": Finish(FinishReason.LENGTH, "length")}


class ChatReader:
    """Reads one chat answer, streamed or whole."""

    __slots__ = (
        "_bad_events",
        "_body",
        "_general",
        "_now",
        "_over",
        "_plain_text",
        "_sniffed",
        "_sse",
        "_target",
        "_untagged",
        "ending",
    )

    def __init__(self, target: Target, now: float) -> None:
        self._target = target
        self._now = now
        self._general: AnswerReader | None = None
        self._over = False
        self._body: list[bytes] = []
        self._sse: SseParser | None = None
        self._sniffed = False
        self._plain_text = False
        self._untagged = False
        self._bad_events = 0
        self.ending = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that became complete with ``data``."""
        if self._over:
            return []
        if self._sse is not None:
            return self._blocks(self._sse.blocks(data))
        if not self._sniffed and (self._body or data[:1] != b"{"):
            return self._sniff(data)
        self._sniffed = True
        self._body.append(data)
        return []

    def end(self) -> list[Event]:
        """What is left, and ``Finish`` or ``Failed``."""
        if self._over:
            return []
        self._over = True
        if self._sse is None:
            body = b"".join(self._body)
            return self._plain_answer(body) or self._whole(body)
        events: list[Event] = []
        for frame in self._sse.end():
            self._frame(frame, events, last=True)
        self._answer.finish(events, complete=False)
        return events

    @property
    def _answer(self) -> AnswerReader:
        """Made when it is needed: a plain whole answer never does."""
        if self._general is None:
            self._general = AnswerReader(self._target, self._now)
        return self._general

    def _sniff(self, data: bytes) -> list[Event]:
        self._body.append(data)
        body = b"".join(self._body)
        start = body.removeprefix(_BOM).lstrip()
        if not start or _BOM.startswith(start):
            return []
        self._sniffed = True
        if start[0] in _SSE_FIRST:
            self._sse = SseParser()
            self._body = []
            return self._blocks(self._sse.blocks(start))
        events: list[Event] = []
        if start[0] not in b"{[":
            self._over = True
            self._answer.fail(malformed("the answer is neither JSON nor an event stream"), events)
        return events

    def _whole(self, body: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            value = orjson.loads(body.removeprefix(_BOM))
        except orjson.JSONDecodeError:
            self._answer.fail(malformed("the answer is not valid JSON"), events)
            return events
        self._value(value, events, whole=True)
        self._answer.finish(events, complete=True)
        return events

    def _plain_answer(self, body: bytes) -> list[Event] | None:
        """The events of an answer that is one text and nothing else, decoded at a third of the price; None where it
        may be more than that."""
        quirks = self._target.quirks
        if quirks.finish or quirks.text_errors:
            return None
        try:
            answer = _WHOLE.decode(body)
        except _NOT_PLAIN:
            return None
        choice, groq = answer.choices[0], answer.x_groq
        text = choice.message.content
        if choice.index or not text or (groq and not groq.keys().isdisjoint(_TOLD)):
            return None
        if "<" in text and (quirks.think_tags or text.lstrip().startswith("<")):
            return None
        start = Start(answer.id, answer.model, answer.created, answer.system_fingerprint or None)
        events: list[Event] = [start, TextDelta(text)]
        if answer.usage is not None:
            events.append(read_usage(answer.usage))
        events.append(_ENDINGS[choice.finish_reason])
        return events

    def _blocks(self, blocks: list[bytes]) -> list[Event]:
        events: list[Event] = []
        answer = self._general or self._answer
        for block in blocks:
            # Most of a stream is only a little more text: told by a decode that nothing else passes.
            if answer.started and block[:6] == b"data: " and LF not in block:
                try:
                    choice = _PLAIN.decode(block[6:]).choices[0]
                except _NOT_PLAIN:
                    pass
                else:
                    text = choice.delta.content
                    if choice.index:
                        continue
                    if not text or self._plain_text or (self._untagged and "<" not in text):
                        if thought := choice.delta.reasoning or choice.delta.reasoning_content:
                            events.append(ReasoningDelta(thought))
                        if text:
                            events.append(TextDelta(text))
                        continue
            if (frame := read_block(block)) is not None:
                self._frame(frame, events)
                if answer.over:
                    self._over = True
                    break
                self._plain_text, self._untagged, self.ending = answer.plain, answer.untagged, answer.ending
        return events

    def _frame(self, frame: Frame, events: list[Event], *, last: bool = False) -> None:
        data = frame.data.strip()
        if not data:
            return
        if data == b"[DONE]":
            self._answer.finish(events, complete=True)
            return
        try:
            value: object = orjson.loads(data)
        except orjson.JSONDecodeError:
            if frame.event == "error":
                self._error({"error": {"message": data.decode("utf-8", "replace")}}, events)
            elif not last:
                self._bad_event(events)
            return
        if frame.event == "error":
            self._error(value, events)
        else:
            self._value(value, events)

    def _value(self, value: object, events: list[Event], *, whole: bool = False) -> None:
        if isinstance(value, dict):
            self._answer.read(value, events, whole=whole)
        # Gemini's compatible lane puts its error into a list.
        elif isinstance(value, list) and value and isinstance(value[0], dict) and "error" in value[0]:
            self._error(value, events)
        elif not whole:
            self._bad_event(events)

    def _error(self, payload: object, events: list[Event]) -> None:
        self._answer.fail(classify_event_error(self._target, payload, self._now), events)

    def _bad_event(self, events: list[Event]) -> None:
        """One may be a provider's slip; a second means that the stream cannot be trusted."""
        self._bad_events += 1
        if self._bad_events > 1:
            message = "the stream holds events that are not JSON"
            self._answer.fail(cut(message) if self._answer.started else malformed(message), events)
