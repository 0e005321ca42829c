"""What the pool has left: per tier, calls until the day's (or month's) quota is spent, and when something comes back.

Pure, over live states. One window's own forecast: ``pool/forecast.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from .counting import catch_up
from .lanes import Lane, Scope
from .ledger import Ledger
from .states import DeploymentState

_LONG = ("rpd", "tpd", "month")


class TierOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """``calls_left``: calls that the known windows of a day or longer still allow. ``unlimited``: how many of the
    ``models`` (counted once per account) have no such window, and come on top. ``free``: how many can be asked this
    moment. ``next_at``: when the first of the others can (wall-clock seconds; None: none is away, or none comes
    back)."""

    tier: int
    models: int
    free: int
    calls_left: int
    unlimited: int
    next_at: float | None = None
    next_in: float | None = None


def pool_outlook(states: Iterable[DeploymentState], ledger: Ledger, now: float) -> list[TierOutlook]:
    """One row per tier, the strongest first. Models that share an account's window share what it has left."""
    tiers: dict[int, dict[int, DeploymentState]] = {}
    for state in states:
        tiers.setdefault(state.tier, {}).setdefault(id(state.lane), state)
    return [_tier(tier, list(lanes.values()), ledger, now) for tier, lanes in sorted(tiers.items())]


def free_at(state: DeploymentState, ledger: Ledger, now: float) -> float:
    """When a small call may go: rests, breaker and quota."""
    return max(state.rest_until(now), ledger.free_at(state.lane, 1, now).at)


def _tier(tier: int, states: list[DeploymentState], ledger: Ledger, now: float) -> TierOutlook:
    moments = [free_at(state, ledger, now) for state in states]
    away = min((moment for moment in moments if moment > now), default=math.inf)
    accounts: dict[int, list[Lane]] = {}
    for state in states:
        accounts.setdefault(id(state.lane.account), []).append(state.lane)
    left = [_account(lanes, now) for lanes in accounts.values()]
    finite = math.isfinite(away)
    return TierOutlook(
        tier=tier,
        models=len(states),
        free=sum(moment <= now for moment in moments),
        calls_left=sum(calls for calls, _ in left),
        unlimited=sum(unlimited for _, unlimited in left),
        next_at=away if finite else None,
        next_in=round(away - now, 1) if finite else None,
    )


def _account(lanes: list[Lane], now: float) -> tuple[int, int]:
    """Calls left, and lanes without a limit."""
    shared = min((_left(lane.account.shared, lane, now) for lane in lanes), default=math.inf)
    own = [_left(lane.own, lane, now) for lane in lanes]
    known = [calls for calls in own if calls < math.inf]
    if shared < math.inf:
        return math.floor(shared if len(known) < len(own) else min(shared, sum(known))), 0
    return math.floor(sum(known)), len(own) - len(known)


def _left(scope: Scope, lane: Lane, now: float) -> float:
    left = math.inf
    catch_up(lane.account)
    for kind, window in scope.windows.items():
        if kind not in _LONG:
            continue
        window.free_at(0, now)  # a day that is over begins again
        if window.parked_until > now:
            return 0
        if window.limit:
            calls = max(0.0, window.limit - window.used - window.held)
            left = min(left, calls / max(1.0, lane.call_tokens) if window.tokens else calls)
    return left
