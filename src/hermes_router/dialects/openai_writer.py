"""Writes answers, streams and errors as OpenAI's Chat Completions does. Bytes out, no I/O, no clock.

Sources: OpenAI API reference, "The chat completion object" and "The chat completion chunk object" (2025-11),
https://platform.openai.com/docs/api-reference/chat; error types: "Error codes" guide,
https://platform.openai.com/docs/guides/error-codes. Reasoning goes out as ``reasoning_content`` (DeepSeek's field,
which OpenAI itself lacks), OpenRouter's items as ``reasoning_details`` beside it.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..core.errors import RouterError
from ..core.events import (
    Event,
    Finish,
    FinishReason,
    Note,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from ..core.fold import Answer, CallPart, ReasoningPart, TextPart
from ..core.request import Request
from ..core.tokens import count_text
from ..sse import comment
from .base import Served

_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.REFUSED: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.FILTERED: "content_filter",
}
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_BYTES_PER_TOKEN = 4

# What every answer holds, as JSON: filling it in takes half the time of writing tables for it.
_ANSWER = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":[{"index":0,"message":%b,'
    b'"logprobs":%b,"finish_reason":"%b"}],"usage":%b%b}'
)
_USAGE = (
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d%b},'
    b'"completion_tokens_details":{"reasoning_tokens":%d}}'
)


def error_body(error: RouterError, request_id: str) -> bytes:
    """``{"error": {"message", "type", "param", "code", "request_id"}}``, with ``details`` where there are any."""
    fields: dict[str, Any] = {
        "message": error.message,
        "type": error_type(error.status),
        "param": error.param,
        "code": error.code,
    }
    if error.details:
        fields["details"] = error.details
    fields["request_id"] = request_id
    return orjson.dumps({"error": fields})


def error_type(status: int) -> str:
    """OpenAI's word for an error of this status."""
    return _ERROR_TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def answer_body(request: Request, answer: Answer, served: Served) -> bytes:
    """A ``chat.completion`` with one choice."""
    calls = [part for part in answer.parts if type(part) is CallPart] if answer.calls else []
    finish = finish_word(answer.finish, calls=bool(calls), legacy=request.legacy_functions)
    logprobs, fingerprint = answer.logprobs, answer.start.fingerprint
    return _ANSWER % (
        served.id.encode(),
        served.created,
        orjson.dumps(served.model),
        orjson.dumps(_message(request, answer, calls)),
        orjson.dumps({"content": logprobs, "refusal": None}) if logprobs else b"null",
        finish.encode(),
        usage_json(answer.usage or _estimate(answer, calls, served)),
        b',"system_fingerprint":' + orjson.dumps(fingerprint) if fingerprint else b"",
    )


def _message(request: Request, answer: Answer, calls: list[CallPart]) -> dict[str, Any]:
    parts = answer.parts
    if len(parts) == 1 and type(parts[0]) is TextPart:
        return {"role": "assistant", "content": parts[0].text, "refusal": answer.refusal}
    said = answer.text
    message: dict[str, Any] = {
        "role": "assistant",
        "content": said if said or not (calls or answer.refusal) else None,
        "refusal": answer.refusal,
    }
    if request.thinking.show:
        message |= _reasoning(answer)
    if calls and request.legacy_functions:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments or "{}"}
    elif calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _reasoning(answer: Answer) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if answer.reasoning:
        fields["reasoning_content"] = answer.reasoning
    details = [item for part in answer.parts if isinstance(part, ReasoningPart) for item in part.details or ()]
    if details:
        fields["reasoning_details"] = details
    return fields


def _call(call: CallPart) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }
    if call.opaque:
        fields["extra_content"] = call.opaque
    return fields


def finish_word(finish: Finish | None, *, calls: bool, legacy: bool = False) -> str:
    """``tool_calls`` exactly where there are calls and nothing cut the answer short: clients' loops turn on it, and
    some providers say ``stop`` there."""
    reason = finish.reason if finish else FinishReason.STOP
    word = _REASONS[reason]
    if word not in ("stop", "tool_calls"):
        return word
    if not calls or reason is FinishReason.REFUSED:
        return "stop"
    return "function_call" if legacy else "tool_calls"


def usage_json(usage: Usage) -> bytes:
    """OpenAI's ``usage``; ``cache_write_tokens`` only where something was written."""
    written = b',"cache_write_tokens":%d' % usage.cache_write if usage.cache_write else b""
    return _USAGE % (usage.input, usage.output, usage.input + usage.output, usage.cache_read, written, usage.reasoning)


def _estimate(answer: Answer, calls: list[CallPart], served: Served) -> Usage:
    reasoning = count_text(answer.reasoning)
    output = reasoning + count_text(answer.text) + count_text(answer.refusal or "")
    output += sum(count_text(call.name) + count_text(call.arguments) for call in calls)
    return Usage(input=served.input_estimate, output=output, reasoning=reasoning, known=False)


