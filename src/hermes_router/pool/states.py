"""What is known at run time about each provider, account, credential, model and deployment. Only data and reads.

Who changes it: ``pool/pool.py``. States outlive a change of configuration: they are found again by their keys.
"""

from __future__ import annotations

import msgspec

from ..catalogue.abilities import abilities
from ..catalogue.metadata import ModelFacts, filled
from ..catalogue.schema import Quirks
from ..core.faults import Kind
from ..wires.base import Target
from .breaker import Breaker, BreakerRules
from .latency import Latency
from .ledger import Lane
from .world import Deployment

TRANSIENT = frozenset(
    {
        Kind.OVERLOADED,
        Kind.SERVER_ERROR,
        Kind.CONNECT,
        Kind.FIRST_EVENT_TIMEOUT,
        Kind.STALLED,
        Kind.CUT,
        Kind.MALFORMED,
    }
)
"""Kinds that say little about the next minute."""


class Rest(msgspec.Struct, frozen=True):
    """Not to be asked ``since`` .. ``until`` (wall clock), and why. ``times`` counts rests in a row."""

    since: float
    until: float
    kind: Kind
    why: str
    times: int = 1


class Party:
    """Anything a fault can be about. ``rest`` may be over; compare ``rest.until``."""

    __slots__ = ("key", "rest")

    def __init__(self, key: str) -> None:
        self.key = key
        self.rest: Rest | None = None

    def free_at(self, patience: float | None = None) -> float:
        """``patience``: a transient rest counts at most this long (for a caller who prefers this deployment)."""
        rest = self.rest
        if rest is None:
            return 0.0
        if patience is not None and rest.kind in TRANSIENT:
            return min(rest.until, rest.since + patience)
        return rest.until


class ProviderState(Party):
    """``key`` is the provider's name."""

    __slots__ = ("breaker",)

    def __init__(self, key: str, rules: BreakerRules) -> None:
        super().__init__(key)
        self.breaker = Breaker(rules)


class ModelState(Party):
    """``key`` is ``provider/model``. What was learned overrides the catalogue, never the user."""

    __slots__ = ("context", "dropped", "errors", "facts", "latency", "max_output", "strikes", "turn", "unable")

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.latency = Latency()
        self.unable = 0
        self.context = 0
        """Largest input it is known to take; 0: nothing learned."""
        self.max_output = 0
        self.facts: ModelFacts | None = None
        """What the provider's own list says, and what was seen of it; only where nobody stated otherwise."""
        self.dropped: frozenset[str] = frozenset()
        """Optional request fields it refused."""
        self.strikes = 0
        """Malformed answers in a row."""
        self.errors = 0.0
        """Recent share of failed attempts, 0..1."""
        self.turn = 0
        """Whose turn it is among its credentials."""


class DeploymentState(Party):
    """A deployment with everything it depends on, flattened for the planner."""

    __slots__ = (
        "_dropped",
        "_target",
        "account",
        "can",
        "cannot",
        "context",
        "credential",
        "deployment",
        "lane",
        "max_output",
        "model",
        "price",
        "provider",
        "skip_over",
        "spec",
        "tier",
    )

    def __init__(
        self,
        deployment: Deployment,
        *,
        provider: ProviderState,
        account: Party,
        credential: Party,
        model: ModelState,
        lane: Lane,
    ) -> None:
        super().__init__(deployment.id)
        self.deployment = deployment
        self.provider = provider
        self.account = account
        self.credential = credential
        self.model = model
        self.lane = lane
        self.refresh()
        spec = self.spec
        self.tier = spec.tier or 3
        self.price = sum(spec.price) if spec.price else 0.0
        self.skip_over = deployment.skip_tokens_over
        self._target = deployment.target
        self._dropped: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Take up what was learned of the model."""
        deployment = self.deployment
        spec = self.spec = filled(deployment.target.model, self.model.facts)
        self.can, self.cannot = abilities(spec, deployment.target.quirks, deployment.wire.carries)
        self.context = spec.context
        self.max_output = spec.max_output

    @property
    def target(self) -> Target:
        """The deployment's target with what was learned: facts filled in, fields it refused left out."""
        if self.model.dropped is not self._dropped or self._target.model is not self.spec:
            self._dropped = self.model.dropped
            base = self.deployment.target
            drop = (*(base.quirks.drop or ()), *sorted(self._dropped))
            quirks = Quirks(drop=drop).over(base.quirks) if drop else base.quirks
            self._target = msgspec.structs.replace(base, model=self.spec, quirks=quirks)
        return self._target

    def is_up(self) -> bool:
        """Nothing is held against any part of it: the most usual, and quickly asked."""
        provider = self.provider
        return (
            self.rest is None
            and self.model.rest is None
            and provider.rest is None
            and not provider.breaker.until
            and self.credential.rest is None
            and self.account.rest is None
        )

    def rest_until(self, now: float, patience: float | None = None) -> float:
        """When nothing but quota stands in the way; in the past: now."""
        until = 0.0
        for party in (self, self.model, self.credential, self.account, self.provider):
            if party.rest is not None:
                until = max(until, party.free_at(patience))
        if self.provider.breaker.until:
            until = max(until, self.provider.breaker.free_at(now, patience))
        return until

    def resting(self, now: float) -> Rest | None:
        """The rest that lasts longest, if one lasts."""
        rests = [
            party.rest
            for party in (self, self.model, self.credential, self.account, self.provider)
            if party.rest is not None and party.rest.until > now
        ]
        return max(rests, key=lambda rest: rest.until, default=None)

    def largest_input(self) -> int:
        """Most input tokens it is known to take; 0: unknown."""
        learned, stated = self.model.context, self.context
        if not learned:
            return stated
        return min(learned, stated) if stated else learned

    def largest_output(self) -> int:
        """Most output tokens it is known to give; 0: unknown."""
        learned, stated = self.model.max_output, self.max_output
        return min(learned, stated) if learned and stated else learned or stated
