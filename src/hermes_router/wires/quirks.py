"""Declared quirks, applied. What a quirk means is said in ``catalogue/schema.py``; nothing here knows a provider.

Shared by the wires: which fields stay and under what name, shapes of tool-call ids, words for reasoning effort.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from ..catalogue.schema import Quirks
from ..core.request import Thinking

_NEED_TOOLS = ("tool_choice", "parallel_tool_calls")
"""Fields that OpenAI and others refuse where no tools are sent."""

_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALNUM9 = re.compile(r"[A-Za-z0-9]{9}")
_WORD64 = re.compile(r"[A-Za-z0-9_-]{1,64}")

# From which thinking budget in tokens an effort is meant; a choice of ours, after the budgets that OpenRouter derives
# from efforts (20, 50 and 80 % of the output; OpenRouter docs, "Reasoning tokens", 2026-10).
_BUDGETS = ((12_000, "high"), (4_000, "medium"), (0, "low"))


def shape_fields(fields: Mapping[str, Any], quirks: Quirks, kept: Collection[str]) -> dict[str, Any]:
    """``fields`` as ``allow``, ``drop`` and ``rename`` want them. ``kept``: fields that ``allow`` has no say in,
    because an answer without them would be another answer."""
    allow, drop, rename = quirks.allow, quirks.drop or (), quirks.rename or {}
    if allow is None and not drop and not rename:
        return dict(fields)
    shaped: dict[str, Any] = {}
    for name, value in fields.items():
        here = rename.get(name, name)
        allowed = allow is None or name in kept or name in allow or here in allow
        if allowed and name not in drop:
            shaped[here] = value
    return shaped


def add_fields(fields: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
    """``fields`` with those of ``body`` that are missing and those of ``force``. Where there are none of either, it is
    ``fields`` itself that is given back."""
    if quirks.body or quirks.force:
        fields = {**(quirks.body or {}), **fields, **(quirks.force or {})}
    if not fields.get("tools"):
        for name in _NEED_TOOLS:
            fields.pop(name, None)
    return fields


def tool_id(said: str, shape: str | None) -> str:
    """A tool-call id in the shape a provider takes. Pure: the same id always becomes the same other one, so call and
    result still belong together, and one that has the shape stays."""
    match shape:
        case "alnum9":
            return said if _ALNUM9.fullmatch(said) else _short(said)
        case "word64":
            return said if _WORD64.fullmatch(said) else f"call_{hashlib.sha256(said.encode()).hexdigest()[:24]}"
    return said


def _short(said: str) -> str:
    number = int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")
    letters = []
    for _ in range(9):
        number, place = divmod(number, len(_ALNUM))
        letters.append(_ALNUM[place])
    return "".join(letters)


def budget_effort(budget: int) -> str:
    """The effort a thinking budget amounts to."""
    return next(effort for least, effort in _BUDGETS if budget >= least)


def wanted_effort(thinking: Thinking) -> str | None:
    """What the caller said about thinking, as an effort; None where nothing, or only that it be on."""
    if thinking.effort is not None:
        return thinking.effort
    if thinking.enabled is False:
        return "none"
    return budget_effort(max(thinking.budget, 0)) if thinking.budget is not None else None


def effort_word(thinking: Thinking, quirks: Quirks) -> str | None:
    """The provider's word for the effort wanted, None to say nothing. ``none`` that nobody asked for in so many words
    (thinking switched off in another dialect) needs a provider that is known to understand it."""
    effort = wanted_effort(thinking)
    if effort is None:
        return None
    if quirks.effort is not None:
        return quirks.effort.get(effort)
    return effort if thinking.effort is not None or effort != "none" else None
