"""A caller who speaks bytes to the server's protocol: no socket, no application, no time but the loop's.

``Line`` is both ends of one connection. What answers is ``echo``, which says what it was asked, or what a test gives.
"""

from __future__ import annotations

import asyncio
import re
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import orjson

from hermes_router.core.errors import TooLarge
from hermes_router.server.app import App
from hermes_router.server.http import EVENTS, Call
from hermes_router.server.protocol import Answerer, Connection, Shared

HIGH_WATER = 64 * 1024
LIMIT = 200_000
"""Bytes of a body that ``echo`` takes."""
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Answer(msgspec.Struct):
    """One response. ``whole``: its end was seen."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Line(asyncio.Transport):
    """``say`` is sent to the server, ``heard`` is what came back. ``deaf``: it reads nothing of what is sent to it.

    ``closed``: the server is done with the connection; ``half_closed``: it will say no more, but still listens.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self.protocol = Connection(shared)
        self.heard = bytearray()
        self.unread = bytearray()
        self.deaf = False
        self.reading = True
        self.closing = self.closed = self.aborted = self.half_closed = False
        self._loop = shared.loop
        self._unsaid: list[bytes] = []
        self.protocol.connection_made(self)

    def say(self, *parts: bytes) -> None:
        """Each part is a packet; they wait while the server does not read."""
        self._unsaid += parts
        while self._unsaid and self.reading and not self.closing:
            self.protocol.data_received(self._unsaid.pop(0))

    def listen(self) -> None:
        """Not deaf any more."""
        self.deaf = False
        self.heard += self.unread
        self.unread.clear()
        if not self.closed:
            self.protocol.resume_writing()
            if self.closing:
                self._lose()

    def leave(self) -> None:
        if not self.closed:
            self._lose()

    def answers(self, *methods: str) -> list[Answer]:
        """What was heard; raises AssertionError where that is not HTTP. ``methods``: HEAD matters."""
        return read_answers(bytes(self.heard), *methods, ended=self.closing or self.half_closed)

    def _lose(self) -> None:
        self.closing = self.closed = True
        self.protocol.connection_lost(None)
        del self.protocol  # as asyncio's own transports do

    # From the server

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.half_closed, "written after its own end"
        if self.closing:
            return
        if not self.deaf:
            self.heard += data
            return
        self.unread += data
        if len(self.unread) > HIGH_WATER:
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.half_closed = True

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.unread:
                self._loop.call_soon(self.leave)

    def abort(self) -> None:
        self.closing = self.aborted = True
        self._loop.call_soon(self.leave)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True
        self._loop.call_soon(self.say)


def shared(answer: Answerer | None = None) -> Shared:
    """In the running loop."""
    return Shared(answer or echo, App.refusal, asyncio.get_running_loop())


async def echo(call: Call) -> None:
    """Says what it was asked, as JSON; at /stream in pieces. Never answers /hang; refuses /refuse unread."""
    call.id = "req_line"
    try:
        if call.path == "/hang":
            await asyncio.get_running_loop().create_future()
        if call.path == "/refuse":
            call.reply(401, b'{"no":1}')
            return
        said = orjson.dumps(
            {
                "method": call.method,
                "path": call.path,
                "query": call.query,
                "headers": dict(call.headers),
                "body": (await call.body(LIMIT)).decode("latin-1"),
            }
        )
        streams = call.path == "/stream" and call.method != "HEAD"
        await (_stream(call, said) if streams else _whole(call, said))
    except TooLarge:
        call.reply(413, b'{"large":1}')
    except asyncio.CancelledError:
        if not call.left:
            raise
    finally:
        call.done()


async def _whole(call: Call, said: bytes) -> None:
    call.reply(200, said)


async def _stream(call: Call, said: bytes) -> None:
    call.start(200, [EVENTS])
    for at in range(0, len(said), 50):
        call.write(said[at : at + 50])
        await asyncio.sleep(0)
    call.end()


async def settle(turns: int = 50) -> None:
    """Let everything happen that needs no time."""
    for _ in range(turns):
        await asyncio.sleep(0)


def read_answers(data: bytes, *methods: str, ended: bool = False) -> list[Answer]:
    """Every response in ``data``, an interim one too; strict about heads. ``ended``: nothing more will come."""
    answers: list[Answer] = []
    asked = list(methods)
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            break
        status, headers = _head(head)
        if status == 100:
            answers.append(Answer(status, headers, b""))
            data = rest
            continue
        method = asked.pop(0) if asked else "GET"
        body, data, whole = (b"", rest, True) if method == "HEAD" else _body(headers, rest, ended)
        answers.append(Answer(status, headers, body, whole))
    return answers


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    assert not re.search(rb"[\x00-\x1f\x7f]", head.replace(b"\r\n", b"")), head
    found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+", first)
    assert found, first
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b": ")
        assert colon, line
        assert _TOKEN.fullmatch(name), line
        assert name.decode() not in headers, line
        headers[name.decode()] = value.decode("latin-1")
    if found[1] != b"100":
        assert parsedate_to_datetime(headers["date"]).tzinfo is not None
        assert headers["date"].endswith(" GMT")
    return int(found[1]), headers


def _body(headers: dict[str, str], rest: bytes, ended: bool) -> tuple[bytes, bytes, bool]:
    """(body, what follows, whether it is whole)."""
    if "content-length" in headers:
        assert "transfer-encoding" not in headers
        length = int(headers["content-length"])
        return rest[:length], rest[length:], len(rest) >= length
    if "transfer-encoding" not in headers:
        return rest, b"", ended
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found:
            return body, b"", False
        length = int(size, 16)
        if len(rest) < length + 2:
            return body + rest[:length], b"", False
        assert rest[length : length + 2] == b"\r\n", rest[length : length + 2]
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest, True
