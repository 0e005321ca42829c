"""The transport on pyreqwest: Rust's reqwest, HTTP/1.1 and HTTP/2, proxies of the environment.

What had to be worked around, all measured with 0.15.1 (2026-11):

- A cancelled request goes on in the library's own thread: it aborts nothing, it only stops listening. So ``send``
  keeps listening in its place and closes what arrives. An upstream that never answers is held until
  ``silence_seconds``; nothing in the library's API can end it sooner.
- A dropped response keeps its connection until the next chunk; only ``__aexit__`` closes it at once. It waits for a
  pending read, so that read has to be cancelled first; and after it the body looks cleanly finished, which it is not.
- Closing a client leaves its open responses open.
- A process that ends while the library's thread is inside a Python call aborts, so ``aclose`` waits a moment.
- Error texts hold the whole URL.
- The library cannot tell a connection closed before the answer from one closed inside the response head.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

import msgspec

from .base import HttpRequest, HttpResponse, TransportError

if TYPE_CHECKING:  # pyreqwest itself is imported on first use: it takes some 10 ms
    from pyreqwest.client import Client
    from pyreqwest.http import HeaderMap
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

_DEFAULT_HEADERS = {
    # Compressed streams come late, in the lumps of the provider's encoder. If one comes all the same, reqwest decodes
    # it and drops its content-encoding.
    "accept-encoding": "identity",
    "user-agent": "hermes-router",
}
# The library's thread wakes us from inside a Python call. If the interpreter ends before that call returns, the process
# aborts ("PyGILState_Release: thread state must be current"): 20 % of exits right after a request, on a busy box with
# Python 3.11. None in 400 with a wait of 5 ms.
_LEAVE_PYTHON_SECONDS = 0.02
_CLOSED = "the response was closed before its body was read"


class _Target(msgspec.Struct, frozen=True):
    """Where a request goes: the pool's key, and the only part of a URL that a message may show."""

    scheme: str
    host: str
    loopback: bool


