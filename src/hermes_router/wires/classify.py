"""The one place that gives a refusal its meaning: status, headers and body in, a ``Fault`` out."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.faults import Fault
from .base import Target


def classify(target: Target, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Fault:
    """The meaning of an answer that is not a 2xx. ``headers`` have lower-case names; ``now`` is wall-clock seconds."""
    raise NotImplementedError


def classify_event_error(target: Target, payload: object, now: float, status: int = 200) -> Fault:
    """The meaning of an error object (decoded JSON) found inside an answer that began as ``status``."""
    raise NotImplementedError
