"""A provider that keeps its limits exactly, and a virtual clock that drives a ledger against it.

``Upstream`` counts in its own way (sliding or fixed minutes, days of every calendar) and refuses what is over.
``Simulation`` sends whatever the ledger lets through and tells it what came back, after the delays given.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from hermes_router.catalogue.schema import Limits
from hermes_router.pool.calendars import DAY, MonthRule, Rule, day_rule
from hermes_router.pool.ledger import Lane, Lease, Ledger
from hermes_router.wires.limits import Reading

Minutes = Literal["sliding", "fixed"]


class Says(msgspec.Struct, frozen=True):
    """What a provider tells of its limits: in a refusal which window, its size and when to come back; and headers."""

    limit: bool = True
    value: bool = True
    retry: bool = True
    headers: bool = False


SILENT = Says(limit=False, value=False, retry=False)


class Count:
    """One window as the provider keeps it."""

    def __init__(self, kind: str, limit: int, minutes: Minutes, reset: str | None) -> None:
        self.kind, self.limit = kind, limit
        self.tokens = kind in ("tpm", "tpd")
        self.rule: Rule | None = None
        self.span = 60.0 if kind in ("rpm", "tpm") else DAY
        self.fixed = self.span == 60.0 and minutes == "fixed"
        if kind in ("rpd", "tpd"):
            self.rule = day_rule(reset)
        elif kind == "month":
            self.rule = MonthRule("UTC")
        self.calls: deque[tuple[float, int]] = deque()
        self.used = 0
        self.ends = 0.0
        self.peak = 0

    def roll(self, now: float) -> None:
        if self.fixed or self.rule is not None:
            if now >= self.ends:
                self.used = 0
                self.ends = self.rule.next(now) if self.rule is not None else (now // 60 + 1) * 60
            return
        while self.calls and self.calls[0][0] <= now - self.span:
            self.used -= self.calls.popleft()[1]

    def wait(self, amount: int, now: float) -> float:
        """Seconds until ``amount`` fits; 0 where it does."""
        self.roll(now)
        over = self.used + amount - self.limit
        if over <= 0:
            return 0.0
        if self.fixed or self.rule is not None:
            return self.ends - now
        for at, n in self.calls:
            over -= n
            if over <= 0:
                return at + self.span - now
        return self.span

    def add(self, amount: int, now: float) -> None:
        self.roll(now)
        self.used += amount
        self.peak = max(self.peak, self.used)
        if not self.fixed and self.rule is None:
            self.calls.append((now, amount))

    def instance(self, now: float) -> int:
        """Which of its minutes, days or months this is."""
        return int(self.ends if self.rule is not None else now // self.span)


class Upstream:
    """A model, or all models of an account, with truthful limits. ``refusals`` counts them per window and period."""

    def __init__(
        self,
        limits: Limits,
        *,
        minutes: Minutes = "sliding",
        reset: str | None = None,
        says: Says = Says(),  # noqa: B008
    ) -> None:
        self.says = says
        self.concurrency = limits.concurrency
        self.running = 0
        self.most_running = 0
        kinds = [kind for kind in ("rpd", "tpd", "month", "rpm", "tpm") if getattr(limits, kind)]
        self.counts = [Count(kind, getattr(limits, kind), minutes, reset) for kind in kinds]
        self.refusals: Counter[tuple[str, int]] = Counter()
        self.admitted = 0
        self.tokens = 0

    def refuses(self, tokens: int, now: float) -> tuple[str, int, float] | None:
        """(window, limit, seconds) where the call does not fit."""
        if self.concurrency and self.running >= self.concurrency:
            return "concurrency", self.concurrency, 1.0
        for count in self.counts:
            wait = count.wait(tokens if count.tokens else 1, now)
            if wait > 0:
                return count.kind, count.limit, wait
        return None

    def ask(self, tokens: int, now: float) -> tuple[str, int, float] | None:
        """Admit a call, or say what refuses it."""
        refusal = self.refuses(tokens, now)
        if refusal is not None:
            kind = refusal[0]
            instance = next((count.instance(now) for count in self.counts if count.kind == kind), int(now // 60))
            self.refusals[kind, instance] += 1
            return refusal
        self.spend(1, tokens, now)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.admitted += 1
        self.tokens += tokens
        return None

    def spend(self, calls: int, tokens: int, now: float) -> None:
        """Count calls, ours or somebody else's."""
        for count in self.counts:
            count.add(tokens if count.tokens else calls, now)

    def readings(self, now: float) -> tuple[Reading, ...]:
        """Its headers."""
        found = []
        for count in self.counts:
            count.roll(now)
            left = max(0, count.limit - count.used)
            wait = count.ends - now if count.rule is not None else count.wait(count.limit - count.used + 1, now)
            found.append(Reading(window=count.kind, limit=count.limit, remaining=left, reset_at=now + wait))
        return tuple(found)