class PyreqwestTransport:
    """``connect_timeout`` covers DNS, TCP and TLS. Idle connections are kept for ``pool_idle_seconds``.

    ``silence_seconds`` bounds one wait for bytes, in the head or the body. It is not a deadline to rely on but the
    life of what a cancelled ``send`` leaves behind; keep it above the engine's own deadlines.

    Proxies are read from the environment by the first request. ``stale_retries`` counts the requests sent again
    because the pool had handed out a connection that its server had closed.
    """

    def __init__(
        self, connect_timeout: float = 5.0, pool_idle_seconds: float = 30.0, silence_seconds: float = 600.0
    ) -> None:
        self.stale_retries = 0
        self._connect_timeout = connect_timeout
        self._pool_idle_seconds = pool_idle_seconds
        self._silence_seconds = silence_seconds
        self._clients: dict[tuple[bool, bool], Client] = {}
        self._idle_since: dict[tuple[str, str], float] = {}
        self._open: WeakSet[_Response] = WeakSet()
        self._abandoned: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        target = _target(request.url)
        reusable = self._may_have_idle(target)
        try:
            return await self._exchange(request, target, pooled=True)
        except _Disconnected as failure:
            if not reusable:
                raise TransportError(failure.kind, str(failure)) from None
        self.stale_retries += 1
        return await self._exchange(request, target, pooled=False)

    async def aclose(self) -> None:
        self._closed = True
        for response in list(self._open):
            await response.aclose()
        for client in self._clients.values():
            await client.close()
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        if self._clients:
            await asyncio.sleep(_LEAVE_PYTHON_SECONDS)

    async def _exchange(self, request: HttpRequest, target: _Target, *, pooled: bool) -> _Response:
        if self._closed:
            raise TransportError("closed", "the transport is closed")
        try:
            return await self._listen(self._start(request, target, pooled=pooled))
        except _library_errors() as error:
            failure = _send_failure(error, target.host)
        raise failure  # outside the except: the library's error, with its URL, must not ride along as context

    async def _start(self, request: HttpRequest, target: _Target, *, pooled: bool) -> _Response:
        builder = self._client(direct=target.loopback, pooled=pooled).request(request.method, request.url)
        # The default limit reads 64 KB ahead and delivers chunks seconds late.
        builder = builder.headers(request.headers).streamed_read_buffer_limit(0)
        if request.body:
            builder = builder.body_bytes(request.body)
        exchange = builder.build_streamed()
        head = await exchange.__aenter__()
        response = _Response(exchange, head, target.host, lambda: self._note_idle(target))
        self._open.add(response)
        return response

    async def _listen(self, start: Coroutine[Any, Any, _Response]) -> _Response:
        """Wait for the head. If our caller gives up, wait on without it, and close what comes."""
        task = asyncio.create_task(start)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            cleaner = asyncio.create_task(_close_on_arrival(task))
            self._abandoned.add(cleaner)
            cleaner.add_done_callback(self._abandoned.discard)
            raise

    def _client(self, *, direct: bool, pooled: bool) -> Client:
        key = (direct, pooled)
        if key not in self._clients:
            self._clients[key] = self._build_client(direct=direct, pooled=pooled)
        return self._clients[key]

    def _build_client(self, *, direct: bool, pooled: bool) -> Client:
        from pyreqwest.client import ClientBuilder

        builder = (
            ClientBuilder()
            .default_headers(_DEFAULT_HEADERS)
            .user_agent(_DEFAULT_HEADERS["user-agent"])  # CONNECT to a proxy takes it from here
            .follow_redirects(False)
            .http2(True)
            .connect_timeout(timedelta(seconds=self._connect_timeout))
            .read_timeout(timedelta(seconds=self._silence_seconds))
            .pool_idle_timeout(timedelta(seconds=self._pool_idle_seconds))
        )
        if direct:
            builder = builder.no_proxy()
        if not pooled:
            builder = builder.pool_max_idle_per_host(0)
        return builder.build()

    def _note_idle(self, target: _Target) -> None:
        self._idle_since[target.scheme, target.host] = time.monotonic()

    def _may_have_idle(self, target: _Target) -> bool:
        since = self._idle_since.get((target.scheme, target.host))
        return since is not None and time.monotonic() - since <= self._pool_idle_seconds


class _Response:
    """One answer; see HttpResponse. ``on_idle`` is called when its connection may have gone back to the pool."""

    def __init__(self, exchange: StreamRequest, head: Response, host: str, on_idle: Callable[[], None]) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = _headers(head.headers)
        self._keeps_alive = head.version != "HTTP/1.0" and "close" not in self.headers.get("connection", "").lower()
        self._exchange = exchange
        self._body = head.body_reader
        self._host = host
        self._on_idle = on_idle
        self._reader: asyncio.Task[Any] | None = None
        self._finished = False
        self._closed = False
        self._interrupted = False

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._finished:
            chunk = await self._read()
            if chunk is not None:
                yield chunk

    async def aclose(self) -> None:
        if self._finished or self._closed:
            return
        self._closed = True
        if self._reader is None:
            await self._hang_up()
        else:  # the reader holds the library's lock: it hangs up itself
            self._interrupted = True
            self._reader.cancel()

    async def _read(self) -> bytes | None:
        if self._closed:
            raise TransportError("cut", _CLOSED)
        reader = asyncio.current_task()
        assert reader is not None
        cancels = reader.cancelling()
        self._reader = reader
        try:
            chunk = await self._body.read_chunk()
            if reader.cancelling() > cancels:  # a chunk that was there first can win over the cancel and hide it
                raise asyncio.CancelledError
        except _library_errors() as error:
            self._finished = True
            failure = _body_failure(error, self._host)
        except asyncio.CancelledError:
            self._closed = True
            await self._hang_up()
            # As in asyncio.timeout: the cancel was aclose's alone if, taken back, none is left that was not there.
            if not self._interrupted or reader.uncancel() > cancels:
                raise
            failure = TransportError("cut", _CLOSED)
        else:
            return self._took(chunk.to_bytes() if chunk is not None else None)
        finally:
            self._reader = None
        raise failure

    def _took(self, chunk: bytes | None) -> bytes | None:
        if chunk is None:
            self._finished = True
            self._connection_done()
        return chunk

    async def _hang_up(self) -> None:
        await self._exchange.__aexit__(None, None, None)
        self._connection_done()  # the library may have had the whole body already

    def _connection_done(self) -> None:
        if self._keeps_alive:
            self._on_idle()


