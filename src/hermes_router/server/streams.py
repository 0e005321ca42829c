"""Sends a streamed answer: events as they come, keep-alives when none come, an error event where it breaks.

Between two decisions no task wakes: what the provider's connection brings is written to the caller's at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.errors import Internal, RouterError
from ..core.events import Event
from ..core.fold import Folder
from ..dialects.base import StreamWriter
from ..engine.run import Exchange
from ..sse import comment
from .http import EVENTS, Call, Header, stopping

HOLD_SECONDS = 15.0
"""How long the status line waits for a first event; after that it is 200, come what may."""
KEEPALIVE_SECONDS = 10.0


class EventStream:
    """One streamed response. ``writer`` and ``headers`` are asked for once it is known who serves, or that nobody
    does. ``explain`` adds to an error what its caller should know, before it is written."""

    __slots__ = (
        "_call",
        "_early",
        "_explain",
        "_headers",
        "_loop",
        "_make_writer",
        "_outlet",
        "_sent_at",
        "_timer",
        "_write",
        "_writer",
        "folder",
    )

    def __init__(
        self,
        call: Call,
        writer: Callable[[], StreamWriter],
        headers: Callable[[], list[Header]],
        explain: Callable[[RouterError], None],
    ) -> None:
        self._call = call
        self._outlet = call.outlet
        self._explain = explain
        self._make_writer = writer
        self._writer: StreamWriter | None = None
        self._write: Callable[[Event], bytes]
        self._headers = headers
        self.folder = Folder()
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._early = False
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(HOLD_SECONDS, self._tick)

    async def run(self, exchange: Exchange, note: Callable[[], str]) -> Folder:
        """The whole stream; gives what was said. ``note`` is a comment for when the head had to go out before anybody
        served. Raises RouterError only while nothing was sent."""
        try:
            await exchange.begin()
            writer = self._writer = self._make_writer()
            self._write = writer.write
            self._open(writer, note)
            await exchange.run(self)
            self._finish(writer.end())
        except RouterError as error:
            if not self._call.started:
                raise
            exchange.record.error = exchange.record.error or error.code
            self._explain(error)
            self._fail(error)
        except asyncio.CancelledError:
            if self._call.stopped and self._call.started:
                self._fail(stopping())
            raise
        except Exception:
            if self._call.started:  # a bug, after the head: a client without an error event would wait for ever
                self._fail(internal(self._call.id))
            raise
        finally:
            self._stop()
        return self.folder

    def give(self, events: list[Event]) -> bool:
        """Send a batch; whether the caller keeps up."""
        self.folder.add(events)
        write = self._write
        data = write(events[0]) if len(events) == 1 else b"".join([write(event) for event in events])
        if data:
            self._sent_at = self._loop.time()
            self._outlet.send(self._call, data)
        return not self._outlet.full

    async def drained(self) -> None:
        await self._call.drained()

    def _fail(self, error: RouterError) -> None:
        self._finish((self._writer or self._make_writer()).fail(error))

    def _open(self, writer: StreamWriter, note: Callable[[], str]) -> None:
        if not self._call.started:
            self._call.start(200, [EVENTS, *self._headers()])
        elif self._early:
            self._call.write(writer.comment(note()))

    def _finish(self, data: bytes) -> None:
        self._stop()
        self._call.end(data)

    def _tick(self) -> None:
        idle = self._loop.time() - self._sent_at
        limit = KEEPALIVE_SECONDS if self._call.started else HOLD_SECONDS
        if idle >= limit - 0.01:
            self._sent_at = self._loop.time()
            self._keep_alive()
            idle, limit = 0.0, KEEPALIVE_SECONDS
        self._timer = self._loop.call_later(limit - idle, self._tick)

    def _keep_alive(self) -> None:
        if not self._call.started:
            self._early = True
            self._call.start(200, [EVENTS])
        if not self._call.full:
            self._call.write(self._writer.keepalive() if self._writer else comment("keep-alive"))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def internal(request_id: str) -> Internal:
    """What a caller is told of a bug of ours."""
    return Internal(f"The router failed on this request; its log has more under {request_id}.")
