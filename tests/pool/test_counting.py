"""Calls that windows are told of later, many at a time, come to the same as if each had been told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_router.catalogue.schema import Limits
from hermes_router.pool.calendars import DAY, month_rule
from hermes_router.pool.counters import EXACT_ENTRIES, MINUTE, Calendar, Rolling
from hermes_router.pool.counting import MOST
from hermes_router.pool.evidence import MOST as MOST_CALLS
from hermes_router.pool.evidence import Tally
from hermes_router.pool.ledger import Lane, Lease, Ledger

START = 1_795_305_000.0  # 2026-11-21 23:50 UTC: a midnight is near
LIMITS = Limits(rpm=3, rpd=30, tpm=300, tpd=2_000, month=100, concurrency=3)
ROOMY = Limits(rpm=50_000, rpd=50_000, tpm=10**7, concurrency=1_000)

step = st.tuples(st.sampled_from("lllaaassrf"), st.floats(0, 40), st.integers(1, 120), st.booleans())


class Caller:
    """Does as it is told with the leases it holds, the oldest first. ``peeks``: looks at the windows all the time."""

    def __init__(self, *, peeks: bool, limits: Limits, reset: str | None) -> None:
        self.ledger = Ledger()
        self.lanes = [self._lane(model, limits, reset) for model in ("a", "b")]
        self.peeks = peeks
        self.sent: list[Lease] = []
        self.answered: list[Lease] = []
        self.told: list[object] = []

    def _lane(self, model: str, limits: Limits, reset: str | None) -> Lane:
        pool = Limits(rpm=limits.rpm * 2, tpm=limits.tpm, rpd=limits.rpd)
        return self.ledger.lane(
            provider="p",
            account="a",
            model=model,
            limits=limits,
            pool_limits=pool,
            reset=reset,
            failed_calls_count=False,
        )

    def does(self, what: str, tokens: int, second: bool, now: float) -> None:
        lane = self.lanes[second]
        if what == "l":
            lease = self.ledger.lease(lane, tokens, now)
            self.told.append(lease is not None)
            self.sent += [lease] if lease is not None else []
        elif what == "a" and self.sent:
            self.answered.append(self.sent.pop(0))
            self.ledger.admitted(self.answered[-1], now)
        elif what == "s" and self.answered:
            self.ledger.settle(self.answered.pop(0), tokens if second else None, now)
        elif what == "r" and self.sent:
            self.ledger.release(self.sent.pop(0), now, counted=second)
        elif what == "f":
            self.told.append(self.ledger.free_at(lane, tokens, now))
        if self.peeks:
            self.ledger.forecast(now)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(step, max_size=80),
    limits=st.sampled_from([LIMITS, ROOMY]),
    reset=st.sampled_from([None, "rolling", "UTC"]),
)
def test_whoever_looks_all_the_time_sees_the_same_as_who_looks_once(
    steps: list[tuple[str, float, int, bool]], limits: Limits, reset: str | None
):
    often, once = (Caller(peeks=peeks, limits=limits, reset=reset) for peeks in (True, False))
    now = START
    for what, gap, tokens, second in steps:
        now += gap
        for caller in (often, once):
            caller.does(what, tokens, second, now)
    assert once.told == often.told
    assert once.ledger.forecast(now) == often.ledger.forecast(now)
    assert [once.ledger.share_left(lane, now) for lane in once.lanes] == [
        often.ledger.share_left(lane, now) for lane in often.lanes
    ]


def test_what_windows_are_not_told_of_yet_does_not_grow_without_bound():
    caller = Caller(peeks=False, limits=ROOMY, reset=None)
    account = caller.lanes[0].account
    most = 0
    for n in range(3 * int(MOST)):
        for what in "las":
            caller.does(what, 10, False, START + n / 100)
        most = max(most, len(account.taken), len(account.answered))
    assert 100 < most <= MOST + 1


def test_a_call_that_was_open_when_all_was_forgotten_takes_nothing_off_afterwards():
    caller = Caller(peeks=True, limits=LIMITS, reset=None)
    for what in "la":
        caller.does(what, 100, True, START)
    caller.ledger.reset()
    caller.does("s", 20, True, START + 1)
    assert all(row.used >= 0 for row in caller.ledger.forecast(START + 1))


COUNTERS: dict[str, Callable[[], Rolling | Calendar]] = {
    "minute": lambda: Rolling(MINUTE),
    "rolling day": lambda: Rolling(DAY, 60.0),
    "calendar": lambda: Calendar(month_rule("UTC")),
}


@pytest.mark.parametrize("make", COUNTERS.values(), ids=COUNTERS)
@pytest.mark.parametrize("gap", [0.001, 0.3, 7.0])
def test_amounts_added_together_count_as_if_added_one_by_one(make: Callable[[], Rolling | Calendar], gap: float):
    together, single = make(), make()
    now = START
    for batch in range(12):
        # Not all come in order: a long answer is dated back.
        moments = [now + gap * (n - (5 if n % 7 == 3 else 0)) for n in range(EXACT_ENTRIES // 5)]
        amounts = [1 + n % 5 for n in range(len(moments))]
        together.add_all(amounts, moments)
        for amount, moment in zip(amounts, moments, strict=True):
            single.add(amount, moment)
        assert together.dump() == single.dump(), batch
        assert (together.used, together.next) == (single.used, single.next)
        now = moments[-1]


@pytest.mark.parametrize("gap", [0.001, 0.05, 1.0, 30.0])
@pytest.mark.parametrize("order", [sorted, lambda sent: sent[::-1]], ids=["in order", "the last first"])
def test_calls_tallied_together_count_as_if_tallied_one_by_one(
    gap: float, order: Callable[[Sequence[float]], list[float]]
):
    together, single = Tally(), Tally()
    for batch in range(10):
        sent = order([START + gap * (batch * MOST_CALLS / 5 + n) for n in range(MOST_CALLS // 5)])
        together.admitted_all(sent)
        for moment in sent:
            single.admitted(moment)
        assert together.dump() == single.dump()
