"""What a simulated provider is like and its catalogue file does not say: its pace, and limits it keeps to itself."""

from __future__ import annotations

import msgspec

from ..catalogue.schema import Limits, ProviderSpec


class Traits(msgspec.Struct, frozen=True):
    """``first``: seconds to the head of an answer, least and most. ``rate``: words per second. ``limits``: what it
    really enforces; None: what its file says. ``announces``: whether its answers carry limit headers."""

    first: tuple[float, float] = (0.04, 0.08)
    rate: float = 200.0
    limits: Limits | None = None
    announces: bool = True


_USUAL = Traits()
_TRAITS = {
    "sandbox-fast": Traits((0.02, 0.04), 400.0),
    # It tells its limit to nobody before it refuses: the router has to find out, and fails over.
    "sandbox-busy": Traits((0.02, 0.06), 300.0, Limits(rpm=6), announces=False),
    "sandbox-strong": Traits((0.08, 0.15), 120.0),
    "sandbox-thinker": Traits((0.06, 0.12), 200.0),
    "sandbox-plain": Traits((0.05, 0.1), 250.0),
}


def traits_of(name: str) -> Traits:
    """The traits of the provider called ``name``."""
    return _TRAITS.get(name, _USUAL)


def enforced(name: str, spec: ProviderSpec, model: Limits) -> Limits:
    """The limits that the simulated provider applies to one model."""
    hidden = traits_of(name).limits
    return hidden if hidden is not None else model
