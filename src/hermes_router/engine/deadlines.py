"""How long each phase of an attempt may take: by kind of model, what was stated for it, and how fast it has been."""

from __future__ import annotations

import msgspec

from ..pool.states import DeploymentState
from ..settings import Settings

_TRUSTED_SAMPLES = 20
_FLOOR = 4.0


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds. ``first_event`` runs from sending to the first output, ``gap`` from one output to the next."""

    first_event: float
    gap: float
    total: float


def deadlines(state: DeploymentState, settings: Settings, *, extra: float = 0.0) -> Deadlines:
    """``extra``: added to the first event where the answer comes in one piece."""
    model, provider = state.deployment.target.model.timeouts, state.deployment.target.provider.timeouts
    stated = model.first_event or provider.first_event
    first = stated or _first_event(state, settings)
    usual_gap = settings.first_event_timeout_local if state.deployment.local else settings.gap_timeout
    return Deadlines(
        first + extra,
        model.gap or provider.gap or usual_gap,
        model.total or provider.total or settings.upstream_timeout,
    )


def connect_timeout(state: DeploymentState) -> float | None:
    """What was stated for it; None: the setting."""
    target = state.deployment.target
    return target.model.timeouts.connect or target.provider.timeouts.connect


def thinks_silently(state: DeploymentState) -> bool:
    """It is known to think first and to show nothing of it."""
    target = state.deployment.target
    return state.spec.reasoning is True and target.quirks.replay in ("none", "thought_signature")


def _first_event(state: DeploymentState, settings: Settings) -> float:
    if state.deployment.local:
        return settings.first_event_timeout_local
    limit = settings.first_event_timeout_reasoning if thinks_silently(state) else settings.first_event_timeout
    latency = state.model.latency
    if latency.samples >= _TRUSTED_SAMPLES and latency.p95 is not None:
        return min(limit, max(_FLOOR, 3 * latency.p95))
    return limit
