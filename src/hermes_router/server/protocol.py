"""HTTP/1.1 for those who call (RFC 9112): one connection, its requests answered in order.

An asyncio protocol around httptools' parser. A request becomes a task as soon as its head is here; an answer leaves in
one write, a streamed one in one per piece. No timers of its own: ``look``, called now and then, ends what takes too
long. No TLS, no HTTP/2, no upgrades: a proxy in front brings those.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import httptools

from .http import JSON, Call, Header

HEAD_LIMIT = 64 * 1024
"""Bytes of one request's line and headers."""
IDLE_SECONDS = 75.0
"""A connection may wait this long for its next request."""
SLOW_SECONDS = 60.0
"""A head must be here within this; of a body something must come this often, and after an early answer all of it."""
_UNASKED = 64 * 1024
"""Bytes of a body that are taken before anybody wants it."""
_STATUS = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"connection: close\r\n"
_KEEP = b"connection: keep-alive\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Answerer = Callable[[Call], Coroutine[Any, Any, None]]
"""Answers a call. Never raises but CancelledError, and calls ``done`` of the call in the end."""
Refusal = Callable[[int, str], bytes]
"""The body that says why a request could not be read: (status, message) -> JSON."""


class Shared:
    """What the connections of one server have in common. ``closing``: no connection outlives its answer."""

    def __init__(self, answer: Answerer, refusal: Refusal, loop: asyncio.AbstractEventLoop) -> None:
        self.answer = answer
        self.refusal = refusal
        self.loop = loop
        self.connections: set[Connection] = set()
        self.closing = False
        self._date = b""
        self._date_of = -1

    def date(self) -> bytes:
        """The ``date`` line, made once a second (RFC 9110, 6.6.1)."""
        now = int(time.time())
        if now != self._date_of:
            self._date_of, self._date = now, _date(now)
        return self._date

    def close_idle(self) -> None:
        """From now on a connection ends with its answer; those that wait for a request end at once."""
        self.closing = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def look(self) -> None:
        """End the connections that keep us waiting for too long."""
        now = self.loop.time()
        for connection in tuple(self.connections):
            connection.look(now)