class _Disconnected(TransportError):
    """A "closed" that a stale pooled connection explains."""


async def _close_on_arrival(start: asyncio.Task[_Response]) -> None:
    with suppress(*_library_errors()):
        response = await start
        await response.aclose()


def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        if parts.port is not None:
            shown += f":{parts.port}"
    except ValueError:
        raise TransportError("connect", "the URL is not valid") from None
    return _Target(parts.scheme, shown, _is_loopback(host))


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    if host.rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _headers(raw: HeaderMap) -> dict[str, str]:
    try:
        pairs = list(raw.items())
    except ValueError:  # one value that is not ASCII fails them all; such a header is nothing we would read
        pairs = [(name, value) for name in dict.fromkeys(raw.keys()) for value in _readable(raw, name)]
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _readable(raw: HeaderMap, name: str) -> list[str]:
    try:
        return raw.getall(name)
    except ValueError:
        return []


def _library_errors() -> tuple[type[Exception], ...]:
    """What pyreqwest raises: its own, and bare ValueErrors for a URL or header it cannot send."""
    from pyreqwest.exceptions import PyreqwestError

    return (PyreqwestError, ValueError)


def _send_failure(error: Exception, host: str) -> TransportError:
    from pyreqwest import exceptions as library

    causes = _causes(error)
    if isinstance(error, ValueError):
        return TransportError("connect", "the request cannot be sent: its URL or one of its headers is not valid")
    if "client error (Connect)" in causes:
        return TransportError("connect", f"cannot connect to {host}{_reason(causes)}")
    if isinstance(error, library.ClientClosedError):
        return TransportError("closed", "the transport is closed")
    if isinstance(error, library.RequestTimeoutError):
        return TransportError("closed", f"no answer from {host} for too long")
    if isinstance(error, library.NetworkError):
        return _Disconnected("closed", f"{host} closed the connection before it answered{_reason(causes)}")
    if _by_peer(causes):  # HTTP/2 RST_STREAM or GOAWAY: an answer of sorts, so never sent again
        return TransportError("closed", f"{host} refused the request before it answered{_reason(causes)}")
    return TransportError("protocol", f"what {host} answered is not valid HTTP{_reason(causes)}")


def _body_failure(error: Exception, host: str) -> TransportError:
    from pyreqwest import exceptions as library

    causes = _causes(error)
    early = "end of file before message length reached" in causes  # hyper's words for a short content-length
    if early or _by_peer(causes) or isinstance(error, library.TransportError):
        return TransportError("cut", f"the answer of {host} ended early{_reason(causes)}")
    return TransportError("protocol", f"the body of {host}'s answer is not valid{_reason(causes)}")


def _by_peer(causes: list[str]) -> bool:
    """h2 says "stream error received" and "connection error received" of what the other side declared."""
    return any("error received: " in cause for cause in causes)


def _causes(error: Exception) -> list[str]:
    from pyreqwest.exceptions import DetailedPyreqwestError

    if not isinstance(error, DetailedPyreqwestError):
        return []
    return [cause["message"] for cause in error.details["causes"] or []]


def _reason(causes: list[str]) -> str:
    """The innermost cause, which is the system's or the protocol library's; the outer ones quote the URL."""
    if not causes or "://" in causes[-1]:
        return ""
    return f": {causes[-1][:200]}"
