"""When a day or a month of a quota ends: midnight somewhere, a moment the provider told us, or the first of the month.

Pure arithmetic on wall-clock seconds; no window, no counting. A rolling day has no calendar: ``pool/windows.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

DAY = 86_400.0


def zone_named(name: str) -> tzinfo | None:
    """The IANA zone, or None where there is none of that name."""
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _moment(day: datetime) -> float:
    # A midnight that a clock change skips counts as the change itself: the old offset is applied (PEP 495, fold=0).
    return day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()


class DayRule(msgspec.Struct, frozen=True, tag="day"):
    """Ends at midnight in ``zone``, whatever its clocks do."""

    zone: str

    def next(self, now: float) -> float:
        """The first midnight after ``now``."""
        zone = zone_named(self.zone) or UTC
        if zone is UTC:
            return (now // DAY + 1) * DAY
        local = datetime.fromtimestamp(now, zone)
        end = _moment(local + timedelta(days=1))
        # Clocks put back over midnight give the same date twice: the end found may be the one just passed.
        return end if end > now else _moment(local + timedelta(days=2))


class MonthRule(msgspec.Struct, frozen=True, tag="month"):
    """Ends at the first midnight of a month in ``zone``."""

    zone: str

    def next(self, now: float) -> float:
        """The first start of a month after ``now``."""
        local = datetime.fromtimestamp(now, zone_named(self.zone) or UTC)
        following = local.replace(day=1) + timedelta(days=32)
        return _moment(following.replace(day=1))


class ToldRule(msgspec.Struct, frozen=True, tag="told"):
    """Ends at ``at``, as the provider said, and every 24 hours from there."""

    at: float

    def next(self, now: float) -> float:
        """The first such moment after ``now``, which may be long before ``at`` where the clock was put back."""
        return self.at + ((now - self.at) // DAY + 1) * DAY


Rule = DayRule | MonthRule | ToldRule


def day_rule(reset: str | None) -> DayRule | None:
    """The rule for a declared ``reset``; None for ``rolling``, for an unknown calendar and for an unknown zone."""
    if not reset or reset == "rolling" or zone_named(reset) is None:
        return None
    return DayRule(reset)


def month_rule(reset: str | None) -> MonthRule:
    """The month in the declared zone, else in UTC."""
    known = day_rule(reset)
    return MonthRule(known.zone if known else "UTC")
