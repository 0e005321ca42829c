"""One quota window: a limit against a count, what open leases hold, and until when it is parked.

How it counts: ``pool/counters.py``. What a refusal or a header teaches: ``pool/learning.py``. Times are wall-clock
seconds.
"""

from __future__ import annotations

import math
from typing import Literal

from .calendars import ToldRule
from .counters import Calendar, Counter, Kind, counter_for
from .evidence import Tally, Witness

Source = Literal["declared", "headers", "refusal", "learned"]
"""Who says what the limit is. ``refusal``: a refusal stated it; ``learned``: guessed from where refusals began."""

WARY = -1.0
"""``Window.parked_until`` after a park: one call, then the others when it was not refused."""
MINUTES: tuple[Kind, ...] = ("rpm", "tpm")
"""Windows that date a call from when the provider counted it; the others from its answer."""
PATIENCE = 2.0
"""Seconds after which that call counts as not refused."""


class Window:
    """One limit and what counts against it.

    ``limit`` 0: unknown, so that nothing but ``parked_until`` holds a call back. ``guess``: the limit was concluded
    from refusals; now and then one call is let above it (``probe_at``). ``held``: leases whose call the provider may
    not have counted yet. A ``concurrency`` window has only ``held``. ``tally``: a minute's own calls, and what was
    proven; ``witnesses``: where refusals of unknown size came, by our count and by the clock's minute.
    """

    __slots__ = (
        "came_back",
        "counter",
        "declared",
        "fallback",
        "guess",
        "held",
        "kind",
        "learned_at",
        "lied",
        "limit",
        "parked_until",
        "probe_at",
        "probe_gap",
        "probing",
        "refused_at",
        "reset_hint",
        "rolling",
        "room",
        "scout",
        "source",
        "strikes",
        "supposed_reset",
        "tally",
        "tokens",
        "until_reset",
        "witnesses",
    )

    def __init__(self, kind: Kind, reset: str | None) -> None:
        self.kind = kind
        self.tokens = kind in ("tpm", "tpd")
        self.counter: Counter = counter_for(kind, reset)
        self.rolling = reset == "rolling"
        self.limit = self.declared = 0
        self.source: Source = "declared"
        self.learned_at = 0.0
        self.guess = False
        self.fallback: tuple[int, Source, bool] | None = None
        self.held = 0.0
        self.parked_until = 0.0
        self.until_reset = False
        self.scout: float | None = None
        self.room: float | None = None
        self.supposed_reset: float | None = None
        self.refused_at = self.came_back = 0.0
        self.strikes = 0
        self.lied = False
        self.reset_hint: tuple[float, float] | None = None
        self.probe_at, self.probe_gap = math.inf, 0.0
        self.probing: object | None = None
        self.tally = Tally() if kind == "rpm" else None
        self.witnesses = (Witness(), Witness())

    @property
    def used(self) -> float:
        """Spent, not counting what is only held."""
        return self.counter.used

    def free_at(self, amount: float, now: float) -> float:
        """When ``amount`` fits: ``now`` where it does already, infinity where it never will."""
        if self.parked_until and (at := self._parked(now)) > now:
            return at
        if not self.limit:
            return now
        counter = self.counter
        if now >= counter.next:
            counter.roll(now)
        if counter.used + self.held + amount <= self.limit:
            return now
        return self._wait(amount, now)

    def _wait(self, amount: float, now: float) -> float:
        over = self.counter.used + self.held + amount - self.limit
        if self.guess:
            step = amount if self.tokens else 1
            if now >= self.probe_at and over <= step:
                return now
            if amount > self.limit:
                over = self.counter.used + self.held
                if over <= 0:
                    return now
        elif amount > self.limit:
            return math.inf
        at = self.counter.frees_at(over, now)
        return max(at, now + 0.001)

    def park(self, until: float, *, room: float | None = None) -> None:
        """Let nothing through before ``until``. ``room``: the provider said that this much will fit then."""
        if until >= self.parked_until:
            self.parked_until, self.room = until, room

    def park_until_reset(self, now: float) -> None:
        """Let nothing through before the calendar's next reset, wherever a moved clock puts that."""
        if now >= self.counter.next:
            self.counter.roll(now)
        self.park(self.counter.next)
        self.until_reset = True

    def _parked(self, now: float) -> float:
        """How long a park holds a call back; after it, one call goes first, to see whether the refusals are over."""
        if self.parked_until > 0:
            if self.parked_until > now:
                return max(self.parked_until, now + 0.001)
            self._come_back(now)
        if self.scout is None:
            return now
        if now < self.scout + PATIENCE:
            return self.scout + PATIENCE
        self.parked_until = 0.0
        return now

    def answered(self, sent: float) -> None:
        """A call sent then was admitted: the refusals are over, and a reset that was only supposed has come."""
        if self.parked_until == WARY and sent >= self.came_back:
            self.parked_until = 0.0
            if self.supposed_reset is not None:
                self.tell(self.supposed_reset, ToldRule(self.supposed_reset))

    def tell(self, at: float, rule: ToldRule) -> None:
        """The day ends ``at``; by ``rule`` from then on, unless a calendar is declared."""
        self.supposed_reset = None
        counter = self.counter
        if isinstance(counter, Calendar):
            counter.told(rule if isinstance(counter.rule, ToldRule) else counter.rule, at)
        else:
            self.counter = Calendar(rule, counter.used)
            self.counter.told(rule, at)

    def _come_back(self, now: float) -> None:
        self.until_reset, self.scout = False, None
        self.came_back, self.parked_until = self.parked_until, WARY
        room, self.room = self.room, None
        if now >= self.counter.next:
            self.counter.roll(now)
        if room is not None and self.limit:
            over = self.counter.used + self.held + min(room, self.limit) - self.limit
            if over > 0:
                self.counter.cut(over)

    def set_limit(self, limit: int, source: Source, now: float) -> None:
        """What the provider says or shows; ``learned`` makes it a guess."""
        self.limit, self.source, self.learned_at = limit, source, now
        self.guess = source == "learned"
        self.fallback = None
        if not self.guess:
            self.probe_at, self.probe_gap, self.probing = math.inf, 0.0, None

    def declare(self, limit: int) -> None:
        """What the catalogue or the user says now. What the provider itself said stays; a guess gives way."""
        if limit == self.declared and (self.limit or not limit):
            return
        self.declared = limit
        if self.source == "declared" or self.guess:
            self.set_limit(limit, "declared", 0.0)

    def turned_back(self, by: float, now: float) -> None:
        """The clock was put back by ``by`` seconds to ``now``."""
        self.counter.turned_back(by, now)
        if self.parked_until > 0:
            self.parked_until = self.counter.next if self.until_reset else max(self.parked_until - by, 0.001)
        self.came_back -= by
        self.scout = None if self.scout is None else self.scout - by
        self.refused_at -= by
        self.probe_at -= by
        if self.tally is not None:
            self.tally.turned_back(by)
        for witness in self.witnesses:
            witness.at -= by
        self.reset_hint = self.supposed_reset = None

    def clear(self) -> None:
        """Forget what was spent and learned; what is held stays."""
        self.counter.clear()
        self.parked_until, self.until_reset, self.room, self.strikes, self.lied = 0.0, False, None, 0, False
        self.came_back, self.refused_at, self.scout, self.supposed_reset = 0.0, 0.0, None, None
        self.tally = Tally() if self.tally is not None else None
        self.witnesses = (Witness(), Witness())
        self.set_limit(self.declared, "declared", 0.0)


class Gate(Window):
    """Requests at a time."""

    __slots__ = ()

    def free_at(self, amount: float, now: float) -> float:
        """A second from now where all places are taken: nobody knows when an answer ends."""
        if self.parked_until and (at := self._parked(now)) > now:
            return at
        if not self.limit or self.held + 1 <= self.limit:
            return now
        if self.guess and now >= self.probe_at and self.held <= self.limit:
            return now
        return now + 1.0


def window_for(kind: Kind, reset: str | None) -> Window:
    """A window of ``kind`` without a limit yet."""
    return Gate(kind, reset) if kind == "concurrency" else Window(kind, reset)
