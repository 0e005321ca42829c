"""The waiting room: hands out leases, and lets requests wait for quota that is about to come back.

Fair between callers: they take turns, however many requests each has waiting and however the quota comes. A request
too big for what is left of a token window claims that deployment, so that small ones that came later do not keep it
from ever fitting. One timer and one sweep for everybody who waits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import msgspec

from ..pool.ledger import Lease, Ledger
from ..pool.states import DeploymentState
from ..routing.plan import Plan, fits
from .work import Work

PREFERRED_PATIENCE = 10.0
"""A deployment that the caller put first is tried again this soon after a passing failure, seconds."""
LAST_RESORT = 2.0
"""Where nobody else is free, a deployment is tried again this soon after a passing failure, seconds: half of a storm's
failures are single ones, and when our own network was gone they say nothing at all. Not where failures cost quota."""
_SLACK, _SLACK_MOST = 0.01, 0.5
"""Share of its patience, and seconds, by which a request may be late: a minute's quota takes a minute and a moment."""
_TRIES_EACH = 2
_TOKEN_WINDOWS = ("tpm", "tpd")


class Tried(msgspec.Struct):
    """What became of a deployment within one request: ``again_at`` inf means not for this request."""

    times: int = 0
    again_at: float = 0.0
    why: str = ""


class Held(msgspec.Struct, frozen=True):
    """Why a candidate is not free, and until when (wall clock, inf: never for this request). ``back``: when it is free
    for others, where that is another moment."""

    state: DeploymentState
    until: float
    reason: str
    back: float = math.inf

    @property
    def returns(self) -> float:
        """When it is worth asking again, by this request or the next (inf: never)."""
        return min(self.until, self.back)


class Ticket:
    """One request's wish. ``gives_up`` is wall clock."""

    __slots__ = ("caller", "future", "gives_up", "larger_than", "patience", "plan", "since", "tried", "turn", "work")

    def __init__(self, work: Work, plan: Plan, caller: str, *, since: float, patience: float) -> None:
        self.work = work
        self.plan = plan
        self.caller = caller
        self.since = since
        self.gives_up = since + patience
        self.patience = patience
        self.tried: dict[str, Tried] = {}
        self.future: asyncio.Future[Picked] | None = None
        self.larger_than = 0
        """A context window of this many tokens was too small."""
        self.turn = 0
        """Those of a smaller one go first; set by the room."""

    @property
    def slack(self) -> float:
        """Seconds by which it may be late."""
        return min(self.patience * _SLACK, _SLACK_MOST)


class Picked(msgspec.Struct, frozen=True):
    """A deployment with quota held on it."""

    state: DeploymentState
    lease: Lease


class Nobody(Exception):
    """No candidate frees in time. ``soonest`` is wall clock, inf where none ever does."""

    def __init__(self, held: list[Held], soonest: float) -> None:
        super().__init__()
        self.held = held
        self.soonest = soonest


