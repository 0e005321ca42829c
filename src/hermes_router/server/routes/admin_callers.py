"""/admin/api/limits: what each caller key may spend, and what it has spent. Written to ``proxy_keys`` of auth.json."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from ...core.errors import BadRequest, NotFound
from ...limits.callers import CallerLimits, Count, Money
from ...pool.credentials import change_callers
from ...settings import SettingsError
from ..conflict import Conflict
from ..http import Call
from ..query import is_set, query, read_json
from ..reload import Live, Outcome
from ..runtime import Runtime


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """In the last minute, and since midnight UTC; counted only while a key has limits."""

    last_minute: int
    requests: int
    tokens: int
    cost: float


class CallerRow(msgspec.Struct, frozen=True, kw_only=True):
    """``caller`` is the name in the logs. ``own``: its key is in auth.json, and goes with ``?remove=1``."""

    caller: str
    limits: CallerLimits
    used: Used
    own: bool


class Change(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """``key``: whole, or for one that is known its last characters or its name in the logs. What is left out stays as
    it is; 0: no limit."""

    key: str
    rpm: Count | None = None
    req_per_day: Count | None = None
    tokens_per_day: Count | None = None
    cost_per_day: Money | None = None


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    callers: list[CallerRow]
    config: Outcome


async def list_limits(runtime: Runtime, call: Call) -> list[CallerRow]:
    """Every caller key, those without limits too."""
    query(call, ())
    return _rows(runtime)


async def change_limits(runtime: Runtime, call: Call) -> Limited:
    """A key that is not known yet becomes a caller key. Raises NotFound, BadRequest, Conflict."""
    asked = await read_json(call, Change, runtime.settings.max_request_bytes)
    key = _resolved(runtime, asked.key, new=True)
    said = {name: value for name in CallerLimits.__struct_fields__ if (value := getattr(asked, name)) is not None}

    def edit(table: dict[str, Any]) -> None:
        table[key] = dict(table.get(key) or {}) | said

    return await _write(runtime, edit)


async def clear_limits(runtime: Runtime, call: Call) -> Limited:
    """``?key=...`` loses its limits and stays a caller key; ``&remove=1`` takes a key of auth.json away."""
    said = query(call, ("key", "remove"))
    key = _resolved(runtime, said.get("key", ""), new=False)
    elsewhere = key in runtime.settings.proxy_api_keys
    if is_set(said, "remove") and elsewhere:
        raise Conflict("That key is in PROXY_API_KEYS: take it out there.")

    def edit(table: dict[str, Any]) -> None:
        if key in table and not elsewhere and not is_set(said, "remove"):
            table[key] = {}
        else:
            table.pop(key, None)

    return await _write(runtime, edit)


async def _write(runtime: Runtime, edit: Callable[[dict[str, Any]], None]) -> Limited:
    live = _live(runtime)
    path = live.loaded.settings.router_auth_file
    try:
        await asyncio.to_thread(change_callers, path, edit)
    except SettingsError as error:
        raise Conflict(str(error)) from error
    except OSError as error:
        raise Conflict(f"{path} cannot be written: {error.strerror}") from error
    outcome = await live.reload()
    return Limited(callers=_rows(runtime), config=outcome)


def _rows(runtime: Runtime) -> list[CallerRow]:
    now, budgets = runtime.clock(), runtime.budgets
    own = {one.secret: one.limits for one in runtime.roster.world.callers}
    rows = []
    for key, name in runtime.caller_keys.names.items():
        today = budgets.today(name, now)
        used = Used(
            last_minute=budgets.last_minute(name, now),
            requests=today.requests,
            tokens=today.tokens,
            cost=round(today.cost, 6),
        )
        listed = key in own and key not in runtime.settings.proxy_api_keys
        rows.append(CallerRow(caller=name, limits=own.get(key, CallerLimits()), used=used, own=listed))
    return rows


def _resolved(runtime: Runtime, said: str, *, new: bool) -> str:
    names = runtime.caller_keys.names
    if said in names:
        return said
    fits = [key for key, name in names.items() if said and said in (name, name.removeprefix("..."), key[-4:])]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise Conflict("Several caller keys end like that: say the whole key, or its name in GET /admin/api/limits.")
    if not new or len(said) < 8:
        raise NotFound(
            "There is no such caller key (hr limit list shows them); a new one has at least 8 characters.", param="key"
        )
    if not said.isascii() or not said.isprintable() or any(mark.isspace() for mark in said):
        raise BadRequest("A key is printable ASCII without spaces.", param="key")
    if said == runtime.settings.admin_api_key:
        raise BadRequest("That is the administration key: callers would be administrators.", param="key")
    return said


def _live(runtime: Runtime) -> Live:
    if runtime.live is None:
        raise NotFound("This router was not configured from files.", code="no_configuration")
    return runtime.live
