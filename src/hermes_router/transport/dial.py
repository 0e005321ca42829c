"""Opening connections: addresses raced as RFC 8305 says, TLS, tunnels through a proxy. Sends no request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from itertools import chain, zip_longest
from typing import Any, TypeVar

from .base import TransportError
from .connection import HEAD_LIMIT, Connection
from .proxies import Proxy
from .request_head import USER_AGENT
from .target import Origin

_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305, section 5: "Connection Attempt Delay"

P = TypeVar("P", bound=asyncio.Protocol)
T = TypeVar("T")
Opened = tuple[asyncio.Transport, P]


class Dialler:
    """``timeout`` seconds cover one dial: names, TCP, proxy and TLS. ``tls`` None: the system's authorities (or those
    of ``SSL_CERT_FILE``), loaded once, at the first https request."""

    def __init__(self, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._tls = tls

    async def dial(
        self, origin: Origin, proxy: Proxy | None, make: Callable[[], Connection], timeout: float | None = None
    ) -> Connection:
        """A connection for requests to ``origin``, within ``timeout`` where one is given. Raises TransportError
        ("connect"), which holds no credential."""
        most = timeout or self._timeout
        host = origin.shown if proxy is None else f"the proxy {proxy.origin.shown}"
        try:
            async with asyncio.timeout(most):
                return await self._open(origin, proxy, make)
        except TimeoutError:
            reason = f"no connection within {most:g} s"
        except ssl.SSLError as error:
            host = origin.shown
            reason = getattr(error, "verify_message", None) or error.reason or "the TLS handshake failed"
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        raise TransportError("connect", f"cannot connect to {host}: {reason[:200]}".replace("\n", " "))

    async def _open(self, origin: Origin, proxy: Proxy | None, make: Callable[[], Connection]) -> Connection:
        if proxy is None or origin.scheme == "http":
            _, connection = await self._reach(origin if proxy is None else proxy.origin, make)
            return connection
        loop = asyncio.get_running_loop()
        transport, tunnel = await self._reach(proxy.origin, lambda: _Tunnel(loop))
        try:
            await tunnel.ask(origin, proxy)
            connection = make()
            secure = await loop.start_tls(transport, connection, self._context(), server_hostname=_tls_name(origin))
        except BaseException:
            tunnel.abort()
            raise
        if secure is None or secure.is_closing():
            raise ConnectionResetError("the connection was closed after the TLS handshake")
        connection.connection_made(secure)
        return connection

    async def _reach(self, origin: Origin, make: Callable[[], P]) -> Opened[P]:
        """TCP, and TLS where the origin's scheme says so."""
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if origin.scheme == "https":
            options = {"ssl": self._context(), "server_hostname": _tls_name(origin)}

        async def attempt(address: str) -> Opened[P]:
            return await loop.create_connection(make, address, origin.port, **options)

        return await race(
            [partial(attempt, address) for address in await _addresses(origin)], _NEXT_ADDRESS_SECONDS, _close
        )

    def _context(self) -> ssl.SSLContext:
        # Some 40 ms of the loop's time, once: OpenSSL parses every authority.
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _tls_name(origin: Origin) -> str:
    return origin.host.removesuffix(".")  # no certificate holds the dot that ends a full name (RFC 6066, section 3)


async def race(attempts: list[Callable[[], Coroutine[Any, Any, T]]], delay: float, discard: Callable[[T], None]) -> T:
    """The result of the first attempt that succeeds. The next one starts when one has failed, or after ``delay``
    seconds. ``discard`` gets the results that came too late. Raises the first attempt's OSError if all fail."""
    if len(attempts) == 1:
        return await attempts[0]()
    waiting = iter(attempts)
    running: set[asyncio.Task[T]] = set()
    errors: list[BaseException] = []
    try:
        while True:
            attempt = next(waiting, None)
            if attempt is not None:
                running.add(asyncio.create_task(attempt()))
            elif not running:
                raise errors[0]
            limit = delay if attempt is not None else None
            done, running = await asyncio.wait(running, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    running |= done - {task}
                    return task.result()
                errors.append(error)
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(lambda late: _discard(late, discard))


def _discard(late: asyncio.Task[T], discard: Callable[[T], None]) -> None:
    if not late.cancelled() and late.exception() is None:
        discard(late.result())


def _close(opened: Opened[P]) -> None:
    opened[0].abort()


async def _addresses(origin: Origin) -> list[str]:
    """Numeric addresses, the families taking turns, the resolver's favourite first (RFC 8305, section 4)."""
    with suppress(socket.gaierror):
        return _interleaved(socket.getaddrinfo(origin.host, origin.port, flags=socket.AI_NUMERICHOST, **_STREAM))
    loop = asyncio.get_running_loop()
    return _interleaved(await loop.getaddrinfo(origin.host, origin.port, **_STREAM))


_STREAM: dict[str, Any] = {"type": socket.SOCK_STREAM, "proto": socket.IPPROTO_TCP}


def _interleaved(found: list[tuple[Any, ...]]) -> list[str]:
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(address[0] if not _scope(address) else f"{address[0]}%{address[3]}")
    return [a for a in chain.from_iterable(zip_longest(*families.values())) if a is not None]


def _scope(address: tuple[Any, ...]) -> bool:
    """A link-local IPv6 address names its interface apart."""
    return len(address) == 4 and bool(address[3]) and "%" not in address[0]


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel (RFC 9110, 9.3.6). Bytes after the proxy's consent belong to TLS, which the proxy's
    other side has no reason to begin."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: asyncio.Transport | None = None
        self._reply = bytearray()
        self._answered: asyncio.Future[None] = loop.create_future()

    async def ask(self, origin: Origin, proxy: Proxy) -> None:
        """Raises ConnectionError."""
        assert self._transport is not None
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"host: {host}:{origin.port}", f"user-agent: {USER_AGENT}"]
        if proxy.authorization:
            lines.append(f"proxy-authorization: {proxy.authorization}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        await self._answered
        self._check()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if b"\r\n\r\n" in self._reply or len(self._reply) > HEAD_LIMIT:
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._wake()

    def _wake(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    def _check(self) -> None:
        head, end, rest = self._reply.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if not end or len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise ConnectionAbortedError("it did not answer CONNECT")
        if not 200 <= int(words[1]) < 300:
            raise ConnectionRefusedError(f"it refused CONNECT with status {int(words[1])}")
        if rest or self._transport is None or self._transport.is_closing():
            raise ConnectionAbortedError("it broke the tunnel")
