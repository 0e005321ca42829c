"""What counts as an answer: the first thing worth sending, and why a finished one is none."""

from __future__ import annotations

from ..core.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallStart,
    Vectors,
)
from ..core.faults import Fault, Kind, Scope

_OUTPUT = (ToolCallStart, RefusalDelta, Vectors)


def says_something(event: Event) -> bool:
    """Output of the kind every caller is shown."""
    if isinstance(event, TextDelta):
        return bool(event.text) and not event.text.isspace()
    return isinstance(event, _OUTPUT)


def shows_thinking(event: Event) -> bool:
    """Output for a caller who is shown thinking."""
    return isinstance(event, ReasoningDelta) and bool(event.text or event.redacted)


def emptiness(events: list[Event]) -> Fault | None:
    """Why a finished answer is none; None where it is one."""
    if any(map(says_something, events)):
        return None
    finish = next((event for event in reversed(events) if isinstance(event, Finish)), None)
    if finish is not None and finish.reason in (FinishReason.FILTERED, FinishReason.STOP_SEQUENCE):
        return None
    thought = any(isinstance(event, ReasoningDelta) for event in events)
    message = "it thought and then said nothing" if thought else "the answer is empty"
    return Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, message=message)
