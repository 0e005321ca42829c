"""Runs the server until it is told to stop; then finishes what is open, for DRAIN_SECONDS at most.

Meanwhile it still answers: /ready with 503, so that a load balancer sees it, and new requests with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ..pool.world import World
from ..settings import Loaded, SettingsError
from .app import App
from .compose import make_app, make_world
from .protocol import JoiningProtocol

_BACKLOG = 4096
_LAST_WORDS_SECONDS = 1
"""For what is still to be sent when the draining is over."""
_LOOK_SECONDS = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RELOAD: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""Windows has none."""


Announce = Callable[[World, str, int], None]


def serve(loaded: Loaded, announce: Announce) -> None:
    """Returns when the server has stopped. ``announce`` is called with the World, the host and the port bound, once
    requests are taken. Raises SettingsError where it cannot start."""
    logging.basicConfig(level=loaded.settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    if loaded.settings.log_level == "INFO":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells what the welcome tells better
    world = make_world(loaded)
    app = make_app(world)
    listener = listen(world.settings.host, world.settings.port)
    host, port = world.settings.host, listener.getsockname()[1]
    Server(app, lambda: announce(world, host, port)).run(sockets=[listener])


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


class Server(uvicorn.Server):
    """uvicorn, told once: a first signal drains, a second stops at once, and neither is an error."""

    def __init__(self, app: App, on_ready: Callable[[], None]) -> None:
        self._app = app
        self._on_ready = on_ready
        super().__init__(
            uvicorn.Config(
                app,
                loop="auto",
                http=JoiningProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # nobody here asks for the caller's address
                server_header=False,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_LAST_WORDS_SECONDS,
                timeout_keep_alive=75,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle_memory()
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._app.runtime.settings.drain_seconds
        while self._app.busy and not self.force_exit and loop.time() < ends:  # noqa: ASYNC110 - a signal ends it too
            await asyncio.sleep(_LOOK_SECONDS)
        self._app.stop_open()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for one in _SIGNALS:
            with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends it there
                loop.add_signal_handler(one, self._told_to_stop)
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

    def _told_to_stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self._app.runtime.draining = True
