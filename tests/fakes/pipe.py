"""A caller in this very event loop: the server's own protocol on a transport without a socket.

What is sent and what comes back are bytes; the parser that reads the answer is the client's half of httptools.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httptools

from hermes_router.server.app import App
from hermes_router.server.http import Call
from hermes_router.server.protocol import Connection, Shared


class Pipe(asyncio.Transport):
    """One request on a connection of its own. ``on_piece`` is called with each piece of the answer's body; ``pace`` is
    how many seconds this caller takes to read one. ``leave`` closes it, ``run`` lasts until the router is done."""

    def __init__(self, app: App, on_piece: Callable[[bytes], None] = lambda _: None, pace: float = 0.0) -> None:
        super().__init__()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.head = asyncio.Event()
        self.left = asyncio.Event()
        self._app = app
        self._on_piece = on_piece
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._protocol = Connection(Shared(self._answer, app.refusal, self._loop))
        self._over = asyncio.Event()
        self._closing = False

    async def run(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send the request, and take the answer to its end."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "test", **headers}.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        self._protocol.connection_made(self)
        self._protocol.data_received(head.encode("latin-1") + body)
        leaving = self._loop.create_task(self._leaving())
        await self._over.wait()
        leaving.cancel()
        self._lose()

    async def _answer(self, call: Call) -> None:
        try:
            await self._app(call)
        finally:
            self._over.set()

    async def _leaving(self) -> None:
        await self.left.wait()
        self._lose()

    def _lose(self) -> None:
        if not self._closing:
            self._closing = True
            self._protocol.connection_lost(None)

    # From the server

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing, "written to a connection that is closed"
        self._parser.feed_data(data)

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def write_eof(self) -> None:
        self._closing = True

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None

    # From the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.head.set()

    def on_body(self, data: bytes) -> None:
        self.parts.append(data)
        self._on_piece(data)
        if self._pace:
            self._protocol.pause_writing()
            self._loop.call_later(self._pace, self._protocol.resume_writing)
