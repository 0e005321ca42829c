"""What stands between a provider's events and the caller: each screen takes events and gives events.

A screen may hold events back, change them, or end the attempt with ``Failed``. Only those a request needs are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..core.events import Event, Failed, Finish, FinishReason, TextDelta, ToolCallDelta, ToolCallStart, Vectors
from ..core.faults import Fault, Kind, Scope

_LETTERS_PER_TOKEN = 6
_WIDE_PER_TOKEN = 2


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

    Only an answer longer than half as much again is cut, by a count that is rather too low: no word is less than one
    token, no token of prose more than six characters (two beyond ASCII), however the pieces come.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit + limit // 2
        self._words = 0
        self._letters = 0.0
        self._inside = False
        self._over = False

    def feed(self, events: list[Event]) -> list[Event]:
        if self._over:
            return [
                event for event in events if not isinstance(event, (TextDelta, ToolCallStart, ToolCallDelta, Finish))
            ]
        for at, event in enumerate(events):
            if isinstance(event, TextDelta) and event.text and self._exceeded_by(event.text):
                self._over = True
                rest = self.feed(events[at + 1 :])
                return [*events[: at + 1], *rest, Finish(FinishReason.LENGTH, raw="length")]
        return events

    def _exceeded_by(self, text: str) -> bool:
        goes_on = self._inside and not text[0].isspace()
        self._words += max(0, len(text.split()) - goes_on)
        self._inside = not text[-1].isspace()
        wide = 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))
        self._letters += (len(text) - wide) / _LETTERS_PER_TOKEN + wide / _WIDE_PER_TOKEN
        return max(self._words, self._letters) > self._limit

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
