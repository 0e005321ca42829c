"""The plan for one request: groups in order, and on demand why everybody else was left out.

Ordering is kept for a second or so for requests of the same kind; whether a candidate is free right now is looked up
while walking, so a kept order never hides a spent quota.
"""

from __future__ import annotations

import math

import msgspec

from ..catalogue.abilities import words
from ..core.errors import CannotServe, Exhausted
from ..pool.pool import Pool, Roster
from ..pool.states import DeploymentState
from .needs import Needs
from .policy import Group, Lately, order
from .selection import Selection

_KEEP_SECONDS = 1.0
_MANY = 500
"""From this many deployments on, weighing everybody takes milliseconds: their orders are kept longer, in step with what
they cost, and a while longer than the last failure or success."""
_KEEP_ORDERS = 256
_ROOM_TO_ANSWER = 64


class Dropped(msgspec.Struct, frozen=True):
    """A deployment that was not considered, and why."""

    name: str
    tail: str
    reason: str


class Plan(msgspec.Struct, frozen=True, eq=False):
    """``groups`` hold at least one fitting candidate. ``preferred``: the order is the caller's own (alias, pin)."""

    groups: tuple[Group, ...]
    needs: Needs
    selection: Selection
    roster: Roster

    @property
    def preferred(self) -> bool:
        return bool(self.selection.names)


def prefer(plan: Plan, name: str) -> Plan:
    """The same plan with this model (provider/model) first, where it is in it and does not cost more or lack more."""
    groups = plan.groups
    at = next((at for at, one in enumerate(groups) if one.model.key == name), 0)
    first, other = groups[0], groups[at]
    worse = other.known != first.known or other.lacks > first.lacks
    if at == 0 or worse or other.members[0].price > first.members[0].price:
        return plan
    return msgspec.structs.replace(plan, groups=(other, *groups[:at], *groups[at + 1 :]))


class _Order(msgspec.Struct, frozen=True, eq=False):
    """``known`` are the groups to use where every one is large enough, which they are for requests of up to ``floor``
    tokens."""

    at: float
    version: int
    groups: tuple[Group, ...]
    known: tuple[Group, ...]
    floor: float


