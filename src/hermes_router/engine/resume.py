"""How an answer that broke off goes on: what to ask the next model, in which order of ways, and whether at all.

The seam itself is ``seam.py``; here are the requests, the screen that joins a continuation's events to what was sent,
and the sum of what all of it cost. Which candidate is asked and how often is the loop's affair.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import orjson

from ..catalogue.schema import Quirks
from ..core.events import (
    Event,
    Failed,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallStart,
    Usage,
)
from ..core.faults import Fault, Kind, Scope
from ..core.fold import Folder
from ..core.request import Message, Part, Request, Role, Text, ToolCall
from ..core.tokens import count_text
from .seam import Seam, tail

MOST = 2
"""Resumes of one answer."""
_LEAST_OUTPUT = 64
_ASK = (
    "Your answer above was cut off by a broken connection. Continue it in the same language and form. First repeat "
    "these last words of it exactly as they are, without quotation marks or a comment, then go on from there up to its "
    "end:\n\n"
)


class Way(StrEnum):
    """How to ask. ``repeat``: with the partial answer and the wish to repeat its last words. ``native``: with the
    partial answer as last turn. ``restart``: the request as it was."""

    REPEAT = "repeat"
    NATIVE = "native"
    RESTART = "restart"


class Sent:
    """What of an answer has gone out to the caller so far. ``folder`` is where whoever sends it keeps it."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def text(self) -> str:
        """All text sent, joined."""
        return self._folder.answer().text

    @property
    def anything(self) -> bool:
        return self.final or bool(self._folder.answer().parts)

    @property
    def final(self) -> bool:
        """A call, a refusal or the finish went out: nothing can follow that was not its own."""
        said = self._folder.answer()
        return bool(said.calls or said.refusal is not None or said.finish or said.vectors)


def can_resume(request: Request, sent: Sent) -> bool:
    """Whether what was sent can be gone on from. Log probabilities cannot: they are one model's own."""
    return not sent.final and not request.sampling.logprobs


def way(quirks: Quirks, failures: int, said: str) -> Way:
    """How to ask a candidate, after so many continuations of this same text that did not join."""
    if not said.strip():
        return Way.RESTART
    if failures == 0:
        return Way.REPEAT
    if failures == 1:
        return Way.NATIVE if quirks.prefill in ("native", "prefix") else Way.REPEAT
    return Way.RESTART


def ask(request: Request, said: str, how: Way) -> Request:
    """The request for one way; ``said`` is all the text the caller has."""
    if how is Way.RESTART:
        return request
    return continuation(request, said, native=how is Way.NATIVE)


def continuation(request: Request, said: str, *, native: bool) -> Request:
    """The same conversation with what was said as the assistant's turn, and unless ``native`` a turn that asks to
    repeat its last words and go on.

    White space at the end is left out of the turn (the seam puts it right, and some providers refuse it). The format
    goes from the request into that turn: a decoder held to a schema cannot begin in the middle of a document.
    """
    messages = _with_turn(request.messages, said.rstrip())
    if not native:
        parts = (Text(text=_format_words(request) + _ASK + tail(said)),)
        messages = (*messages, Message(role=Role.USER, parts=parts))
    return msgspec.structs.replace(
        request,
        messages=messages,
        response_format=None,
        max_output=_left(request.max_output, said, 0 if native else count_text(tail(said))),
        thinking=msgspec.structs.replace(request.thinking, show=False),
    )


def joining(said: str, how: Way) -> Joined:
    """The screen for the events of such a request's answer."""
    return Joined(Seam(said, native=how is Way.NATIVE))


class Joined:
    """Lets through what of a continuation is new. Its thinking and its start are left out: the answer has begun.

    ``Failed`` (malformed, about the request only) where it does not join; then nothing of its text or calls has
    passed.
    """

    def __init__(self, seam: Seam) -> None:
        self.seam = seam

    def feed(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            out += self._one(event)
            if out and isinstance(out[-1], Failed):
                break
        return out

    def _one(self, event: Event) -> list[Event]:
        match event:
            case Start() | ReasoningDelta():
                return []
            case TextDelta():
                return self._after(self.seam.feed(event.text))
            case ToolCallStart() | RefusalDelta() | Finish():
                rest = self._after(self.seam.end())
                return rest if self.seam.state is Seam.State.FAILED else [*rest, event]
        return [event]

    def _after(self, text: str) -> list[Event]:
        if self.seam.state is Seam.State.FAILED:
            return [unjoined()]
        return [TextDelta(text)] if text else []


class UsageSum:
    """What all attempts at one answer spent. Each attempt's input counts: it was spent."""

    def __init__(self) -> None:
        self._total: Usage | None = None

    def add(self, usage: Usage | None) -> None:
        """Add one attempt's; None where it told nothing, which makes the sum an estimate."""
        total = self._total
        if usage is None:
            usage = Usage(known=False)
        self._total = usage if total is None else _plus(total, usage)

    def told(self, events: list[Event]) -> list[Event]:
        """The same events, the usage in them added and what all spent in its place."""
        out: list[Event] = []
        for event in events:
            if isinstance(event, Usage):
                self.add(event)
                out.append(self._total or event)
            else:
                out.append(event)
        return out

    @property
    def total(self) -> Usage | None:
        """None before anything was added."""
        return self._total


def unjoined() -> Failed:
    """The continuation neither repeats the end of the answer nor starts over with the same words."""
    message = "asked to go on with an answer that broke off, it said something else"
    return Failed(Fault(kind=Kind.MALFORMED, scope=Scope.REQUEST, message=message))


def _plus(one: Usage, other: Usage) -> Usage:
    return Usage(
        input=one.input + other.input,
        output=one.output + other.output,
        reasoning=one.reasoning + other.reasoning,
        cache_read=one.cache_read + other.cache_read,
        cache_write=one.cache_write + other.cache_write,
        known=one.known and other.known,
    )


def _left(most: int | None, said: str, repeated: int) -> int | None:
    """Output still due, with room for the repeat; never so little that the rest could not be said."""
    return None if most is None else max(most - count_text(said), _LEAST_OUTPUT) + repeated


def _with_turn(messages: tuple[Message, ...], said: str) -> tuple[Message, ...]:
    """A caller's own unfinished assistant turn is lengthened; after any other message a new one begins."""
    last = messages[-1] if messages else None
    if last is None or last.role is not Role.ASSISTANT or any(isinstance(part, ToolCall) for part in last.parts):
        return (*messages, Message(role=Role.ASSISTANT, parts=(Text(text=said),)))
    parts: tuple[Part, ...] = (*last.parts, Text(text=said))
    if last.parts and isinstance(last.parts[-1], Text):
        parts = (*last.parts[:-1], msgspec.structs.replace(last.parts[-1], text=last.parts[-1].text + said))
    return (*messages[:-1], msgspec.structs.replace(last, parts=parts))


def _format_words(request: Request) -> str:
    wanted = request.response_format
    if wanted is None:
        return ""
    if wanted.schema is None:
        return "The answer as a whole must be one JSON object.\n"
    return f"The answer as a whole must fit this JSON Schema: {orjson.dumps(wanted.schema).decode()}\n"
