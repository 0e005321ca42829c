"""What follows from a fault: who rests and for how long, and whether the request goes on. One table.

Rate limits rest nobody: the ledger parks the window that refused.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from ..catalogue.abilities import Ability
from ..core.faults import Fault, Kind, Scope
from ..pool.pool import Pool
from ..pool.states import DeploymentState
from ..routing.needs import Needs

HOUR = 3600.0
DAY = 24 * HOUR


class Then(Enum):
    """What the request does next. ``OTHERS_ONCE``: one other provider may say whether the request is at fault."""

    NEXT = "next"
    SAME = "same"
    OTHERS_ONCE = "others_once"
    STOP = "stop"


class Verdict(msgspec.Struct, frozen=True):
    """``rest`` is seconds for the first time, doubled each time it happens again up to ``most``; a time the provider
    states wins. ``counts``: against the provider's breaker and the model's record. ``again``: this deployment may be
    asked again for the same request, later."""

    then: Then = Then.NEXT
    rest: float = 0.0
    most: float = 0.0
    counts: bool = False
    again: bool = False


TABLE: dict[Kind, Verdict] = {
    Kind.RATE_LIMITED: Verdict(again=True),
    Kind.QUOTA_EXHAUSTED: Verdict(again=True),
    Kind.AUTH: Verdict(rest=300, most=DAY),
    Kind.PAYMENT_REQUIRED: Verdict(rest=HOUR, most=DAY),
    Kind.FORBIDDEN: Verdict(rest=600, most=DAY),
    Kind.NOT_ON_PLAN: Verdict(rest=DAY, most=7 * DAY),
    Kind.NOT_FOUND: Verdict(rest=HOUR, most=3 * DAY),
    Kind.RETIRED: Verdict(rest=3 * DAY, most=7 * DAY),
    Kind.CLIENT_NOT_WELCOME: Verdict(rest=DAY, most=DAY),
    Kind.CONTEXT_TOO_LONG: Verdict(),
    Kind.TOO_LARGE: Verdict(),
    Kind.OUTPUT_TOO_LONG: Verdict(Then.SAME),
    Kind.UNSUPPORTED: Verdict(),
    Kind.BAD_FIELD: Verdict(Then.SAME),
    Kind.OVERLOADED: Verdict(rest=4, most=60, counts=True, again=True),
    Kind.SERVER_ERROR: Verdict(rest=2, most=60, counts=True, again=True),
    Kind.CONNECT: Verdict(rest=2, most=30, counts=True, again=True),
    Kind.FIRST_EVENT_TIMEOUT: Verdict(rest=15, most=60, counts=True),
    Kind.STALLED: Verdict(rest=10, most=60, counts=True, again=True),
    Kind.CUT: Verdict(rest=2, most=30, counts=True, again=True),
    Kind.MALFORMED: Verdict(again=True),
    Kind.FILTERED: Verdict(Then.STOP),
    Kind.BAD_REQUEST: Verdict(Then.OTHERS_ONCE),
}

_STRIKES = 3
_STRIKES_REST = 30.0
_REFUSES = {
    "tools": Ability.TOOLS,
    "parallel_tool_calls": Ability.PARALLEL_TOOLS,
    "image": Ability.VISION,
    "images": Ability.VISION,
    "vision": Ability.VISION,
    "documents": Ability.DOCUMENTS,
    "audio": Ability.AUDIO,
    "response_format": Ability.JSON_SCHEMA,
    "json_schema": Ability.JSON_SCHEMA,
    "prefill": Ability.PREFILL,
}
_FORMATS = ("response_format", "json_schema", "output_config", "output_config.format")
_CANNOT_LEAVE_OUT = frozenset({"messages", "model", "tools", "stream", "input", "max_tokens"})


def judge(fault: Fault, state: DeploymentState, needs: Needs, pool: Pool, now: float, *, cost: int) -> Then:
    """Apply a fault to the pool; say how the request goes on."""
    verdict = TABLE[fault.kind]
    if fault.kind in (Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED):
        pool.ledger.refused(
            state.lane,
            limit=fault.limit,
            value=fault.value,
            retry_after=fault.retry_after,
            scope_account=fault.scope is Scope.ACCOUNT,
            tokens=cost,
            now=now,
        )
        return verdict.then
    if verdict.counts and fault.scope is not Scope.REQUEST:
        pool.counts_against(state, now)
    if verdict.rest:
        _rest(fault, verdict, state, pool, now)
    return _learn(fault, state, needs, pool, now) or verdict.then


def _rest(fault: Fault, verdict: Verdict, state: DeploymentState, pool: Pool, now: float) -> None:
    if fault.scope is Scope.REQUEST:
        return
    times = pool.times_rested(state, fault.scope, fault.kind, now)
    seconds = fault.retry_after if fault.retry_after else min(verdict.rest * 2**times, verdict.most)
    pool.rest(state, fault.scope, now + seconds, fault, now)


def _learn(fault: Fault, state: DeploymentState, needs: Needs, pool: Pool, now: float) -> Then | None:
    match fault.kind:
        case Kind.CONTEXT_TOO_LONG | Kind.TOO_LARGE:
            pool.learn_context(state, min(fault.value or needs.input, max(needs.input - 1, 1)))
        case Kind.OUTPUT_TOO_LONG if fault.value:
            pool.learn_max_output(state, fault.value)
        case Kind.OUTPUT_TOO_LONG:
            return Then.NEXT
        case Kind.UNSUPPORTED | Kind.BAD_FIELD if needs.soft and fault.field in _FORMATS:
            pool.learn_unable(state, needs.soft & (Ability.JSON_SCHEMA | Ability.JSON_OBJECT))
            return Then.SAME  # the format is told in words now
        case Kind.UNSUPPORTED if fault.scope is not Scope.REQUEST:
            pool.learn_unable(state, _REFUSES.get(fault.field or "", 0))
        case Kind.BAD_FIELD:
            if not fault.field or fault.field in _CANNOT_LEAVE_OUT or fault.field in state.model.dropped:
                return Then.OTHERS_ONCE
            pool.learn_refused_field(state, fault.field)
        case Kind.MALFORMED if fault.scope is not Scope.REQUEST:
            _strike(fault, state, pool, now)
        case _:
            pass
    return None


def _strike(fault: Fault, state: DeploymentState, pool: Pool, now: float) -> None:
    model = state.model
    model.strikes += 1
    model.errors += 0.2 * (1 - model.errors)
    pool.version += 1
    if model.strikes >= _STRIKES:
        pool.rest(state, Scope.MODEL, now + _STRIKES_REST, fault, now)