class Planner:
    """Plans over a pool; keeps recent orders."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._scarcity = Lately(pool.ledger)
        self._orders: dict[tuple[int, str, int, int, int], _Order] = {}

    def plan(self, roster: Roster, needs: Needs, selection: Selection, now: float) -> Plan:
        """Raises CannotServe where nobody configured has what is needed, Exhausted where nobody is configured."""
        order = self._order(roster, needs, selection, now)
        groups = order.known if _size(needs) <= order.floor else _that_fit(order, needs)
        if groups:
            return Plan(groups, needs, selection, roster)
        raise refusal(roster, order.groups, needs, selection)

    def _order(self, roster: Roster, needs: Needs, selection: Selection, now: float) -> _Order:
        key = (id(roster), selection.key, needs.abilities | needs.soft, needs.tier, needs.output.bit_length())
        kept = self._orders.get(key)
        if kept is not None and self._holds(kept, roster, now):
            return kept
        groups = order(roster.chat, needs, selection, self._scarcity, now)
        if len(self._orders) >= _KEEP_ORDERS:
            self._orders.clear()
        fresh = self._orders[key] = _Order(now, self._pool.version, groups, _known(groups), _floor(groups))
        return fresh

    def _holds(self, kept: _Order, roster: Roster, now: float) -> bool:
        age, same = now - kept.at, kept.version == self._pool.version
        if same and 0 <= age < _KEEP_SECONDS:
            return True
        size = len(roster.chat)
        return size >= _MANY and 0 <= age < (_KEEP_SECONDS if same else 0.02) * size / _MANY


def fits(state: DeploymentState, needs: Needs) -> bool:
    """Whether the request is small enough for it."""
    limit = state.largest_input()
    if limit and needs.input + _ROOM_TO_ANSWER > limit and _size(needs) > limit:  # the first is seldom so, and cheap
        return False
    return not state.skip_over or needs.input <= state.skip_over


def _size(needs: Needs) -> int:
    output = needs.output
    return needs.input + (output if 0 < output < _ROOM_TO_ANSWER else _ROOM_TO_ANSWER)


def _that_fit(order: _Order, needs: Needs) -> tuple[Group, ...]:
    return _known(tuple(one for one in order.groups if fits(one.members[0], needs)))


def _known(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """Those known to be able, where any is; they come first."""
    if groups and groups[0].known and not groups[-1].known:
        return tuple(one for one in groups if one.known)
    return groups


def _floor(groups: tuple[Group, ...]) -> float:
    limits = [limit for one in groups for limit in (one.members[0].largest_input(), one.members[0].skip_over) if limit]
    return min(limits, default=math.inf)


def refusal(roster: Roster, groups: tuple[Group, ...], needs: Needs, selection: Selection) -> CannotServe | Exhausted:
    """Why nobody can ever serve this, in words for the caller."""
    if not roster.chat:
        return _nobody(roster)
    if groups:
        largest = max(state.largest_input() for one in groups for state in one.members)
        return CannotServe(
            f"The request is about {needs.input} tokens; the largest context window available to it is {largest}.",
            code="context_length_exceeded",
            param="messages",
            details={"largest_window": largest},
        )
    if not any(_is_among(state, selection) for state in roster.chat):
        return CannotServe(f"Nobody whom the {selection.key} allows is configured.", code="nobody_configured")
    missing = _missing(roster, needs.abilities, selection)
    what = " and ".join(words(missing)) or "what this request needs"
    return CannotServe(f"No configured model supports {what}.", details={"missing": words(missing)})


def _nobody(roster: Roster) -> Exhausted:
    """No key at all, or none for anybody who serves: each notice says what became of one."""
    about = (one for one in roster.world.notices if one.subject != "hermes-router")
    if not (notices := [f"{one.subject}: {one.message}" for one in about]):
        return Exhausted("No provider is configured: add a key with `hr auth add <provider>` or set one in .env.")
    listed = " ".join(f"{one}." if one[-1] not in ".)" else one for one in notices)
    return Exhausted(f"None of the configured providers serves. {listed}", details={"notices": notices})


def dropped(plan: Plan) -> list[Dropped]:
    """Everybody who is configured but not in the plan's groups."""
    chosen = {id(state) for one in plan.groups for state in one.members}
    return [
        Dropped(state.model.key, state.deployment.credential.tail, _reason(state, plan.needs, plan.selection))
        for state in plan.roster.chat
        if id(state) not in chosen
    ]


def _reason(state: DeploymentState, needs: Needs, selection: Selection) -> str:
    if selection.names and state.model.key not in selection.names and not selection.then_pool:
        return "not in the list that was asked for"
    if state.deployment.by_name and state.model.key not in selection.names:
        return "serves for an alias only"
    if selection.providers and state.provider.key not in selection.providers:
        return "provider not in the profile"
    if selection.tiers and state.tier not in selection.tiers:
        return "tier not in the profile"
    lacking = needs.abilities & (state.cannot | state.model.unable)
    if lacking:
        return "no " + " and ".join(words(lacking))
    if not fits(state, needs):
        return f"too small: about {needs.input} tokens, takes {state.skip_over or state.largest_input()}"
    return "not known to support " + " and ".join(words(needs.abilities & ~state.can))


def _is_among(state: DeploymentState, selection: Selection) -> bool:
    if selection.names and not selection.then_pool and state.model.key not in selection.names:
        return False
    return state.provider.key in (selection.providers or (state.provider.key,)) and state.tier in (
        selection.tiers or (state.tier,)
    )


def _missing(roster: Roster, wanted: int, selection: Selection) -> int:
    """The abilities nobody has; where each has somebody, the ones the nearest candidate lacks."""
    states = [state for state in roster.chat if _is_among(state, selection)]
    lacking = [wanted & (state.cannot | state.model.unable) for state in states]
    nobody = wanted
    for one in lacking:
        nobody &= one
    if nobody:
        return nobody
    return min(lacking, key=lambda one: one.bit_count(), default=wanted)
