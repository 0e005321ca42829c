"""The run-time state of everything we may draw on, and the only place that changes it. No I/O; time is passed in.

It outlives configurations: ``adopt`` finds the states of a new World's deployments by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from ..catalogue.metadata import ModelFacts
from ..core.faults import Fault, Kind, Scope
from ..storage.base import Row
from .breaker import BreakerRules
from .ledger import Ledger
from .states import DeploymentState, ModelState, Party, ProviderState, Rest
from .world import Deployment, World

ROW = "pool"
P = TypeVar("P", bound=Party)


class Roster(msgspec.Struct, frozen=True, eq=False):
    """A World with the states of its deployments, in the same order. ``rotates``: the credentials of a model take
    turns."""

    world: World
    chat: tuple[DeploymentState, ...]
    embed: tuple[DeploymentState, ...]
    rotates: bool


class Pool:
    """``version`` grows when the order of candidates may have changed for another reason than quota."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.version = 0
        self._providers: dict[str, ProviderState] = {}
        self._accounts: dict[str, Party] = {}
        self._credentials: dict[str, Party] = {}
        self._models: dict[str, ModelState] = {}
        self._deployments: dict[str, DeploymentState] = {}
        self._changed: dict[tuple[str, str], Party] = {}
        self._stored: dict[tuple[str, str], dict[str, Any]] = {}

    def adopt(self, world: World) -> Roster:
        """The states of this World's deployments, old ones where they were known."""
        rules = BreakerRules(
            window=world.settings.breaker_window,
            min_samples=world.settings.breaker_min_samples,
            error_rate=world.settings.breaker_error_rate,
            cooldown=world.settings.breaker_cooldown,
        )
        self.version += 1
        return Roster(
            world,
            tuple(self._state(deployment, rules) for deployment in world.deployments),
            tuple(self._state(deployment, rules) for deployment in world.embedders),
            world.settings.rotation_mode == "round-robin",
        )

    def rest(self, state: DeploymentState, scope: Scope, until: float, fault: Fault, now: float) -> None:
        """Leave what the fault is about alone until then; a shorter rest never replaces a longer one."""
        table, party = self._party(state, scope)
        if party is None:
            return
        old = party.rest
        if old is not None and old.until >= until:
            return
        times = old.times + 1 if old is not None and old.kind == fault.kind and now - old.until < 600 else 1
        party.rest = Rest(now, until, fault.kind, fault.message, times)
        self._changed[table, party.key] = party
        self.version += 1

    def times_rested(self, state: DeploymentState, scope: Scope, kind: Kind, now: float) -> int:
        """How many rests for this kind came one after the other, the last not long ago."""
        _, party = self._party(state, scope)
        rest = party.rest if party is not None else None
        return rest.times if rest is not None and rest.kind == kind and now - rest.until < 600 else 0

    def succeeded(self, state: DeploymentState) -> None:
        """A whole answer: what was held against the deployment for a while is forgotten."""
        model = state.model
        state.provider.breaker.succeeded()
        model.errors *= 0.8
        model.strikes = 0
        if state.rest is None and model.rest is None and state.provider.rest is None:
            return
        self._wake(("deployment", state), ("model", model), ("provider", state.provider))

    def gets_another_chance(self, state: DeploymentState) -> None:
        """Its caller prefers it to others: the passing failure of a moment ago is not held against it."""
        self._wake(("deployment", state), ("model", state.model))

    def counts_against(self, state: DeploymentState, now: float) -> None:
        """A failure that is the provider's doing: for its breaker and the model's record."""
        state.provider.breaker.failed(now)
        state.model.errors += 0.2 * (1 - state.model.errors)
        self.version += 1

    def is_late(self, state: DeploymentState) -> None:
        """Its first word is overdue: until it has spoken, others go first."""
        state.model.errors += 0.3 * (1 - state.model.errors)
        self.version += 1

    def learn_facts(self, name: str, facts: ModelFacts) -> None:
        """What is known now of a model (provider/model) that nobody stated."""
        model = self._models.get(name)
        if model is None or model.facts == facts:
            return
        model.facts = facts
        for state in self._deployments.values():
            if state.model is model:
                state.refresh()
        self.version += 1

    def learn_reasons(self, state: DeploymentState) -> None:
        """It thinks before it answers: it was seen to."""
        if state.spec.reasoning is None:
            facts = state.model.facts or ModelFacts()
            self.learn_facts(state.model.key, msgspec.structs.replace(facts, reasoning=True))

    def learn_unable(self, state: DeploymentState, ability: int) -> None:
        state.model.unable |= ability
        self._learned(state.model)

    def learn_context(self, state: DeploymentState, tokens: int) -> None:
        """It does not take inputs of more than this many tokens."""
        known = state.model.context
        state.model.context = min(known, tokens) if known else tokens
        self._learned(state.model)

    def learn_max_output(self, state: DeploymentState, tokens: int) -> None:
        state.model.max_output = tokens
        self._learned(state.model)

    def learn_refused_field(self, state: DeploymentState, field: str) -> None:
        state.model.dropped |= {field}
        self._learned(state.model)

    def forget_rests(self, provider: str | None = None) -> None:
        """An operator says: try again."""
        for table, parties in self._tables().items():
            for party in parties.values():
                if party.rest is not None and provider in (None, party.key.split("/", 1)[0].split(":", 1)[0]):
                    party.rest = None
                    self._changed[table, party.key] = party
        self.version += 1

    def changed(self, now: float) -> list[Row]:
        """The parties that changed since the last call, for storage."""
        rows = [Row(f"{ROW}.{table}", key, _dump(party), now) for (table, key), party in self._changed.items()]
        self._changed = {}
        return rows

    def load(self, rows: Iterable[Row]) -> None:
        """Put back what ``changed`` gave, before the first World is adopted."""
        for row in rows:
            area, _, table = row.kind.partition(".")
            if area == ROW and row.value:
                self._stored[table, row.key] = row.value

    def _state(self, deployment: Deployment, rules: BreakerRules) -> DeploymentState:
        spec = deployment.target.provider
        provider = self._known(self._providers, "provider", deployment.provider, lambda key: ProviderState(key, rules))
        provider.breaker.rules = rules
        account = self._known(self._accounts, "account", deployment.account, Party)
        credential = self._known(self._credentials, "credential", deployment.credential.id, Party)
        model = self._known(self._models, "model", deployment.name, ModelState)
        embed = deployment.target.embed
        lane = self.ledger.lane(
            provider=deployment.provider,
            account=deployment.account,
            model=deployment.target.model.id,
            limits=embed.limits if embed else deployment.target.model.limits,
            pool_limits=spec.limits,
            reset=spec.reset,
            failed_calls_count=spec.failed_calls_count,
        )
        state = DeploymentState(
            deployment, provider=provider, account=account, credential=credential, model=model, lane=lane
        )
        known = self._deployments.get(deployment.id)
        if known is not None:
            state.rest = known.rest
        else:
            _restore(state, self._stored.pop(("deployment", deployment.id), {}))
        self._deployments[deployment.id] = state
        return state

    def _wake(self, *parties: tuple[str, Party]) -> None:
        for table, party in parties:
            if party.rest is not None:
                party.rest = None
                self._changed[table, party.key] = party
                self.version += 1

    def _known(self, table: dict[str, P], name: str, key: str, make: Callable[[str], P]) -> P:
        party = table.get(key)
        if party is None:
            party = table[key] = make(key)
            _restore(party, self._stored.pop((name, key), {}))
        return party

    def _party(self, state: DeploymentState, scope: Scope) -> tuple[str, Party | None]:
        parties: dict[Scope, Party] = {
            Scope.DEPLOYMENT: self._deployments.get(state.key, state),  # a reload may have replaced the request's own
            Scope.MODEL: state.model,
            Scope.CREDENTIAL: state.credential,
            Scope.ACCOUNT: state.account,
            Scope.PROVIDER: state.provider,
        }
        return scope.value, parties.get(scope)

    def _tables(self) -> dict[str, dict[str, Party]]:
        return {
            "provider": dict(self._providers),
            "account": dict(self._accounts),
            "credential": dict(self._credentials),
            "model": dict(self._models),
            "deployment": dict(self._deployments),
        }

    def _learned(self, model: ModelState) -> None:
        self._changed["model", model.key] = model
        self.version += 1


def _dump(party: Party) -> dict[str, Any] | None:
    value: dict[str, Any] = {}
    if party.rest is not None:
        value["rest"] = msgspec.to_builtins(party.rest)
    if isinstance(party, ModelState):
        value |= {
            "unable": party.unable,
            "context": party.context,
            "max_output": party.max_output,
            "dropped": sorted(party.dropped),
        }
    return value or None


def _restore(party: Party, value: dict[str, Any]) -> None:
    if "rest" in value:
        party.rest = msgspec.convert(value["rest"], Rest)
    if isinstance(party, ModelState):
        party.unable = int(value.get("unable", 0))
        party.context = value.get("context", 0)
        party.max_output = value.get("max_output", 0)
        party.dropped = frozenset(value.get("dropped", ()))
