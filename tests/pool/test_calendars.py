"""When days and months end, on the days that are not like others."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hermes_router.pool.calendars import DAY, DayRule, MonthRule, ToldRule, day_rule, month_rule


def at(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=UTC if zone == "UTC" else ZoneInfo(zone)).timestamp()  # type: ignore[arg-type,misc]


DAYS = [
    pytest.param("UTC", (2026, 11, 22, 10), (2026, 11, 23), 14.0, id="utc"),
    pytest.param("UTC", (2026, 11, 22), (2026, 11, 23), 24.0, id="midnight itself belongs to the new day"),
    pytest.param("UTC", (2026, 12, 31, 23, 59), (2027, 1, 1), 1 / 60, id="new year"),
    pytest.param("UTC", (2028, 2, 28, 12), (2028, 2, 29), 12.0, id="leap day"),
    pytest.param("UTC", (2027, 2, 28, 12), (2027, 3, 1), 12.0, id="no leap day"),
    pytest.param("America/Los_Angeles", (2026, 7, 1, 23), (2026, 7, 2), 1.0, id="pacific"),
    pytest.param("America/Los_Angeles", (2026, 3, 8), (2026, 3, 9), 23.0, id="the day that loses an hour"),
    pytest.param("America/Los_Angeles", (2026, 11, 1), (2026, 11, 2), 25.0, id="the day that gains an hour"),
    pytest.param("Asia/Kolkata", (2026, 5, 5, 23, 30), (2026, 5, 6), 0.5, id="half-hour zone"),
    pytest.param("Asia/Shanghai", (2026, 5, 5, 1), (2026, 5, 6), 23.0, id="china"),
]


@pytest.mark.parametrize("zone, now, end, hours", DAYS)
def test_a_day_ends_at_the_next_midnight(zone: str, now: tuple[int, ...], end: tuple[int, ...], hours: float):
    found = DayRule(zone).next(at(zone, *now))
    assert found == at(zone, *end)
    assert found - at(zone, *now) == pytest.approx(hours * 3600)


def test_a_midnight_that_the_clocks_skip_is_the_moment_they_change():
    # Chile puts clocks forward at midnight: 2026-09-06 begins at 01:00 -03, which is 04:00 UTC.
    before = at("America/Santiago", 2026, 9, 5, 12)
    assert DayRule("America/Santiago").next(before) == at("UTC", 2026, 9, 6, 4)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "America/Havana", "America/Santiago", "Europe/Berlin", "UTC"])
def test_every_hour_of_a_year_has_a_next_midnight_that_is_later_and_near(zone: str):
    rule, now = DayRule(zone), at("UTC", 2026, 1, 1)
    for hour in range(24 * 366):
        moment = now + hour * 3600
        assert moment < rule.next(moment) <= moment + 25 * 3600


MONTHS = [
    pytest.param("UTC", (2026, 1, 31, 23), (2026, 2, 1), id="end of a long month"),
    pytest.param("UTC", (2026, 2, 1), (2026, 3, 1), id="february"),
    pytest.param("UTC", (2028, 2, 29, 12), (2028, 3, 1), id="leap day"),
    pytest.param("UTC", (2026, 12, 5), (2027, 1, 1), id="december"),
    pytest.param("America/Los_Angeles", (2026, 10, 31, 23, 30), (2026, 11, 1), id="pacific"),
    pytest.param("America/Los_Angeles", (2026, 3, 1), (2026, 4, 1), id="over a change of clocks"),
]


@pytest.mark.parametrize("zone, now, end", MONTHS)
def test_a_month_ends_on_the_first(zone: str, now: tuple[int, ...], end: tuple[int, ...]):
    assert MonthRule(zone).next(at(zone, *now)) == at(zone, *end)


def test_a_told_moment_repeats_daily_even_for_a_clock_put_back_by_years():
    rule = ToldRule(1_000_000_000.0)
    assert rule.next(999_999_999.0) == 1_000_000_000.0
    assert rule.next(1_000_000_000.0) == 1_000_000_000.0 + DAY
    assert 0 < rule.next(5.0) - 5.0 <= DAY


@pytest.mark.parametrize("reset", [None, "", "rolling", "Mars/Olympus", "../etc/passwd"])
def test_what_is_no_zone_has_no_calendar_day_and_utc_months(reset: str | None):
    assert day_rule(reset) is None
    assert month_rule(reset) == MonthRule("UTC")
