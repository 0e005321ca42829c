"""Planning against the number of deployments: from a request to a leased candidate, without any network.

``steady`` is a request among many of its kind, as in a running router that serves 200 a second: orders age, are made
anew, quota is leased and settled. ``fresh`` is one that finds no kept order, so that everybody is weighed.
"""

from __future__ import annotations

import statistics
import time
from datetime import date
from pathlib import Path

from workloads import small

from hermes_router.catalogue.load import load_builtin
from hermes_router.core.request import Request
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.engine.room import Picked, Room, Ticket
from hermes_router.engine.work import ChatWork
from hermes_router.pool.build import build
from hermes_router.pool.ledger import Ledger
from hermes_router.pool.pool import Pool, Roster
from hermes_router.routing.needs import needs_of
from hermes_router.routing.plan import Planner
from hermes_router.routing.selection import AUTO
from hermes_router.settings import load

SIZES = (5, 50, 500, 5000)
_NOW = 1_764_000_000.0
_STEP = 1 / 200
_SHAPES = {5: (1, 1, 5), 50: (5, 2, 5), 500: (10, 5, 10), 5000: (50, 10, 10)}
"""Providers, models of each, keys of each."""


def measure(size: int, home: Path, requests: int) -> dict[str, float]:
    """Microseconds: median and 99th percentile of ``steady``, median of ``fresh``."""
    roster, pool = _pool(size, home)
    now = [_NOW]
    room = Room(pool.ledger, lambda: now[0])
    request = OpenAIChat().read(small().encode(), {})
    planner = Planner(pool)

    def one(planner: Planner, later: float) -> float:
        now[0] += later
        began = time.perf_counter()
        picked = _pick(roster, planner, room, request, now[0])
        took = (time.perf_counter() - began) * 1e6
        assert picked is not None
        pool.ledger.admitted(picked.lease, now[0])
        pool.ledger.settle(picked.lease, 40, now[0])
        return took

    steady = [one(planner, _STEP) for _ in range(requests)]
    fresh = [one(Planner(pool), 2.0) for _ in range(max(3, min(50, 20000 // size)))]
    steady.sort()
    return {
        "deployments": len(roster.chat),
        "mean": statistics.fmean(steady),
        "p50": statistics.median(steady),
        "p99": steady[len(steady) * 99 // 100],
        "fresh": statistics.median(fresh),
    }


def _pick(roster: Roster, planner: Planner, room: Room, request: Request, now: float) -> Picked | None:
    needs = needs_of(request)
    plan = planner.plan(roster, needs, AUTO, now)
    ticket = Ticket(ChatWork(request, needs, roster.world.settings), plan, "bench", since=now, patience=0.0)
    return room.pick(ticket, frozenset())


def _pool(size: int, home: Path) -> tuple[Roster, Pool]:
    home.mkdir(parents=True, exist_ok=True)
    path = home / "hermes-router.toml"
    path.write_text(_configuration(*_SHAPES[size]))
    loaded = load({}, {"HERMES_HOME": str(home), "SANDBOX": "0"}, home)
    world = build(loaded, load_builtin(), today=date(2025, 11, 1))
    pool = Pool(Ledger())
    return pool.adopt(world), pool


def _configuration(providers: int, models: int, keys: int) -> str:
    lines: list[str] = []
    for provider in range(providers):
        shown = ", ".join(f'"k-{provider}-{key}"' for key in range(keys))
        lines += [f"[providers.p{provider}]", 'wire = "openai"', f'base_url = "http://127.0.0.1:9/p{provider}"']
        lines += [f"keys = [{shown}]", 'account = "per-key"']
        for model in range(models):
            lines += [f"[[providers.p{provider}.models]]", f'id = "m{model}"', "context = 131072", "tools = true"]
            lines += [f"tier = {1 + model % 5}", "limits = { rpm = 100000, rpd = 100000000, tpm = 100000000 }"]
    return "\n".join(lines)
