"""Tool calls are passed on whole: held until their arguments are complete and what the tool declared, or refused."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import orjson

from ..core.events import Event, Failed, Finish, ToolCallDelta, ToolCallStart
from ..core.request import Tool
from .screens import malformed


class _Held(msgspec.Struct):
    start: ToolCallStart
    pieces: list[ToolCallDelta] = []


class WholeCalls:
    """Holds each call until the next one begins or the answer finishes."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._held: dict[int, _Held] = {}

    def feed(self, events: list[Event]) -> list[Event]:
        if not self._held and not any(isinstance(event, ToolCallStart) for event in events):
            return events
        out: list[Event] = []
        for event in events:
            match event:
                case ToolCallStart():
                    self._held[event.index] = _Held(event, [])
                case ToolCallDelta():
                    self._held[event.index].pieces.append(event)
                case Finish():
                    fault = self._release(out)
                    out.append(fault or event)
                    if fault:
                        return out
                case _:
                    out.append(event)
        return out

    def _release(self, out: list[Event]) -> Failed | None:
        for held in self._held.values():
            problem = self._problem(held)
            if problem:
                return malformed(problem)
        for held in self._held.values():
            out.append(held.start)
            out.extend(held.pieces)
        self._held = {}
        return None

    def _problem(self, held: _Held) -> str | None:
        name = held.start.name
        if name not in self._tools:
            return f"it called {name!r}, which is not among the tools offered"
        text = "".join(piece.arguments for piece in held.pieces)
        try:
            arguments = orjson.loads(text) if text.strip() else {}
        except orjson.JSONDecodeError:
            return f"the arguments of its call of {name!r} are not valid JSON"
        if not isinstance(arguments, dict):
            return f"the arguments of its call of {name!r} are not an object"
        return None
