"""The tool calls of one Chat Completions answer, put together from whatever pieces a provider sends.

By the book a call's first piece has index, id and name, and later ones index and arguments (OpenAI API reference,
"The chat completion chunk object"). In use: the index is missing or 0 for every call (OpenRouter's Google lane), the
id is missing, empty, or empty in later pieces only (Mistral, Gemini, Alibaba), arguments are null or an object, or
come with the name (Groq, Mistral). Seen in recorded traffic of these providers, 2024-08 to 2026-09.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from ..core.events import Event, ToolCallDelta, ToolCallStart


class _Call:
    __slots__ = ("arguments", "index", "name", "opaque", "said_id")

    def __init__(self, said_id: str) -> None:
        self.said_id = said_id
        self.name = ""
        self.index = -1
        self.arguments: list[str] = []
        self.opaque: dict[str, Any] | None = None


class CallReader:
    """Give ``feed`` each ``tool_calls`` list. Ids that are missing are made from ``seed`` and the call's place."""

    def __init__(self) -> None:
        self.count = 0
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._ids: set[str] = set()

    def feed(
        self, items: list[Any], events: list[Event], *, whole: bool, seed: str, spare: dict[str, Any] | None = None
    ) -> None:
        """``whole``: each item is a call of its own. ``spare``: vendor data of the message, for its first call."""
        for item in items:
            if not isinstance(item, dict):
                continue
            inner = item.get("function")
            function: dict[str, Any] = inner if isinstance(inner, dict) else {}
            name, arguments = _text(function.get("name")), _arguments(function.get("arguments"))
            call = None if whole else self._continued(item, name)
            if call is None:
                if not (name or arguments or _text(item.get("id"))):
                    continue
                call = self._new(item)
                opaque = item.get("extra_content")
                call.opaque = opaque if isinstance(opaque, dict) else (spare if not self.count else None)
            self._add(call, name, arguments, events, seed)

    def end(self, events: list[Event], *, fill: bool) -> str | None:
        """Close every call; the problem, if one cannot be a call. ``fill``: no arguments at all means ``{}``."""
        for call in self._calls:
            if not call.name:
                return "a tool call without a name"
            if fill and not "".join(call.arguments).strip():
                events.append(ToolCallDelta(call.index, "{}"))
        return None

    def _continued(self, item: dict[str, Any], name: str) -> _Call | None:
        """The call this piece goes on with, None where it begins a new one."""
        said_id, index = _text(item.get("id")), _index(item)
        if index is None:
            known = next((call for call in self._calls if said_id and call.said_id == said_id), None)
            if known or said_id or name:
                return known
            return self._calls[-1] if self._calls else None
        call = self._by_index.get(index)
        if call is None or (said_id and call.said_id and said_id != call.said_id):
            return None
        return None if name and not said_id and call.name and _is_json(call.arguments) else call

    def _new(self, item: dict[str, Any]) -> _Call:
        call = _Call(_text(item.get("id")))
        self._calls.append(call)
        index = _index(item)
        if index is not None:
            self._by_index[index] = call
        return call

    def _add(self, call: _Call, name: str, arguments: str, events: list[Event], seed: str) -> None:
        if arguments:
            call.arguments.append(arguments)
        if call.name:
            if arguments:
                events.append(ToolCallDelta(call.index, arguments))
        elif name:
            call.name, call.index = name, self.count
            self.count += 1
            events.append(ToolCallStart(call.index, self._id(call, seed), name, call.opaque))
            if call.arguments:
                events.append(ToolCallDelta(call.index, "".join(call.arguments)))

    def _id(self, call: _Call, seed: str) -> str:
        made = call.said_id
        if not made or made in self._ids:
            made = "call_" + hashlib.sha256(f"{seed}/{call.index}".encode()).hexdigest()[:24]
        self._ids.add(made)
        return made


def _index(item: dict[str, Any]) -> int | None:
    index = item.get("index")
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _is_json(pieces: list[str]) -> bool:
    try:
        orjson.loads("".join(pieces))
    except orjson.JSONDecodeError:
        return False
    return True
