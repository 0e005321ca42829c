"""Runs the server until it is told to stop; then finishes what is open, for DRAIN_SECONDS at most.

Meanwhile it still answers: /ready with 503, so that a load balancer sees it, and new requests with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator

from ..pool.world import World
from ..settings import Loaded, SettingsError
from .app import App
from .compose import make_app, make_world
from .protocol import Connection, Shared

_BACKLOG = 4096
_LAST_WORDS_SECONDS = 1.0
"""For what is still to be sent when the draining is over."""
_LOOK_SECONDS = 5.0
_TURN_SECONDS = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RELOAD: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""Windows has none."""


Announce = Callable[[World, str, int], None]


def serve(loaded: Loaded, announce: Announce) -> None:
    """Returns when the server has stopped. ``announce`` is called with the World, the host and the port bound, once
    requests are taken. Raises SettingsError where it cannot start."""
    logging.basicConfig(level=loaded.settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    world = make_world(loaded)
    app = make_app(world)
    listener = listen(world.settings.host, world.settings.port)
    host, port = world.settings.host, listener.getsockname()[1]
    server = Server(app, lambda: announce(world, host, port))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(server.serve_until_signal(listener))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, or asyncio's own where there is no uvloop."""
    if sys.platform == "win32":
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


def settle_memory() -> None:
    """What has been built by now stays: the collector need not look at it again, and the rest less often than a
    program that makes few objects should. A full collection over everything would hold up every open stream."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises SettingsError, naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {reason}. Is another router running? Set PORT, or --port, to a free one."
        ) from error
    return listener


class Server:
    """``tell`` it to stop: once, it drains; a second time, it stops at once. Neither is an error."""

    def __init__(self, app: App, on_ready: Callable[[], None]) -> None:
        self._app = app
        self._on_ready = on_ready
        self._told = asyncio.Event()
        self._hurry = asyncio.Event()
        self._looking: asyncio.TimerHandle | None = None

    async def serve_until_signal(self, listener: socket.socket) -> None:
        """``serve``, told to stop by the signals of a process and to reload by SIGHUP."""
        with self._signals():
            await self.serve(listener)

    async def serve(self, listener: socket.socket) -> None:
        """Returns when it was told to stop and has."""
        loop = asyncio.get_running_loop()
        shared = Shared(self._app, self._app.refusal, loop)
        await self._app.start()
        try:
            server = await loop.create_server(lambda: Connection(shared), sock=listener, backlog=_BACKLOG)
            self._look(shared)
            settle_memory()
            self._on_ready()
            await self._told.wait()
            await self._drain(server, shared)
        finally:
            if self._looking is not None:
                self._looking.cancel()
            await self._app.stop()

    def tell(self) -> None:
        """Stop."""
        if self._told.is_set():
            self._hurry.set()
        self._told.set()
        self._app.runtime.draining = True

    async def _drain(self, server: asyncio.AbstractServer, shared: Shared) -> None:
        await self._until(lambda: not self._app.busy, self._app.runtime.settings.drain_seconds)
        server.close()
        shared.close_idle()
        self._app.stop_open()
        await asyncio.sleep(_TURN_SECONDS)  # even in a hurry: they tell their callers
        await self._until(lambda: not shared.connections, _LAST_WORDS_SECONDS)
        for connection in tuple(shared.connections):
            connection.abort()
        while self._app.busy:  # noqa: ASYNC110 - their tasks have been cancelled and end with the loop's next turns
            await asyncio.sleep(0)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Or until there is no more time, or it is told to stop again."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while not condition() and not self._hurry.is_set() and (left := ends - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(_TURN_SECONDS, left))

    def _look(self, shared: Shared) -> None:
        self._looking = shared.loop.call_later(_LOOK_SECONDS, self._look, shared)
        shared.look()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for one in _SIGNALS:
            with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends it there
                loop.add_signal_handler(one, self.tell)
        if _RELOAD is not None:
            loop.add_signal_handler(_RELOAD, self._told_to_reload)
        yield
        if _RELOAD is not None:
            loop.remove_signal_handler(_RELOAD)
        for one in _SIGNALS:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(one)

    def _told_to_reload(self) -> None:
        if self._app.runtime.live is not None:
            self._app.runtime.live.reload_soon()
