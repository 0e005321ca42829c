"""GET /v1/usage: requests, errors and tokens of the last days."""

from __future__ import annotations

from typing import cast

import msgspec

from ...core.errors import BadRequest
from ...telemetry.usage import BY, KEPT_DAYS, By, UsageRow, first_day
from ..http import Call
from ..query import query, whole
from ..runtime import Runtime

_USUAL_DAYS = 7


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``since`` is the first UTC day counted. ``total`` adds up ``rows``."""

    by: str
    days: int
    since: str
    rows: list[UsageRow]
    total: UsageRow


async def usage(runtime: Runtime, call: Call) -> None:
    """``?by=provider|model|caller|day&days=7``."""
    said = query(call, ("by", "days"))
    by = said.get("by", "provider")
    if by not in BY:
        raise BadRequest(f"by must be one of {', '.join(BY)}.", param="by")
    days = whole(said, "days", _USUAL_DAYS, 1, KEPT_DAYS)
    now = runtime.clock()
    runtime.telemetry.save(now)
    rows = await runtime.telemetry.usage.report(cast(By, by), days, now)
    total = UsageRow(name="total")
    for row in rows:
        total.add(row.numbers())
    report = Report(by=by, days=days, since=first_day(now, days), rows=rows, total=total)
    call.reply(200, msgspec.json.encode(report))
