"""The loop: take the next candidate, try it, judge what went wrong, until one speaks or nobody is left.

Every dialect, streaming or not, and embeddings go through here; there is no second loop anywhere.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

from ..core.errors import RouterError
from ..core.events import Event, Failed, Note, Usage
from ..core.faults import Fault, Kind, Scope
from ..core.tokens import count_text
from ..pool.pool import Pool
from ..pool.states import DeploymentState
from ..routing.needs import Needs
from ..routing.plan import Plan
from ..transport.base import Transport
from .attempt import Attempt, Give, Taker
from .commit import commits, emptiness, finish_of
from .hedge import Hedge, late_after
from .records import AttemptRecord, RequestRecord
from .refusals import exhausted, interrupted, refused, too_long
from .resume import MOST, Sent, UsageSum, Way, way
from .room import Nobody, Picked, Room, Ticket, Tried
from .verdict import TABLE, Then, judge
from .watchdog import Overtaken
from .work import Work

_STAY_SECONDS = 3.0
_STAY_PAUSE = 0.3
_SAME_AGAIN = 2
_CONTINUATIONS = 6
_LATE_SECONDS = 4.0
"""A first word that takes longer is late where nobody knows what is usual."""


class Engine:
    """What exchanges share. ``clock`` is wall-clock seconds."""

    def __init__(self, pool: Pool, transport: Transport, clock: Callable[[], float]) -> None:
        self.pool = pool
        self.transport = transport
        self.clock = clock
        self.room = Room(pool.ledger, clock)
        self.open = 0
        """Exchanges under way."""


class Exchange:
    """One request on its way to an answer.

    ``begin`` returns when there is something to send, and raises RouterError where there never will be. ``run`` then
    gives the events as they come; it raises RouterError where the answer broke off for good. ``close`` ends it, at any
    time. ``whole``: nothing is given before the answer is complete, so any failure moves on; ``all`` gives it.

    One task does all this.
    """

    __slots__ = (
        "_attempt",
        "_began",
        "_closed",
        "_doubt",
        "_ends",
        "_engine",
        "_first",
        "_head",
        "_hedge",
        "_hedged",
        "_loop",
        "_patience",
        "_sent",
        "_settings",
        "_spent",
        "_stayed",
        "_task",
        "_ticket",
        "_whole",
        "_work",
        "record",
    )

    def __init__(
        self, engine: Engine, work: Work, plan: Plan, record: RequestRecord, *, patience: float, whole: bool
    ) -> None:
        self.record = record
        self._engine = engine
        self._work = work
        self._whole = whole
        self._settings = plan.roster.world.settings
        most = self._settings.request_timeout
        self._ticket = Ticket(work, plan, record.caller, since=engine.clock(), patience=min(patience, most))
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task: asyncio.Task[object] = task
        self._began = self._loop.time()
        self._ends = self._began + most
        self._attempt: Attempt | None = None
        self._first: Attempt | None = None
        self._hedge: Hedge | None = None
        self._head: list[Event] = []
        self._doubt: Fault | None = None
        self._sent: Sent | None = None
        self._spent = UsageSum()
        self._patience = patience
        self._stayed = False
        self._hedged = False
        engine.open += 1
        self._closed = False

    @property
    def served(self) -> DeploymentState | None:
        """Who speaks, from ``begin`` on."""
        return self._attempt.state if self._attempt else None

    @property
    def structured(self) -> str:
        """How the format that was asked for is seen to; nothing where none was."""
        return self._work.structured(self._attempt.state) if self._attempt else ""

    @property
    def attempts(self) -> int:
        return len(self.record.attempts)

    @property
    def needs(self) -> Needs:
        return self._work.needs

    async def begin(self) -> None:
        """Raises Exhausted, Refused, CannotServe."""
        while self._attempt is None:
            spoke = await self._listen(await self._next())
            if spoke is not None:
                self._adopt(spoke)
                self.record.first_event = self._elapsed()

    async def all(self) -> list[Event]:
        """The events of an answer that is given whole, after ``begin``."""
        assert self._whole
        assert self._attempt is not None
        events, self._head = self._head, []
        await self._finished(self._attempt)
        return events

    async def run(self, to: Taker) -> None:
        """Give the events, after ``begin``, in the order and the lumps they come in."""
        assert not self._whole
        attempt = self._attempt
        assert attempt is not None
        self._sent = Sent(to.folder)
        give: Give = to.give

        def give_all(events: list[Event]) -> bool:
            return to.give(self._spent.told(events))

        events, self._head = self._head, []
        while True:
            fault, events = self._looked_at(events)
            if events and not give(events):
                await to.drained()
            if fault is not None:
                attempt = await self._resume(attempt, fault, self._sent)
                give = give_all  # with what the earlier attempts spent
                events, self._head = self._head, []
                continue
            while (due := await attempt.flow(give)) is None:
                await to.drained()
            if not due:
                break
            events = due
        await self._finished(attempt)

    def _looked_at(self, events: list[Event]) -> tuple[Fault | None, list[Event]]:
        """Why the answer breaks off with these events, where it does, and what of them may be passed on. One that ends
        when it has only thought aloud is none."""
        last = events[-1] if events else None
        if isinstance(last, Failed):
            return last.fault, events[:-1]
        finish, sent = finish_of(events), self._sent
        if finish is None or sent is None or sent.final or sent.text.strip():
            return None, events
        fault = emptiness(events)
        if fault is None:
            return None, events
        return fault, [event for event in events[: events.index(finish)] if not isinstance(event, Usage)]

    async def close(self) -> None:
        """Ends what is still under way: the upstream is closed, its lease given back."""
        if self._closed:
            return
        self._closed = True
        self._engine.open -= 1
        self.record.took = self._elapsed()
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.record.outcome == "open":
            await attempt.close()
            self._engine.room.changed()

    async def _next(self) -> Attempt:
        """An attempt that has been given a lease."""
        engine = self._engine
        if len(self.record.attempts) >= self._settings.attempts_max or self._left() <= 0:
            raise self._exhausted(Nobody(engine.room.held(self._ticket), math.inf))
        asked = engine.clock()
        try:
            picked = await engine.room.acquire(self._ticket)
        except Nobody as nobody:
            raise self._exhausted(nobody) from None
        waited = engine.clock() - asked
        if waited > 0:
            self.record.waited += waited
        return self._attempt_at(picked)

    def _attempt_at(self, picked: Picked, work: Work | None = None) -> Attempt:
        state, now = picked.state, self._loop.time()
        deployment = state.deployment
        record = AttemptRecord(
            state.provider.key, deployment.target.model.id, deployment.credential.tail, now - self._began
        )
        self.record.attempts.append(record)
        engine = self._engine
        return Attempt(
            work or self._work,
            state,
            picked.lease,
            ledger=engine.pool.ledger,
            transport=engine.transport,
            clock=engine.clock,
            record=record,
            now=now,
            left=self._ends - now,
            loop=self._loop,
            task=self._task,
        )

    async def _listen(self, first: Attempt) -> Attempt | None:
        """Until an attempt has said something worth committing to: this one, or the hedge that overtook it. None where
        there is none; what failed has been judged."""
        self._first = first
        delay = late_after(first.state) or _LATE_SECONDS
        first.late_after(delay + _LATE_SECONDS if first.in_one_piece else delay, self._is_late)
        try:
            heard = await self._hear(first)
        except Overtaken:
            return await self._overtaken(first)
        except BaseException:
            await self._drop()
            raise
        first.not_late()
        if isinstance(heard, Fault):
            return await self._without_first(first, heard)
        if self._hedge is not None:
            await self._drop()
        self._head = heard
        return first

    async def _overtaken(self, first: Attempt) -> Attempt | None:
        await first.close()
        hedge, self._hedge = self._hedge, None
        assert hedge is not None
        heard = await hedge.outcome()
        self._head = heard if isinstance(heard, list) else []
        return hedge.second

    async def _without_first(self, first: Attempt, fault: Fault) -> Attempt | None:
        """The first attempt failed: its hedge may still speak, and answer what the first one refused."""
        heard: list[Event] | Fault | None = None
        trouble: RouterError | None = None
        try:
            try:
                await self._after(first, fault)
            except RouterError as error:
                trouble = error
            hedge = self._hedge
            if hedge is not None:
                heard = await hedge.outcome()
                if isinstance(heard, list):
                    self._head, self._hedge = heard, None
                    return hedge.second
        except BaseException:
            await self._drop()
            raise
        await self._drop()
        if trouble is not None:
            raise trouble
        return None

    async def _drop(self) -> None:
        """The hedge, if there is one, is not needed; what it failed of is learned all the same."""
        hedge, self._hedge = self._hedge, None
        if hedge is None:
            return
        await hedge.cancel()
        if isinstance(hedge.heard, Fault):
            with suppress(RouterError):
                await self._after(hedge.second, hedge.heard)

    def _is_late(self) -> None:
        """Others are warned, and a second one starts where that is wise."""
        first = self._first
        if first is None or first.spoke:  # what is awaited is the rest of a whole answer
            return
        second = self._second(first.state)
        if second is not None:
            self._hedge = Hedge(first, second, self._hear, self._loop)

    def _second(self, first: DeploymentState) -> Attempt | None:
        engine = self._engine
        engine.pool.is_late(first)
        if late_after(first) is None or self._hedged or self._ticket.plan.preferred:
            return None
        picked = engine.room.pick_spare(self._ticket, first, self._settings.hedge_quota_share)
        if picked is None:
            return None
        self._hedged = True
        attempt = self._attempt_at(picked)
        attempt.record.hedge = True
        return attempt

    async def _hear(self, attempt: Attempt) -> list[Event] | Fault:
        """What the attempt says up to where it commits, or why it failed."""
        try:
            fault = await attempt.start()
            return fault or await self._until_commit(attempt)
        except BaseException:  # the caller left, a faster one spoke, or a bug: nothing may be left open
            await attempt.close()
            self._engine.room.changed()
            raise

    async def _until_commit(self, attempt: Attempt) -> list[Event] | Fault:
        held: list[Event] = []
        while not attempt.over and (events := await attempt.flow()):
            held += events
            last = events[-1]
            if isinstance(last, Failed):
                return last.fault
            if not self._whole and commits(events, thinking=self._work.shows_reasoning):
                return held
        if self._sent is not None and self._sent.anything:  # the rest of an answer may be empty
            return held
        return emptiness(held) or held

    def _adopt(self, attempt: Attempt) -> None:
        self._attempt = attempt
        attempt.belongs_to(self._task)
        self.record.provider = attempt.state.provider.key
        self.record.model = attempt.state.deployment.target.model.id

    async def _after(self, attempt: Attempt, fault: Fault) -> None:
        """A failed try: judge it, and make up the ticket for the next. Raises Refused where there is no next."""
        engine, state, now = self._engine, attempt.state, self._engine.clock()
        window = state.largest_input()
        attempt.settle(fault)
        then = judge(fault, state, self._work.needs, engine.pool, now, cost=self._work.cost(state))
        await attempt.close(fault)
        engine.room.changed()
        if fault.kind is Kind.FILTERED and self._settings.content_filter_failover:
            then, self._doubt = Then.NEXT, fault
        if then is Then.STOP or (then is Then.OTHERS_ONCE and (self._doubt or fault.field)):
            raise refused(self._doubt or fault)
        if then is Then.OTHERS_ONCE:
            self._doubt = fault
        if fault.kind is Kind.CONTEXT_TOO_LONG:
            stated = min(filter(None, (window, fault.value)), default=state.largest_input())
            self._ticket.larger_than = max(self._ticket.larger_than, stated)
        await self._mark(state, fault, then, now)

    async def _mark(self, state: DeploymentState, fault: Fault, then: Then, now: float) -> None:
        tried = self._ticket.tried.setdefault(state.key, Tried())
        tried.why = fault.message or fault.kind.value
        if self._work.repairs():
            return
        if then is Then.SAME and tried.times < _SAME_AGAIN:
            tried.times += 1
            return
        if fault.kind in (Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED):
            free = self._engine.pool.ledger.free_at(state.lane, self._work.cost(state), now).at - now
            if free <= _STAY_SECONDS + _STAY_PAUSE and self._stays(state, fault):
                await asyncio.sleep(free + _STAY_PAUSE)
            return  # the ledger knows until when
        tried.times += 1
        if self._stays(state, fault):
            self._engine.pool.gets_another_chance(state)
            await asyncio.sleep(_STAY_PAUSE)
            return
        tried.again_at = now + 2.0 * tried.times if TABLE[fault.kind].again else math.inf

    def _stays(self, state: DeploymentState, fault: Fault) -> bool:
        """The caller's preferred deployment gets one more chance after a passing failure."""
        plan = self._ticket.plan
        if self._stayed or not plan.preferred or state.model is not plan.groups[0].model:
            return False
        passing = fault.kind is Kind.SERVER_ERROR or (
            fault.kind is Kind.RATE_LIMITED and fault.retry_after is not None and fault.retry_after <= _STAY_SECONDS
        )
        self._stayed = passing
        return passing

    async def _resume(self, broken: Attempt, fault: Fault, sent: Sent) -> Attempt:
        """Another attempt goes on where this one broke off; what it says first is in ``_head``. Raises Exhausted."""
        self._judge(broken, fault)
        await broken.close(fault)
        self._engine.room.changed()
        error = interrupted(broken.state, fault)
        said = sent.text
        self._spent.add(broken.usage or self._guess(said))
        if not self._may_resume(sent):
            raise error
        unjoined = 0
        self._ticket.work = self._work.resumed(said, Way.REPEAT)
        self._ticket.gives_up = self._engine.clock() + min(self._patience, self._left())
        for _ in range(_CONTINUATIONS):
            attempt = await self._next_continuation(said, unjoined, error)
            heard = await self._hear(attempt)
            if isinstance(heard, list):
                self.record.resumes += 1
                self._adopt(attempt)
                why = fault.kind.value
                self._head = [Note(f"hermes-router resumed model={attempt.state.model.key} after={why}"), *heard]
                return attempt
            unjoined += heard.kind is Kind.MALFORMED and heard.scope is Scope.REQUEST
            self._judge(attempt, heard)
            await attempt.close(heard)
        raise error

    async def _next_continuation(self, said: str, unjoined: int, error: RouterError) -> Attempt:
        if self._left() <= 0:
            raise error
        try:
            picked = await self._engine.room.acquire(self._ticket)
        except Nobody:
            self.record.error = error.code
            raise error from None
        how = way(picked.state.target.quirks, unjoined, said)
        attempt = self._attempt_at(picked, self._work.resumed(said, how))
        attempt.record.resumed = True
        return attempt

    def _may_resume(self, sent: Sent) -> bool:
        return self._settings.stream_resume and self.record.resumes < MOST and self._work.resumable(sent)

    def _judge(self, attempt: Attempt, fault: Fault) -> None:
        """A failure after the answer had begun: it never stops the request, whatever the provider thought of it."""
        engine, state, now = self._engine, attempt.state, self._engine.clock()
        attempt.settle(fault)
        judge(fault, state, attempt.work.needs, engine.pool, now, cost=attempt.work.cost(state))
        tried = self._ticket.tried.setdefault(state.key, Tried())
        if fault.kind not in (Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED):
            tried.times += 1
        tried.again_at = now + 2.0 * tried.times if TABLE[fault.kind].again else math.inf
        tried.why = fault.message or fault.kind.value

    def _guess(self, said: str) -> Usage:
        return Usage(input=self._work.needs.input, output=count_text(said), known=False)

    async def _finished(self, attempt: Attempt) -> None:
        await attempt.close()
        pool, state = self._engine.pool, attempt.state
        pool.succeeded(state)
        if attempt.thought:
            pool.learn_reasons(state)
        latency = state.model.latency
        first = attempt.record.first_event
        if first is not None:
            if attempt.in_one_piece:
                latency.whole(first)
            else:
                latency.first_event(first)
            latency.generated(*attempt.speed())
        self._engine.room.changed()
        spent = self._spent.total if self.record.resumes else attempt.usage
        if spent is not None:
            self.record.spent(spent)

    def _exhausted(self, nobody: Nobody) -> RouterError:
        if self._doubt is not None:
            return refused(self._doubt)
        if self._ticket.larger_than:
            return too_long(self._ticket.larger_than)
        return exhausted(nobody, self._engine.clock())

    def _left(self) -> float:
        """Seconds until the request's own deadline, REQUEST_TIMEOUT."""
        return self._ends - self._loop.time()

    def _elapsed(self) -> float:
        return self._loop.time() - self._began
