"""One try at one deployment: send, read, watch the clock. What follows from a failure is not decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from ..core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    Vectors,
)
from ..core.faults import Fault, Kind, Scope
from ..core.fold import Folder
from ..core.tokens import count_text
from ..pool.ledger import Lease, Ledger
from ..pool.states import DeploymentState
from ..transport.base import HttpResponse, Transport, TransportError, arrival
from ..wires.base import Reader
from ..wires.classify import classify
from ..wires.limits import read_limits
from .deadlines import connect_timeout
from .records import AttemptRecord
from .screens import Screen, through
from .watchdog import Overtaken, TookTooLong, Watchdog
from .work import Work

_OUTPUT = frozenset({RefusalDelta, ToolCallStart, ToolCallDelta, Vectors})
_REFUSAL_BYTES = 65536
_REFUSAL_SECONDS = 5.0
_ENDING_SECONDS = 1.0
_TRANSPORT_FAULTS = {
    "connect": (Kind.CONNECT, Scope.PROVIDER),
    "closed": (Kind.CUT, Scope.PROVIDER),
    "cut": (Kind.CUT, Scope.PROVIDER),
    "protocol": (Kind.MALFORMED, Scope.MODEL),
}


Give = Callable[[list[Event]], bool]
"""Takes a batch of events; False where the caller reads slowly, and nothing more should be given for now."""


class Taker(Protocol):
    """Who is given a stream of events."""

    @property
    def folder(self) -> Folder:
        """What was given so far."""
        ...

    def give(self, events: list[Event]) -> bool:
        """A batch. False where the caller reads slowly: then nothing more is given before ``drained`` returns."""
        ...

    async def drained(self) -> None: ...


class Attempt:
    """``start``, then ``flow`` until it is ``over``, then ``close``; ``close`` alone abandons it at any time. ``task``
    is the one that awaits them, see ``belongs_to``.

    Faults come back as values: from ``start``, or as a last ``Failed`` event. The lease is settled or released exactly
    once, by ``close``. ``now`` is the loop's clock, ``left`` how many seconds the request still has: no phase outlasts
    them. ``in_one_piece``: its first event is its last.
    """

    __slots__ = (
        "_admitted",
        "_began",
        "_clock",
        "_deadlines",
        "_dog",
        "_due",
        "_ending",
        "_ends",
        "_give",
        "_heard_at",
        "_lease",
        "_ledger",
        "_left",
        "_loop",
        "_output",
        "_reader",
        "_response",
        "_screens",
        "_transport",
        "_waiter",
        "finish",
        "in_one_piece",
        "over",
        "record",
        "spoke",
        "state",
        "thought",
        "usage",
        "work",
    )

    def __init__(
        self,
        work: Work,
        state: DeploymentState,
        lease: Lease,
        *,
        ledger: Ledger,
        transport: Transport,
        clock: Callable[[], float],
        record: AttemptRecord,
        now: float,
        left: float,
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[object],
    ) -> None:
        self.work = work
        self.state = state
        self.record = record
        self.in_one_piece = work.in_one_piece(state)
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.spoke = False
        self.thought = False
        """It was seen to think before it answered."""
        self._ledger = ledger
        self._transport = transport
        self._clock = clock
        self._lease: Lease | None = lease
        self._loop = loop
        self._dog = Watchdog(loop, task, now)
        self._screens: list[Screen] = work.screens(state)
        self._deadlines = work.deadlines(state)
        self._response: HttpResponse | None = None
        self._reader: Reader | None = None
        self._began = now
        self._left = left
        self._ends = now + (left if left < self._deadlines.total else self._deadlines.total)
        self._heard_at = 0.0
        self._output = 0
        self._admitted = False
        self._ending = False
        self.over = False
        self._give: Give | None = None
        self._due: list[Event] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def belongs_to(self, task: asyncio.Task[object]) -> None:
        """Another task awaits it from now on."""
        self._dog.task = task

    def late_after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have ``call`` called where nothing was heard so long after sending; before ``start``."""
        self._dog.remind, self._dog.remind_at = call, self._began + seconds

    def not_late(self) -> None:
        """Nobody is to be called."""
        self._dog.remind = None

    async def start(self) -> Fault | None:
        """Send, and hear what the head says. None: an answer is on its way."""
        request = self.work.write(self.state)
        if stated := connect_timeout(self.state):
            request = msgspec.structs.replace(request, connect_timeout=stated)
        self._dog.deadline = min(self._began + self._deadlines.first_event, self._ends)
        try:
            response = await self._dog.wait(self._transport.send(request))
        except TransportError as error:
            return _transport_fault(error)
        except TookTooLong:
            self._admitted = True  # it may be at work on it, and counting
            return self._silent()
        except (asyncio.CancelledError, Overtaken):
            self._admitted = True
            raise
        self._response = response
        now = self._clock()
        self.record.status = response.status
        accepted = 200 <= response.status < 300
        if accepted and self._lease is not None:
            self._admitted = True
            self._ledger.admitted(self._lease, now)
        readings = read_limits(self.state.target.provider, response.headers, now)
        if readings:
            self._ledger.observe(self.state.lane, readings, now, lease=self._lease if accepted else None)
        if not accepted:
            return await self._refused(response)
        self._reader = self.work.reader(self.state, response.headers.get("content-type", ""), now)
        return None

    async def flow(self, give: Give | None = None) -> list[Event] | None:
        """Hand the events, screened, to ``give`` as they arrive, without waking the task that waits here.

        Returns the first batch that ``give`` should not have unseen: one with or after ``Finish``, one that ends with
        ``Failed``, an empty one when the answer is over; without ``give`` any batch. None where ``give`` said False:
        then nothing is read, and the connection's own limit works, before this is called again.
        """
        self._dog.back()
        self._give = give
        if self._hand_on():
            return self._due
        response, waiter = self._response, self._loop.create_future()
        assert response is not None
        self._waiter = waiter
        response.notify(self._arrived)
        try:
            await self._dog.wait(waiter)
        except TookTooLong:
            if waiter.cancelled():
                await response.aclose()
                return self._late()
            waiter.result()  # it came in the last moment
        finally:
            response.notify(None)
            self._give = self._waiter = None
        return self._due

    def _arrived(self) -> None:
        """Called by the transport, on top of nobody: what goes wrong here is told to the one who waits in ``flow``."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        try:
            if self._hand_on():
                waiter.set_result(None)
            elif self._dog.armed_for > self._dog.deadline:
                self._dog.arm()
        except Exception as error:  # noqa: BLE001 - raised in flow
            waiter.set_exception(error)

    def _hand_on(self) -> bool:
        """Read what has arrived, and give it. Whether the flow ends here, with ``_due``."""
        response, reader, give = self._response, self._reader, self._give
        assert response is not None
        assert reader is not None
        while not self.over:
            try:
                data = response.take()
            except TransportError as error:
                events = self._broken_off(_transport_fault(error))
            else:
                if data:
                    events = reader.feed(data)
                    if reader.ending and not self._ending:
                        self._ending = True
                        self._dog.deadline = min(self._dog.deadline, self._dog.time() + _ENDING_SECONDS)
                elif data is None:
                    self.over = True
                    events = reader.end()
                else:
                    return False
            if not events or not (events := self._noted(events)):
                continue
            if give is None or self.over or self.finish is not None:
                self._due = events
                return True
            if not give(events):
                self._due = None
                return True
        self._due = []
        return True

    def _late(self) -> list[Event]:
        events = self._broken_off(self._silent())
        return self._noted(events) if events else events

    async def close(self, fault: Fault | None = None) -> None:
        """End it: settle what it spent, free the connection. May be called again."""
        self._dog.close()
        self._give = None  # who takes the events knows the exchange, and that knows us
        self.settle(fault)
        self.record.took = self._dog.time() - self._began
        if self.record.outcome == "open":
            self.record.outcome = fault.kind.value if fault else "ok" if self.finish else "abandoned"
            self.record.message = fault.message if fault else ""
        if self._response is not None:
            response, self._response = self._response, None
            await response.aclose()

    def overtake(self) -> None:
        """Somebody else spoke first: whoever waits for this one gets Overtaken."""
        self._dog.interrupt()

    def speed(self) -> tuple[int, float]:
        """(output tokens, seconds they took)."""
        spent = self.usage.output if self.usage is not None and self.usage.known else self._output
        took, first = self._heard_at - self._began, self.record.first_event or 0.0
        return spent, took if took - first < 0.05 else took - first

    def _broken_off(self, fault: Fault) -> list[Event]:
        """The body did not come to its end; all of the answer may be there even so, only its last frame missing.

        Not where it calls tools and more may be due: some providers say so with each call (recorded: OpenRouter).
        """
        self.over = True
        if self.finish:
            return []
        assert self._reader is not None
        events = self._reader.end()
        last = events[-1] if events else None
        if isinstance(last, Finish) and (self._ending or last.reason is not FinishReason.TOOL_CALLS):
            return events
        return [*(event for event in events if not isinstance(event, Failed | Finish)), Failed(fault)]

    def _noted(self, events: list[Event]) -> list[Event]:
        """Move the clock on output, keep what is asked for later; the events after all screens."""
        heard = False
        for event in events:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                text = event.text  # type: ignore[union-attr]  # what comes by the thousand is told by its type alone
                if text:
                    self._output += count_text(text)
                    heard = True
                    if kind is ReasoningDelta:
                        self.thought = True
            elif kind in _OUTPUT:
                heard = True
            elif kind is Usage:
                self.usage = event  # type: ignore[assignment]
            elif kind is Finish:
                self.finish = event  # type: ignore[assignment]
                self._dog.deadline = self._dog.time() + _ENDING_SECONDS
            elif kind is Failed:
                self.over = True
        if heard:
            dog = self._dog
            now = self._heard_at = dog.time()
            if not self.spoke:
                self.spoke = True
                self.record.first_event = now - self._began
            if self.finish is None and not self._ending:
                due = now + self._deadlines.gap
                dog.deadline = due if due < self._ends else self._ends
        return self._screened(events) if self._screens else events

    def _screened(self, events: list[Event]) -> list[Event]:
        events = through(self._screens, events)
        last = events[-1] if events else None
        if isinstance(last, Finish) and self.finish is None:
            self.finish = last
            self.over = True
        elif isinstance(last, Failed):
            self.over = True
        return events

    async def _refused(self, response: HttpResponse) -> Fault:
        body = bytearray()
        self._dog.deadline = self._dog.time() + _REFUSAL_SECONDS
        with suppress(TransportError, TookTooLong):
            while len(body) < _REFUSAL_BYTES and (data := response.take()) is not None:
                if data:
                    body += data
                else:
                    await self._dog.wait(arrival(response))
        return classify(self.state.target, response.status, response.headers, bytes(body), self._clock())

    def settle(self, fault: Fault | None = None) -> None:
        """Give the lease back, or put the real usage in its place. What a refusal teaches must follow without a pause:
        in between, others would be given what was just refused."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        now = self._clock()
        if self._admitted and (self.spoke or fault is None):
            self._ledger.settle(lease, self._spent(), now)
        else:
            counted = self._admitted or self.state.target.provider.failed_calls_count
            self._ledger.release(lease, now, counted=counted)

    def _spent(self) -> int | None:
        if self.usage is not None and self.usage.known:
            return self.usage.input + self.usage.output
        return self.work.needs.input + self._output if self.finish else None

    def _silent(self) -> Fault:
        where, limits, kind = self.state.model.key, self._deadlines, Kind.FIRST_EVENT_TIMEOUT
        scope = Scope.MODEL
        what = f"gave no answer within {limits.first_event:g} s"
        if self.spoke:
            kind, what = Kind.STALLED, f"stopped in the middle: nothing for {limits.gap:g} s"
        if self._dog.time() >= self._ends:
            what = f"had not finished after {self._ends - self._began:.3g} s"
            if self._left <= limits.total:  # the request had no more time: that is nobody's fault but its own
                scope = Scope.REQUEST
        return Fault(kind=kind, scope=scope, message=f"{where} {what}")


def _transport_fault(error: TransportError) -> Fault:
    kind, scope = _TRANSPORT_FAULTS[error.kind]
    return Fault(kind=kind, scope=scope, message=str(error))
