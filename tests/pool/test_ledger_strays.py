"""Limits that nobody states, over hours of virtual time: real ones are found, stray refusals make none."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from fakes.quota import SILENT, Lag, Minutes, Says, Simulation, Upstream
from hermes_router.catalogue.schema import Limits
from hermes_router.pool.ledger import Lane, Ledger

START = 1_795_305_017.0
STATED = Says(limit=False, value=False)
MINUTE = 60.0
LAG = Lag(0.05, 0.4, 1.0)
SLOW = Lag(0.05, 6.0, 9.0)

Order = Callable[[int], list[int]]
"""Which lanes the n-th request asks, in turn."""


class Stray(Upstream):
    """Refuses a share of calls at random, and says to come back in two seconds."""

    def __init__(self, share: float, draw: random.Random, says: Says = STATED, limits: Limits = Limits()) -> None:  # noqa: B008
        super().__init__(limits, says=says)
        self.share, self.draw = share, draw

    def refuses(self, tokens: int, now: float) -> tuple[str, int, float] | None:
        if self.draw.random() < self.share:
            return "rpm", 0, 2.0
        return super().refuses(tokens, now)

    def ask(self, tokens: int, now: float) -> tuple[str, int, float] | None:
        share, self.share = self.share, 0.0
        try:
            return super().ask(tokens, now)
        finally:
            self.share = share


def lane_of(ledger: Ledger, limits: Limits = Limits(), model: str = "m") -> Lane:  # noqa: B008
    return ledger.lane(
        provider=model, account="a", model=model, limits=limits, pool_limits=None, reset=None, failed_calls_count=False
    )


def limit_of(ledger: Ledger, now: float) -> int:
    """The smallest limit of a minute; 0: none is known."""
    return min((row.limit for row in ledger.forecast(now) if row.window == "rpm" and row.limit), default=0)


def steady(_: random.Random, rate: float) -> float:
    return 1 / rate


def at_random(draw: random.Random, rate: float) -> float:
    return draw.expovariate(rate)


def one_after_another(n: int) -> list[int]:
    return [0, 1, 2, 3]


def in_turn(n: int) -> list[int]:
    return [(n + one) % 4 for one in range(4)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gap", [steady, at_random])
@pytest.mark.parametrize("order", [one_after_another, in_turn])
def test_stray_refusals_hold_nothing_back(order: Order, gap: Callable[[random.Random, float], float], seed: int):
    draw, ledger = random.Random(seed), Ledger()
    simulation = Simulation(ledger, START)
    lanes = [lane_of(ledger, model=f"m{n}") for n in range(4)]
    upstreams = [Stray(0.04, draw) for _ in lanes]
    asked = served = 0

    def request(n: int) -> None:
        nonlocal served
        served += any(simulation.send(lanes[one], (upstreams[one],), 10, LAG) for one in order(n))

    at, smallest = START, 10_000
    while at < START + 20 * MINUTE:
        at += gap(draw, 2.0)
        simulation.at(at, partial(request, asked))
        asked += 1
    for minute in range(1, 22):
        simulation.run(START + minute * MINUTE)
        smallest = min(smallest, limit_of(ledger, simulation.now) or smallest)
    assert simulation.refused > 50
    assert served >= 0.97 * asked
    assert smallest >= 60


class Hidden:
    """One lane of a provider whose limits the ledger does not know, asked at a given rate; when it was refused."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        declared: Limits = Limits(),  # noqa: B008
        rate: float = 0.5,
        lag: Lag = LAG,
        minutes: int = 120,
    ) -> None:
        draw, self.ledger, self.refusals = random.Random(5), Ledger(), Counter[int]()
        self.simulation = Simulation(self.ledger, START)
        self.lane = lane_of(self.ledger, declared)
        self.learned_after: int | None = None
        self.upstream = upstream
        at, end = START, START + minutes * MINUTE
        while at < end:
            at += draw.expovariate(rate)
            self.simulation.at(at, lambda: self.simulation.send(self.lane, (upstream,), 10, lag))
        for minute in range(minutes):
            before = self.simulation.refused
            self.simulation.run(START + (minute + 1) * MINUTE)
            self.refusals[minute] = self.simulation.refused - before


@pytest.mark.parametrize("lag", [pytest.param(LAG, id="quick"), pytest.param(SLOW, id="slow")])
@pytest.mark.parametrize("minutes", ["sliding", "fixed"])
@pytest.mark.parametrize("says", [pytest.param(STATED, id="stated"), pytest.param(SILENT, id="silent")])
@pytest.mark.parametrize(
    "declared, true", [pytest.param(0, 15, id="undocumented"), pytest.param(30, 10, id="documented wrongly")]
)
def test_a_true_limit_is_learned(declared: int, true: int, says: Says, minutes: Minutes, lag: Lag):
    hidden = Hidden(Upstream(Limits(rpm=true), minutes=minutes, says=says), declared=Limits(rpm=declared), lag=lag)
    late = sum(n for minute, n in hidden.refusals.items() if minute >= 10)
    assert sum(hidden.refusals.values()) - late <= 6
    assert late <= 11
    assert max(hidden.refusals.values()) <= 2
    assert hidden.upstream.admitted >= 0.85 * true * 120


def test_a_guess_is_tried_half_as_often_after_each_refused_try_down_to_once_an_hour():
    hidden = Hidden(Upstream(Limits(rpm=15), says=SILENT), minutes=400)
    when = [minute for minute, n in hidden.refusals.items() if n]
    gaps = [after - before for before, after in itertools.pairwise(when)]
    assert gaps[3:7] == pytest.approx([4, 8, 16, 32], abs=1)
    assert gaps[7:] == pytest.approx([60] * len(gaps[7:]), abs=1)


class Bucket(Upstream):
    """Holds some calls and refills steadily, so that it refuses at another count each time."""

    def __init__(self, size: int, per_minute: int) -> None:
        super().__init__(Limits(), says=STATED)
        self.size, self.rate = size, per_minute / 60
        self.left, self.asked_at = float(size), START

    def refuses(self, tokens: int, now: float) -> tuple[str, int, float] | None:
        self.left = min(self.size, self.left + (now - self.asked_at) * self.rate)
        self.asked_at = now
        return None if self.left >= 1 else ("rpm", 0, (1 - self.left) / self.rate)

    def spend(self, calls: int, tokens: int, now: float) -> None:
        self.left -= calls


@pytest.mark.parametrize("size", [15, 30])
def test_a_bucket_that_refills_steadily_is_not_run_dry_all_the_time(size: int):
    hidden = Hidden(Bucket(size, size), rate=2.0, minutes=60)
    assert sum(hidden.refusals.values()) <= 2 * 60
    assert hidden.upstream.admitted >= 0.95 * size * 60
