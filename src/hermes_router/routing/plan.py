"""The plan for one request: groups in order, and on demand why everybody else was left out.

Ordering is kept for a second for requests of the same kind; whether a candidate is free right now is looked up while
walking, so a kept order never hides a spent quota.
"""

from __future__ import annotations

import msgspec

from ..catalogue.abilities import Ability, words
from ..core.errors import CannotServe, Exhausted
from ..pool.pool import Pool, Roster
from ..pool.states import DeploymentState
from .needs import Needs
from .policy import Group, order
from .selection import Selection

_KEEP_SECONDS = 1.0
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
    if at == 0 or other.known != first.known or other.members[0].price > first.members[0].price:
        return plan
    return msgspec.structs.replace(plan, groups=(other, *groups[:at], *groups[at + 1 :]))


class _Order(msgspec.Struct, frozen=True, eq=False):
    until: float
    version: int
    groups: tuple[Group, ...]


class Planner:
    """Plans over a pool; keeps recent orders."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._orders: dict[tuple[int, str, int, int], _Order] = {}

    def plan(self, roster: Roster, needs: Needs, selection: Selection, now: float) -> Plan:
        """Raises CannotServe where nobody configured has what is needed, Exhausted where nobody is configured."""
        groups = self._order(roster, needs, selection, now)
        if groups and (sized := _that_fit(groups, needs)):
            return Plan(sized, needs, selection, roster)
        raise refusal(roster, groups, needs, selection)

    def _order(self, roster: Roster, needs: Needs, selection: Selection, now: float) -> tuple[Group, ...]:
        output = needs.output.bit_length()
        key = (id(roster), selection.key, int(needs.abilities) << 8 | needs.tier << 5 | output, output)
        kept = self._orders.get(key)
        if kept is not None and kept.version == self._pool.version and kept.until > now >= kept.until - _KEEP_SECONDS:
            return kept.groups
        groups = order(roster.chat, needs, selection, self._pool.ledger, now)
        if len(self._orders) >= _KEEP_ORDERS:
            self._orders.clear()
        self._orders[key] = _Order(now + _KEEP_SECONDS, self._pool.version, groups)
        return groups


def fits(state: DeploymentState, needs: Needs) -> bool:
    """Whether the request is small enough for it."""
    limit = state.largest_input()
    if limit and needs.input + min(needs.output or _ROOM_TO_ANSWER, _ROOM_TO_ANSWER) > limit:
        return False
    return not state.skip_over or needs.input <= state.skip_over


def _that_fit(groups: tuple[Group, ...], needs: Needs) -> tuple[Group, ...]:
    fitting = tuple(one for one in groups if fits(one.members[0], needs))
    if fitting and fitting[0].known and not fitting[-1].known:
        return tuple(one for one in fitting if one.known)
    return fitting


def refusal(roster: Roster, groups: tuple[Group, ...], needs: Needs, selection: Selection) -> CannotServe | Exhausted:
    """Why nobody can ever serve this, in words for the caller."""
    if not roster.chat:
        return Exhausted("No provider is configured: add a key with `hr auth add <provider>` or set one in .env.")
    if groups:
        largest = max(state.largest_input() for one in groups for state in one.members)
        return CannotServe(
            f"The request is about {needs.input} tokens; the largest context window available to it is {largest}.",
            code="context_length_exceeded",
            param="messages",
        )
    missing = _missing(roster, needs.abilities, selection)
    what = " and ".join(words(missing)) or "what this request needs"
    return CannotServe(f"No configured model supports {what}.", details={"missing": words(missing)})


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


def _missing(roster: Roster, wanted: Ability, selection: Selection) -> Ability:
    """The abilities nobody has; where each has somebody, the ones the nearest candidate lacks."""
    states = [
        state
        for state in roster.chat
        if not selection.names or selection.then_pool or state.model.key in selection.names
    ]
    lacking = [wanted & (state.cannot | state.model.unable) for state in states]
    nobody = wanted
    for one in lacking:
        nobody &= one
    if nobody:
        return nobody
    return min(lacking, key=lambda one: int(one).bit_count(), default=wanted)
