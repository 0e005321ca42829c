"""Usage per day, provider, model and caller: added up in memory, kept in daily rows on disk. No I/O in ``add``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import msgspec

from ..engine.records import RequestRecord
from .database import Database
from .requests import has_failed

By = Literal["provider", "model", "caller", "day"]
BY: tuple[str, ...] = get_args(By)
KEPT_DAYS = 400
DAY = 86400.0
_NUMBERS = ("requests", "errors", "input", "output", "reasoning", "cached")
_ADD = (
    f"INSERT INTO usage (day, provider, model, caller, {', '.join(_NUMBERS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
    "ON CONFLICT (day, provider, model, caller) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _NUMBERS)
)
_SUMS = ", ".join(f"sum({name})" for name in _NUMBERS)

Key = tuple[str, str, str, str]
"""Day, provider, model and caller, as a record has them."""


class UsageRow(msgspec.Struct, kw_only=True):
    """``input`` includes ``cached`` tokens, ``output`` includes ``reasoning``. Requests that nobody served have the
    provider and model ``none``."""

    name: str
    requests: int = 0
    errors: int = 0
    input: int = 0
    output: int = 0
    reasoning: int = 0
    cached: int = 0

    def add(self, numbers: Iterable[int]) -> None:
        for name, number in zip(_NUMBERS, numbers, strict=True):
            setattr(self, name, getattr(self, name) + number)

    def numbers(self) -> tuple[int, ...]:
        return tuple(getattr(self, name) for name in _NUMBERS)


class Usage:
    """Days are UTC."""

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self._pending: dict[Key, UsageRow] = {}
        self._day, self._day_from, self._day_to = "", 0.0, 0.0
        self._tidied = ""

    def add(self, record: RequestRecord) -> None:
        """Count a finished request."""
        at = record.at
        if not self._day_from <= at < self._day_to:
            self._day, self._day_from = day_of(at), at // DAY * DAY
            self._day_to = self._day_from + DAY
        key = (self._day, record.provider, record.model, record.caller)
        row = self._pending.get(key)
        if row is None:
            row = self._pending[key] = UsageRow(name=self._day)
        row.requests += 1
        if has_failed(record):
            row.errors += 1
        row.input += record.input
        row.output += record.output
        row.reasoning += record.reasoning
        row.cached += record.cache_read

    def save(self, now: float) -> None:
        """Hand what was added to the database. Without one it stays in memory."""
        if self._database is None:
            return
        self._database.submit(_ADD, [(*_names(key), *row.numbers()) for key, row in self._pending.items()])
        self._pending.clear()
        if self._tidied != (today := day_of(now)):
            self._tidied = today
            self._database.submit("DELETE FROM usage WHERE day < ?", [(first_day(now, KEPT_DAYS),)])

    async def report(self, by: By, days: int, now: float) -> list[UsageRow]:
        """The last ``days`` days, today among them: by day the newest first, else the most requests first."""
        since = first_day(now, days)
        rows: dict[str, UsageRow] = {}
        for name, numbers in await self._kept(by, since):
            rows.setdefault(name, UsageRow(name=name)).add(numbers)
        place = ("day", "provider", "model", "caller").index(by)
        for key, row in self._pending.items():
            if key[0] >= since:
                name = _names(key)[place]
                rows.setdefault(name, UsageRow(name=name)).add(row.numbers())
        if by == "day":
            return sorted(rows.values(), key=lambda row: row.name, reverse=True)
        return sorted(rows.values(), key=lambda row: (-row.requests, row.name))

    async def _kept(self, by: By, since: str) -> list[tuple[str, tuple[int, ...]]]:
        database = self._database
        if database is None:
            return []
        sql = f"SELECT {by}, {_SUMS} FROM usage WHERE day >= ? GROUP BY {by}"  # noqa: S608  # by is a column, see By

        def work() -> list[tuple[str, tuple[int, ...]]]:
            database.flush()
            return [(row[0], row[1:]) for row in database.read(sql, [since])]

        return await asyncio.to_thread(work)


def _names(key: Key) -> Key:
    day, provider, model, caller = key
    return (day, provider, f"{provider}/{model}", caller) if provider else (day, "none", "none", caller)


def day_of(now: float) -> str:
    """``2026-11-25``, in UTC."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def first_day(now: float, days: int) -> str:
    """The first of the last ``days`` days."""
    return (datetime.fromtimestamp(now, UTC).date() - timedelta(days=days - 1)).isoformat()
