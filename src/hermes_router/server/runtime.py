"""What the routes share: the current configuration, the engine, the memory, the log. Built in ``server/app.py``."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ..core.errors import CannotServe, Exhausted, NotFound, OverBudget, RouterError
from ..engine.memory import Memory
from ..engine.records import RequestRecord
from ..engine.run import Engine
from ..engine.work import ChatWork
from ..limits.callers import Budgets, CallerLimits
from ..pool.pool import Pool, Roster
from ..pool.world import World
from ..routing.plan import Plan, Planner, prefer
from ..settings import Settings
from ..telemetry.requests import LEFT
from ..telemetry.status import tier_rows
from ..telemetry.story import Failure
from ..telemetry.telemetry import Telemetry
from ..transport.base import Transport
from .auth import Keys
from .detection import Detection
from .http import Call
from .responses_store import ResponseStore

if TYPE_CHECKING:
    from .reload import Live

_SPEAKING = (Exhausted, CannotServe, NotFound, OverBudget)
"""Errors whose message is ours alone and quotes nothing of the request."""


class Runtime:
    """``clock`` is wall-clock seconds. ``draining``: no new requests are wanted. ``live``: what keeps the configuration
    up to date; None where it was not read from files."""

    def __init__(
        self,
        world: World,
        pool: Pool,
        transport: Transport,
        clock: Callable[[], float],
        *,
        telemetry: Telemetry | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self.clock = clock
        self.pool = pool
        self.engine = Engine(pool, transport, clock)
        self.planner = Planner(pool)
        self.memory = Memory()
        self.responses = ResponseStore()
        self.telemetry = telemetry or Telemetry()
        self.budgets = budgets or Budgets()
        self.live: Live | None = None
        self.draining = False
        self.started_at = clock()
        self._prefix = secrets.token_hex(5)
        self._count = 0
        self.detection: Detection | None = None
        self.adopt(world)

    def adopt(self, world: World) -> None:
        """Serve from this World from now on; answers under way finish on the one they began with."""
        self.roster: Roster = self.pool.adopt(world)
        settings = world.settings
        limited = {one.secret: one.limits for one in world.callers}
        self.caller_keys = Keys((*settings.proxy_api_keys, *limited), "PROXY_API_KEYS")
        self.admin_keys = Keys((settings.admin_api_key,), "ADMIN_API_KEY")
        self.caller_limits: dict[str, CallerLimits] = {
            self.caller_keys.names[secret]: limits for secret, limits in limited.items() if limits != CallerLimits()
        }
        self.telemetry.log.forget_plans()
        self.telemetry.log.resize(settings.request_log_size)
        self._plan_again()
        if self.detection is not None:
            self.detection.start(world)
        self.engine.room.changed()

    @property
    def settings(self) -> Settings:
        return self.roster.world.settings

    def request_id(self) -> str:
        """Unique, and short enough to read out."""
        self._count += 1
        return f"req_{self._prefix}{self._count:06x}"

    def spend(self, call: Call) -> None:
        """Count a request against its caller's own limits. Raises OverBudget."""
        limits = self.caller_limits.get(call.caller)
        if limits is None:
            return
        now = self.clock()
        over = self.budgets.admit(call.caller, limits, now)
        if over is not None:
            seconds = max(1, math.ceil(over.until - now))
            raise OverBudget(
                f"The limit of this key is reached: {over.window} {over.limit:g}. It comes back in {seconds} s.",
                headers={"retry-after": str(seconds)},
                details={"limit": over.window, "value": over.limit, "free_in": seconds},
            )

    def record(self, call: Call, asked: str, *, stream: bool) -> RequestRecord:
        """The record of a request that begins now."""
        endpoint = call.path.removeprefix("/v1/")
        call.record = RequestRecord(
            id=call.id, at=self.clock(), endpoint=endpoint, asked=asked, caller=call.caller, stream=stream
        )
        return call.record

    def planned(self, record: RequestRecord, plan: Plan) -> None:
        """Remember who was to be asked, for whoever asks why."""
        self.telemetry.log.planned(record.id, plan)

    def finished(self, record: RequestRecord) -> None:
        """Keep the record."""
        if self.telemetry.log.add(record) and record.caller in self.caller_limits:
            price = self._price(record)
            cost = (record.input * price[0] + record.output * price[1]) / 1e6
            self.budgets.spent(record.caller, self.clock(), tokens=record.input + record.output, cost=cost)

    def refused(self, call: Call, error: RouterError) -> None:
        """The caller gets this error instead of an answer."""
        self.explain(error)
        record = call.record
        if record is None:
            if not call.caller or call.method != "POST" or not call.path.startswith("/v1/"):
                return
            record = self.record(call, "", stream=False)
        record.status = error.status
        record.error = record.error or error.code
        self.telemetry.log.failed(record.id, _failure(error))
        self.finished(record)

    def explain(self, error: RouterError) -> None:
        """Where nobody can answer now: what the pool has left, and when more comes back."""
        if isinstance(error, Exhausted):
            error.details["tiers"] = self._outlook()

    def left(self, call: Call) -> None:
        """The caller did not wait for the answer, or for its end."""
        if call.record is not None:
            call.record.status = LEFT
            self.finished(call.record)

    def why_not_ready(self) -> Collection[str]:
        """Reasons for a 503 of /ready; empty where requests can be taken."""
        if self.draining:
            return ["shutting down: open streams are being finished"]
        world = self.roster.world
        if not world.deployments and not world.embedders:
            told = (notice for notice in world.notices if notice.subject != "hermes-router")
            notices = [f"{notice.subject}: {notice.message}" for notice in told]
            none = "no provider is configured: add a key with `hr auth add <provider>` or in .env"
            return ["none of the configured providers serves", *notices] if notices else [none]
        return []

    def _plan_again(self) -> None:
        """For those who wait for quota: the new World may have somebody for them."""
        for ticket in self.engine.room.waiting:
            old = ticket.plan
            if isinstance(ticket.work, ChatWork):
                with contextlib.suppress(RouterError):  # nobody there: they go on waiting for those they had
                    plan = self.planner.plan(self.roster, old.needs, old.selection, self.clock())
                    ticket.plan = prefer(plan, old.groups[0].model.key)

    def _price(self, record: RequestRecord) -> tuple[float, float]:
        """USD per million tokens, in and out."""
        for state in (*self.roster.chat, *self.roster.embed):
            target = state.deployment.target
            if state.provider.key == record.provider and target.model.id == record.model:
                return (target.embed.price, 0.0) if target.embed else target.model.price or (0.0, 0.0)
        return 0.0, 0.0

    def _outlook(self) -> list[dict[str, object]]:
        """What the pool has left, for the body of a 503."""
        return [
            {
                "tier": row.tier,
                "calls_left": row.calls_left,
                "unlimited": row.unlimited,
                "free": row.free,
                "next_in": row.next_in,
            }
            for row in tier_rows(self.roster, self.pool.ledger, self.clock())
        ]


def _failure(error: RouterError) -> Failure:
    return Failure(
        status=error.status,
        code=error.code,
        message=error.message if isinstance(error, _SPEAKING) else "",
        candidates=error.details.get("candidates", []),
    )
