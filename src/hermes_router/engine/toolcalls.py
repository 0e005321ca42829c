"""Tool calls are passed on whole: held until the answer is complete and each is what its tool declared, or refused.

All calls of an answer wait for its end: once one was sent on, another that turns out cut or invalid could no longer
be asked for again unseen. They are then sent in the pieces they came in. Nothing is put right here but what loses
nothing: arguments that are missing where an empty object fits, and an object that came as a JSON string of itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from ..core.events import Event, Failed, Finish, FinishReason, ToolCallDelta, ToolCallStart
from ..core.request import Tool
from .schemas import value_problem
from .screens import malformed


class _Held(msgspec.Struct):
    start: ToolCallStart
    pieces: list[ToolCallDelta] = []

    @property
    def text(self) -> str:
        return "".join(piece.arguments for piece in self.pieces)


class _Unfit(Exception):
    """Why a call cannot be passed on; ``cut``: its arguments end too early or are not JSON at all."""

    def __init__(self, why: str, *, cut: bool = False) -> None:
        super().__init__(why)
        self.cut = cut


class WholeCalls:
    """The screen. ``tools`` are those the caller offered; a call of any other is a fault.

    An answer that the output limit ended inside a call keeps what is whole of it: the unfinished call is left out, if
    anything else was said or called. Otherwise it is a fault like any other.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._held: dict[int, _Held] = {}

    @property
    def holding(self) -> bool:
        """A call has begun and is being held."""
        return bool(self._held)

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
                    out += self._finish(event)
                case Failed():
                    self._held = {}
                    out.append(event)
                case _:
                    out.append(event)
        return out

    def _finish(self, finish: Finish) -> list[Event]:
        held, self._held = list(self._held.values()), {}
        whole: list[Event] = []
        for call in held:
            try:
                whole += [call.start, *self._checked(call)]
            except _Unfit as unfit:
                if not (unfit.cut and finish.reason is FinishReason.LENGTH and call is held[-1]):
                    return [malformed(str(unfit))]
                # left out: what came before it, if anything, is an answer; where nothing did, the engine finds it empty
        return [*whole, finish]

    def _checked(self, call: _Held) -> list[ToolCallDelta]:
        """The pieces to send. Raises _Unfit."""
        name, index = call.start.name, call.start.index
        tool = self._tools.get(name)
        if tool is None:
            raise _Unfit(f"it called {name!r}, which is not among the tools offered")
        text = call.text
        if not text.strip():
            _fit(tool, {})
            return [ToolCallDelta(index, "{}")]
        arguments = _parse(name, text)
        if isinstance(arguments, str):
            text, arguments = arguments, _parse(name, arguments)
            _fit(tool, arguments)
            return [ToolCallDelta(index, text)]
        _fit(tool, arguments)
        return call.pieces


def arguments_problem(tool: Tool, arguments: object) -> str | None:
    """Why these are no arguments for the tool; None where they are."""
    if not isinstance(arguments, dict):
        return "they are not an object"
    return value_problem(tool.schema, arguments)


def _parse(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _Unfit(f"the arguments of its call of {name!r} are not valid JSON", cut=True) from None


def _fit(tool: Tool, arguments: object) -> None:
    problem = arguments_problem(tool, arguments)
    if problem is not None:
        raise _Unfit(f"the arguments of its call of {tool.name!r} do not fit: {problem}")
