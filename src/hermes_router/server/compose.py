"""Puts the router together from its configuration. The only module that names concrete transports and stores."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ..catalogue.load import load_builtin
from ..limits.callers import Budgets
from ..pool.build import build
from ..pool.ledger import Ledger
from ..pool.pool import Pool
from ..pool.world import World
from ..sandbox.load import load_sandbox
from ..settings import Loaded, Settings, admin_key
from ..storage.base import StateStore
from ..storage.sqlite import SqliteStore, SqliteWriter
from ..telemetry.database import SCHEMA, VERSION, Database
from ..telemetry.telemetry import Telemetry
from ..transport.base import Counted, HttpRequest, HttpResponse, Transport
from ..transport.http1 import Http1Transport
from .app import App
from .detection import Detection
from .keeper import Keeper
from .reload import Live
from .runtime import Runtime

log = logging.getLogger("hermes_router")


class ByScheme:
    """A transport that asks another one by the URL's scheme; each is made when it is first needed."""

    def __init__(self, makers: dict[str, Callable[[], Transport]]) -> None:
        self._makers = makers
        self._made: dict[str, Transport] = {}

    def send(self, request: HttpRequest) -> Coroutine[Any, Any, HttpResponse]:
        scheme = request.url.partition(":")[0]
        transport = self._made.get(scheme) or self._make(scheme)
        return transport.send(request)

    async def aclose(self) -> None:
        for transport in set(self._made.values()):
            await transport.aclose()

    @property
    def open_connections(self) -> int:
        """Connections in use, of all transports that count them."""
        return sum(one.open_connections for one in set(self._made.values()) if isinstance(one, Counted))

    def _make(self, scheme: str) -> Transport:
        name = "http" if scheme not in self._makers else scheme
        if name not in self._made:
            self._made[name] = self._makers[name]()
        self._made[scheme] = self._made[name]
        return self._made[name]


def make_world(loaded: Loaded) -> World:
    """The World of this configuration, the sandbox where it is wanted, and the admin key. Raises SettingsError."""
    world = build(loaded, load_builtin(), today=datetime.now(UTC).date(), sandbox=load_sandbox())
    settings = msgspec.structs.replace(world.settings, admin_api_key=admin_key(world.settings))
    return msgspec.structs.replace(world, settings=settings)


def make_app(
    world: World,
    *,
    store: StateStore | None = None,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.time,
    database: Database | None = None,
) -> App:
    """The application, with its state loaded; ``store``, ``transport`` and ``database`` (of the request log) in place
    of the usual ones. With a ``store`` and no ``database`` the log is kept in memory only."""
    settings = world.settings
    pool, budgets = Pool(Ledger()), Budgets()
    if store is None and database is None:
        database = open_log(settings)
    telemetry = Telemetry(database, settings.request_log_size)
    keeper = Keeper(pool, budgets, telemetry, store or SqliteStore(settings.router_state_file), clock)
    keeper.load()
    sender = transport or make_transport(world)
    runtime = Runtime(world, pool, sender, clock, telemetry=telemetry, budgets=budgets)
    live = runtime.live = Live(runtime, world.loaded, make_world) if world.loaded is not None else None

    detection = Detection(pool, sender)

    async def start() -> None:
        runtime.detection = detection
        detection.start(runtime.roster.world)
        keeper.start()
        if live is not None:
            live.start()

    async def stop() -> None:
        if live is not None:
            live.stop()
        keeper.stop()
        await detection.stop()
        await sender.aclose()

    return App(runtime, start, stop)


def log_file(settings: Settings) -> Path:
    """Where the request log and usage are kept: beside the state, under its name."""
    state = settings.router_state_file
    return state.with_name(f"{state.stem}-log{state.suffix}")


def open_log(settings: Settings) -> Database | None:
    """None, with a warning, where the file cannot be used: requests are served all the same."""
    path = log_file(settings)
    try:
        return SqliteWriter(path, SCHEMA, VERSION)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s cannot be used, so the request log is kept in memory only: %s", path, error)
        return None


def make_transport(world: World) -> Transport:
    """HTTP for real providers, the sandbox for simulated ones."""
    return ByScheme(
        {"http": lambda: Http1Transport(connect_timeout=world.settings.connect_timeout), "sandbox": _sandbox}
    )


def _sandbox() -> Transport:
    from ..sandbox.transport import SandboxTransport

    return SandboxTransport()
