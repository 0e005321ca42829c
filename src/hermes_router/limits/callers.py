"""Limits of caller keys: read from ``proxy_keys`` of auth.json, counted per minute and per UTC day.

Pure state; who enforces it is ``server/runtime.py``. Requests are counted when they come, tokens and money when they
are known, after the answer: requests that run at the same time can go over a token or money limit together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from ..settings import SettingsError
from ..storage.base import Row

ROW = "caller"
DAY = 86400.0
MINUTE = 60.0

Count = Annotated[int, msgspec.Meta(ge=0)]
Money = Annotated[float, msgspec.Meta(ge=0)]
Name = Literal["rpm", "req_per_day", "tokens_per_day", "cost_per_day"]


class CallerLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """0: no limit. ``cost_per_day`` in USD at the catalogue's prices."""

    rpm: Count = 0
    req_per_day: Count = 0
    tokens_per_day: Count = 0
    cost_per_day: Money = 0.0


class CallerKey(msgspec.Struct, frozen=True):
    """A key that apps may come with, and what it may spend."""

    secret: str
    limits: CallerLimits

    def __repr__(self) -> str:
        return f"CallerKey({self.limits!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("limits", self.limits)]


class Spent(msgspec.Struct):
    """Of one caller on one UTC day (days since the epoch)."""

    day: int
    requests: int = 0
    tokens: int = 0
    cost: float = 0.0


class Over(msgspec.Struct, frozen=True):
    """The limit that a caller has reached; ``until`` is wall-clock seconds."""

    window: Name
    limit: float
    until: float


def read_callers(said: object, where: str) -> tuple[CallerKey, ...]:
    """``proxy_keys`` of auth.json: ``{"<key>": {"rpm": 60, ...}}``. Raises SettingsError, which shows no key."""
    if said is None:
        return ()
    try:
        table = msgspec.convert(said, dict[str, CallerLimits])
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: proxy_keys: {error}") from None
    for secret in table:
        if not secret or not secret.isascii() or any(mark.isspace() or not mark.isprintable() for mark in secret):
            raise SettingsError(f"{where}: a key in proxy_keys is empty, or holds a space or a sign that is not ASCII")
    return tuple(CallerKey(secret, limits) for secret, limits in table.items())


class Budgets:
    """What each caller has used. Callers are told apart by the name that ``Keys.check`` gives them."""

    def __init__(self) -> None:
        self._days: dict[str, Spent] = {}
        self._minutes: dict[str, deque[float]] = {}
        self._changed: set[str] = set()

    def admit(self, caller: str, limits: CallerLimits, now: float) -> Over | None:
        """Count a request that begins now; where a limit is reached, say which and count nothing."""
        over = self._over(caller, limits, now)
        if over is None:
            self._minute(caller, now).append(now)
            self.spent(caller, now, requests=1)
        return over

    def spent(self, caller: str, now: float, *, requests: int = 0, tokens: int = 0, cost: float = 0.0) -> None:
        """Count what was used."""
        today = self.today(caller, now)
        today.requests += requests
        today.tokens += tokens
        today.cost += cost
        self._changed.add(caller)

    def today(self, caller: str, now: float) -> Spent:
        """What was used since midnight UTC."""
        day = int(now // DAY)
        spent = self._days.get(caller)
        if spent is None or spent.day != day:
            spent = self._days[caller] = Spent(day)
        return spent

    def last_minute(self, caller: str, now: float) -> int:
        """Requests of the last 60 seconds."""
        return len(self._minute(caller, now))

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take up what ``changed`` gave; days gone by are left out."""
        for row in rows:
            if row.kind == ROW and isinstance(row.value, dict) and row.value.get("day") == int(now // DAY):
                self._days[row.key] = msgspec.convert(row.value, Spent)

    def changed(self, now: float) -> list[Row]:
        """Rows of the callers that spent something since the last call."""
        rows = [Row(ROW, caller, msgspec.to_builtins(self._days[caller]), now) for caller in self._changed]
        self._changed.clear()
        return rows

    def _over(self, caller: str, limits: CallerLimits, now: float) -> Over | None:
        recent, today = self._minute(caller, now), self.today(caller, now)
        midnight = (today.day + 1) * DAY
        if limits.req_per_day and today.requests >= limits.req_per_day:
            return Over("req_per_day", limits.req_per_day, midnight)
        if limits.tokens_per_day and today.tokens >= limits.tokens_per_day:
            return Over("tokens_per_day", limits.tokens_per_day, midnight)
        if limits.cost_per_day and today.cost >= limits.cost_per_day:
            return Over("cost_per_day", limits.cost_per_day, midnight)
        if limits.rpm and len(recent) >= limits.rpm:
            return Over("rpm", limits.rpm, recent[-limits.rpm] + MINUTE)
        return None

    def _minute(self, caller: str, now: float) -> deque[float]:
        recent = self._minutes.setdefault(caller, deque())
        while recent and not now - MINUTE < recent[0] <= now:  # the future too: the clock was put back
            recent.popleft()
        return recent
