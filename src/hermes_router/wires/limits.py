"""What response headers say about limits, in our words."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..catalogue.schema import ProviderSpec


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One window as the provider describes it. ``window``: rpm, rpd, tpm, tpd, month or concurrency. ``reset_at`` is
    wall-clock seconds. None: not said."""

    window: str
    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None


def read_limits(spec: ProviderSpec, headers: Mapping[str, str], now: float) -> tuple[Reading, ...]:
    """The readings in ``headers`` (lower-case names), by the provider's own header map."""
    raise NotImplementedError