class Connection(asyncio.Protocol):
    """One caller; the outlet of its calls. ``full``: it reads more slowly than we write."""

    def __init__(self, shared: Shared) -> None:
        self.full = False
        self._shared = shared
        self._loop = shared.loop
        self._transport: asyncio.Transport
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._since = 0.0
        self._url = b""
        self._fields: dict[str, str] = {}
        self._hosts = 0
        self._head_bytes = 0
        self._in_head = False
        self._began_now = False
        self._reading: Call | None = None
        self._most = _UNASKED
        self._serving: Call | None = None
        self._queue: deque[Call] = deque()
        self._held = b""
        self._chunked = False
        self._refusal: tuple[int, str] | None = None
        self._paused = False
        self._room: asyncio.Future[None] | None = None

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # always a stream
        self._since = self._loop.time()
        self._shared.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        if self._reading is not None and not self._reading.ended:
            self._since = self._loop.time()
        self._feed(data)
        if self._in_head:
            self._look_at_head(len(data))
        if self._queue or self._reading is not None:
            self._pace()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._shared.connections.discard(self)
        self._parser = None  # it holds bound methods of ours: a cycle
        self._queue.clear()
        self.resume_writing()
        serving, self._serving = self._serving, None
        if serving is not None and not serving.ended:
            serving.leave()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # From the parser

    def on_url(self, url: bytes) -> None:
        if not self._in_head:
            self._in_head = self._began_now = True
            self._head_bytes = 0
            if self._serving is None:
                self._since = self._loop.time()
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        field = name.decode("latin-1").lower()
        if field == "host":
            self._hosts += 1
        self._fields[field] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None or self._refusal is not None:
            return
        old = parser.get_http_version() == "1.0"
        path, query = _place(self._url)
        method, keeps = parser.get_method().decode(), parser.should_keep_alive()
        call = self._reading = Call(self, method, path, query, self._fields, keeps=keeps, old=old)
        hosts = self._hosts
        self._url, self._fields, self._hosts = b"", {}, 0
        self._in_head = False
        self._most = _UNASKED
        if hosts != 1 and not (old and not hosts):
            self._refuse(400, "A request needs one Host header.")  # RFC 9112, 3.2
        elif self._serving is None:
            self._begin(call)
        else:
            self._queue.append(call)

    def on_body(self, data: bytes) -> None:
        if self._reading is not None and not self._reading.ended:
            self._reading.feed(data)

    def on_message_complete(self) -> None:
        call, self._reading = self._reading, None
        if call is None:
            return
        call.finish()
        if call.ended and call is self._serving:
            self._next()

    # From the calls

    def expect(self, call: Call, most: int) -> None:
        if call is not self._reading:
            return
        self._most = most
        if _waits_for_go_ahead(call):
            self._transport.write(_CONTINUE)
        self._pace()

    def head(self, call: Call, status: int, headers: Iterable[Header]) -> None:
        self._chunked = not call.old
        if call.old:
            call.keeps = False  # the end of the connection is the end of the body
        self._held = self._head(call, status, b"" if call.old else _CHUNKED, headers)

    def send(self, call: Call, data: bytes) -> None:
        if call.left or not data:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._held:
            data, self._held = self._held + data, b""
        self._transport.write(data)

    def end(self, call: Call, data: bytes) -> None:
        if call.left:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        data, self._held = self._held + data, b""
        self._transport.write(data)
        self._answered(call)

    def reply(self, call: Call, status: int, body: bytes, headers: Iterable[Header]) -> None:
        if call.left:
            return
        head = self._head(call, status, b"%bcontent-length: %d\r\n" % (JSON, len(body)), headers)
        self._transport.write(head if call.method == "HEAD" else head + body)
        self._answered(call)

    async def drained(self) -> None:
        if self.full and not self._transport.is_closing():
            self._room = self._loop.create_future()
            await self._room

    def abort(self) -> None:
        self._transport.abort()

    # From the server

    def close_if_idle(self) -> None:
        if self._serving is None:
            self._transport.close()

    def look(self, now: float) -> None:
        """End the connection where its caller keeps us waiting for too long."""
        waited, serving = now - self._since, self._serving
        if serving is not None:
            if serving.complete or waited <= SLOW_SECONDS:
                return
            if serving.ended:
                self.abort()  # it was told so long ago that it may stop sending
            else:
                self._refuse(408, f"Nothing more of the request came for {SLOW_SECONDS:g} seconds.")
        elif self._in_head:
            if waited > SLOW_SECONDS:
                self._refuse(408, f"The head of the request did not come within {SLOW_SECONDS:g} seconds.")
        elif waited > IDLE_SECONDS:
            self._transport.close()

    # Inside

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # what it asks for is not spoken here: it goes on as HTTP/1.1
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self._feed(rest)
        except httptools.HttpParserError as error:
            if self._refusal is None:
                self._refuse(400, f"This is not a valid HTTP/1.1 request: {str(error)[:80]}")

    def _look_at_head(self, came: int) -> None:
        """A packet in which a head began may hold other things too: it counts by what is known of the head."""
        if self._began_now:
            self._began_now = False
            self._head_bytes = len(self._url) + sum(len(name) + len(text) for name, text in self._fields.items())
        else:
            self._head_bytes += came
        if self._head_bytes > HEAD_LIMIT:
            self._refuse(431, f"The head of the request is over {HEAD_LIMIT} bytes.")

    def _begin(self, call: Call) -> None:
        self._serving = call
        call.task = self._loop.create_task(self._shared.answer(call))

    def _head(self, call: Call, status: int, framing: bytes, headers: Iterable[Header]) -> bytes:
        if self._shared.closing or self._refusal is not None or (not call.complete and _waits_for_go_ahead(call)):
            call.keeps = False
        ends = b"\r\n" if call.keeps and not call.old else (_KEEP if call.keeps else _CLOSE) + b"\r\n"
        name = b"x-hermes-request-id: %b\r\n" % call.id.encode()
        return b"".join((_STATUS[status], framing, name, *headers, *call.also, self._shared.date(), ends))

    def _answered(self, call: Call) -> None:
        self._since = self._loop.time()
        if not call.keeps:
            self._say_refusal()
            self._transport.close()
        elif call.complete:
            self._next()
        else:
            self._pace()  # the rest of its body comes, and is not looked at

    def _next(self) -> None:
        self._serving = None
        if self._refusal is not None:
            self._say_refusal()
            self._transport.close()
        elif self._queue:
            self._begin(self._queue.popleft())
            self._pace()

    def _pace(self) -> None:
        """Read from the network, or not for now: requests that wait their turn and bodies nobody asked for are kept in
        memory."""
        reading = self._reading
        enough = reading is not None and not reading.ended and reading.size > self._most
        if (bool(self._queue) or enough) != self._paused and not self._transport.is_closing():
            self._paused = not self._paused
            (self._transport.pause_reading if self._paused else self._transport.resume_reading)()

    def _refuse(self, status: int, message: str) -> None:
        """Nothing that comes from here on can be understood. What came before is answered first."""
        self._refusal = (status, message)
        serving = self._serving
        if serving is not None and serving is self._reading and not serving.started:
            serving.ended = True
            serving.leave()
            self._serving = serving = None
        if serving is not None and not serving.ended:
            serving.keeps = False
            return
        self._say_refusal()
        self._transport.close()

    def _say_refusal(self) -> None:
        if self._refusal is None or self._transport.is_closing():
            return
        status, message = self._refusal
        body = self._shared.refusal(status, message)
        framing = b"%bcontent-length: %d\r\n" % (JSON, len(body))
        self._transport.write(b"".join((_STATUS[status], framing, self._shared.date(), _CLOSE, b"\r\n", body)))


def _waits_for_go_ahead(call: Call) -> bool:
    """RFC 9110, 10.1.1."""
    return not call.size and call.headers.get("expect", "").lower() == "100-continue" and not call.old


def _place(target: bytes) -> tuple[str, str]:
    """(path, query) of a request target (RFC 9112, 3.2)."""
    text = target.decode("latin-1")
    if text[:1] != "/":
        try:
            parts = urlsplit(text)
        except ValueError:
            return text, ""
        return unquote(parts.path) or "/", parts.query
    path, _, query = text.partition("?")
    return unquote(path) if "%" in path else path, query


def _date(now: int) -> bytes:
    at = time.gmtime(now)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"date: {day}, {at.tm_mday:02} {month} {at.tm_year} {clock} GMT\r\n".encode()
