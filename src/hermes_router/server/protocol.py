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

from ..transport.outbox import LateTransport, Outbox
from .http import JSON, Call, Header

HEAD_LIMIT = 64 * 1024
"""Bytes of one request's line and headers."""
IDLE_SECONDS = 75.0
"""A connection may wait this long for its next request."""
SLOW_SECONDS = 60.0
"""A head must be here within this; of a body something must come this often, and after an early answer all of it."""
UNREAD_SECONDS = 600.0
"""A caller who takes nothing of a stream for so long is left: a provider's connection and its quota wait behind it."""
_UNASKED = 64 * 1024
"""Bytes of a body that are taken before anybody wants it."""
_AHEAD = 8
"""Requests read while another is answered. With more, reading stops, and so does the noticing of callers who leave."""
_AT_ONCE = 1000
"""Requests that wait at most: one packet may hold many of the smallest."""
_ONCE = frozenset(("host", "transfer-encoding"))
"""A second one makes a head ambiguous. (A second content-length is the parser's to refuse.)"""
_LONG_HEAD = f"The head of the request is over {HEAD_LIMIT} bytes."
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


class _Refused(Exception):
    """Raised in the parser's callbacks, so that it takes no further byte. Its arguments are ``_refuse``'s."""


class Shared:
    """What the connections of one server have in common. ``closing``: no connection outlives its answer."""

    def __init__(self, answer: Answerer, refusal: Refusal, loop: asyncio.AbstractEventLoop) -> None:
        self.answer = answer
        self.refusal = refusal
        self.loop = loop
        self.outbox = Outbox(loop)
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
        self._transport: LateTransport
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._since = 0.0
        self._url = b""
        self._fields: dict[str, str] = {}
        self._twice = False
        self._head_bytes = 0
        self._in_head = False
        self._began_now = False
        self._reading: Call | None = None
        self._upgrading: Call | None = None
        self._most = _UNASKED
        self._serving: Call | None = None
        self._queue: deque[Call] = deque()
        self._held = b""
        self._chunked = False
        self._refusal: tuple[int, str] | None = None
        self._paused = False
        self._unsent = 0
        self._room: asyncio.Future[None] | None = None

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = LateTransport(transport, self._shared.outbox)  # type: ignore[arg-type]  # always a stream
        self._since = self._loop.time()
        self._shared.connections.add(self)

    def data_received(self, data: bytes) -> None:
        reading = self._reading
        if reading is not None and not reading.ended:
            self._since = self._loop.time()
        self._head_bytes += len(data)
        self._feed(data)
        if self._in_head or self._reading is not None:
            self._weigh()
            self._pace()
        else:
            self._head_bytes = 0
            if self._queue:
                self._pace()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._shared.connections.discard(self)
        self._parser = None  # it holds bound methods of ours: a cycle
        self._queue.clear()
        self.resume_writing()
        self._reading = self._upgrading = None  # and these know us
        serving, self._serving = self._serving, None
        if serving is not None and not serving.ended:
            serving.leave()

    def pause_writing(self) -> None:
        self.full = True
        self._since = self._loop.time()

    def resume_writing(self) -> None:
        self.full = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self._queue and self._serving is None:
            self._next()

    # From the parser

    def on_url(self, url: bytes) -> None:
        if not self._in_head:
            self._in_head = self._began_now = True
            self._url, self._fields, self._twice = b"", {}, False
            if self._serving is None:
                self._since = self._loop.time()
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        field, fields = name.decode("latin-1").lower(), self._fields
        if field in fields and field in _ONCE:
            self._twice = True
        fields[field] = value.rstrip().decode("latin-1")

    def on_headers_complete(self) -> None:
        parser, fields = self._parser, self._fields
        if parser is None:
            return
        self._in_head = False
        version = parser.get_http_version()
        if version != "1.1" or "host" not in fields or "transfer-encoding" in fields or self._twice:
            if self._upgrading is not None:
                self._reading, self._upgrading = self._upgrading, None
                return
            self._check(version)
        if self._head_bytes > HEAD_LIMIT and self._known() > HEAD_LIMIT:
            raise _Refused(431, _LONG_HEAD)
        path, query = _place(self._url)
        method, keeps = parser.get_method().decode(), parser.should_keep_alive()
        call = self._reading = Call(self, method, path, query, fields, keeps=keeps, old=version == "1.0")
        self._most = _UNASKED
        if self._serving is None and not self.full:
            self._begin(call)
        elif len(self._queue) < _AT_ONCE:
            self._queue.append(call)
        else:
            self._reading = None
            raise _Refused(400, f"More than {_AT_ONCE} requests at once.")

    def on_body(self, data: bytes) -> None:
        self._began_now = True
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
        serving = self._serving
        answering = serving is not None and (serving.complete or self._paused)
        if answering and not self.full:
            return
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:  # it reads, if slowly
            self._unsent, self._since = unsent, now
        waited = now - self._since
        if waited <= (UNREAD_SECONDS if answering else SLOW_SECONDS):
            return
        if self._parser is None or unsent or (serving is not None and serving.ended):
            self.abort()  # it was told so long ago that it may stop sending
        elif serving is not None:
            self._refuse(408, f"Nothing more of the request came for {SLOW_SECONDS:g} seconds.")
        elif self._in_head:
            self._refuse(408, f"The head of the request did not come within {SLOW_SECONDS:g} seconds.")
        elif waited > IDLE_SECONDS:
            self._transport.close()

    # Inside

    def _feed(self, data: bytes) -> None:
        while data and (parser := self._parser) is not None:
            try:
                parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                self._refuse(*_why(error))
                return
            self._stay()

    def _stay(self) -> None:
        """What the last request asks to speak instead is not spoken here: it goes on as HTTP/1.1 (RFC 9110, 7.8). The
        parser believes that no body comes; a new one is told what was said of it."""
        call = self._queue[-1] if self._queue else self._serving
        assert call is not None
        if call.method == "CONNECT":
            call.keeps = False  # whatever follows is not meant for us
            self._parser = None
            return
        parser = self._parser = httptools.HttpRequestParser(self)
        for field in ("content-length", "transfer-encoding"):
            if field in call.headers:
                call.complete = False
                self._upgrading = call
                parser.feed_data(f"POST / HTTP/1.1\r\n{field}: {call.headers[field]}\r\n\r\n".encode("latin-1"))

    def _check(self, version: str) -> None:
        """What the parser lets pass, and others on the way may have understood in another way. Raises _Refused."""
        fields, old = self._fields, version == "1.0"
        if not old and version != "1.1":
            raise _Refused(400, "HTTP/1.1 and HTTP/1.0 are spoken here.")
        if self._twice:
            raise _Refused(400, "A request has one Host header, and one Transfer-Encoding at most.")
        if not old and "host" not in fields:
            raise _Refused(400, "A request needs a Host header.")  # RFC 9112, 3.2
        if "transfer-encoding" in fields:
            if old or fields["transfer-encoding"].lower() != "chunked":
                raise _Refused(400, "The one transfer-encoding understood here is chunked, in HTTP/1.1.")
            self._fields = {}  # the trailers', which nobody wants

    def _weigh(self) -> None:
        """A packet in which a head or some of a body came may hold other things too: it counts by what is known of the
        head. Chunk sizes and trailers count like a head, until some of the body comes."""
        if self._began_now:
            self._began_now = False
            self._head_bytes = self._known() if self._in_head else 0
        if self._head_bytes > HEAD_LIMIT and self._parser is not None:
            self._refuse(431, _LONG_HEAD)

    def _known(self) -> int:
        return len(self._url) + sum(len(name) + len(text) + 4 for name, text in self._fields.items())

    def _begin(self, call: Call) -> None:
        self._serving = call
        call.task = self._loop.create_task(self._shared.answer(call))

    def _head(self, call: Call, status: int, framing: bytes, headers: Iterable[Header]) -> bytes:
        if self._shared.closing or (not call.complete and _waits_for_go_ahead(call)):
            call.keeps = False
        ends = b"\r\n" if call.keeps and not call.old else (_KEEP if call.keeps else _CLOSE) + b"\r\n"
        name = b"x-hermes-request-id: %b\r\n" % call.id.encode()
        return b"".join((_STATUS[status], framing, name, *headers, *call.also, self._shared.date(), ends))

    def _answered(self, call: Call) -> None:
        self._since = self._loop.time()
        if not call.keeps:
            self._close(sending=not call.complete or self._refusal is not None)
        elif call.complete:
            self._next()
        else:
            self._pace()  # the rest of its body comes, and is not looked at

    def _next(self) -> None:
        self._serving = None
        if self._shared.closing:
            self._close(sending=False)
        elif self._queue:
            if not self.full:
                self._begin(self._queue.popleft())
                self._pace()
        elif self._refusal is not None:
            self._say_refusal()

    def _close(self, *, sending: bool) -> None:
        """After all that was written. ``sending``: it may still send; a closed socket would answer that with a reset,
        which can take our answer with it (RFC 9112, 9.6). So what it sends is taken, and not looked at."""
        self._serving = self._parser = None
        self._queue.clear()
        if not sending:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()
            self._pace()

    def _pace(self) -> None:
        """Read from the network, or not for now: requests that wait their turn and bodies nobody asked for are kept in
        memory."""
        reading = self._reading
        enough = reading is not None and not reading.ended and reading.size > self._most
        if (enough or len(self._queue) > _AHEAD) != self._paused and not self._transport.is_closing():
            self._paused = not self._paused
            (self._transport.pause_reading if self._paused else self._transport.resume_reading)()

    def _refuse(self, status: int, message: str) -> None:
        """Nothing that comes from here on can be understood. What came before is answered first."""
        self._refusal = (status, message)
        self._parser = None
        self._in_head = False
        broken, self._reading = self._reading, None
        if broken is not None and broken is not self._serving:
            self._queue.pop()
        elif broken is not None and not broken.started:
            broken.ended = True
            broken.leave()
            self._serving = None
        elif broken is not None:
            broken.keeps = False  # it has its answer, and gets no second one
            if broken.ended:
                self._close(sending=True)
            return
        if self._serving is None and not self._queue:
            self._say_refusal()

    def _say_refusal(self) -> None:
        if self._refusal is None or self._transport.is_closing():
            return
        status, message = self._refusal
        body = self._shared.refusal(status, message)
        framing = b"%bcontent-length: %d\r\n" % (JSON, len(body))
        self._transport.write(b"".join((_STATUS[status], framing, self._shared.date(), _CLOSE, b"\r\n", body)))
        self._since = self._loop.time()
        self._close(sending=True)


def _why(error: httptools.HttpParserError) -> tuple[int, str]:
    """Raises what was raised in a callback, where that is an error of ours."""
    reason = error.__context__
    if isinstance(reason, _Refused):
        status, message = reason.args
        return status, message
    if reason is not None:
        raise reason
    return 400, f"This is not a valid HTTP/1.1 request: {str(error)[:80]}"


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
