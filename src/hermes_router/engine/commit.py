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

_OUTPUT = frozenset({ToolCallStart, RefusalDelta, Vectors})


def commits(events: list[Event], *, thinking: bool) -> bool:
    """Whether there is output among them of the kind every caller is shown; ``thinking``: or this one."""
    for event in events:
        if type(event) is TextDelta:
            if event.text and not event.text.isspace():
                return True
        elif type(event) is ReasoningDelta:
            if thinking and (event.text or event.redacted):
                return True
        elif type(event) in _OUTPUT:
            return True
    return False


def emptiness(events: list[Event]) -> Fault | None:
    """Why a finished answer is none; None where it is one."""
    if commits(events, thinking=False):
        return None
    finish = finish_of(events)
    if finish is not None and finish.reason in (FinishReason.FILTERED, FinishReason.STOP_SEQUENCE):
        return None
    thought = any(isinstance(event, ReasoningDelta) for event in events)
    message = "it thought and then said nothing" if thought else "the answer is empty"
    return Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, message=message)


def finish_of(events: list[Event]) -> Finish | None:
    """The last one."""
    return next((event for event in reversed(events) if isinstance(event, Finish)), None)
