"""The network of the sandbox: a Transport whose hosts are simulated providers (``sandbox://<provider>/v1/...``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from ..catalogue.schema import ProviderSpec
from ..transport.base import HttpRequest, TransportError
from ..transport.pulled import Pulled
from .load import load_sandbox
from .provider import Reply, SimulatedProvider

_LUMP_SECONDS = 0.004
"""Shorter pauses are put together: timers are not more exact than this."""

Sleep = Callable[[float], Awaitable[object]]


class SandboxTransport:
    """``clock`` is seconds, for the providers' limits; ``sleep`` waits that many."""

    def __init__(
        self,
        specs: Mapping[str, ProviderSpec] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._providers = {name: SimulatedProvider(name, spec) for name, spec in (specs or load_sandbox()).items()}
        self._clock = clock
        self._sleep = sleep
        self._open: set[SandboxResponse] = set()
        self._closed = False

    async def send(self, request: HttpRequest) -> SandboxResponse:
        parts = urlsplit(request.url)
        provider = self._providers.get(parts.hostname or "")
        if self._closed or provider is None:
            raise TransportError("connect", f"there is no {parts.hostname} in the sandbox")
        path = parts.path.removeprefix("/v1")
        reply = provider.ask(path, request.body, self._clock())
        await self._sleep(reply.pause)
        response = SandboxResponse(reply, self._sleep, self._open.discard)
        self._open.add(response)
        return response

    async def aclose(self) -> None:
        self._closed = True
        for response in tuple(self._open):
            await response.aclose()


class SandboxResponse(Pulled):
    """An answer on its way."""

    def __init__(self, reply: Reply, sleep: Sleep, done: Callable[[SandboxResponse], None]) -> None:
        super().__init__(self._told())
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply
        self._sleep = sleep
        self._done = done

    async def aclose(self) -> None:
        self._done(self)
        await super().aclose()

    async def _told(self) -> AsyncIterator[bytes]:
        due = 0.0
        for piece in self._reply.pieces:
            due += piece.words / self._reply.rate
            if due >= _LUMP_SECONDS:
                await self._sleep(due)
                due = 0.0
            yield piece.data
        self._done(self)
