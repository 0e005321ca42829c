"""The whole story of one request: what it needed, who was considered in which order, who was left out and why, what was
tried. Metadata only."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from ..catalogue.abilities import words
from ..engine.records import RequestRecord
from ..routing.plan import Dropped, Plan, dropped


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model in the order it was to be tried, with the last characters of its keys. ``known``: it is known to have
    all that was needed."""

    name: str
    tier: int
    tails: list[str]
    known: bool = True


class DroppedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was not considered; ``tails`` names its keys."""

    name: str
    reason: str
    tails: list[str]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The error that the caller got. ``candidates``: who could not be asked and why, as in the 503."""

    status: int
    code: str
    message: str = ""
    candidates: list[dict[str, Any]] = []


class Story(msgspec.Struct, kw_only=True):
    """``planned`` and ``dropped`` are None where they were not kept: a request that was answered at once, some time
    ago."""

    request: RequestRecord
    input_estimate: int | None = None
    planned: list[PlanRow] | None = None
    dropped: list[DroppedRow] | None = None
    failure: Failure | None = None


def is_straight(record: RequestRecord) -> bool:
    """Answered by the first that was asked, at once: nobody will ask why."""
    return len(record.attempts) <= 1 and not record.error and record.status < 400 and record.waited < 0.001


def tell(record: RequestRecord, plan: Plan | None, failure: Failure | None, *, whole: bool) -> Story:
    """``plan`` None: it never came to one, or is forgotten. ``whole``: with the order and who was left out."""
    if plan is None:
        return Story(request=record, failure=failure)
    if not record.needs:
        needs = plan.needs
        bits = needs.abilities | needs.soft
        if bits:
            record.needs = _words(bits)
        record.tier = needs.tier
    story = Story(request=record, failure=failure, input_estimate=plan.needs.input)
    if whole:
        story.planned = [
            PlanRow(
                name=group.model.key,
                tier=group.members[0].tier,
                tails=[state.deployment.credential.tail for state in group.members],
                known=group.known,
            )
            for group in plan.groups
        ]
        story.dropped = _together(dropped(plan))
    return story


@lru_cache(maxsize=256)
def _words(bits: int) -> list[str]:
    """The names of the abilities, one list for all records that have the same: nobody changes it."""
    return words(bits)


def _together(rows: Iterable[Dropped]) -> list[DroppedRow]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row.name, row.reason), []).append(row.tail)
    return [DroppedRow(name=name, reason=reason, tails=tails) for (name, reason), tails in found.items()]
