"""The transport of our own: HTTP/1.1 on asyncio and httptools, with keep-alive, TLS and the environment's proxies.

No HTTP/2: every provider speaks HTTP/1.1, and a connection of its own ends a request for certain. No redirects, no
cookies, no deadlines but the one for connecting. Works on uvloop and on plain asyncio.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

from .base import FixedHeaders, HttpRequest, HttpResponse, TransportError
from .connection import Connection
from .dial import Dialler
from .outbox import Outbox
from .pool import Pool
from .proxies import Proxies, Proxy
from .request_head import begin_head, end_head
from .target import Origin, read_target

_GONE = "the transport is closed"


class Route:
    """What a pooled connection is good for: one object per origin, compared by identity. ``proxy_authorization`` is
    begin_head's argument: None where the request goes to its origin, by a tunnel too."""

    __slots__ = ("origin", "proxy", "proxy_authorization")

    def __init__(self, origin: Origin, proxy: Proxy | None) -> None:
        self.origin = origin
        self.proxy = proxy
        straight = proxy is None or origin.scheme == "https"
        self.proxy_authorization = None if straight or proxy is None else proxy.authorization


class Way(NamedTuple):
    """What requests with the same method, URL and headers share. ``head`` is their head but for the length."""

    transport: Http1Transport
    method: str
    url: str
    route: Route
    shown: str
    head: bytes

    # The head holds keys.
    def __repr__(self) -> str:
        return f"Way({self.method} {self.shown})"


class Http1Transport:
    """``connect_timeout`` covers names, TCP, proxy and TLS. Idle connections are kept for ``pool_idle_seconds``.
    ``ssl_context`` replaces the system's authorities; it is shared by all connections.

    Belongs to the event loop of its first request. Proxies are read from the environment then. ``stale_retries`` counts
    the requests sent again because the pool had handed out a connection that its server had closed.
    """

    def __init__(
        self,
        connect_timeout: float = 5.0,
        pool_idle_seconds: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.stale_retries = 0
        self._dialler = Dialler(connect_timeout, ssl_context)
        self._pool_idle_seconds = pool_idle_seconds
        self._pool: Pool[Connection] = Pool(pool_idle_seconds)
        self._connections: set[Connection] = set()
        self._routes: dict[Origin, Route] = {}
        self._outbox: Outbox | None = None
        self._proxies: Proxies | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._all_lost: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def open_connections(self) -> int:
        """Connections in use: their answer is not complete yet, or they are just being closed."""
        return len(self._connections) - len(self._pool)

    @property
    def idle_connections(self) -> int:
        return len(self._pool)

    async def send(self, request: HttpRequest) -> HttpResponse:
        if self._closed:
            raise TransportError("closed", _GONE)
        loop = asyncio.get_running_loop()
        _, _, _, route, shown, begun = self._way(request)
        head = begun + end_head(request)
        pooled = self._pool.take(route, loop.time())
        if pooled is not None:
            answer = pooled.ask(head, request.body, shown, request.method)
            try:
                return await answer.head()
            except TransportError:
                if not answer.stale or self._closed:
                    raise
            self.stale_retries += 1
        connection = await self._connect(route, request.connect_timeout)
        return await connection.ask(head, request.body, shown, request.method).head()

    async def aclose(self) -> None:
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for connection in list(self._connections):
            connection.close(_GONE)
        if self._connections:
            if self._all_lost is None:
                self._all_lost = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._all_lost)

    def _way(self, request: HttpRequest) -> Way:
        headers = request.headers
        fixed = headers if type(headers) is FixedHeaders else None
        way = fixed.made if fixed is not None else None
        if type(way) is Way and way[0] is self and way[1] == request.method and way[2] == request.url:
            return way
        target = read_target(request.url)
        route = self._routes.get(target.origin) or self._new_route(target.origin)
        head = begin_head(request, target, route.proxy_authorization)
        way = Way(self, request.method, request.url, route, target.shown, head)
        if fixed is not None:
            fixed.made = way
        return way

    def _new_route(self, origin: Origin) -> Route:
        if self._proxies is None:
            self._proxies = Proxies()
        route = self._routes[origin] = Route(origin, self._proxies.for_origin(origin))
        return route

    async def _connect(self, route: Route, timeout: float | None) -> Connection:
        outbox = self._outbox = self._outbox or Outbox(asyncio.get_running_loop())

        def make() -> Connection:
            return Connection(route, outbox, self._free, self._lost)

        connection = await self._dialler.dial(route.origin, route.proxy, make, timeout)
        if self._closed:
            connection.abort()
            raise TransportError("closed", _GONE)
        # Not before: uvloop tells a protocol that it is connected, but not of its end where the dialling was cancelled.
        if not connection.is_closing():
            self._connections.add(connection)
        return connection

    def _free(self, connection: Connection) -> None:
        if self._closed:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        self._pool.put(connection, loop.time())
        if self._sweep_timer is None:
            self._sweep_timer = loop.call_later(self._pool_idle_seconds, self._sweep)

    def _sweep(self) -> None:
        """One timer for the whole pool, while it holds anything: a connection is closed within twice its idle time."""
        loop = asyncio.get_running_loop()
        self._pool.sweep(loop.time())
        self._sweep_timer = loop.call_later(self._pool_idle_seconds, self._sweep) if len(self._pool) else None

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._pool.discard(connection)
        if self._all_lost is not None and not self._connections and not self._all_lost.done():
            self._all_lost.set_result(None)
