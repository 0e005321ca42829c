"""How long each phase of an attempt may take: by kind of model, what was stated for it, and how fast it has been."""

from __future__ import annotations

import msgspec

from ..pool.states import DeploymentState
from ..settings import Settings

_TRUSTED_SAMPLES = 20
_FLOOR = 4.0
_SILENT = ("none", "thought_signature")
"""What ``replay`` is at models that think first and show nothing of it."""


class Deadlines(msgspec.Struct, frozen=True, gc=False):
    """Seconds. ``first_event`` runs from sending to the first output, ``gap`` from one output to the next."""

    first_event: float
    gap: float
    total: float


def deadlines(state: DeploymentState, settings: Settings, extra: float = 0.0) -> Deadlines:
    """``extra``: added to the first event where the answer comes in one piece."""
    deployment = state.deployment
    target = deployment.target
    model, provider = target.model.timeouts, target.provider.timeouts
    return Deadlines(
        (model.first_event or provider.first_event or _first_event(state, settings)) + extra,
        model.gap or provider.gap or (settings.first_event_timeout_local if deployment.local else settings.gap_timeout),
        model.total or provider.total or settings.upstream_timeout,
    )


def connect_timeout(state: DeploymentState) -> float | None:
    """What was stated for it; None: the setting."""
    target = state.deployment.target
    return target.model.timeouts.connect or target.provider.timeouts.connect


def _first_event(state: DeploymentState, settings: Settings) -> float:
    if state.deployment.local:
        return settings.first_event_timeout_local
    limit = settings.first_event_timeout
    if state.spec.reasoning is True and state.deployment.target.quirks.replay in _SILENT:
        limit = settings.first_event_timeout_reasoning
    latency = state.model.latency
    if latency.samples < _TRUSTED_SAMPLES or latency.p95 is None:
        return limit
    return min(limit, max(_FLOOR, 3 * latency.p95))
