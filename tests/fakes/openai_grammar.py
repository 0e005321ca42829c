"""Checks a stream of Chat Completions chunks as sent to a caller, byte for byte: framing, fields and their order.

Source: OpenAI API reference, "The chat completion chunk object" and "stream_options" (2025-11). It is stricter than
any client: what one tolerates, another breaks on.
"""

from __future__ import annotations

import json
from typing import Any

_FIELDS = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint"}
_CONSTANT = ("id", "created", "model", "system_fingerprint")
_CHOICE = {"index", "delta", "logprobs", "finish_reason"}
_DELTA = {
    "role",
    "content",
    "refusal",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "function_call",
}
_REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}


class BadStream(AssertionError):
    """The stream breaks the grammar."""


def check_openai_stream(raw: bytes, *, usage: bool | None = None) -> list[dict[str, Any]]:
    """The chunks of a stream, without comments and ``[DONE]``; an error object counts as the last chunk.

    ``usage`` says whether the caller set ``include_usage``; None: whatever the first chunk suggests.
    Raises BadStream with the number of the frame and what is wrong with it.
    """
    checker = _Checker(usage)
    _require(raw.endswith(b"\n\n"), "the stream does not end with a blank line")
    for number, frame in enumerate(raw.decode().removesuffix("\n\n").split("\n\n")):
        try:
            checker.frame(frame)
        except BadStream as error:
            raise BadStream(f"frame {number}: {error}: {frame[:300]!r}") from None
    _require(checker.over, "neither [DONE] nor an error ends the stream")
    return checker.chunks


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise BadStream(problem)


