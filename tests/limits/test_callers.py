from __future__ import annotations

import pytest

from hermes_router.limits.callers import DAY, Budgets, CallerLimits, Over, read_callers
from hermes_router.settings import SettingsError

MIDNIGHT = 20_000 * DAY
NOON = MIDNIGHT + DAY / 2


def admitted(budgets: Budgets, limits: CallerLimits, moments: list[float]) -> list[bool]:
    return [budgets.admit("a", limits, moment) is None for moment in moments]


def test_a_minute_slides():
    moments = [NOON, NOON + 30, NOON + 59, NOON + 60, NOON + 61, NOON + 90]
    assert admitted(Budgets(), CallerLimits(rpm=2), moments) == [True, True, False, True, False, True]


def test_the_minute_is_free_again_when_its_oldest_request_that_matters_is_over():
    budgets, limits = Budgets(), CallerLimits(rpm=2)
    for moment in (NOON, NOON + 10):
        budgets.admit("a", limits, moment)
    assert budgets.admit("a", limits, NOON + 20) == Over("rpm", 2, NOON + 60)
    assert budgets.admit("a", CallerLimits(rpm=1), NOON + 20) == Over("rpm", 1, NOON + 70)


def test_a_day_ends_at_midnight_utc():
    moments = [MIDNIGHT - 2, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1]
    assert admitted(Budgets(), CallerLimits(req_per_day=1), moments) == [True, False, True, False]
    budgets = Budgets()
    budgets.spent("a", NOON, tokens=5)
    assert budgets.admit("a", CallerLimits(tokens_per_day=5), NOON) == Over("tokens_per_day", 5, MIDNIGHT + DAY)


def test_a_refused_request_is_not_counted():
    budgets, limits = Budgets(), CallerLimits(rpm=1, req_per_day=9)
    assert admitted(budgets, limits, [NOON, NOON + 1, NOON + 2]) == [True, False, False]
    assert budgets.today("a", NOON).requests == 1
    assert budgets.last_minute("a", NOON + 2) == 1


def test_callers_do_not_spend_from_each_other():
    budgets, limits = Budgets(), CallerLimits(rpm=1)
    assert budgets.admit("a", limits, NOON) is None
    assert budgets.admit("b", limits, NOON) is None
    assert budgets.admit("a", limits, NOON) is not None


def test_a_clock_put_back_locks_nobody_out():
    assert admitted(Budgets(), CallerLimits(rpm=1), [NOON, NOON - 3600]) == [True, True]


def test_what_was_spent_today_comes_back_from_its_rows_and_yesterday_does_not():
    budgets = Budgets()
    budgets.spent("a", NOON, requests=1, tokens=7, cost=0.5)
    rows = budgets.changed(NOON)
    assert budgets.changed(NOON) == []
    again = Budgets()
    again.load(rows, NOON + 60)
    assert (again.today("a", NOON).tokens, again.today("a", NOON).cost) == (7, 0.5)
    later = Budgets()
    later.load(rows, NOON + DAY)
    assert later.today("a", NOON + DAY).tokens == 0


def test_limits_are_read_and_a_key_without_any_is_a_key():
    one, two = read_callers({"sk-a": {"rpm": 60, "cost_per_day": 5}, "sk-b": {}}, "auth.json")
    assert (one.secret, one.limits) == ("sk-a", CallerLimits(rpm=60, cost_per_day=5.0))
    assert two.limits == CallerLimits()
    assert "sk-a" not in repr(one)


@pytest.mark.parametrize(
    "said",
    [
        ["sk-secret-1"],
        {"sk-secret-1": {"rpm": -1}},
        {"sk-secret-1": {"rpm": "60"}},
        {"sk-secret-1": {"rmp": 60}},
        {"sk-secret-1": 60},
        {"": {}},
        {"sk secret 1": {}},
    ],
    ids=["list", "negative", "text", "misspelt", "number", "empty", "spaces"],
)
def test_what_cannot_be_meant_is_refused_without_showing_the_key(said: object):
    with pytest.raises(SettingsError, match="proxy_keys") as caught:
        read_callers(said, "auth.json")
    assert "secret" not in str(caught.value)