class Lag(msgspec.Struct, frozen=True):
    """Seconds to the provider, until its answer begins, until it is over."""

    there: float = 0.05
    answer: float = 0.4
    whole: float = 1.0


class Simulation:
    """Virtual time: whatever wants to happen, in order."""

    def __init__(self, ledger: Ledger, start: float) -> None:
        self.ledger = ledger
        self.now = start
        self.sent = 0
        self.refused = 0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def at(self, moment: float, what: Callable[[], object]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), what))

    def run(self, until: float) -> None:
        """Let everything happen that is due before ``until``."""
        while self._events and self._events[0][0] < until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until

    def send(
        self, lane: Lane, upstreams: tuple[Upstream, ...], tokens: int, lag: Lag, done: Callable[[], None] | None = None
    ) -> bool:
        """One call, if the ledger lets it go; ``done`` when it is over."""
        lease = self.ledger.lease(lane, tokens, self.now)
        if lease is None:
            return False
        self.sent += 1
        finish = done or (lambda: None)
        self.at(self.now + lag.there, lambda: self._arrive(lane, lease, upstreams, tokens, lag, finish))
        return True

    def _arrive(
        self, lane: Lane, lease: Lease, upstreams: tuple[Upstream, ...], tokens: int, lag: Lag, done: Callable[[], None]
    ) -> None:
        now = self.now
        for upstream in upstreams:
            refusal = upstream.refuses(tokens, now)
            if refusal is not None:
                upstream.ask(tokens, now)
                shared = upstream is not upstreams[0]
                back = partial(self._refused, lane, lease, upstream.says, shared, refusal, done)
                self.at(now + lag.there, back)
                return
        for upstream in upstreams:
            upstream.ask(tokens, now)
        heard = [reading for upstream in upstreams if upstream.says.headers for reading in upstream.readings(now)]
        self.at(now + lag.answer, lambda: self._begins(lane, lease, heard))
        self.at(now + lag.whole, lambda: self._over(lease, upstreams, tokens, done))

    def _refused(
        self,
        lane: Lane,
        lease: Lease,
        says: Says,
        shared: bool,
        refusal: tuple[str, int, float],
        done: Callable[[], None],
    ) -> None:
        self.refused += 1
        kind, value, wait = refusal
        self.ledger.release(lease, self.now, counted=False)
        self.ledger.refused(
            lane,
            limit=kind if says.limit else None,
            value=value if says.value else None,
            retry_after=wait if says.retry else None,
            scope_account=shared,
            tokens=lease.tokens,
            now=self.now,
            lease=lease,
        )
        done()

    def _begins(self, lane: Lane, lease: Lease, heard: list[Reading]) -> None:
        self.ledger.admitted(lease, self.now)
        if heard:
            self.ledger.observe(lane, heard, self.now, lease=lease)

    def _over(self, lease: Lease, upstreams: tuple[Upstream, ...], tokens: int, done: Callable[[], None]) -> None:
        for upstream in upstreams:
            upstream.running -= 1
        self.ledger.settle(lease, tokens, self.now)
        done()


class Greedy:
    """A caller that always wants more: sends on its lane whenever the ledger lets it, ``most`` calls at a time."""

    def __init__(
        self,
        simulation: Simulation,
        lane: Lane,
        upstreams: tuple[Upstream, ...],
        *,
        tokens: int = 500,
        lag: Lag = Lag(),  # noqa: B008
        most: int = 200,
    ) -> None:
        self.simulation, self.lane, self.upstreams = simulation, lane, upstreams
        self.tokens, self.lag, self.most = tokens, lag, most
        self.flying = 0
        self._wake = float("inf")
        simulation.at(simulation.now, self.pump)

    def pump(self) -> None:
        """Send what fits, and come back when more does."""
        simulation = self.simulation
        if self._wake <= simulation.now:
            self._wake = float("inf")
        while self.flying < self.most and simulation.send(
            self.lane, self.upstreams, self.tokens, self.lag, self._landed
        ):
            self.flying += 1
        if self.flying >= self.most:
            return
        at = max(simulation.ledger.free_at(self.lane, self.tokens, simulation.now).at, simulation.now + 0.001)
        if at < self._wake:
            self._wake = at
            simulation.at(at, self.pump)

    def _landed(self) -> None:
        self.flying -= 1
        self.pump()
