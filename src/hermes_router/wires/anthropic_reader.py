"""An Anthropic answer's bytes into events: the event stream, and the JSON message as the same events.

Which of the two it is shows in the first byte; a content type is often wrong. Blocks of tools that run on Anthropic's
servers and unknown events are passed over. One event that cannot be read is skipped, a second ends the
answer as cut. ``pause_turn`` and unknown stop reasons count as a plain stop, with the provider's word kept in ``raw``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import orjson

from ..core.events import (
    Citations,
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from ..core.faults import Fault, Kind, Scope
from ..sse import Frame, SseParser, read_block
from .base import Reader, Target
from .classify import classify_event_error

_REASONS = {
    "end_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "refusal": FinishReason.REFUSED,
}
_BLANK = b" \t\r\n\xef\xbb\xbf"
_BROKEN = (KeyError, TypeError, ValueError, AttributeError)


class _PlainDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _PlainEvent(msgspec.Struct, gc=False):
    """The event most of a stream is made of, decoded without a dict."""

    type: Literal["content_block_delta"]
    delta: _PlainDelta


_PLAIN = msgspec.json.Decoder(_PlainEvent)
_NOT_PLAIN = (msgspec.DecodeError, UnicodeDecodeError)
_NAMED = b"event: content_block_delta\ndata: "
_UNNAMED = b"data: "


class MessageReader:
    """Decides by the first byte how to read, then does; see ``Reader``."""

    def __init__(self, target: Target, *, content_type: str, now: float) -> None:
        self._target = target
        self._content_type = content_type
        self._now = now
        self._reader: Reader | None = None
        self.ending = False

    def feed(self, data: bytes) -> list[Event]:
        reader = self._reader
        if reader is None:
            data = data.lstrip(_BLANK)
            if not data:
                return []
            reader = self._reader = self._choose(data[:1])
        events = reader.feed(data)
        self.ending = reader.ending
        return events

    def end(self) -> list[Event]:
        if self._reader is None:
            return [_failed(Kind.MALFORMED, "the answer has no body")]
        return self._reader.end()

    def _choose(self, first: bytes) -> Reader:
        if first in (b"{", b"["):
            return _JsonReader(self._target, self._now)
        # What a line of an event stream may begin with: event, data, id, retry, a comment.
        if first in (b"e", b"d", b"i", b"r", b":"):
            return _StreamReader(self._target, self._now)
        return _NoAnswer(self._content_type)


class _NoAnswer:
    """A body that is neither JSON nor an event stream, such as an HTML page."""

    ending = False

    def __init__(self, content_type: str) -> None:
        self._message = f"the answer is neither JSON nor an event stream ({content_type or 'no content type'})"
        self._said = False

    def feed(self, data: bytes) -> list[Event]:
        if self._said:
            return []
        self._said = True
        return [_failed(Kind.MALFORMED, self._message)]

    def end(self) -> list[Event]:
        return []


class _JsonReader:
    """Gathers the body and reads it whole."""

    ending = False

    def __init__(self, target: Target, now: float) -> None:
        self._target = target
        self._now = now
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        self._pieces.append(data)
        return []

    def end(self) -> list[Event]:
        try:
            body = orjson.loads(b"".join(self._pieces))
        except orjson.JSONDecodeError:
            return [_failed(Kind.MALFORMED, "the answer is not valid JSON")]
        if isinstance(body, dict) and isinstance(body.get("content"), list) and not body.get("error"):
            try:
                return self._message(body)
            except _BROKEN:
                return [_failed(Kind.MALFORMED, "the answer is not a message")]
        if _is_error(body):
            return [Failed(classify_event_error(self._target, body, self._now))]
        return [_failed(Kind.MALFORMED, "the answer is not a message")]

    def _message(self, body: dict[str, Any]) -> list[Event]:
        reading = _Reading(self._target)
        events = reading.start(body)
        for index, block in enumerate(body["content"]):
            events += reading.block_start(index, block)
            events += reading.block_stop(index)
        reading.stopped(body)
        return events + reading.finish()


class _StreamReader:
    """Reads frames as they come."""

    def __init__(self, target: Target, now: float) -> None:
        self._target = target
        self._now = now
        self._parser = SseParser()
        self._reading = _Reading(target)
        self._broken = 0
        self._seen = False
        self._over = False
        self.ending = False
        self._handlers: dict[str, Callable[[dict[str, Any]], list[Event]]] = {
            "content_block_delta": self._delta,
            "content_block_start": lambda data: self._reading.block_start(data["index"], data["content_block"]),
            "content_block_stop": lambda data: self._reading.block_stop(data["index"]),
            "message_start": lambda data: self._reading.start(data["message"]),
            "message_delta": self._message_delta,
            "message_stop": lambda _: self._finish(),
        }

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for block in self._parser.blocks(data):
            if self._over:
                break
            if b'"text_delta"' in block and (text := _plain_text(block)) is not None:
                self._seen = True
                if text:
                    events.append(TextDelta(text))
            elif (frame := read_block(block)) is not None:
                events += self._frame(frame)
        return events

    def end(self) -> list[Event]:
        events: list[Event] = []
        for frame in self._parser.end():
            if not self._over:
                events += self._frame(frame)
        if self._over:
            return events
        if self._reading.reason is not None:
            return events + self._finish()
        if not self._seen:
            return self._fail(_failed(Kind.MALFORMED, "the answer is neither JSON nor an event stream"))
        return events + self._fail(_failed(Kind.CUT, "the stream ended before the message did"))

    def _frame(self, frame: Frame) -> list[Event]:
        if frame.data == b"[DONE]":
            return []
        self._seen = True
        try:
            data = orjson.loads(frame.data)
            kind = data.get("type") or frame.event
            failed = kind == "error" or ("type" not in data and bool(data.get("error")))
            handler = self._handlers.get(kind)
            events = handler(data) if handler else []
        except _BROKEN:
            self._broken += 1
            if self._broken < 2:
                return []
            return self._fail(_failed(Kind.CUT, "the stream holds events that cannot be read"))
        return self._fail(Failed(classify_event_error(self._target, data, self._now))) if failed else events

    def _delta(self, data: dict[str, Any]) -> list[Event]:
        return self._reading.delta(data["index"], data["delta"])

    def _message_delta(self, data: dict[str, Any]) -> list[Event]:
        self._reading.stopped({**data["delta"], "usage": data.get("usage")})
        self.ending = self._reading.reason is not None
        return []

    def _finish(self) -> list[Event]:
        self._over = True
        return self._reading.finish()

    def _fail(self, failed: Failed) -> list[Event]:
        self._over = True
        return [failed]


class _Block(msgspec.Struct):
    """A block under way. ``call`` is its place among the calls; ``input`` came with its start, whole."""

    kind: str
    call: int = -1
    input: dict[str, Any] | None = None
    signature: str = ""
    cited: list[dict[str, Any]] | None = None


class _Reading:
    """What an answer has said so far. Methods raise one of ``_BROKEN`` where the data is not of the API's shape."""

    def __init__(self, target: Target) -> None:
        own = target.quirks.finish or {}
        self._reasons = _REASONS | {word: FinishReason(ours) for word, ours in own.items()}
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._uncited = False
        self._counts: dict[str, int] = {}
        self._sequence: str | None = None
        self._details: dict[str, Any] | None = None
        self.reason: str | None = None

    def start(self, message: dict[str, Any]) -> list[Event]:
        self._count(message.get("usage"))
        return [Start(id=_word(message.get("id")), model=_word(message.get("model")))]

    def block_start(self, index: int, said: dict[str, Any]) -> list[Event]:
        kind = said["type"]
        if kind == "tool_use":
            return self._call(index, said)
        block = self._blocks[index] = _Block(kind)
        if kind == "text":
            return self._passage(block, said)
        if kind == "thinking":
            block.signature = said.get("signature") or ""
            return _some_thinking(said.get("thinking") or "")
        if kind == "redacted_thinking":
            return [ReasoningDelta(redacted=_text(said["data"]))]
        return []

    def _passage(self, block: _Block, said: dict[str, Any]) -> list[Event]:
        """A block that may cite stands apart from the text before and after it."""
        cited, text = said.get("citations"), _some_text(said.get("text") or "")
        if not isinstance(cited, list):
            return text
        block.cited = list(cited)
        return [Citations(), *text] if self._uncited else text

    def _call(self, index: int, said: dict[str, Any]) -> list[Event]:
        name = _text(said["name"])
        if not name:
            raise ValueError("a call without a name")
        call = self._calls
        self._calls += 1
        self._blocks[index] = _Block("tool_use", call, said.get("input") or None)
        return [ToolCallStart(call, _word(said.get("id")) or f"toolu_{call}", name)]

    def delta(self, index: int, said: dict[str, Any]) -> list[Event]:
        match said["type"]:
            case "text_delta":
                return _some_text(_text(said["text"]))
            case "input_json_delta":
                return self._arguments(index, _text(said["partial_json"]))
            case "thinking_delta":
                return _some_thinking(_text(said["thinking"]))
            case "citations_delta" if isinstance(said["citation"], dict):
                block = self._blocks[index]
                block.cited = [*(block.cited or ()), said["citation"]]
            case "signature_delta":
                self._blocks[index].signature += _text(said["signature"])
        return []

    def _arguments(self, index: int, text: str) -> list[Event]:
        block = self._blocks[index]
        if not text or block.kind != "tool_use":
            return []
        block.input = None
        return [ToolCallDelta(block.call, text)]

    def block_stop(self, index: int) -> list[Event]:
        block = self._blocks.pop(index, None)
        if block is None:
            return []
        if block.kind == "text":
            self._uncited = not block.cited
        if block.cited:
            return [Citations(block.cited)]
        if block.signature:
            return [ReasoningDelta(signature=block.signature)]
        if block.input is not None:
            return [ToolCallDelta(block.call, orjson.dumps(block.input).decode())]
        return []

    def stopped(self, said: dict[str, Any]) -> None:
        self.reason = said.get("stop_reason") or self.reason
        self._sequence = said.get("stop_sequence") or self._sequence
        details = said.get("stop_details")
        self._details = details if isinstance(details, dict) else self._details
        self._count(said.get("usage"))

    def finish(self) -> list[Event]:
        """What closes the answer. Blocks that were never stopped are closed first."""
        events = [event for index in list(self._blocks) for event in self.block_stop(index)]
        if self._counts:
            events.append(self._usage())
        events.append(Finish(self._reason(), self.reason, self._sequence, self._details))
        return events

    def _reason(self) -> FinishReason:
        plain = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        return self._reasons.get(self.reason or "", plain)

    def _count(self, usage: Any) -> None:
        """Later counts stand for earlier ones, as they are cumulative; a zero is often only "not said here"."""
        if not isinstance(usage, dict):
            return
        details = usage.get("output_tokens_details") or {}
        for name, value in (*usage.items(), *details.items()):
            if isinstance(value, int) and (value or name not in self._counts):
                self._counts[name] = value

    def _usage(self) -> Usage:
        counts = self._counts.get
        read, written = counts("cache_read_input_tokens", 0), counts("cache_creation_input_tokens", 0)
        return Usage(
            input=counts("input_tokens", 0) + read + written,
            output=counts("output_tokens", 0),
            reasoning=counts("thinking_tokens", 0),
            cache_read=read,
            cache_write=written,
        )


def _plain_text(block: bytes) -> str | None:
    """The text of an event that holds nothing else; None: it has to be read in full."""
    at = len(_NAMED) if block.startswith(_NAMED) else len(_UNNAMED) if block.startswith(_UNNAMED) else 0
    if not at or block.find(b"\n", at) >= 0:
        return None
    try:
        return _PLAIN.decode(block[at:]).delta.text
    except _NOT_PLAIN:
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _some_text(text: str) -> list[Event]:
    return [TextDelta(text)] if text else []


def _some_thinking(text: str) -> list[Event]:
    return [ReasoningDelta(text)] if text else []


def _is_error(body: Any) -> bool:
    return isinstance(body, list) or (isinstance(body, dict) and bool(body.get("error") or body.get("type") == "error"))


def _failed(kind: Kind, message: str) -> Failed:
    scope = Scope.PROVIDER if kind is Kind.CUT else Scope.MODEL
    return Failed(Fault(kind=kind, scope=scope, message=message))
