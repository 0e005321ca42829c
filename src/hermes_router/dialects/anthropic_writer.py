"""Answers in the shape of the Anthropic Messages API: the JSON message, the event stream, errors.

Nothing is decided here about what may be said: events come checked (tool arguments are JSON objects), and a stream
that failed is never given an ending. The event grammar is that of Anthropic's streaming reference, checked against
recorded streams: message_start, ping, then per block start / deltas / stop with rising index and one block open at a
time, then message_delta and message_stop.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from ..core.errors import RouterError
from ..core.events import (
    Citations,
    Event,
    Failed,
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
from ..core.request import Request
from ..sse import comment, event_frame
from .base import Served

_STOP = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.FILTERED: "refusal",
    FinishReason.REFUSED: "refusal",
}
# Anthropic's API reference, "Errors". 503 and 529 are one to its SDKs: both are retried.
_ERRORS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA_END = b"}}\n\n"
_CHARACTERS_PER_TOKEN = 4


def error_body(error: RouterError, request_id: str) -> bytes:
    """The JSON body of an error, also the data of an ``error`` event."""
    kind = _ERRORS.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    inner: dict[str, Any] = {"type": kind, "message": error.message}
    if error.details:
        inner["details"] = error.details
    return orjson.dumps({"type": "error", "error": inner, "request_id": request_id})


def message(request: Request, answer: Answer, served: Served) -> bytes:
    """The JSON message of a whole answer."""
    content: list[dict[str, Any]] = []
    for part in answer.parts:
        content += _block(part, request.thinking.show)
    if answer.refusal:
        content.append({"type": "text", "text": answer.refusal})
    body = _head(served)
    body["content"] = content
    body |= _ending(answer.finish, called=bool(answer.calls), refused=answer.refusal is not None)
    body["usage"] = _usage(answer.usage or _estimate(served, _characters(content)))
    return orjson.dumps(body)


def _characters(content: list[dict[str, Any]]) -> int:
    return sum(len(block.get("text") or block.get("thinking") or "") for block in content)


def _head(served: Served) -> dict[str, Any]:
    return {"id": f"msg_{served.id}", "type": "message", "role": "assistant", "model": served.model}


def _block(part: TextPart | ReasoningPart | CallPart, show_thinking: bool) -> list[dict[str, Any]]:
    if isinstance(part, TextPart):
        text: dict[str, Any] = {"type": "text", "text": part.text}
        if part.citations:
            text["citations"] = part.citations
        return [text]
    if isinstance(part, CallPart):
        # As the model wrote it: parsing and writing again would round large numbers.
        arguments = orjson.Fragment(part.arguments.strip() or "{}")
        return [{"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}]
    if not show_thinking or not (part.text or part.signature or part.redacted is not None):
        return []
    if part.redacted is not None:
        return [{"type": "redacted_thinking", "data": part.redacted}]
    return [{"type": "thinking", "thinking": part.text, "signature": part.signature or ""}]


def _ending(finish: Finish | None, *, called: bool, refused: bool) -> dict[str, Any]:
    reason = _STOP[finish.reason] if finish else "end_turn"
    sequence = finish.stop_sequence if finish else None
    if reason == "stop_sequence" and sequence is None:
        reason = "end_turn"
    # A client looks for calls exactly where the reason says so; some providers say "stop" after calls.
    if called and reason == "end_turn":
        reason = "tool_use"
    elif not called and reason == "tool_use":
        reason = "end_turn"
    if refused and reason != "max_tokens":
        reason = "refusal"
    details = finish.details if finish else None
    if reason == "refusal" and details is None:
        details = {"type": "refusal", "category": None, "explanation": None}
    return {"stop_reason": reason, "stop_sequence": sequence, "stop_details": details}


def _usage(usage: Usage) -> dict[str, Any]:
    """``input_tokens`` leaves out what was read from or written to the cache (API reference, "usage")."""
    fresh = usage.input - usage.cache_read - usage.cache_write
    counts: dict[str, Any] = {
        "input_tokens": fresh if fresh > 0 else 0,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts


def _estimate(served: Served, characters: int) -> Usage:
    return Usage(input=served.input_estimate, output=1 + characters // _CHARACTERS_PER_TOKEN, known=False)


class _Call(msgspec.Struct):
    """A tool call on its way out: ``pieces`` wait until its block is opened."""

    start: ToolCallStart
    pieces: list[str] = []
    written: bool = False


class MessageStream:
    """One streamed message; see ``StreamWriter``. One block is open at a time: of calls that interleave, the first
    is written as it comes and the others wait for its end."""

    def __init__(self, request: Request, served: Served) -> None:
        self._served = served
        self._show = request.thinking.show
        self._begun = False
        self._ended = False
        self._index = -1
        self._open = ""  # "text", "thinking", "call" or nothing
        self._delta = b""  # what precedes the text of the open block's next delta
        self._call: int | None = None
        self._waiting: dict[int, _Call] = {}
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._called = False
        self._refused = False
        self._characters = 0

    def write(self, event: Event) -> bytes:
        # The common case first: text into a block that is open.
        if type(event) is TextDelta and self._open == "text":
            text = event.text
            self._characters += len(text)
            return self._delta + orjson.dumps(text) + _DELTA_END if text else b""
        if isinstance(event, Note):
            return comment(event.text)
        return self._begin() + self._event(event)

    def keepalive(self) -> bytes:
        if self._ended:
            return b""
        return _PING if self._begun else comment("keep-alive")

    def comment(self, text: str) -> bytes:
        return comment(text)

    def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        body = {
            "type": "message_delta",
            "delta": _ending(self._finish, called=self._called, refused=self._refused),
            "usage": _usage(self._usage or _estimate(self._served, self._characters)),
        }
        return self._begin() + self._settle() + _frame("message_delta", body) + _MESSAGE_STOP

    def fail(self, error: RouterError) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        return event_frame("error", error_body(error, f"req_{self._served.id}"))

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        usage = _usage(Usage(input=self._served.input_estimate, output=1))
        nothing: dict[str, Any] = dict.fromkeys(("stop_reason", "stop_sequence", "stop_details"))
        opening = _head(self._served) | {"content": []} | nothing | {"usage": usage}
        return _frame("message_start", {"type": "message_start", "message": opening}) + _PING

    def _event(self, event: Event) -> bytes:
        match event:
            case TextDelta() | RefusalDelta():
                return self._text(event)
            case Citations():
                return self._cited(event)
            case ReasoningDelta():
                return self._reasoning(event) if self._show else b""
            case ToolCallStart():
                return self._call_start(event)
            case ToolCallDelta():
                return self._call_delta(event)
            case Usage():
                self._usage = event
            case Finish():
                self._finish = event
                return self._settle()
            case Failed():
                raise TypeError("a fault is written with fail()")
            case _:
                pass
        return b""

    def _text(self, event: TextDelta | RefusalDelta) -> bytes:
        self._refused = self._refused or isinstance(event, RefusalDelta)
        if not event.text:
            return b""
        self._characters += len(event.text)
        opening = b""
        if self._open != "text":
            opening = self._settle() + self._start("text", {"type": "text", "text": ""}, "text_delta", "text")
        return opening + self._piece(event.text)

    def _cited(self, event: Citations) -> bytes:
        if self._open != "text":
            return b""
        deltas = ({"type": "citations_delta", "citation": one} for one in event.items)
        bodies = ({"type": "content_block_delta", "index": self._index, "delta": delta} for delta in deltas)
        return b"".join(_frame("content_block_delta", body) for body in bodies) + self._stop()

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        if event.redacted is not None:
            block = {"type": "redacted_thinking", "data": event.redacted}
            return self._settle() + self._start("thinking", block, "thinking_delta", "thinking") + self._stop()
        if not event.text and event.signature is None:
            return b""
        self._characters += len(event.text)
        out = b""
        if self._open != "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
            out = self._settle() + self._start("thinking", block, "thinking_delta", "thinking")
        if event.text:
            out += self._piece(event.text)
        if event.signature is not None:
            delta = {"type": "signature_delta", "signature": event.signature}
            out += _frame("content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta})
            out += self._stop()
        return out

    def _call_start(self, event: ToolCallStart) -> bytes:
        self._called = True
        call = _Call(event)
        self._waiting[event.index] = call
        if self._call is not None:
            return b""
        return self._stop() + self._open_call(event.index, call)

    def _call_delta(self, event: ToolCallDelta) -> bytes:
        call = self._waiting[event.index]
        if event.index != self._call:
            call.pieces.append(event.arguments)
            return b""
        return self._arguments(call, event.arguments)

    def _open_call(self, index: int, call: _Call) -> bytes:
        self._call = index
        block = {"type": "tool_use", "id": call.start.id, "name": call.start.name, "input": {}}
        opening = self._start("call", block, "input_json_delta", "partial_json")
        return opening + self._arguments(call, "".join(call.pieces))

    def _arguments(self, call: _Call, text: str) -> bytes:
        if not text:
            return b""
        call.written = True
        self._characters += len(text)
        return self._piece(text)

    def _settle(self) -> bytes:
        """Close whatever is open, and write the calls that waited for it."""
        if self._call is None:
            return self._stop()
        out = b""
        while self._call is not None:
            call = self._waiting.pop(self._call)
            # A client that parses what it gathered must not meet an empty text.
            out += (b"" if call.written else self._piece("{}")) + self._stop()
            self._call = None
            for index, following in self._waiting.items():
                out += self._open_call(index, following)
                break
        return out

    def _start(self, kind: str, block: dict[str, Any], delta: str, field: str) -> bytes:
        self._index += 1
        self._open = kind
        self._delta = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
        ) % (self._index, delta.encode(), field.encode())
        return _frame(
            "content_block_start", {"type": "content_block_start", "index": self._index, "content_block": block}
        )

    def _piece(self, text: str) -> bytes:
        return self._delta + orjson.dumps(text) + _DELTA_END

    def _stop(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index


def _frame(name: str, body: dict[str, Any]) -> bytes:
    return event_frame(name, orjson.dumps(body))
