"""Which providers are worth a sign-up today, by what the catalogue says they give for free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ..catalogue.schema import Limits, ModelSpec, ProviderSpec
from .output import number

_WEIGHT = {1: 4.0, 2: 3.0, 3: 2.0, 4: 1.0, 5: 0.5}
_UNKNOWN_A_DAY = 200
"""Calls a day assumed where a free model has no limit that anybody has written down: neither first nor last."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider gives. ``calls`` a day for all free models together, as far as is known; ``best`` the strongest
    free tier; ``as_of`` the date of these facts."""

    name: str
    title: str
    models: int
    calls: int
    known: bool
    best: int
    signup: str
    as_of: str
    worth: float

    def in_words(self) -> str:
        """``about 2k calls a day``."""
        if not self.known:
            return "limits not published"
        return f"about {number(self.calls)} calls a day"


def offers(specs: Mapping[str, ProviderSpec], configured: Iterable[str] = ()) -> list[Offer]:
    """The live ones that need a key and give something for free, the most worth first."""
    skip = set(configured)
    found = [_offer(name, spec) for name, spec in specs.items() if name not in skip and _serves(spec)]
    return sorted((one for one in found if one.models), key=lambda one: (-one.worth, one.name))


def _serves(spec: ProviderSpec) -> bool:
    return spec.status == "live" and not spec.keyless and bool(spec.signup)


def _offer(name: str, spec: ProviderSpec) -> Offer:
    free = [model for model in spec.models or () if model.free]
    each = [(_a_day(model.limits), model.tier or 5) for model in free]
    known = any(calls for calls, _ in each) or bool(spec.limits and _a_day(spec.limits))
    calls = sum(calls or _UNKNOWN_A_DAY for calls, _ in each)
    worth = sum((calls or _UNKNOWN_A_DAY) ** 0.5 * _WEIGHT[tier] for calls, tier in each)
    ceiling = _a_day(spec.limits) if spec.limits else 0
    if ceiling and ceiling < calls:
        worth *= (ceiling / calls) ** 0.5
        calls = ceiling
    return Offer(
        name=name,
        title=spec.title or name,
        models=len(free),
        calls=calls,
        known=known,
        best=min((tier for _, tier in each), default=5),
        signup=spec.signup,
        as_of=spec.as_of,
        worth=worth,
    )


def _a_day(limits: Limits) -> int:
    """Calls a day; 0 where that is not known."""
    known = [limits.rpd, limits.month // 30, limits.rpm * 1440]
    return min((calls for calls in known if calls), default=0)


def sample(models: Iterable[ModelSpec], most: int = 3) -> str:
    """A few model ids."""
    ids = [model.id for model in models]
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
