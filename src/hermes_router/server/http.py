"""What the ASGI interface lacks: bodies with a limit, whole replies, and word of a caller who left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ..core.errors import Exhausted, TooLarge
from ..engine.records import RequestRecord

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
EVENTS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_WATCH_AFTER_SECONDS = 0.03


class CallerLeft(Exception):
    """The connection is gone; there is nobody to answer."""


class Call:
    """One HTTP request. ``id`` goes into every response, and so do the headers of ``also``; ``caller`` is set once the
    key was checked, ``record`` once it is known what is asked, ``stopped`` when the router cannot wait for its end."""

    __slots__ = (
        "_headers",
        "_receive",
        "_send",
        "also",
        "caller",
        "id",
        "method",
        "path",
        "reading",
        "record",
        "scope",
        "started",
        "stopped",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.scope = scope
        self.id = request_id
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.caller = ""
        self.also: list[Header] = []
        self.reading = False
        self.started = False
        self.stopped = False
        self.record: RequestRecord | None = None
        self._receive = receive
        self._send = send
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; the last of a repeated one."""
        if self._headers is None:
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}
        return self._headers

    async def body(self, limit: int) -> bytes:
        """The request body. Raises TooLarge as soon as that is certain, CallerLeft."""
        self.reading = True
        try:
            return await self._body(limit)
        finally:
            self.reading = False

    async def _body(self, limit: int) -> bytes:
        stated = self.headers.get("content-length")
        if stated is not None and stated.isdigit() and int(stated) > limit:
            raise _too_large(limit)
        message = await self._part()
        whole: bytes | bytearray = message.get("body", b"")
        while len(whole) <= limit:
            if not message.get("more_body"):
                return bytes(whole)
            message = await self._part()
            whole = bytearray(whole) if isinstance(whole, bytes) else whole
            whole += message.get("body", b"")
        raise _too_large(limit)

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        """Send the head of a response."""
        self.started = True
        all_headers = [(b"x-hermes-request-id", self.id.encode()), *headers, *self.also]
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def reply(self, status: int, body: bytes, headers: Iterable[Header] = ()) -> None:
        """A whole JSON response."""
        await self.start(status, [JSON, (b"content-length", str(len(body)).encode()), *headers])
        await self.write(body, more=False)

    async def gone(self) -> None:
        """Returns when the caller has left. Only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _part(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        return message


class Watch:
    """Cancels the running task when the caller leaves, and turns that into CallerLeft: ``with Watch(call): ...``.

    It starts to listen a moment later: most answers are there before. ``stop`` cancels too, and becomes
    ``stopping()``.
    """

    __slots__ = ("_call", "_left", "_listener", "_task", "_timer")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._left = False
        self._listener: asyncio.Task[None] | None = None

    def __enter__(self) -> Watch:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._arm()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()
        if (self._left or self._call.stopped) and kind is not None and issubclass(kind, asyncio.CancelledError):
            self._task.uncancel()
            raise CallerLeft if self._left else stopping() from None

    def stop(self) -> None:
        """End the request: the router stops."""
        self._call.stopped = True
        self._task.cancel()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, self._listen)

    def _listen(self) -> None:
        if self._call.reading:  # whoever reads the body hears of a leaving too, and must miss no part of it
            self._arm()
            return
        self._listener = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        await self._call.gone()
        self._left = True
        self._task.cancel()


def stopping() -> Exhausted:
    """What callers are told while the router shuts down."""
    message = "The router is shutting down; ask again in a moment."
    return Exhausted(message, code="shutting_down", headers={"retry-after": "1"})


def header(name: str, value: str | int) -> Header:
    """A response header; what latin-1 cannot hold becomes "?"."""
    return name.encode(), str(value).encode("latin-1", "replace")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is over {limit} bytes (MAX_REQUEST_BYTES).")