class Room:
    """Who waits, and for what. ``clock`` is wall-clock seconds."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._waiting: list[Ticket] = []
        self._turn = 0
        self._served: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._sweeping = False

    async def acquire(self, ticket: Ticket) -> Picked:
        """The best free candidate, now or within the ticket's patience. Raises Nobody."""
        if not self._waiting:
            picked = self.pick(ticket, frozenset())
            if picked is not None:
                return picked
        return await self._wait(ticket)

    def pick_spare(self, ticket: Ticket, besides: DeploymentState, share: float) -> Picked | None:
        """A second candidate of another model, where at least this share of its quota is left and nobody waits."""
        if self._waiting:
            return None
        return self.pick(ticket, frozenset(), lambda state: self._is_spare(state, besides, share))

    def pick(
        self, ticket: Ticket, claimed: frozenset[str], suits: Callable[[DeploymentState], bool] | None = None
    ) -> Picked | None:
        """The best candidate that is free this moment, with a lease on it."""
        picked = self._pick(ticket, claimed, suits, resort=False)
        if picked is None and suits is None:
            picked = self._pick(ticket, claimed, None, resort=True)
        return picked

    def _pick(
        self, ticket: Ticket, claimed: frozenset[str], suits: Callable[[DeploymentState], bool] | None, *, resort: bool
    ) -> Picked | None:
        now, plan, work = self._clock(), ticket.plan, ticket.work
        rotates = plan.roster.rotates
        for group in plan.groups:
            members, model = group.members, group.model
            count = len(members)
            first = model.turn % count if rotates else 0
            for at in range(first, first + count):
                state = members[at % count]
                if state.key in claimed or not _may_go(ticket, state, now, resort=resort):
                    continue
                if suits is not None and not suits(state):
                    continue
                lease = self._ledger.lease(state.lane, work.cost(state), now)
                if lease is not None:
                    model.turn = at + 1
                    state.provider.breaker.taken(now)
                    return Picked(state, lease)
        return None

    def _is_spare(self, state: DeploymentState, besides: DeploymentState, share: float) -> bool:
        return state.model is not besides.model and self._ledger.share_left(state.lane, self._clock()) >= share

    def held(self, ticket: Ticket) -> list[Held]:
        """Every candidate with what it is waiting for."""
        now = self._clock()
        return [self._held(ticket, state, now) for group in ticket.plan.groups for state in group.members]

    def changed(self) -> None:
        """Quota came free or a rest ended: look again, soon and once."""
        if self._waiting and not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_soon(self._sweep)

    @property
    def waiting(self) -> list[Ticket]:
        """Those who wait, in the order they will be served."""
        return sorted(self._waiting, key=_turn)

    async def _wait(self, ticket: Ticket) -> Picked:
        future: asyncio.Future[Picked] = asyncio.get_running_loop().create_future()
        ticket.future = future
        self._queue(ticket)
        try:
            self._sweep()
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._ledger.release(future.result().lease, self._clock(), counted=False)
            raise
        finally:
            ticket.future = None
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self.changed()

    def _queue(self, ticket: Ticket) -> None:
        """Its turn is the one the room is at, or the one after its caller's last: a caller who comes now is not behind
        all that another has waiting. Who was served and failed waits for no turn again."""
        if not self._waiting:
            self._turn = 0
            self._served.clear()
        ticket.turn = self._turn
        if not ticket.tried:
            before = max((one.turn for one in self._waiting if one.caller == ticket.caller), default=-1)
            ticket.turn = max(self._turn, before + 1, self._served.get(ticket.caller, -1) + 1)
        self._waiting.append(ticket)

    def _sweep(self) -> None:
        self._sweeping = False
        now = self._clock()
        claimed: set[str] = set()
        soonest = math.inf
        for ticket in self.waiting:
            future = ticket.future
            if future is None or future.done():
                continue
            picked = self.pick(ticket, frozenset(claimed))
            if picked is not None:
                self._turn = max(self._turn, ticket.turn)
                self._served[ticket.caller] = ticket.turn
                self._waiting.remove(ticket)
                future.set_result(picked)
                continue
            soonest = min(soonest, self._keep_or_refuse(ticket, future, claimed, now))
        self._wake_at(soonest)

    def _keep_or_refuse(self, ticket: Ticket, future: asyncio.Future[Picked], claimed: set[str], now: float) -> float:
        """When to look again for this one; refuses it where nothing frees in time."""
        held = self.held(ticket)
        free = min(held, key=lambda one: one.until, default=None)
        until = free.until if free is not None else math.inf
        if free is None or until > ticket.gives_up + ticket.slack or (until <= now and now >= ticket.gives_up):
            self._waiting.remove(ticket)
            future.set_exception(Nobody(held, until))
            return math.inf
        if free.reason in _TOKEN_WINDOWS:
            claimed.add(free.state.key)
        # claimed by another and free: it is looked at again when that one is served, or at the latest when it gives up
        return until if until > now else ticket.gives_up

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if moment < math.inf:
            delay = max(moment - self._clock(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay, self._sweep)

    def _held(self, ticket: Ticket, state: DeploymentState, now: float) -> Held:
        tried = ticket.tried.get(state.key)
        if not _is_large_enough(ticket, state):
            return Held(state, math.inf, "too small for this request")
        rest = state.rest_until(now, _patience(ticket, state, resort=True))
        free = self._ledger.free_at(state.lane, ticket.work.cost(state), now)
        if tried is not None and (tried.again_at == math.inf or tried.times >= _TRIES_EACH):
            return Held(state, math.inf, f"failed: {tried.why}", back=max(rest, free.at))
        if tried is not None and tried.again_at > max(rest, free.at):
            return Held(state, tried.again_at, f"failed a moment ago: {tried.why}")
        if rest > free.at:
            why = state.resting(now)
            return Held(state, rest, f"{why.kind.value}: {why.why}" if why else "resting after failures")
        return Held(state, free.at, free.window)


def _may_go(ticket: Ticket, state: DeploymentState, now: float, *, resort: bool) -> bool:
    """Whether nothing but quota stands in the way."""
    tried = ticket.tried.get(state.key) if ticket.tried else None
    if tried is not None and (tried.again_at > now or tried.times >= _TRIES_EACH):
        return False
    if not _is_large_enough(ticket, state):
        return False
    return state.is_up() or state.rest_until(now, _patience(ticket, state, resort=resort)) <= now


def _patience(ticket: Ticket, state: DeploymentState, *, resort: bool) -> float | None:
    """How long a passing rest counts; None: to its end."""
    if resort and not state.deployment.target.provider.failed_calls_count:
        return LAST_RESORT
    return PREFERRED_PATIENCE if ticket.plan.preferred else None


def _is_large_enough(ticket: Ticket, state: DeploymentState) -> bool:
    if ticket.larger_than and 0 < state.largest_input() <= ticket.larger_than:
        return False
    return fits(state, ticket.work.needs)


def _turn(ticket: Ticket) -> tuple[int, float]:
    return ticket.turn, ticket.since
