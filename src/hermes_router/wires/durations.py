"""How long a provider asks us to wait, in every format that occurs. Pure: the clock is passed in."""

from __future__ import annotations


def parse_duration(text: str) -> float | None:
    """Seconds in ``text``, None where it is not a duration."""
    raise NotImplementedError


def parse_moment(text: str, now: float) -> float | None:
    """Wall-clock seconds of the moment ``text`` names, as a moment or as a duration from ``now``."""
    raise NotImplementedError


def find_wait(message: str) -> float | None:
    """Seconds a sentence asks to wait, None where it asks for none."""
    raise NotImplementedError
