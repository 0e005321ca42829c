"""GET /v1/logs: finished requests, newest first. GET /v1/logs/{id}: all that is known of one."""

from __future__ import annotations

import re

import msgspec

from ...core.errors import BadRequest, NotFound
from ...telemetry.requests import STATUS, Wanted
from ...telemetry.status import RecentRow, recent_row
from ..http import Call
from ..query import query, whole
from ..runtime import Runtime

_MOST = 1000
_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_MOMENT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Logs(msgspec.Struct, frozen=True):
    """``requests`` newest first."""

    requests: list[RecentRow]


async def logs(runtime: Runtime, call: Call) -> None:
    """``?limit=50&provider&status&endpoint&caller&since&id``: see ``Wanted``; ``since`` may be ``15m`` too."""
    said = query(call, ("limit", "provider", "status", "endpoint", "caller", "since", "id"))
    if (text := said.get("status", "")) and not STATUS.fullmatch(text):
        raise BadRequest("status must be a number such as 429, or 4xx, 5xx, ok, error.", param="status")
    now = runtime.clock()
    wanted = Wanted(
        limit=whole(said, "limit", 50, 1, _MOST),
        provider=said.get("provider", ""),
        status=said.get("status", ""),
        endpoint=said.get("endpoint", "").removeprefix("/v1/"),
        caller=said.get("caller", ""),
        since=_since(said.get("since", ""), now),
        id=said.get("id", ""),
    )
    runtime.telemetry.save(now)
    found = await runtime.telemetry.log.find(wanted)
    call.reply(200, msgspec.json.encode(Logs([recent_row(record) for record in found])))


async def one_log(runtime: Runtime, call: Call) -> None:
    """A ``telemetry.story.Story``. Raises NotFound."""
    wanted = call.path.removeprefix("/v1/logs/")
    runtime.telemetry.save(runtime.clock())
    story = await runtime.telemetry.log.story(wanted)
    if story is None:
        raise NotFound(
            f"No request {wanted[:80]!r} is known; ids are in x-hermes-request-id.", code="request_not_found"
        )
    call.reply(200, msgspec.json.encode(story))


def _since(text: str, now: float) -> float:
    if not text:
        return 0.0
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    if _MOMENT.fullmatch(text):
        return float(text)
    raise BadRequest("since must be seconds since 1970, or how long ago: 90s, 15m, 2h, 7d.", param="since")
