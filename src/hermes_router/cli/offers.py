"""Which providers are worth a sign-up today, by what the catalogue says they give for free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ..catalogue.schema import Limits, ModelSpec, ProviderSpec
from .output import number

_WEIGHT = {1: 4.0, 2: 3.0, 3: 2.0, 4: 1.0, 5: 0.5}
_UNKNOWN_A_DAY = 200
"""Calls a day assumed of a free model without a daily limit that anybody has written down: neither first nor last."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider gives. ``calls``: a day, for its free models together, 0 where that is not known; ``rpm`` a
    minute, likewise. ``best``: the strongest free tier. ``as_of``: the date of these facts. ``worth``: for ranking."""

    name: str
    title: str
    models: int
    calls: int
    rpm: int
    best: int
    signup: str
    as_of: str
    worth: float

    def in_words(self) -> str:
        """``2000 calls a day``."""
        if self.calls:
            return f"{number(self.calls)} calls a day"
        return f"{self.rpm} calls a minute" if self.rpm else "limits not published"


def offers(specs: Mapping[str, ProviderSpec], configured: Iterable[str] = ()) -> list[Offer]:
    """The live ones that need a key and give something for free, the most worth first."""
    skip = set(configured)
    found = [_offer(name, spec) for name, spec in specs.items() if name not in skip and _serves(spec)]
    return sorted((one for one in found if one.models), key=lambda one: (-one.worth, one.name))


def _serves(spec: ProviderSpec) -> bool:
    return spec.status == "live" and not spec.keyless and bool(spec.signup)


def _offer(name: str, spec: ProviderSpec) -> Offer:
    free = [model for model in spec.models or () if model.free]
    each = [_a_day(model.limits) for model in free]
    together = _a_day(spec.limits or Limits())
    assumed = [calls or _UNKNOWN_A_DAY for calls in each]
    worth = sum(calls**0.5 * _WEIGHT[model.tier or 5] for calls, model in zip(assumed, free, strict=True))
    if together and together < sum(assumed):
        worth *= (together / sum(assumed)) ** 0.5
    return Offer(
        name=name,
        title=spec.title or name,
        models=len(free),
        calls=together or sum(each),
        rpm=spec.limits.rpm if spec.limits and spec.limits.rpm else max((one.limits.rpm for one in free), default=0),
        best=min((model.tier or 5 for model in free), default=5),
        signup=spec.signup,
        as_of=spec.as_of,
        worth=worth,
    )


def _a_day(limits: Limits) -> int:
    """Calls a day, by the windows of a day or longer; 0 where none is known."""
    known = [calls for calls in (limits.rpd, limits.month // 30) if calls]
    return min(known, default=0)


def sample(models: Iterable[ModelSpec], most: int = 3) -> str:
    """A few model ids."""
    ids = [model.id for model in models]
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
