"""The ledger against a truthful provider and a virtual clock, on random traces."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.quota import SILENT, Lag, Says, Simulation, Upstream
from hermes_router.catalogue.schema import Limits
from hermes_router.pool.calendars import DAY
from hermes_router.pool.ledger import Lane, Lease, Ledger
from hermes_router.storage.base import Row
from hermes_router.wires.limits import Reading

START = 1_795_305_000.0  # 2026-11-21 23:50 UTC: a midnight is near
RESETS = [None, "rolling", "UTC", "America/Los_Angeles", "Asia/Kolkata"]

limit = st.sampled_from([0, 1, 2, 3, 5, 8])
limits_of = st.builds(
    Limits,
    rpm=limit,
    rpd=st.sampled_from([0, 3, 10, 25]),
    tpm=st.sampled_from([0, 100, 250]),
    tpd=st.sampled_from([0, 400, 900]),
    month=st.sampled_from([0, 12, 40]),
    concurrency=st.sampled_from([0, 1, 2]),
)
lag = st.builds(
    lambda there, answer, whole: Lag(there, there + answer, there + answer + whole),
    st.floats(0, 3),
    st.floats(0, 20),
    st.floats(0, 90),
)
gap = st.one_of(st.floats(0, 2), st.floats(0, 90), st.floats(0, 4 * 3600))
call = st.tuples(gap, st.integers(1, 90), lag)


def lane_of(
    ledger: Ledger, limits: Limits, pool: Limits | None = None, reset: str | None = None, model: str = "m"
) -> Lane:
    return ledger.lane(
        provider="p", account="a", model=model, limits=limits, pool_limits=pool, reset=reset, failed_calls_count=False
    )


@settings(max_examples=150, deadline=None)
@given(
    own=limits_of,
    shared=limits_of,
    minutes=st.sampled_from(["sliding", "fixed"]),
    reset=st.sampled_from(RESETS),
    headers=st.booleans(),
    calls=st.lists(st.tuples(call, st.booleans()), min_size=1, max_size=60),
)
def test_a_truthful_limit_is_never_exceeded(
    own: Limits, shared: Limits, minutes: Any, reset: str | None, headers: bool, calls: list[Any]
):
    ledger = Ledger()
    simulation = Simulation(ledger, START)
    says = Says(headers=headers)
    pool = Upstream(shared, minutes=minutes, reset=reset)
    models = [Upstream(own, minutes=minutes, reset=reset, says=says) for _ in range(2)]
    lanes = [lane_of(ledger, own, shared, reset, model) for model in ("a", "b")]
    at = START
    for (wait, tokens, delays), second in calls:
        at += wait
        lane, model = lanes[second], models[second]
        simulation.at(at, partial(simulation.send, lane, (model, pool), tokens, delays))
    simulation.run(at + 200)
    assert simulation.refused == 0
    assert ledger.open_leases == 0
    for upstream in (*models, pool):
        assert upstream.most_running <= (upstream.concurrency or 99)
        assert all(count.peak <= count.limit for count in upstream.counts)


@settings(max_examples=150, deadline=None)
@given(
    declared=limits_of,
    reset=st.sampled_from(RESETS),
    trace=st.lists(
        st.tuples(
            gap,
            st.sampled_from(["rpm", "tpm", "rpd", "tpd", "month", "concurrency", None]),
            st.one_of(st.none(), st.integers(1, 50)),
            st.one_of(st.none(), st.floats(0, 100_000)),
            st.booleans(),
        ),
        min_size=1,
        max_size=15,
    ),
)
def test_every_parked_lane_returns(declared: Limits, reset: str | None, trace: list[Any]):
    ledger = Ledger()
    lane, now = lane_of(ledger, declared, None, reset), START
    for wait, kind, value, retry, account in trace:
        now += wait
        until = ledger.refused(
            lane, limit=kind, value=value, retry_after=retry, scope_account=account, tokens=1, now=now
        )
        assert now < until < now + 33 * DAY
    for _ in range(50):
        at = ledger.free_at(lane, 1, now).at
        if at <= now:
            break
        assert at < START + 40 * DAY
        now = at
    assert ledger.lease(lane, 1, now) is not None


def restarted(ledger: Ledger, now: float) -> Ledger:
    """As after a stop and a start: through JSON, as a store keeps it."""
    rows = [Row(row.kind, row.key, json.loads(json.dumps(row.value)), row.updated_at) for row in ledger.dump()]
    again = Ledger()
    again.load(rows, now)
    return again


refusal = st.tuples(
    st.sampled_from(["rpm", "rpd", "tpd", None]),
    st.sampled_from([None, 2, 9]),
    st.sampled_from([None, 5.0, 300.0, 9000.0]),
    st.booleans(),
)
header = st.tuples(st.sampled_from(["rpm", "rpd", "tpm"]), st.integers(1, 9), st.integers(0, 9), st.floats(1, 5000))
step = st.one_of(
    st.tuples(st.just("call"), gap, st.integers(1, 90)),
    st.tuples(st.just("failed"), gap, st.booleans()),
    st.tuples(st.just("refused"), gap, refusal),
    st.tuples(st.just("header"), gap, header),
)


def play(ledger: Ledger, lane: Lane, what: tuple[str, float, Any], now: float) -> object:
    """One step; what the ledger decided."""
    kind, _, detail = what
    if kind == "refused":
        name, value, retry, account = detail
        return ledger.refused(
            lane, limit=name, value=value, retry_after=retry, scope_account=account, tokens=5, now=now
        )
    if kind == "header":
        name, size, left, wait = detail
        reading = Reading(window=name, limit=size, remaining=min(size, left), reset_at=now + wait)
        ledger.observe(lane, [reading], now)
        return ledger.free_at(lane, 5, now)
    lease = ledger.lease(lane, detail if kind == "call" else 5, now)
    if lease is None:
        return ledger.free_at(lane, 5, now)
    if kind == "failed":
        ledger.release(lease, now, counted=detail)
    else:
        ledger.admitted(lease, now)
        ledger.settle(lease, detail, now)
    return "went"


@settings(max_examples=150, deadline=None)
@given(
    own=limits_of,
    shared=limits_of,
    reset=st.sampled_from(RESETS),
    steps=st.lists(step, min_size=2, max_size=40),
    cut=st.integers(1, 39),
)
def test_a_restart_in_the_middle_changes_no_decision(
    own: Limits, shared: Limits, reset: str | None, steps: list[Any], cut: int
):
    ledger = Ledger()
    lane, now = lane_of(ledger, own, shared, reset), START
    other, twin = ledger, lane
    for n, what in enumerate(steps):
        now += what[1]
        if n == cut:
            other = restarted(ledger, now)
            twin = lane_of(other, own, shared, reset)
        decided = play(ledger, lane, what, now)
        if other is not ledger:
            assert play(other, twin, what, now) == decided


@settings(max_examples=150, deadline=None)
@given(
    own=limits_of,
    reset=st.sampled_from([None, "rolling"]),
    steps=st.lists(st.tuples(gap, st.one_of(st.just(0.0), st.floats(0, 10), st.floats(0, 3 * DAY))), max_size=50),
)
def test_a_clock_put_back_frees_nothing_early(own: Limits, reset: str | None, steps: list[tuple[float, float]]):
    own = msgspec.structs.replace(own, month=0)
    ledger, truth = Ledger(), Upstream(own, reset="rolling")
    lane, real, back = lane_of(ledger, own, None, reset), START, 0.0
    for wait, jump in steps:
        real += wait
        back += jump
        now = real - back
        lease = ledger.lease(lane, 40, now)
        if lease is not None:
            assert truth.ask(40, real) is None
            truth.running -= 1
            ledger.admitted(lease, now)
            ledger.settle(lease, 40, now)
    later = real - back + 2 * DAY + 5
    fits = (not own.tpm or own.tpm >= 40) and (not own.tpd or own.tpd >= 40)
    assert (ledger.free_at(lane, 40, later).at <= later) == fits


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 8 * 3600), st.floats(-40 * DAY, 2 * 3600)), max_size=40),
    reset=st.sampled_from(RESETS),
)
def test_no_jump_of_the_clock_parks_for_ever(steps: list[tuple[float, float]], reset: str | None):
    ledger, limits = Ledger(), Limits(rpm=3, rpd=5, month=9)
    lane, now = lane_of(ledger, limits, None, reset), START
    for wait, jump in steps:
        now += wait + jump
        lease = ledger.lease(lane, 1, now)
        if lease is not None:
            ledger.admitted(lease, now)
            ledger.settle(lease, 1, now)
        else:
            ledger.refused(lane, limit="rpd", value=None, retry_after=None, scope_account=False, tokens=1, now=now)
        at = ledger.free_at(lane, 1, now).at
        assert at <= now + 62 * DAY
    at = ledger.free_at(lane, 1, now + 63 * DAY).at
    assert at <= now + 63 * DAY


@settings(max_examples=100, deadline=None)
@given(
    hidden=st.builds(Limits, rpm=st.integers(2, 40), rpd=st.sampled_from([0, 60, 200])),
    says=st.sampled_from([Says(), Says(value=False), Says(limit=False, value=False), SILENT]),
    gaps=st.lists(st.floats(0.01, 3.0), min_size=200, max_size=400),
)
def test_an_undocumented_minute_costs_at_most_one_refusal_a_window_once_it_is_learned(
    hidden: Limits, says: Says, gaps: list[float]
):
    ledger = Ledger()
    simulation, upstream = Simulation(ledger, START), Upstream(hidden, reset="UTC", says=says)
    lane, at = lane_of(ledger, Limits()), START
    learning: set[tuple[str, int]] = set()

    def ask() -> None:
        simulation.send(lane, (upstream,), 1, Lag(0.0, 0.0, 0.0))
        if not any(row.window == "rpm" and row.limit for row in ledger.forecast(simulation.now)):
            learning.update(upstream.refusals)

    for wait in gaps:
        at += wait
        simulation.at(at, ask)
    simulation.run(at + 100)
    refused = {where: n for where, n in upstream.refusals.items() if where[0] == "rpm"}
    assert all(n <= 1 for where, n in refused.items() if where not in learning)
    assert all(n <= 3 for n in refused.values())


@pytest.mark.parametrize("tokens", [0, 1, 10**9])
def test_an_open_lease_is_seen_until_it_is_given_back(tokens: int):
    ledger = Ledger()
    lane = lane_of(ledger, Limits(concurrency=3))
    leases = [ledger.lease(lane, tokens, START + n) for n in range(5)]
    held = [lease for lease in leases if isinstance(lease, Lease)]
    assert len(held) == ledger.open_leases == 3
    for lease in held:
        ledger.release(lease, START + 9, counted=False)
        ledger.release(lease, START + 9, counted=False)
    assert ledger.open_leases == 0
    assert math.isfinite(ledger.free_at(lane, tokens, START + 9).at)
