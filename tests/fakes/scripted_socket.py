"""A bare socket that a script feeds with bytes, and the few lines that a test of a transport needs around it.

``serve`` bounds the test: whatever waits for an event that does not come fails after ``LIMIT`` seconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from hermes_router.transport.base import HttpRequest, HttpResponse, Transport, TransportError, chunks

LIMIT = 10.0
PROMPT = 1.0  # how soon an upstream must see that nobody listens any more
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number

    async def request(self) -> bytes:
        """The next request, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        return head + await self.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def gone(self) -> None:
        """Returns when the client has closed or reset the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.port = 0
        self.tasks: list[asyncio.Task[None]] = []

    def url(self, path: str = "/v1/chat") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.create_task(self.run(Peer(reader, writer, self.connections))))

    async def run(self, peer: Peer) -> None:
        try:
            await self.script(peer)
        finally:
            peer.writer.close()


@asynccontextmanager
async def serve(
    script: Script, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> AsyncIterator[Upstream]:
    """Each connection runs the script and is closed after it. A script that fails fails the test."""
    upstream = Upstream(script)
    server = await asyncio.start_server(upstream.accept, address, 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(LIMIT):
            yield upstream
    finally:
        server.close()
        for task in upstream.tasks:
            task.cancel()
        outcomes = await asyncio.gather(*upstream.tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def answers_for_ever(peer: Peer) -> None:
    """Answers every request of the connection."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await peer.request()
            await peer.send(OK)


def answers(*parts: bytes) -> Script:
    """Answers one request with these bytes and closes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)

    return script


def post(url: str, **headers: str) -> HttpRequest:
    return HttpRequest("POST", url, headers, b'{"model": "m"}')


async def read(response: HttpResponse) -> bytes:
    async with asyncio.timeout(LIMIT):
        return b"".join([chunk async for chunk in chunks(response)])


async def fetch(transport: Transport, url: str) -> tuple[int, bytes]:
    response = await transport.send(post(url))
    return response.status, await read(response)


async def failure(attempt: Awaitable[object]) -> TransportError:
    with pytest.raises(TransportError) as caught:
        async with asyncio.timeout(LIMIT):
            await attempt
    return caught.value


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    """For what nothing announces: lets the loop turn until it holds."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


async def send(transport: Transport, url: str) -> object:
    return await transport.send(post(url))