class ChatStream:
    """One stream of ``chat.completion.chunk`` frames, ended by ``[DONE]`` or by an error and nothing after it.

    What is the same in every chunk is built once, at the first event: a delta is then its JSON between two constants.
    """

    def __init__(self, request: Request, served: Served) -> None:
        self._served = served
        self._show = request.thinking.show
        self._legacy = request.legacy_functions
        self._include_usage = request.include_usage
        self._opened = False
        self._head = self._tail = self._text_head = self._reasoning_head = self._text_tail = b""
        self._usage: Usage | None = None
        self._finished = False
        self._bytes = 0
        self._reasoning_bytes = 0
        self._arguments: dict[int, bool] = {}

    def write(self, event: Event) -> bytes:
        if self._opened:
            # What comes by the thousand is written without the detour below.
            if type(event) is TextDelta and event.text and event.logprobs is None:
                said = orjson.dumps(event.text)
                self._bytes += len(said) - 2
                return self._text_head + said + self._text_tail
            if type(event) is ToolCallDelta:
                return self._call_delta(event)
            if type(event) is ReasoningDelta:
                return self._reasoning(event)
        if isinstance(event, Note):
            return comment(event.text)
        return self._open(event) + self._event(event)

    def keepalive(self) -> bytes:
        return b": keep-alive\n\n"

    def comment(self, text: str) -> bytes:
        return comment(text)

    def end(self) -> bytes:
        """The usage chunk, where asked for, and ``[DONE]``."""
        assert self._finished, "a stream without a Finish must end in fail()"
        usage = b""
        if self._include_usage:
            head = self._head.removesuffix(b'[{"index":0,"delta":')
            usage = head + b'[],"usage":' + usage_json(self._usage or self._estimate()) + b"}\n\n"
        return usage + b"data: [DONE]\n\n"

    def fail(self, error: RouterError) -> bytes:
        """The SDKs raise APIError from a frame that holds ``error`` (openai-python, ``_streaming.py``)."""
        return b"data: " + error_body(error, f"req_{self._served.id}") + b"\n\n"

    def _open(self, event: Event) -> bytes:
        """The chunk that names the role. What ``Start`` says of the upstream counts only if it comes first."""
        if self._opened:
            return b""
        self._opened = True
        common: dict[str, Any] = {
            "id": f"chatcmpl-{self._served.id}",
            "object": "chat.completion.chunk",
            "created": self._served.created,
            "model": self._served.model,
        }
        if isinstance(event, Start) and event.fingerprint:
            common["system_fingerprint"] = event.fingerprint
        self._head = b"data: " + orjson.dumps(common)[:-1] + b',"choices":[{"index":0,"delta":'
        # With include_usage every chunk but the last carries a null usage ("stream_options" in the reference).
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._closing()
        self._text_head = self._head + b'{"content":'
        self._reasoning_head = self._head + b'{"reasoning_content":'
        self._text_tail = b"}" + self._tail
        return self._head + b'{"role":"assistant","content":"","refusal":null}' + self._tail

    def _closing(self) -> bytes:
        return b',"usage":null}\n\n' if self._include_usage else b"}\n\n"

    def _event(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                return self._text(event)
            case ToolCallDelta():
                return self._call_delta(event)
            case ToolCallStart():
                return self._call_start(event)
            case ReasoningDelta():
                return self._reasoning(event)
            case RefusalDelta():
                return self._refusal(event)
            case Finish():
                return self._finish(event)
            case Usage():
                self._usage = event
        return b""

    def _delta(self, fields: dict[str, Any]) -> bytes:
        return self._head + orjson.dumps(fields) + self._tail

    def _text(self, event: TextDelta) -> bytes:
        self._bytes += len(event.text)
        if event.logprobs is None:
            return self._delta({"content": event.text}) if event.text else b""
        logprobs = orjson.dumps({"content": event.logprobs, "refusal": None})
        delta = self._head + orjson.dumps({"content": event.text})
        return delta + b',"logprobs":' + logprobs + b',"finish_reason":null}]' + self._closing()

    def _refusal(self, event: RefusalDelta) -> bytes:
        self._bytes += len(event.text)
        return self._delta({"refusal": event.text}) if event.text else b""

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        self._reasoning_bytes += len(event.text)
        if not self._show or not (event.text or event.details):
            return b""
        if not event.details:
            return self._reasoning_head + orjson.dumps(event.text) + self._text_tail
        fields = {"reasoning_content": event.text} if event.text else {}
        return self._delta({**fields, "reasoning_details": event.details})

    def _call_start(self, event: ToolCallStart) -> bytes:
        first = not self._arguments
        self._arguments[event.index] = False
        self._bytes += len(event.name)
        function = {"name": event.name, "arguments": ""}
        if self._legacy:
            return self._delta({"function_call": function}) if first else b""
        call: dict[str, Any] = {"index": event.index, "id": event.id, "type": "function", "function": function}
        if event.opaque:
            call["extra_content"] = event.opaque
        return self._delta({"tool_calls": [call]})

    def _call_delta(self, event: ToolCallDelta) -> bytes:
        if not event.arguments:
            return b""
        self._arguments[event.index] = True
        self._bytes += len(event.arguments)
        said = orjson.dumps(event.arguments)
        if self._legacy:
            legacy = self._head + b'{"function_call":{"arguments":' + said + b"}}" + self._tail
            return legacy if event.index == 0 else b""
        return b'%b{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}%b' % (
            self._head, event.index, said, self._tail,
        )  # fmt: skip

    def _finish(self, event: Finish) -> bytes:
        """A call without any arguments is given ``{}``: clients parse what they collected as JSON."""
        bare = [index for index, said in self._arguments.items() if not said]
        filled = b"".join(self._call_delta(ToolCallDelta(index, "{}")) for index in bare)
        self._finished = True
        word = finish_word(event, calls=bool(self._arguments), legacy=self._legacy)
        ending = b'{},"logprobs":null,"finish_reason":"' + word.encode() + b'"}]'
        return filled + self._head + ending + self._closing()

    def _estimate(self) -> Usage:
        reasoning = self._reasoning_bytes // _BYTES_PER_TOKEN
        output = reasoning + self._bytes // _BYTES_PER_TOKEN
        return Usage(input=self._served.input_estimate, output=output, reasoning=reasoning, known=False)
