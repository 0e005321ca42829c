"""Windows to rows and back, and what happens to a window's count when its calendar changes. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from .calendars import DAY, Rule, ToldRule
from .counters import Calendar, Counter, Kind, Rolling, counter_for
from .windows import Gate, Window, window_for

PLAIN = (
    "limit",
    "declared",
    "source",
    "learned_at",
    "guess",
    "parked_until",
    "until_reset",
    "scout",
    "room",
    "refused_at",
    "came_back",
    "strikes",
    "supposed_reset",
    "reset_hint",
    "lied",
    "probe_gap",
)


def dump(windows: dict[Kind, Window], reset: str | None, heard: float) -> dict[str, Any]:
    """A scope's windows as JSON-able values."""
    return {"reset": reset, "heard": heard, "windows": {kind: _window(window) for kind, window in windows.items()}}


def _window(window: Window) -> dict[str, Any]:
    state = {name: getattr(window, name) for name in PLAIN}
    state["probe_at"] = window.probe_at if math.isfinite(window.probe_at) else None
    state["fallback"] = window.fallback
    state["held"] = window.held
    state["counter"] = window.counter.dump()
    state["witnesses"] = [witness.dump() for witness in window.witnesses]
    if window.tally is not None:
        state["tally"] = window.tally.dump()
    return state


def load(state: dict[str, Any], windows: dict[Kind, Window], reset: str | None, now: float) -> float:
    """Put kept state into ``windows``, made where missing; gives ``heard``. Held calls count from ``now``."""
    for kind, kept in state["windows"].items():
        window = windows.get(kind)
        if window is None:
            window = windows[kind] = window_for(kind, reset)
        declared = window.declared
        for name in PLAIN:
            setattr(window, name, kept[name])
        window.probe_at = math.inf if kept["probe_at"] is None else kept["probe_at"]
        window.fallback = tuple(kept["fallback"]) if kept["fallback"] else None
        window.counter = _counter(kept["counter"], kind)
        _evidence(kept, window)
        if not isinstance(window, Gate) and kept["held"] > 0:
            window.counter.add(kept["held"], now)
        if state["reset"] != reset:
            move(window, reset)
        window.declare(declared)
    return float(state["heard"])


def _evidence(kept: dict[str, Any], window: Window) -> None:
    """Left out by versions before 2026-11-25."""
    for witness, state in zip(window.witnesses, kept.get("witnesses", ()), strict=False):
        witness.load(state)
    if window.tally is not None and "tally" in kept:
        window.tally.load(kept["tally"])


def _counter(state: dict[str, Any], kind: Kind) -> Counter:
    if "rule" not in state:
        counter: Counter = counter_for(kind, None)
    else:
        counter = Calendar(msgspec.convert(state["rule"], Rule))
    counter.load(state)
    return counter


def move(window: Window, reset: str | None) -> None:
    """Count by another declared calendar from here on. What was spent stays spent; a moment that the provider told
    itself stays where nothing else is declared."""
    window.rolling = reset == "rolling"
    if window.kind not in ("rpd", "tpd", "month"):
        return
    old = window.counter
    if reset is None and isinstance(old, Calendar) and isinstance(old.rule, ToldRule):
        return
    new = counter_for(window.kind, reset)
    if isinstance(new, Calendar):
        new.used = old.used
    elif isinstance(old, Rolling):
        new = old
    elif old.used:
        new.add(old.used, max(old.started, old.resets_at - DAY) if math.isfinite(old.resets_at) else 0.0)
    window.counter = new
    window.until_reset = window.until_reset and isinstance(new, Calendar)


def merged(windows: Sequence[Window], counter: Counter) -> Counter:
    """A counter that has counted for all ``windows``; ``counter`` is what there would be without them."""
    calendars = [window.counter for window in windows if isinstance(window.counter, Calendar)]
    if calendars:
        counter = Calendar(calendars[0].rule)
        counter.load(calendars[0].dump())
        counter.used = sum(window.used for window in windows)
        counter.early = sum(calendar.early for calendar in calendars)
        counter.before = sum(calendar.before for calendar in calendars)
    elif windows:
        counter.load({"entries": sorted(entry for window in windows for entry in window.counter.dump()["entries"])})
    return counter
