"""Writes answers and streams as OpenAI's Responses API does. Bytes out, no I/O, no clock.

Source: OpenAI API reference, "The response object" and "Streaming events" (2025-11), openai-python 3.54, and recorded
streams of the API: ``created`` and ``in_progress`` open a stream, each item is added, filled and done, the last event
holds the whole Response; where it breaks off, ``error`` and ``response.failed`` follow each other. An answer in one
piece is written by the same code, its events thrown away. Errors before an answer: ``openai_writer.error_body``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ..core.errors import Exhausted, RouterError
from ..core.events import (
    Event,
    Finish,
    FinishReason,
    Note,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from ..core.fold import Answer, CallPart, ReasoningPart, TextPart
from ..core.request import Message, Part, Request, Role
from ..sse import comment, event_frame
from .base import Served
from .openai_writer import error_type
from .responses_asked import Shelf, Stored, asked_of
from .responses_output import CallItem, MessageItem, ReasoningItem

Table = dict[str, Any]

_INCOMPLETE = {FinishReason.LENGTH: "max_output_tokens", FinishReason.FILTERED: "content_filter"}
_BYTES_PER_TOKEN = 4


def answer_body(request: Request, answer: Answer, served: Served, shelf: Shelf) -> bytes:
    """A whole ``response``, put on the shelf where the request says so."""
    writer = ResponsesStream(request, served, shelf)
    for event in _events(answer):
        writer.write(event)
    return writer.body()


def _events(answer: Answer) -> Iterator[Event]:
    calls = 0
    logprobs = answer.logprobs
    for part in answer.parts:
        match part:
            case TextPart():
                yield TextDelta(part.text, logprobs)
                logprobs = None
            case ReasoningPart():
                yield ReasoningDelta(part.text, part.signature, part.redacted, part.details)
            case CallPart():
                yield ToolCallStart(calls, part.id, part.name, part.opaque)
                yield ToolCallDelta(calls, part.arguments)
                calls += 1
    if answer.refusal:
        yield RefusalDelta(answer.refusal)
    if answer.usage:
        yield answer.usage
    yield answer.finish or Finish(FinishReason.STOP)


class ResponsesStream:
    """One stream of events, ended by ``response.completed``, ``.incomplete`` or ``.failed``, and nothing after it.

    Text and reasoning are one open item at a time. A call stays open until another item begins and its arguments are
    whole, or until the end: providers may send the arguments of several calls in turns.
    """

    def __init__(self, request: Request, served: Served, shelf: Shelf) -> None:
        self._request = request
        self._asked = asked_of(request)
        self._served = served
        self._shelf = shelf
        self._origin = f"{served.provider}/{served.model}"
        self._id = f"resp_{served.id}"
        self._sequence = 0
        self._opened = False
        self._items: list[MessageItem | ReasoningItem | CallItem] = []
        self._open: MessageItem | ReasoningItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._text_head = b""

    def write(self, event: Event) -> bytes:
        if type(event) is TextDelta and self._text_head and event.text and event.logprobs is None:
            # What comes by the thousand is written without the detour below.
            assert isinstance(self._open, MessageItem)
            self._open.add(event.text)
            said = self._text_head % self._sequence + orjson.dumps(event.text) + b',"logprobs":[]}\n\n'
            self._sequence += 1
            return said
        if isinstance(event, Note):
            return comment(event.text)
        return self._begin() + self._event(event)

    def keepalive(self) -> bytes:
        return b": keep-alive\n\n"

    def comment(self, text: str) -> bytes:
        return comment(text)

    def end(self) -> bytes:
        """The event that holds the whole Response."""
        name = "completed" if self._reason() is None else "incomplete"
        return self._send(f"response.{name}", b'"response":' + self.body())

    def body(self) -> bytes:
        """The finished Response, put on the shelf where the request says so."""
        assert self._finish is not None, "a stream without a Finish must end in fail()"
        reason = self._reason()
        body = orjson.dumps(self._response("completed" if reason is None else "incomplete"))
        if self._asked.store:
            self._shelf.put(self._id, self._stored(body))
        return body

    def fail(self, error: RouterError) -> bytes:
        """``error`` makes OpenAI's SDKs raise, ``response.failed`` tells Codex CLI what to do next."""
        fields = {"code": error.code, "message": error.message, "param": error.param}
        said = {**fields, "error": {"type": error_type(error.status), **fields}}
        opening = self._begin()
        frame = self._send("error", orjson.dumps(said)[1:-1])
        failed = self._response("failed", {"code": _failed_code(error), "message": _failed_message(error)})
        return opening + frame + self._send("response.failed", b'"response":' + orjson.dumps(failed))

    def _begin(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        response = b'"response":' + orjson.dumps(self._response("in_progress"))
        dropped = comment("hermes-router left out: " + ", ".join(self._asked.dropped)) if self._asked.dropped else b""
        return dropped + self._send("response.created", response) + self._send("response.in_progress", response)

    def _send(self, name: str, fields: bytes) -> bytes:
        """One event; ``fields`` is what stands between its braces beside type and number."""
        data = b'{"type":"%b","sequence_number":%d,%b}' % (name.encode(), self._sequence, fields)
        self._sequence += 1
        return event_frame(name, data)

    def _frames(self, events: list[tuple[str, Table]]) -> bytes:
        return b"".join([self._send(name, orjson.dumps(fields)[1:-1]) for name, fields in events])

    def _event(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                return self._text(event)
            case ReasoningDelta():
                return self._reasoning(event)
            case RefusalDelta() if event.text:
                return self._refusal(event)
            case ToolCallStart():
                return self._call(event)
            case ToolCallDelta() if event.arguments:
                item = self._calls[event.index]
                return b"" if item.closed else self._frames(item.add(event.arguments))
            case Usage():
                self._usage = event
            case Finish():
                self._finish = event
                return self._close(cut=self._reason() is not None) + self._close_calls(at_end=True)
        return b""

    def _text(self, event: TextDelta) -> bytes:
        if not event.text and not event.logprobs:
            return b""
        opening, item = self._message()
        frames = self._frames(item.say(event.text, event.logprobs))
        self._text_head = item.delta_head()
        return opening + frames

    def _refusal(self, event: RefusalDelta) -> bytes:
        opening, item = self._message()
        self._text_head = b""
        return opening + self._frames(item.refuse(event.text))

    def _message(self) -> tuple[bytes, MessageItem]:
        if isinstance(self._open, MessageItem):
            return b"", self._open
        item = MessageItem(self._item_id("msg"), len(self._items))
        return self._start(item), item

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        opening = b""
        item = self._open
        if not isinstance(item, ReasoningItem):
            shown, sealed = self._asked.summary, self._asked.sealed
            item = ReasoningItem(self._item_id("rs"), len(self._items), self._origin, shown=shown, sealed=sealed)
            opening = self._start(item)
        return opening + self._frames(item.think(event))

    def _start(self, item: MessageItem | ReasoningItem) -> bytes:
        closing = self._close() + self._close_calls()
        self._open = item
        self._items.append(item)
        return closing + self._frames(item.added())

    def _call(self, event: ToolCallStart) -> bytes:
        closing = self._close() + self._close_calls()
        form = self._asked.forms.get(event.name)
        item = CallItem(event, form, self._served.id, len(self._items))
        self._items.append(item)
        self._calls[event.index] = item
        return closing + self._frames(item.added())

    def _close(self, *, cut: bool = False) -> bytes:
        """The open text or reasoning is whole, or the answer's end ``cut`` it."""
        item, self._open, self._text_head = self._open, None, b""
        return self._frames(item.done(cut=cut)) if item else b""

    def _close_calls(self, *, at_end: bool = False) -> bytes:
        cut = at_end and self._reason() is not None
        due = [item for item in self._calls.values() if not item.closed and (at_end or item.whole())]
        return b"".join([self._frames(item.done(cut=cut and not item.whole())) for item in due])

    def _item_id(self, prefix: str) -> str:
        return f"{prefix}_{self._served.id}{len(self._items):02x}"

    def _reason(self) -> str | None:
        return _INCOMPLETE.get(self._finish.reason) if self._finish else None

    def _response(self, status: str, error: Table | None = None) -> Table:
        reason = self._reason() if status == "incomplete" else None
        finished = status in ("completed", "incomplete")
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._served.created,
            "status": status,
            "completed_at": None,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._served.model or self._request.model,
            "output": [item.table() for item in self._items if item.closed],
            "usage": _usage_table(self._usage or self._estimate()) if finished else None,
            **self._asked.echo,
        }

    def _estimate(self) -> Usage:
        reasoning = sum(item.size() for item in self._items if isinstance(item, ReasoningItem)) // _BYTES_PER_TOKEN
        rest = sum(item.size() for item in self._items if not isinstance(item, ReasoningItem)) // _BYTES_PER_TOKEN
        return Usage(input=self._served.input_estimate, output=reasoning + rest, reasoning=reasoning, known=False)

    def _stored(self, body: bytes) -> Stored:
        parts: list[Part] = [part for item in self._items for part in item.parts()]
        messages = self._request.messages[1 if self._asked.instructions else 0 :]
        if parts:
            messages = (*messages, Message(role=Role.ASSISTANT, parts=tuple(parts), origin=self._origin))
        items = {item.id: item.again() for item in self._items}
        return Stored(body=body, input_items=self._asked.items, messages=messages, items=items)


def _usage_table(usage: Usage) -> Table:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _failed_code(error: RouterError) -> str:
    """The API's few words (openai-python 3.54, ``response_error``), and the one that makes Codex CLI compact its
    history (openai/codex, codex-api ``sse/responses.rs``, 2026)."""
    if error.code == "context_length_exceeded":
        return error.code
    if isinstance(error, Exhausted) and "retry-after" in error.headers:
        return "rate_limit_exceeded"
    return "server_error" if error.status >= 500 else "invalid_prompt"


def _failed_message(error: RouterError) -> str:
    """Codex CLI reads from the message when to come again."""
    after = error.headers.get("retry-after") if isinstance(error, Exhausted) else None
    return f"{error.message} Please try again in {after}s." if after else error.message
