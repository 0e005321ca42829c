"""What stands between a provider's events and the caller: each screen takes events and gives events.

A screen may hold events back, change them, or end the attempt with ``Failed``. Only those a request needs are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..core.events import Event, Failed, Finish, FinishReason, TextDelta, ToolCallDelta, ToolCallStart, Vectors
from ..core.faults import Fault, Kind, Scope
from ..core.tokens import count_text


class Screen(Protocol):
    """One step. The events of one attempt pass through in order, ``Finish`` or ``Failed`` at the end."""

    def feed(self, events: list[Event]) -> list[Event]: ...


def through(screens: Sequence[Screen], events: list[Event]) -> list[Event]:
    """Events after all screens."""
    for screen in screens:
        events = screen.feed(events)
    return events


class OutputCap:
    """Ends an answer that is far over the caller's limit, where more was asked for to leave room for thinking.

    Only an answer longer than half as much again is cut: our count is an estimate.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit + limit // 2
        self._spent = 0
        self._over = False

    def feed(self, events: list[Event]) -> list[Event]:
        if self._over:
            return [
                event for event in events if not isinstance(event, (TextDelta, ToolCallStart, ToolCallDelta, Finish))
            ]
        for at, event in enumerate(events):
            if isinstance(event, TextDelta):
                self._spent += count_text(event.text)
                if self._spent > self._limit:
                    self._over = True
                    rest = self.feed(events[at + 1 :])
                    return [*events[: at + 1], *rest, Finish(FinishReason.LENGTH, raw="length")]
        return events

    @property
    def over(self) -> bool:
        """The answer was cut here: nothing more is needed of the provider."""
        return self._over


class VectorCount:
    """Refuses an answer that has not one vector for each input."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs

    def feed(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Vectors) and len(event.vectors) != self._inputs:
                return [malformed(f"it gave {len(event.vectors)} vectors for {self._inputs} inputs")]
        return events


def malformed(message: str) -> Failed:
    """The model's answer is no use; the next one may be better."""
    return Failed(Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, message=message))
