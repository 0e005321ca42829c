"""What the routes share: the current configuration, the engine, the memory, the log. Built in ``server/app.py``."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection

from ..engine.memory import Memory
from ..engine.records import RequestRecord
from ..engine.run import Engine
from ..pool.pool import Pool, Roster
from ..pool.world import World
from ..routing.plan import Planner
from ..settings import Settings
from ..transport.base import Transport
from .auth import Keys
from .http import Call
from .responses_store import ResponseStore


class Runtime:
    """``clock`` is wall-clock seconds. ``draining``: no new requests are wanted."""

    def __init__(self, world: World, pool: Pool, transport: Transport, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.pool = pool
        self.engine = Engine(pool, transport, clock)
        self.planner = Planner(pool)
        self.memory = Memory()
        self.responses = ResponseStore()
        self.draining = False
        self.started_at = clock()
        self.log: deque[RequestRecord] = deque(maxlen=max(1, world.settings.request_log_size))
        self._prefix = secrets.token_hex(5)
        self._count = 0
        self.adopt(world)

    def adopt(self, world: World) -> None:
        """Serve from this World from now on; requests under way finish on the one they began with."""
        self.roster: Roster = self.pool.adopt(world)
        self.caller_keys = Keys(world.settings.proxy_api_keys, "PROXY_API_KEYS")
        self.admin_keys = Keys((world.settings.admin_api_key,), "ADMIN_API_KEY")

    @property
    def settings(self) -> Settings:
        return self.roster.world.settings

    def request_id(self) -> str:
        """Unique, and short enough to read out."""
        self._count += 1
        return f"req_{self._prefix}{self._count:06x}"

    def record(self, call: Call, endpoint: str, asked: str, *, stream: bool) -> RequestRecord:
        """The record of a request that begins now."""
        record = call.record = RequestRecord(
            id=call.id, at=self.clock(), endpoint=endpoint, asked=asked, caller=call.caller, stream=stream
        )
        return record

    def finished(self, record: RequestRecord) -> None:
        """Keep the record."""
        self.log.append(record)

    def why_not_ready(self) -> Collection[str]:
        """Reasons for a 503 of /ready; empty where requests can be taken."""
        if self.draining:
            return ["shutting down: open streams are being finished"]
        world = self.roster.world
        if not world.deployments and not world.embedders:
            notices = [f"{notice.subject}: {notice.message}" for notice in world.notices]
            return ["no provider is configured: add a key with `hr auth add <provider>` or in .env", *notices]
        return []
