"""The order of candidates: cheapest capable first. Pure, over live states.

``fit`` weighs, after capability and price: the quota a call would use up, strength the request has no need of, recent
failures and speed, all on one scale where 0.1 is a difference worth acting on. Models that are closer than that stay
together by provider, so that one provider's models are tried in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from ..pool.ledger import Lane
from ..pool.states import DeploymentState, ModelState
from .needs import Needs
from .selection import Selection

_UNKNOWN_LATENCY = 1.0
_KEEP_SECONDS = 1.0


class Group(msgspec.Struct, frozen=True, eq=False):
    """One model with all its credentials. ``known``: it is known to have every ability asked for. ``lacks`` of what it
    need not have: 0 nothing, 1 perhaps something, 2 something."""

    model: ModelState
    members: tuple[DeploymentState, ...]
    known: bool = True
    lacks: int = 0


Key = tuple[object, ...]


class Scarce(Protocol):
    """Knows what a call costs: a ledger, or what was kept of one."""

    def scarcity(self, lane: Lane, now: float) -> float: ...


class Lately:
    """The scarcity of lanes as it was within the last second: of thousands of lanes, few change in that time."""

    def __init__(self, source: Scarce) -> None:
        self._source = source
        self._since = -math.inf
        self._costs: dict[Lane, float] = {}

    def scarcity(self, lane: Lane, now: float) -> float:
        if not 0 <= now - self._since < _KEEP_SECONDS:
            self._costs.clear()
            self._since = now
        cost = self._costs.get(lane)
        if cost is None:
            cost = self._costs[lane] = self._source.scarcity(lane, now)
        return cost


def order(
    states: Iterable[DeploymentState], needs: Needs, selection: Selection, ledger: Scarce, now: float
) -> tuple[Group, ...]:
    """The groups that may serve, best first; those of unknown ability after all others."""
    groups = group(states, needs.abilities, selection, needs.soft)
    if selection.names:
        return _as_named(groups, selection, lambda rest: _ranked(rest, needs, selection, ledger, now))
    return _ranked(groups, needs, selection, ledger, now)


def group(states: Iterable[DeploymentState], wanted: int, selection: Selection, soft: int = 0) -> list[Group]:
    """Those that are not known to lack something, by model."""
    members: dict[str, list[DeploymentState]] = {}
    providers, tiers = selection.providers, selection.tiers
    for state in states:
        model = state.model
        if state.deployment.by_name and model.key not in selection.names:
            continue
        if wanted & (state.cannot | model.unable):
            continue
        if providers and state.provider.key not in providers:
            continue
        if tiers and state.tier not in tiers:
            continue
        found = members.get(model.key)
        if found is None:
            members[model.key] = [state]
        else:
            found.append(state)
    return [Group(of[0].model, tuple(of), not wanted & ~of[0].can, _lacks(of[0], soft)) for of in members.values()]


def _lacks(state: DeploymentState, soft: int) -> int:
    if not soft:
        return 0
    if soft & (state.cannot | state.model.unable):
        return 2
    return 1 if soft & ~state.can else 0


def _as_named(
    groups: list[Group], selection: Selection, rank: Callable[[list[Group]], tuple[Group, ...]]
) -> tuple[Group, ...]:
    by_name = {one.model.key: one for one in groups}
    named = tuple(by_name.pop(name) for name in dict.fromkeys(selection.names) if name in by_name)
    return named + rank(list(by_name.values())) if selection.then_pool else named


def _ranked(groups: list[Group], needs: Needs, selection: Selection, ledger: Scarce, now: float) -> tuple[Group, ...]:
    waste = {id(one): _waste(one, needs, ledger, now) for one in groups}
    best: dict[str, float] = {}
    for one in groups:
        provider = one.members[0].provider.key
        best[provider] = min(best.get(provider, 9.0), waste[id(one)])

    def key(one: Group) -> Key:
        first = one.members[0]
        wasted = waste[id(one)]
        fit = (
            max(0, first.tier - needs.tier),
            round(first.price, 2),
            round(wasted, 1),
            best[first.provider.key],
            first.provider.key,
            wasted,
        )
        ordered = [_by(rule, first, fit) for rule in selection.order]
        return (not one.known, first.deployment.sandbox, one.lacks, _falls_short(first, needs), *ordered, fit)

    return tuple(sorted(groups, key=key))


def _by(rule: str, state: DeploymentState, fit: Key) -> object:
    match rule:
        case "speed":
            return expected_first_event(state)
        case "tier":
            return state.tier
        case "price":
            return state.price
        case _:
            return fit


def _falls_short(state: DeploymentState, needs: Needs) -> bool:
    """It cannot give as long an answer as the caller allows; it is asked for what it can."""
    return 0 < state.largest_output() < needs.output


def _waste(one: Group, needs: Needs, ledger: Scarce, now: float) -> float:
    first = one.members[0]
    scarcity = min([ledger.scarcity(state.lane, now) for state in one.members])
    stronger = max(0, needs.tier - first.tier)
    return scarcity + 0.12 * stronger + one.model.errors + min(expected_first_event(first), 10.0) / 40


def expected_first_event(state: DeploymentState) -> float:
    """Seconds."""
    mean = state.model.latency.mean
    return _UNKNOWN_LATENCY if mean is None else mean
