"""GET /health: alive. GET /ready: can serve. Neither needs a key, names one, or asks a provider anything."""

from __future__ import annotations

import orjson

from ..http import Call
from ..runtime import Runtime

_ALONE = "Answers come from simulated providers: no real one is configured yet."
_BESIDE = "Simulated providers answer too (SANDBOX=1), where no real one can."


async def health(runtime: Runtime, call: Call) -> None:
    """Always 200 while the process answers at all."""
    call.reply(200, b'{"status":"ok"}')


async def ready(runtime: Runtime, call: Call) -> None:
    """200 as soon as one deployment is configured; 503 with reasons where none is, or while draining."""
    world = runtime.roster.world
    reasons = list(runtime.why_not_ready())
    body = {
        "status": "unavailable" if reasons else "ready",
        "reasons": reasons,
        "deployments": len(world.deployments),
        "sandbox": world.sandbox,
    }
    if runtime.live is not None and runtime.live.problem:
        body["problem"] = f"The configuration was changed and cannot be used: {runtime.live.problem}"
    if world.sandbox:
        beside = not all(one.sandbox for one in world.deployments)
        body["note"] = _BESIDE if beside else _ALONE
    call.reply(503 if reasons else 200, orjson.dumps(body))