class _Checker:
    def __init__(self, usage: bool | None) -> None:
        self.usage = usage
        self.chunks: list[dict[str, Any]] = []
        self.over = False
        self._reason: str | None = None
        self._usage_seen = False
        self._calls: list[str] = []
        self._function: str | None = None

    def frame(self, frame: str) -> None:
        _require(not self.over, "something follows the end")
        lines = frame.split("\n")
        if all(line.startswith(":") for line in lines):
            return
        _require(len(lines) == 1, "a frame is one data line or only comments")
        _require(frame.startswith("data: "), "a frame starts with 'data: '")
        self._data(frame.removeprefix("data: "))

    def _data(self, data: str) -> None:
        if data == "[DONE]":
            self._done()
            return
        chunk = json.loads(data)
        _require(isinstance(chunk, dict), "a chunk is an object")
        if "error" in chunk:
            self._error(chunk)
        else:
            self._chunk(chunk)
        self.chunks.append(chunk)

    def _done(self) -> None:
        _require(self._reason is not None, "[DONE] without a finish_reason")
        _require(not self.usage or self._usage_seen, "usage was asked for but not sent")
        self.over = True

    def _error(self, chunk: dict[str, Any]) -> None:
        _require(set(chunk) == {"error"}, "an error frame holds only the error")
        error = chunk["error"]
        _require({"message", "type", "param", "code"} <= set(error), "an error has message, type, param and code")
        _require(bool(error["message"]) and isinstance(error["message"], str), "an error has a message")
        self.over = True

    def _chunk(self, chunk: dict[str, Any]) -> None:
        _require(set(chunk) <= _FIELDS, f"unknown fields {set(chunk) - _FIELDS}")
        _require(str(chunk.get("id")).startswith("chatcmpl-"), "id starts with chatcmpl-")
        _require(chunk.get("object") == "chat.completion.chunk", "object is chat.completion.chunk")
        _require(type(chunk.get("created")) is int, "created is an integer")
        _require(bool(chunk.get("model")) and isinstance(chunk["model"], str), "model is a name")
        for field in _CONSTANT if self.chunks else ():
            _require(chunk.get(field) == self.chunks[0].get(field), f"{field} changes")
        if self.usage is None:
            self.usage = "usage" in chunk
        _require(self.usage == ("usage" in chunk), "usage is a field of every chunk exactly where it was asked for")
        choices = chunk.get("choices")
        _require(isinstance(choices, list) and len(choices) < 2, "choices has one item, or none beside usage")
        if choices:
            _require(chunk.get("usage") is None, "usage comes in a chunk of its own")
            self._choice(choices[0])
        else:
            self._totals(chunk.get("usage"))

    def _choice(self, choice: dict[str, Any]) -> None:
        _require(self._reason is None, "a choice follows the finish_reason")
        _require(set(choice) == _CHOICE, f"a choice has exactly {sorted(_CHOICE)}")
        _require(choice["index"] == 0, "index is 0")
        delta = choice["delta"]
        _require(isinstance(delta, dict) and set(delta) <= _DELTA, "delta has known fields")
        self._role(delta)
        bare = choice["logprobs"] is None and self.chunks
        _require(not (bare and delta.get("content") == ""), "an empty content delta after the first chunk")
        for field in ("content", "reasoning_content"):
            _require(isinstance(delta.get(field, ""), str), f"{field} is a string")
        _require(isinstance(delta.get("refusal") or "", str), "refusal is a string or null")
        _require(choice["logprobs"] is None or "content" in choice["logprobs"], "logprobs have content")
        for call in delta.get("tool_calls", ()):
            self._call(call)
        if "function_call" in delta:
            self._legacy(delta["function_call"])
        if choice["finish_reason"] is not None:
            self._finish(choice["finish_reason"], delta)

    def _role(self, delta: dict[str, Any]) -> None:
        if self.chunks:
            _require("role" not in delta, "role comes once")
        else:
            _require(delta.get("role") == "assistant", "the first chunk names the role")

    def _call(self, call: dict[str, Any]) -> None:
        index = call.get("index")
        _require(type(index) is int, "a tool call has an index")
        assert isinstance(index, int)
        function = call.get("function")
        _require(isinstance(function, dict) and isinstance(function.get("arguments"), str), "arguments are text")
        assert isinstance(function, dict)
        if index == len(self._calls):
            _require(bool(call.get("id")) and bool(function.get("name")), "a new call has an id and a name")
            _require(call.get("type") == "function", "a new call has its type")
            self._calls.append("")
        else:
            _require(0 <= index < len(self._calls), "indices count up from 0")
            _require(set(call) == {"index", "function"} and set(function) == {"arguments"}, "a fragment is arguments")
        self._calls[index] += function["arguments"]

    def _legacy(self, call: dict[str, Any]) -> None:
        _require(isinstance(call.get("arguments"), str), "arguments are text")
        _require((self._function is None) == bool(call.get("name")), "the name comes once, first")
        self._function = (self._function or "") + call["arguments"]

    def _finish(self, reason: str, delta: dict[str, Any]) -> None:
        _require(reason in _REASONS, "finish_reason is one of OpenAI's words")
        _require(delta == {}, "the last choice has an empty delta")
        _require(bool(self.chunks), "the first chunk names the role")
        self._reason = reason
        if reason == "tool_calls":
            _require(bool(self._calls), "tool_calls without a call")
        if reason == "function_call":
            _require(self._function is not None, "function_call without a call")
        if reason in ("tool_calls", "function_call"):
            for arguments in [*self._calls, *([self._function] if self._function is not None else ())]:
                _parsed(arguments)

    def _totals(self, usage: Any) -> None:
        _require(isinstance(usage, dict), "no choices and no usage")
        _require(self._reason is not None, "usage comes after the finish_reason")
        _require(not self._usage_seen, "usage comes once")
        self._usage_seen = True
        total = usage["prompt_tokens"] + usage["completion_tokens"]
        _require(usage["total_tokens"] == total, "total_tokens is not the sum")


def _parsed(arguments: str) -> None:
    try:
        json.loads(arguments)
    except ValueError:
        raise BadStream("the arguments of a call are not JSON") from None
