"""GET /v1/status: the state of everything we may draw on. The shape is ``telemetry.status.Status``."""

from __future__ import annotations

import asyncio

import msgspec

from ... import __version__
from ...telemetry.status import (
    ConfigState,
    Status,
    deployment_rows,
    recent_row,
    tier_rows,
    waiting_rows,
)
from ...transport.base import Counted
from ..http import Call
from ..query import is_set, query
from ..runtime import Runtime

_RECENT = 20


async def status(runtime: Runtime, call: Call) -> None:
    """``?brief=1`` leaves the windows and the latest requests out."""
    brief = is_set(query(call, ("brief",)), "brief")
    call.reply(200, msgspec.json.encode(gather(runtime, brief=brief)))


def gather(runtime: Runtime, *, brief: bool) -> Status:
    """The status at this moment."""
    now, roster, ledger = runtime.clock(), runtime.roster, runtime.pool.ledger
    transport = runtime.engine.transport
    counters = runtime.telemetry.counters(now)
    reasons = list(runtime.why_not_ready())
    return Status(
        version=__version__,
        now=now,
        started_at=runtime.started_at,
        uptime=round(now - runtime.started_at, 1),
        sandbox=roster.world.sandbox,
        draining=runtime.draining,
        ready=not reasons,
        reasons=reasons,
        config=config_state(runtime),
        counters=counters,
        open=runtime.engine.open,
        open_leases=ledger.open_leases,
        open_connections=transport.open_connections if isinstance(transport, Counted) else 0,
        tasks=len(asyncio.all_tasks()),
        deployments=deployment_rows(roster, ledger, now, brief=brief),
        tiers=tier_rows(roster, ledger, now),
        waiting=waiting_rows(runtime.engine.room, now),
        recent=[] if brief else [recent_row(record) for record in runtime.telemetry.log.latest(_RECENT)],
    )


def config_state(runtime: Runtime) -> ConfigState:
    """What became of the latest change of the configuration."""
    live = runtime.live
    notices = [{"subject": one.subject, "message": one.message} for one in runtime.roster.world.notices]
    if live is None:
        return ConfigState(loaded_at=runtime.started_at, notices=notices)
    return ConfigState(
        loaded_at=live.loaded_at,
        problem=live.problem,
        problem_at=live.problem_at,
        needs_restart=live.needs_restart,
        notices=notices,
    )
