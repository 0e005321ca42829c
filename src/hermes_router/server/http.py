"""One request and its answer, as the routes see them: a body with a limit, and sending that never waits.

Bytes on the network are ``server/protocol.py``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..core.errors import Exhausted, TooLarge
from ..engine.records import RequestRecord

Header = bytes
"""One line of a head, with its line end."""

JSON: Header = b"content-type: application/json\r\n"
EVENTS: Header = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_CONTROLS = dict.fromkeys((*range(32), 127), " ")
"""Some readers end a line at more of them than CR and LF."""


class CallerLeft(Exception):
    """The connection is gone; there is nobody to answer."""


class Outlet(Protocol):
    """Where an answer goes."""

    @property
    def full(self) -> bool:
        """The caller reads more slowly than we write."""
        ...

    def expect(self, call: Call, most: int) -> None:
        """Somebody wants the body, up to ``most`` bytes of it."""
        ...

    def head(self, call: Call, status: int, headers: Iterable[Header]) -> None: ...

    def send(self, call: Call, data: bytes) -> None: ...

    def end(self, call: Call, data: bytes) -> None: ...

    def reply(self, call: Call, status: int, body: bytes, headers: Iterable[Header]) -> None: ...

    async def drained(self) -> None: ...

    def abort(self) -> None: ...


class Call:
    """One HTTP request. ``headers`` by lower-case name, the last of a repeated one; ``query`` is what stands behind
    the question mark.

    ``id`` goes into every response, and so do the headers of ``also``; ``caller`` is set once the key was checked,
    ``record`` once it is known what is asked. When the caller leaves, ``left`` is set and ``task`` cancelled; when the
    router cannot wait for its end, ``stopped`` is. A stream writes to the ``outlet`` without going through the call.
    """

    __slots__ = (
        "_body",
        "_size",
        "_waiter",
        "also",
        "caller",
        "complete",
        "ended",
        "headers",
        "id",
        "keeps",
        "left",
        "method",
        "old",
        "outlet",
        "path",
        "query",
        "record",
        "started",
        "stopped",
        "task",
    )

    def __init__(
        self, outlet: Outlet, method: str, path: str, query: str, headers: Mapping[str, str], *, keeps: bool, old: bool
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.id = ""
        self.caller = ""
        self.also: list[Header] = []
        self.record: RequestRecord | None = None
        self.task: asyncio.Task[None] | None = None
        self.keeps = keeps
        """The connection may serve another request after this one."""
        self.old = old
        """It speaks HTTP/1.0."""
        self.complete = False
        """All of the request is here."""
        self.started = False
        self.ended = False
        self.left = False
        self.stopped = False
        self.outlet = outlet
        self._body: bytes | bytearray = b""
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None

    # For the routes

    async def body(self, limit: int) -> bytes:
        """The request body. Raises TooLarge as soon as that is certain."""
        if not self.complete:
            await self._receive(limit)
        if self._size > limit:
            raise _too_large(limit)
        body, self._body = self._body, b""
        return bytes(body)

    def start(self, status: int, headers: Iterable[Header] = ()) -> None:
        """The head of a streamed response; it leaves with the first ``write``. Not for HEAD: nothing is held back."""
        self.started = True
        self.outlet.head(self, status, headers)

    def write(self, data: bytes) -> None:
        """Some of the body. Who writes much looks at ``full``."""
        self.outlet.send(self, data)

    def end(self, data: bytes = b"") -> None:
        """The last of the body."""
        if not self.ended:
            self.ended = True
            self.outlet.end(self, data)

    def reply(self, status: int, body: bytes, headers: Iterable[Header] = ()) -> None:
        """A whole JSON response."""
        self.started = self.ended = True
        self.outlet.reply(self, status, body, headers)

    @property
    def full(self) -> bool:
        """The caller reads slowly: wait for ``drained`` before writing more."""
        return self.outlet.full

    async def drained(self) -> None:
        """Returns when there is room again."""
        await self.outlet.drained()

    def stop(self) -> None:
        """End the request: the router stops."""
        self.stopped = True
        if self.task is not None:
            self.task.cancel()

    def done(self) -> None:
        """Nobody works on it any more: an answer without its end must not look whole."""
        if not self.ended:
            self.outlet.abort()

    # For the connection

    @property
    def size(self) -> int:
        """Bytes of the body that have come."""
        return self._size

    def feed(self, data: bytes) -> None:
        if not self._size:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data
        self._size += len(data)
        self._wake()

    def finish(self) -> None:
        self.complete = True
        self._wake()

    def leave(self) -> None:
        """The caller is gone."""
        self.left = True
        task, self.task = self.task, None  # one that never ran would keep its error, and that error us
        if task is not None:
            task.cancel()

    async def _receive(self, limit: int) -> None:
        stated = self.headers.get("content-length")
        if stated is not None and int(stated[-20:]) > limit:  # the parser takes 64 bits, behind any number of zeros
            raise _too_large(limit)
        self.outlet.expect(self, limit)
        while not self.complete and self._size <= limit:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def stopping() -> Exhausted:
    """What callers are told while the router shuts down."""
    message = "The router is shutting down; ask again in a moment."
    return Exhausted(message, code="shutting_down", headers={"retry-after": "1"})


def header(name: str, value: str | int) -> Header:
    """A line of a head; what latin-1 cannot hold becomes "?", a control character a space."""
    return f"{name}: {str(value).translate(_CONTROLS)}\r\n".encode("latin-1", "replace")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is over {limit} bytes (MAX_REQUEST_BYTES).")
