"""How one quota window counts: rolling, or by a calendar. No limits here; times are wall-clock seconds.

A counter knows what was spent and when it comes back. The window around it is in ``pool/windows.py``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from .calendars import DAY, Rule, day_rule, month_rule

Kind = Literal["rpm", "tpm", "rpd", "tpd", "month", "concurrency"]

MINUTE = 60.001
"""A minute window's span: a millisecond over, so that rounding never frees a call too early."""
EDGE = 0.5
"""Seconds around a calendar's reset in which a call may count for either side, and is counted for both."""
EXACT_ENTRIES = 256
"""Calls of a window that are kept one by one; with more than this in it, later ones are kept in steps."""
STEP = 0.25
"""Seconds. A call in a step counts as made at its end, so it never comes back too early."""

Ref = list[float] | float
"""Where a counter keeps an amount: an entry of a rolling one, the start of a calendar's period."""


class Rolling:
    """What was spent in the last ``span`` seconds. With a ``grain`` times are rounded up to it, never down."""

    __slots__ = ("entries", "grain", "next", "span", "used")

    def __init__(self, span: float, grain: float = 0.0) -> None:
        self.span = span
        self.grain = grain
        self.entries: deque[list[float]] = deque()
        self.used = 0.0
        self.next = math.inf

    def roll(self, now: float) -> None:
        entries, span = self.entries, self.span
        while entries and entries[0][0] + span <= now:
            gone = entries.popleft()
            self.used -= gone[1]
            gone[0] = -math.inf
        self.next = entries[0][0] + span if entries else math.inf

    def add(self, amount: float, now: float) -> list[float]:
        if now >= self.next:
            self.roll(now)
        self.used += amount
        entries = self.entries
        grain = self.grain or (STEP if len(entries) > EXACT_ENTRIES else 0.0)
        at = (now // grain + 1) * grain if grain else now
        if entries:
            last = entries[-1]
            if last[0] >= at:
                last[1] += amount
                return last
        else:
            self.next = at + self.span
        entry = [at, amount]
        entries.append(entry)
        return entry

    def add_all(self, amounts: Sequence[float], moments: Sequence[float]) -> None:
        """The same as ``add`` for each, without saying where."""
        edge, latest = self._edge(), max(moments)
        if latest < edge and latest < self.next:
            total = sum(amounts)
            self.used += total
            self.entries[-1][1] += total
            return
        last = self.entries[-1] if self.entries else []
        for amount, now in zip(amounts, moments, strict=True):
            if now < edge and now < self.next:
                self.used += amount
                last[1] += amount
            else:
                last = self.add(amount, now)
                edge = self._edge()

    def _edge(self) -> float:
        """What is added before this moment falls into the last entry."""
        if not self.entries:
            return -math.inf
        last = self.entries[-1][0]
        grain = self.grain or (STEP if len(self.entries) > EXACT_ENTRIES else 0.0)
        return last // grain * grain if grain else last

    def adjust(self, ref: Ref, delta: float) -> None:
        """The amount kept at ``ref`` turned out to be ``delta`` more; nothing where it has left already."""
        if isinstance(ref, list) and ref[0] > -math.inf:
            delta = max(delta, -ref[1])
            ref[1] += delta
            self.used += delta

    def cut(self, amount: float) -> None:
        """Take off ``amount``, oldest first."""
        for entry in self.entries:
            if amount <= 0:
                return
            take = min(entry[1], amount)
            entry[1] -= take
            self.used -= take
            amount -= take

    def frees_at(self, amount: float, now: float) -> float:
        """When ``amount`` will have left; a whole span from ``now`` where that much is not in here."""
        for at, n in self.entries:
            amount -= n
            if amount <= 0:
                return at + self.span
        return now + self.span

    def ends(self, now: float) -> float | None:
        """When all of it will be back."""
        return self.entries[-1][0] + self.span if self.entries else None

    def turned_back(self, by: float, now: float) -> None:
        """The clock was put back: what was spent stays as long ago as it was."""
        for entry in self.entries:
            entry[0] -= by
        self.next = self.entries[0][0] + self.span if self.entries else math.inf

    def clear(self) -> None:
        for entry in self.entries:
            entry[0] = -math.inf  # calls that are not over yet find out that they count no more
        self.entries.clear()
        self.used, self.next = 0.0, math.inf

    def dump(self) -> dict[str, Any]:
        """Not a copy: to be written down at once."""
        return {"entries": list(self.entries)}

    def load(self, state: dict[str, Any]) -> None:
        self.entries = deque([float(at), float(n)] for at, n in state.get("entries", ()))
        self.used = sum(n for _, n in self.entries)
        self.next = self.entries[0][0] + self.span if self.entries else math.inf


class Calendar:
    """What was spent since the last reset of ``rule``."""

    __slots__ = ("before", "early", "next", "resets_at", "rule", "started", "used")

    def __init__(self, rule: Rule, used: float = 0.0) -> None:
        self.rule = rule
        self.used = used
        self.early = 0.0
        self.before = 0.0
        self.started = -math.inf
        self.resets_at = -math.inf
        self.next = -math.inf

    def roll(self, now: float) -> None:
        if self.resets_at > -math.inf:
            ended = self.resets_at
            skipped = now >= self.rule.next(ended) + EDGE
            self.before = 0.0 if skipped else self.used
            self.used = 0.0 if skipped else self.early
            self.early, self.started = 0.0, ended
        self._aim(now - EDGE)

    def _aim(self, now: float) -> None:
        self.resets_at = self.rule.next(now)
        self.next = self.resets_at + EDGE

    def add(self, amount: float, now: float) -> Ref:
        if now >= self.next:
            self.roll(now)
        self.used += amount
        if now >= self.resets_at - EDGE:
            self.early += amount
        return self.started

    def add_all(self, amounts: Sequence[float], moments: Sequence[float]) -> None:
        """The same as ``add`` for each, without saying where."""
        if max(moments) < min(self.next, self.resets_at - EDGE):
            self.used += sum(amounts)
            return
        for amount, now in zip(amounts, moments, strict=True):
            self.add(amount, now)

    def adjust(self, ref: Ref, delta: float) -> None:
        """The amount kept at ``ref`` turned out to be ``delta`` more; nothing where its period is over."""
        if ref == self.started or (isinstance(ref, list) and ref[0] >= self.started):
            self.used = max(0.0, self.used + delta)

    def cut(self, amount: float) -> None:
        """Take off ``amount``."""
        self.used = max(0.0, self.used - amount)

    def frees_at(self, amount: float, now: float) -> float:
        """The next reset, whatever the amount."""
        return self.next

    def ends(self, now: float) -> float | None:
        """The next reset."""
        if now >= self.next:
            self.roll(now)
        return self.resets_at

    def told(self, rule: Rule, at: float) -> None:
        """The provider says that this period ends ``at``; ``rule`` holds from then on."""
        self.rule, self.resets_at, self.next = rule, at, at + EDGE

    def turned_back(self, by: float, now: float) -> None:
        """The clock was put back: a period it has left again counts as not yet over."""
        if now < self.started - EDGE:
            self.used += self.before
            self.before, self.started = 0.0, -math.inf
        if self.resets_at > -math.inf:
            self._aim(now)

    def clear(self) -> None:
        self.used = self.early = self.before = 0.0

    def dump(self) -> dict[str, Any]:
        return {
            "rule": msgspec.to_builtins(self.rule),
            "used": self.used,
            "early": self.early,
            "before": self.before,
            "started": _finite(self.started),
            "resets_at": _finite(self.resets_at),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.used, self.early, self.before = state["used"], state["early"], state["before"]
        self.started = -math.inf if state["started"] is None else state["started"]
        self.resets_at = -math.inf if state["resets_at"] is None else state["resets_at"]
        self.next = self.resets_at + EDGE


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


Counter = Rolling | Calendar


def counter_for(kind: Kind, reset: str | None) -> Counter:
    """The strategy for ``kind`` under a declared ``reset`` (None: unknown, counted as a rolling day until told)."""
    if kind == "month":
        return Calendar(month_rule(reset))
    if kind in ("rpd", "tpd"):
        rule = day_rule(reset)
        return Calendar(rule) if rule else Rolling(DAY, 60.0)
    return Rolling(MINUTE)
