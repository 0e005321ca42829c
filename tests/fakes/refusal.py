"""Asks the classifier what a made-up answer means, for a provider nobody knows unless its rows are given."""

from __future__ import annotations

from typing import Any

import orjson

from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.core.faults import Fault
from hermes_router.wires.base import Target
from hermes_router.wires.classify import classify, classify_event_error

NOW = 1_790_000_000.0
"""2026-09-21T14:13:20Z."""


def target(secret: str = "k-test-1", **spec: Any) -> Target:
    return Target(
        name="mine",
        provider=ProviderSpec(**spec),
        model=ModelSpec(id="m1"),
        quirks=Quirks(),
        base_url="http://127.0.0.1:1/v1",
        secret=secret,
    )


def meaning(status: int, body: object, headers: dict[str, str] | None = None, **spec: Any) -> Fault:
    """``body`` is sent as it is where it is bytes, else as JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return classify(target(**spec), status, headers or {}, data, NOW)


def event_meaning(payload: object, **spec: Any) -> Fault:
    return classify_event_error(target(**spec), payload, NOW)


def facts(fault: Fault, names: tuple[str, ...] | dict[str, Any]) -> dict[str, Any]:
    """The named facts of a fault, ready to compare."""
    return {name: getattr(fault, name) for name in names}
