"""What each streaming dialect allows: a check for the raw bytes of a stream.

A check raises AssertionError at the first event that a strict client could stumble over, and returns the events.
"""

from __future__ import annotations

from typing import Any

import orjson

from hermes_router.sse import SseParser

_STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
_DELTAS = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "redacted_thinking": {},
}
_BLOCK_FIELDS: dict[str, dict[str, type]] = {
    "text": {"text": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
    "tool_use": {"id": str, "name": str, "input": dict},
}
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_ERROR_TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error",
}  # fmt: skip


def check_anthropic_stream(raw: bytes) -> list[dict[str, Any]]:
    """The events of one stream of ``POST /v1/messages``, which ends in ``message_stop`` or in ``error``."""
    assert raw.endswith(b"\n\n"), "the last frame is not closed"
    grammar = _Anthropic()
    for frame in SseParser().feed(raw):
        data = orjson.loads(frame.data)
        assert frame.event == data["type"], f"event {frame.event} carries data of type {data['type']}"
        assert not grammar.over, f"{frame.event} after the end"
        grammar.take(data)
        grammar.events.append(data)
    assert grammar.over, "the stream has no end"
    return grammar.events


class _Anthropic:
    """Where a stream stands."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.over = False
        self._begun = False
        self._index = -1
        self._block: dict[str, Any] | None = None
        self._json = ""
        self._used_tools = False
        self._delta_seen = False

    def take(self, data: dict[str, Any]) -> None:
        kind = data["type"]
        assert kind in _STEPS, f"unknown event {kind}"
        assert self._begun or kind in ("message_start", "error"), f"{kind} before message_start"
        _STEPS[kind](self, data)

    def start(self, data: dict[str, Any]) -> None:
        assert not self._begun, "a second message_start"
        self._begun = True
        message = data["message"]
        assert message["id"].startswith("msg_")
        assert message["id"] != "msg_"
        assert (message["type"], message["role"], message["content"]) == ("message", "assistant", [])
        assert isinstance(message["model"], str)
        assert message["stop_reason"] is None
        assert message["stop_sequence"] is None
        _check_usage(message["usage"])

    def ping(self, data: dict[str, Any]) -> None:
        assert data == {"type": "ping"}

    def block_start(self, data: dict[str, Any]) -> None:
        assert self._block is None, "a block starts inside another"
        assert not self._delta_seen, "a block after message_delta"
        self._index += 1
        assert data["index"] == self._index, f"index {data['index']}, due was {self._index}"
        block = data["content_block"]
        for name, type_ in _BLOCK_FIELDS[block["type"]].items():
            assert isinstance(block[name], type_), f"{block['type']}.{name} is missing or of a wrong type"
        if block["type"] == "tool_use":
            assert block["id"]
            assert block["name"]
            assert block["input"] == {}
            self._used_tools = True
        self._block, self._json = block, ""

    def block_delta(self, data: dict[str, Any]) -> None:
        assert self._block is not None, "a delta outside any block"
        assert data["index"] == self._index, "a delta for a block that is not open"
        delta = data["delta"]
        fields = _DELTAS[self._block["type"]]
        assert delta["type"] in fields, f"{delta['type']} in a {self._block['type']} block"
        value = delta[fields[delta["type"]]]
        if delta["type"] != "citations_delta":
            assert isinstance(value, str)
        if delta["type"] == "input_json_delta":
            self._json += value

    def block_stop(self, data: dict[str, Any]) -> None:
        assert self._block is not None, "a stop outside any block"
        assert data["index"] == self._index, "a stop for a block that is not open"
        if self._block["type"] == "tool_use":
            assert isinstance(orjson.loads(self._json or "{}"), dict), "arguments are not an object"
        self._block = None

    def message_delta(self, data: dict[str, Any]) -> None:
        assert self._block is None, "message_delta inside a block"
        assert not self._delta_seen, "a second message_delta"
        self._delta_seen = True
        delta = data["delta"]
        assert delta["stop_reason"] in _STOP_REASONS
        assert "stop_sequence" in delta
        assert (delta["stop_reason"] == "stop_sequence") == isinstance(delta["stop_sequence"], str)
        assert delta["stop_reason"] != "tool_use" or self._used_tools, "tool_use without a call"
        # Older recorded streams count only the output here.
        assert isinstance(data["usage"]["output_tokens"], int)
        _check_usage(
            {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0} | data["usage"]
        )

    def message_stop(self, data: dict[str, Any]) -> None:
        assert data == {"type": "message_stop"}
        assert self._delta_seen, "message_stop without message_delta"
        self.over = True

    def error(self, data: dict[str, Any]) -> None:
        assert data["error"]["type"] in _ERROR_TYPES
        assert data["error"]["message"]
        assert "request_id" in data
        self.over = True


_STEPS = {
    "message_start": _Anthropic.start,
    "ping": _Anthropic.ping,
    "content_block_start": _Anthropic.block_start,
    "content_block_delta": _Anthropic.block_delta,
    "content_block_stop": _Anthropic.block_stop,
    "message_delta": _Anthropic.message_delta,
    "message_stop": _Anthropic.message_stop,
    "error": _Anthropic.error,
}


def _check_usage(usage: dict[str, Any]) -> None:
    for name in _COUNTS:
        assert isinstance(usage[name], int), f"usage.{name} is missing"
        assert usage[name] >= 0
