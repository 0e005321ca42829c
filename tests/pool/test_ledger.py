"""The ledger call by call: leases, calendars, what headers and refusals teach."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hermes_router.catalogue.schema import Limits
from hermes_router.pool.calendars import DAY
from hermes_router.pool.ledger import COUNTED_WITHIN, Lane, Ledger
from hermes_router.wires.limits import Reading

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def lane_of(
    ledger: Ledger, limits: Limits, pool: Limits | None = None, reset: str | None = None, model: str = "m"
) -> Lane:
    return ledger.lane(
        provider="p", account="a", model=model, limits=limits, pool_limits=pool, reset=reset, failed_calls_count=False
    )


def spend(ledger: Ledger, lane: Lane, calls: int, now: float, tokens: int = 1) -> int:
    """That many calls at once, as far as they go."""
    went = 0
    for _ in range(calls):
        lease = ledger.lease(lane, tokens, now)
        if lease is not None:
            ledger.admitted(lease, now)
            ledger.settle(lease, tokens, now)
            went += 1
    return went


def refuse(ledger: Ledger, lane: Lane, now: float, **said: Any) -> float:
    told = {"limit": None, "value": None, "retry_after": None, "scope_account": False, "tokens": 1} | said
    return ledger.refused(lane, now=now, **told)


# ── leases ──
def test_fifty_at_once_do_not_overshoot_thirty():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30))
    assert sum(ledger.lease(lane, 10, NOON) is not None for _ in range(50)) == 30
    assert ledger.open_leases == 30


def test_an_estimate_gives_way_to_real_usage():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(tpm=1000))
    lease = ledger.lease(lane, 900, NOON)
    assert lease is not None
    assert ledger.free_at(lane, 200, NOON).window == "tpm"
    ledger.admitted(lease, NOON)
    ledger.settle(lease, 100, NOON + 1)
    assert ledger.free_at(lane, 900, NOON + 1).at <= NOON + 1


@pytest.mark.parametrize("answered,counted", [(0.5, 0.5), (8, COUNTED_WITHIN)], ids=["quick", "in one piece"])
def test_a_minute_is_dated_from_the_answer_or_from_soon_after_sending(answered: float, counted: float):
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=1))
    lease = ledger.lease(lane, 1, NOON)
    assert lease is not None
    ledger.admitted(lease, NOON + answered)
    assert ledger.free_at(lane, 1, NOON + 59).at == pytest.approx(NOON + 60 + counted, abs=0.01)


@pytest.mark.parametrize(
    "answered, counted, free",
    [
        pytest.param(False, False, True, id="before the answer, not counted"),
        pytest.param(False, True, False, id="before the answer, counted"),
        pytest.param(True, False, True, id="in the answer, not counted"),
        pytest.param(True, True, False, id="in the answer, counted"),
    ],
)
def test_a_failed_call_stays_only_where_it_counts(answered: bool, counted: bool, free: bool):
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=1))
    lease = ledger.lease(lane, 1, NOON)
    assert lease is not None
    if answered:
        ledger.admitted(lease, NOON)
    ledger.release(lease, NOON, counted=counted)
    assert (ledger.free_at(lane, 1, NOON).at <= NOON) == free


def test_a_request_larger_than_a_minute_never_fits():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(tpm=8000))
    assert ledger.free_at(lane, 8001, NOON).at == math.inf
    assert ledger.free_at(lane, 8000, NOON).at <= NOON


def test_models_of_an_account_share_its_windows():
    ledger = Ledger()
    one, two = (lane_of(ledger, Limits(), Limits(rpd=5), "UTC", model) for model in "ab")
    assert spend(ledger, one, 3, NOON) + spend(ledger, two, 9, NOON) == 5


def test_the_same_key_gives_the_same_lane_with_the_limits_of_now():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=1))
    assert spend(ledger, lane, 3, NOON) == 1
    assert lane_of(ledger, Limits(rpm=3)) is lane
    assert spend(ledger, lane, 5, NOON) == 2


# ── calendars ──
def test_a_pacific_day_ends_at_pacific_midnight_after_the_clocks_change():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=2), reset="America/Los_Angeles")
    now = datetime(2026, 11, 1, 0, 30, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()
    assert spend(ledger, lane, 5, now) == 2
    midnight = datetime(2026, 11, 2, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()
    assert midnight - now == 24.5 * 3600
    assert ledger.free_at(lane, 1, now).at == pytest.approx(midnight, abs=1)
    assert ledger.free_at(lane, 1, midnight - 1).at > midnight - 1
    assert spend(ledger, lane, 5, midnight + 1) == 2


def test_an_unknown_day_is_counted_over_24_hours_until_the_provider_tells():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=2))
    spend(ledger, lane, 2, NOON)
    assert NOON + DAY <= ledger.free_at(lane, 1, NOON).at <= NOON + DAY + 61
    until = refuse(ledger, lane, NOON, limit="rpd", retry_after=100.0)
    assert NOON + 100 < until < NOON + 102
    assert spend(ledger, lane, 5, until + 1) == 2
    assert ledger.free_at(lane, 1, until + 2).at == pytest.approx(NOON + 100 + DAY, abs=1)


def test_a_rolling_day_never_frees_a_call_before_its_24_hours():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=1), reset="rolling")
    spend(ledger, lane, 1, NOON + 30)
    at = ledger.free_at(lane, 1, NOON + 31).at
    assert NOON + 30 + DAY <= at <= NOON + 30 + DAY + 60


def test_a_day_that_a_moved_clock_leaves_again_is_not_over():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=3), reset="UTC")
    midnight = NOON + DAY / 2
    assert spend(ledger, lane, 2, midnight - 10) == 2
    assert spend(ledger, lane, 1, midnight + 100) == 1
    assert spend(ledger, lane, 9, midnight - 9) == 0
    assert spend(ledger, lane, 9, midnight + 1) == 3


def test_a_call_at_the_edge_of_a_day_counts_for_both():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=2), reset="UTC")
    midnight = NOON + DAY / 2
    assert spend(ledger, lane, 1, midnight - 0.1) == 1
    assert spend(ledger, lane, 5, midnight + 1) == 1


def test_a_month_ends_with_the_month():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(), Limits(month=3))
    assert spend(ledger, lane, 5, NOON) == 3
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert ledger.free_at(lane, 1, NOON).at == pytest.approx(december, abs=1)


# ── headers ──
def test_headers_beat_the_declared_limit_both_ways():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30))
    ledger.observe(lane, [Reading(window="rpm", limit=5, remaining=5)], NOON)
    assert spend(ledger, lane, 50, NOON) == 5
    ledger.observe(lane, [Reading(window="rpm", limit=60, remaining=55)], NOON + 1)
    assert spend(ledger, lane, 90, NOON + 1) == 55


def test_what_others_spend_is_believed():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=100), reset="UTC")
    spend(ledger, lane, 1, NOON)
    ledger.observe(lane, [Reading(window="rpd", limit=100, remaining=4)], NOON)
    assert spend(ledger, lane, 50, NOON + 1) == 4


def test_calls_under_way_are_not_taken_for_somebody_elses():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=20), reset="UTC")
    leases = [ledger.lease(lane, 1, NOON) for _ in range(10)]
    # All ten are counted there already; the answers arrive one by one, in another order.
    for n, lease in enumerate(reversed(leases)):
        assert lease is not None
        ledger.admitted(lease, NOON + 1 + n / 10)
        ledger.observe(lane, [Reading(window="rpd", limit=20, remaining=10)], NOON + 1 + n / 10, lease=lease)
    assert spend(ledger, lane, 50, NOON + 3) == 10


def test_calls_sent_after_the_one_a_header_came_with_are_not_in_it():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=20), reset="UTC")
    slow = ledger.lease(lane, 1, NOON)
    assert slow is not None
    spend(ledger, lane, 5, NOON + 10)
    ledger.admitted(slow, NOON + 20)
    # When it was counted, four others had been: somebody else's. Our five came later.
    ledger.observe(lane, [Reading(window="rpd", limit=20, remaining=15)], NOON + 20, lease=slow)
    assert spend(ledger, lane, 50, NOON + 21) == 10


def test_more_left_than_we_thought_is_believed_but_open_calls_stay_held():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=10), reset="UTC")
    spend(ledger, lane, 8, NOON)
    late, under_way = ledger.lease(lane, 1, NOON + 10), ledger.lease(lane, 1, NOON + 10)
    assert late is not None
    assert under_way is not None
    ledger.admitted(late, NOON + 12)
    ledger.observe(lane, [Reading(window="rpd", limit=10, remaining=9)], NOON + 12, lease=late)
    assert spend(ledger, lane, 50, NOON + 13) == 8


def test_a_reset_that_moves_along_is_no_end_of_a_day():
    # Groq's x-ratelimit-reset-requests is the time to one more call (1m26.4s for 1000 a day), not to midnight.
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=3))
    for n in range(3):
        spend(ledger, lane, 1, NOON + 20 * n)
        reading = Reading(window="rpd", limit=3, remaining=2 - n, reset_at=NOON + 20 * n + 86.4)
        ledger.observe(lane, [reading] if n < 2 else [], NOON + 20 * n)
    assert ledger.free_at(lane, 1, NOON + 200).at > NOON + DAY - 1


def test_a_reset_that_stays_is_the_end_of_the_day():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=3))
    for n in range(3):
        spend(ledger, lane, 1, NOON + 20 * n)
        ledger.observe(lane, [Reading(window="rpd", limit=3, remaining=2 - n, reset_at=NOON + 500)], NOON + 20 * n)
    assert ledger.free_at(lane, 1, NOON + 60).at == pytest.approx(NOON + 500, abs=1)


def test_a_limit_of_nothing_parks_for_a_day():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=60))
    ledger.observe(lane, [Reading(window="rpm", limit=0, remaining=0)], NOON)
    assert ledger.free_at(lane, 1, NOON).at == NOON + DAY


# ── refusals ──
def test_a_day_spent_elsewhere_costs_one_refusal():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=50), reset="UTC")
    until = refuse(ledger, lane, NOON, limit="rpd", value=50)
    assert until == pytest.approx(NOON + DAY / 2, abs=1)
    assert spend(ledger, lane, 99, NOON + DAY / 2 - 1) == 0
    assert spend(ledger, lane, 99, NOON + DAY / 2 + 1) == 50


def test_a_refusal_for_the_account_parks_all_its_models():
    ledger = Ledger()
    one, two = (lane_of(ledger, Limits(), None, "UTC", model) for model in "ab")
    spend(ledger, one, 3, NOON)
    until = refuse(ledger, one, NOON, limit="rpd", value=50, scope_account=True)
    assert ledger.free_at(two, 1, NOON).at == until == pytest.approx(NOON + DAY / 2, abs=1)
    assert spend(ledger, one, 30, until) + spend(ledger, two, 30, until) == 50


def limit_of(ledger: Ledger, now: float) -> int:
    return next(row.limit for row in ledger.forecast(now) if row.window == "rpm")


@pytest.mark.parametrize(
    "said, refusals",
    [
        pytest.param({"value": 10}, 1, id="stated"),
        pytest.param({}, 2, id="not stated"),
        pytest.param({"limit": None}, 2, id="no window named"),
    ],
)
def test_a_limit_documented_too_high_is_lowered_by_refusals_that_agree(said: dict[str, Any], refusals: int):
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30))
    now = NOON
    for before in range(refusals):
        assert spend(ledger, lane, 1, now) == 1
        spend(ledger, lane, 9, now + 1)
        assert before == 0 or limit_of(ledger, now + 2) == 30
        until = refuse(ledger, lane, now + 2, **({"limit": "rpm"} | said))
        assert now + 59 < until < now + 64
        now = until
    spend(ledger, lane, 1, now)
    assert spend(ledger, lane, 50, now + 0.5) <= 9
    assert limit_of(ledger, now) == 10


def test_a_refusal_below_what_was_just_admitted_lowers_nothing():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30))
    spend(ledger, lane, 25, NOON)
    now = NOON
    for minute in range(1, 5):
        now = NOON + 65 * minute
        spend(ledger, lane, 1, now)
        spend(ledger, lane, 9, now + 1)
        refuse(ledger, lane, now + 2, retry_after=58.0)
    assert limit_of(ledger, now + 2) == 30


def test_what_was_proven_is_forgotten_after_a_while():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30))
    spend(ledger, lane, 25, NOON)
    now = NOON
    for minute in range(14):
        now = NOON + 65 * (minute + 1)
        spend(ledger, lane, 1, now)
        spend(ledger, lane, 9, now + 1)
        refuse(ledger, lane, now + 2, retry_after=58.0)
    assert limit_of(ledger, now + 2) == 10


def test_refusals_that_do_not_agree_conclude_nothing():
    ledger = Ledger()
    lane = lane_of(ledger, Limits())
    now = NOON
    for minute, calls in enumerate((4, 9, 20)):
        now = NOON + 65 * minute
        spend(ledger, lane, 1, now)
        spend(ledger, lane, calls - 1, now + 1)
        assert refuse(ledger, lane, now + 2) < now + 64
    assert all(row.limit == 0 for row in ledger.forecast(now + 2))


def test_an_unnamed_refusal_of_an_unlimited_lane_teaches_a_pace():
    ledger = Ledger()
    lane = lane_of(ledger, Limits())
    guessed(ledger, lane, 40, NOON)
    assert spend(ledger, lane, 1, NOON + 122.5) == 1
    assert spend(ledger, lane, 99, NOON + 123.5) == 39


def guessed(ledger: Ledger, lane: Lane, limit: int, now: float) -> None:
    """Two refusals at ``limit``; both are over 122 s after ``now``, and the next try is due at 124."""
    spend(ledger, lane, limit, now)
    assert refuse(ledger, lane, now + 5) == pytest.approx(now + 60, abs=1)
    assert spend(ledger, lane, 1, now + 62) == 1
    spend(ledger, lane, limit - 1, now + 63)
    until = refuse(ledger, lane, now + 64)
    assert until == pytest.approx(now + 122, abs=1)


def test_a_guessed_limit_is_tried_after_a_minute_and_rises_with_each_admitted_try():
    ledger = Ledger()
    lane = lane_of(ledger, Limits())
    guessed(ledger, lane, 8, NOON)
    spend(ledger, lane, 1, NOON + 123)
    assert limit_of(ledger, NOON + 123) == 8
    assert spend(ledger, lane, 99, NOON + 126) == 9
    assert limit_of(ledger, NOON + 126) == 10
    assert spend(ledger, lane, 99, NOON + 150) == 0
    assert spend(ledger, lane, 99, NOON + 157) == 2
    assert limit_of(ledger, NOON + 157) == 12


def test_refusals_right_after_coming_back_become_a_day():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(), reset="UTC")
    now, waits = NOON, []
    for _ in range(4):
        until = refuse(ledger, lane, now)
        waits.append(round(until - now))
        now = until
    assert waits[:3] == [60, 300, 1800]
    assert now == pytest.approx(NOON + DAY / 2, abs=1)


def test_a_short_lie_about_a_day_is_believed_once():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=20))
    first = refuse(ledger, lane, NOON, limit="rpd", value=20, retry_after=38.0)
    second = refuse(ledger, lane, first, limit="rpd", value=20, retry_after=38.0)
    assert first - NOON < 60
    assert second - first > 3000


def test_after_a_park_one_call_goes_first():
    ledger = Ledger()
    lane = lane_of(ledger, Limits())
    until = refuse(ledger, lane, NOON)
    scout = ledger.lease(lane, 1, until)
    assert scout is not None
    assert ledger.lease(lane, 1, until) is None
    ledger.admitted(scout, until + 0.3)
    assert ledger.lease(lane, 1, until + 0.3) is not None


def test_a_stated_retry_beats_our_own_count():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=5))
    spend(ledger, lane, 5, NOON)
    assert refuse(ledger, lane, NOON + 1, limit="rpm", value=5, retry_after=8.0) == pytest.approx(NOON + 9.25)
    assert spend(ledger, lane, 1, NOON + 9.3) == 1


def test_a_reset_by_the_operator_forgets_it_all():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=5), reset="UTC")
    refuse(ledger, lane, NOON, limit="rpd", value=2)
    ledger.reset("other")
    assert spend(ledger, lane, 9, NOON) == 0
    ledger.reset("p")
    assert spend(ledger, lane, 9, NOON) == 5


def test_a_burst_of_refusals_is_one_event():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(), reset="UTC")
    leases = [ledger.lease(lane, 1, NOON) for _ in range(12)]
    for lease in leases[:9]:
        assert lease is not None
        ledger.admitted(lease, NOON + 1)
    waits = []
    for lease in leases[9:]:
        assert lease is not None
        ledger.release(lease, NOON + 1, counted=False)
        waits.append(refuse(ledger, lane, NOON + 1) - NOON)
    assert max(waits) < 63
    assert all(row.limit == 0 for row in ledger.forecast(NOON + 2))
    assert spend(ledger, lane, 1, NOON + 65) == 1
    spend(ledger, lane, 8, NOON + 66)
    refuse(ledger, lane, NOON + 67)
    assert limit_of(ledger, NOON + 67) == 9


def test_a_limit_lowered_in_error_returns_when_it_was_the_day():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpm=30), reset="UTC")
    spend(ledger, lane, 10, NOON)
    now = NOON + 5
    for _ in range(2):
        lease = ledger.lease(lane, 1, now)
        if lease is not None:
            ledger.release(lease, now + 0.1, counted=False)
        now = refuse(ledger, lane, now + 0.2)
    assert {row.limit for row in ledger.forecast(now) if row.window == "rpm"} == {30}


# ── looking ──
def test_the_last_of_fifty_are_dear_and_what_lapses_tonight_is_free():
    ledger = Ledger()
    small = lane_of(ledger, Limits(rpd=50), reset="UTC", model="small")
    large = lane_of(ledger, Limits(rpd=14_400), reset="UTC", model="large")
    none = lane_of(ledger, Limits(rpm=30), model="none")
    spend(ledger, large, 100, NOON)
    assert ledger.scarcity(none, NOON) == 0
    assert ledger.scarcity(small, NOON) > 5 * ledger.scarcity(large, NOON) > 0
    assert ledger.scarcity(small, NOON + DAY / 2 - 60) < 0.1
    spend(ledger, small, 50, NOON)
    assert ledger.scarcity(small, NOON + 60) == 1


def test_a_forecast_says_when_a_day_runs_out():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=200), reset="UTC")
    for n in range(60):
        spend(ledger, lane, 1, NOON + 10 * n)
    row = next(row for row in ledger.forecast(NOON + 600) if row.window == "rpd")
    assert (row.used, row.limit, row.source, row.age) == (60, 200, "declared", None)
    assert row.runs_out_at == pytest.approx(NOON + 600 + 1400, rel=0, abs=60)
    assert row.resets_at == NOON + DAY / 2


def test_only_what_changed_is_kept_again():
    ledger = Ledger()
    one, _ = (lane_of(ledger, Limits(rpd=5), model=model) for model in "ab")
    ledger.changed()
    assert ledger.changed() == []
    spend(ledger, one, 1, NOON)
    assert [row.key.split("\x1f")[-1] for row in ledger.changed()] == ["a"]


def test_a_refusal_right_after_a_restart_is_still_the_second():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(), reset="UTC")
    until = refuse(ledger, lane, NOON)
    assert ledger.free_at(lane, 1, until).at <= until
    again = Ledger()
    again.load(ledger.dump(), until + 1)
    assert refuse(again, lane_of(again, Limits(), reset="UTC"), until + 1) - until > 300


def test_a_call_open_at_a_crash_counts_after_it():
    ledger = Ledger()
    lane = lane_of(ledger, Limits(rpd=2), reset="UTC")
    assert ledger.lease(lane, 1, NOON) is not None
    again = Ledger()
    again.load(ledger.changed(), NOON + 5)
    assert spend(again, lane_of(again, Limits(rpd=2), reset="UTC"), 5, NOON + 6) == 1
