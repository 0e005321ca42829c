"""What the windows of a ledger come to: for people, when one runs out; for routing, what a call costs. Pure."""

from __future__ import annotations

import math

import msgspec

from .calendars import DAY
from .counters import Calendar, Rolling
from .counting import catch_up
from .lanes import Account, Lane, Scope
from .windows import Gate, Window

_LONG = frozenset({"rpd", "tpd", "month"})
RATE_SPAN = 600.0
"""Seconds back over which the current rate is taken."""
PRIOR = 20 / 3600
"""Calls per second expected where little was seen yet."""


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One window. ``model`` ``*``: shared by all models of the account. ``used`` includes what open leases hold.
    ``age`` is seconds since the limit was learned, None where it is the declared one. Moments are wall-clock seconds;
    ``runs_out_at`` is None where it comes back sooner at the current rate."""

    provider: str
    model: str
    account: str
    window: str
    used: int
    limit: int
    source: str
    age: float | None = None
    resets_at: float | None = None
    runs_out_at: float | None = None
    parked_until: float | None = None


def describe(scope: Scope, account: Account, now: float) -> list[WindowRow]:
    """The rows of a scope: its windows that are limited or parked."""
    catch_up(account)
    calls, tokens = _rate(scope, account, now)
    rows = []
    for window in scope.windows.values():
        at = window.free_at(0, now)
        parked = window.parked_until if window.parked_until > now else None
        if window.limit or parked is not None:
            rate = tokens if window.tokens else calls
            rows.append(_row(scope, window, rate, parked, max(at, now) if at == math.inf else now))
    return rows


def _row(scope: Scope, window: Window, rate: float, parked: float | None, now: float) -> WindowRow:
    gate = isinstance(window, Gate)
    resets_at = None if gate else window.counter.ends(now)
    return WindowRow(
        provider=scope.provider,
        model=scope.model,
        account=scope.account,
        window=window.kind,
        used=round(window.used + window.held),
        limit=window.limit,
        source=window.source,
        age=None if window.source == "declared" else max(0.0, now - window.learned_at),
        resets_at=resets_at,
        runs_out_at=None if gate else _runs_out(window, rate, resets_at, now),
        parked_until=parked,
    )


def _runs_out(window: Window, rate: float, resets_at: float | None, now: float) -> float | None:
    left = window.limit - window.used - window.held
    if not window.limit or left <= 0:
        return now if window.limit else None
    if rate <= 0:
        return None
    at = now + left / rate
    if isinstance(window.counter, Rolling):
        return at if rate * window.counter.span > window.limit else None
    return at if resets_at is None or at < resets_at else None


def _rate(scope: Scope, account: Account, now: float) -> tuple[float, float]:
    """Calls and tokens per second of late."""
    calls = tokens = 0
    for lease in reversed(account.recent):
        if lease.answered <= now - RATE_SPAN:
            break
        if not lease.void and (scope is account.shared or lease.lane.own is scope):
            calls += 1
            tokens += lease.tokens
    return calls / RATE_SPAN, tokens / RATE_SPAN


def _long(lane: Lane) -> list[Window]:
    return [window for window in lane.counted if window.limit and window.kind in _LONG]


def _calls(window: Window, lane: Lane) -> float:
    left = max(0.0, window.limit - window.used - window.held)
    return left / max(1.0, lane.call_tokens) if window.tokens else left


def calls_left(lane: Lane, now: float) -> float:
    """Calls until the next reset, by the tightest long window; infinity without one."""
    left = math.inf
    for window in _long(lane):
        if window.free_at(0, now) > now and window.parked_until > now:
            return 0
        left = min(left, _calls(window, lane))
    return math.floor(left) if math.isfinite(left) else left


def share_left(lane: Lane, now: float) -> float:
    """The smallest share of a known limit that is left, 0..1; 1 where no limit is known."""
    share = 1.0
    for window in lane.windows:
        if window.parked_until > now:
            return 0.0
        if window.limit:
            if now >= window.counter.next:
                window.counter.roll(now)
            share = min(share, max(0.0, window.limit - window.used - window.held) / window.limit)
    return share


def cost_of_a_call(lane: Lane, rate: float, now: float) -> float:
    """The share of what may still be asked of the whole pool before the reset that this lane could not answer.

    ``rate`` is the pool's calls per second. With R calls left and D expected before the reset it is D / (D + R): near
    0 for a large quota or a near reset, 1 for the last calls of a long day. Minute windows cost nothing: what they
    hold is lost within the minute.
    """
    cost = 0.0
    for window in lane.counted:
        if not window.limit or window.kind not in _LONG:
            continue
        counter = window.counter
        if window.parked_until:
            if window.free_at(0, now) > now and window.parked_until > now:
                return 1.0
        elif now >= counter.next:
            counter.roll(now)
        until = max(0.0, counter.next - now) if isinstance(counter, Calendar) else DAY / 2
        expected, left = (rate + PRIOR) * until, _calls(window, lane)
        cost = max(cost, expected / (expected + left) if expected + left > 0 else 1.0)
    return cost
