"""Live configuration: looks at the files twice a second, and serves from what they say now, without a restart.

A change is built and validated beside what is in use, in a thread, then adopted whole; streams under way end on the old
World. Files that cannot be used change nothing: ``problem`` says why. ``reload`` does the same at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..pool.world import World
from ..settings import DEFAULT_KEY, Loaded, SettingsError, is_loopback, load

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger("hermes_router")

LOOK_SECONDS = 0.5
AT_START = ("host", "port", "connect_timeout", "drain_seconds", "hermes_home", "router_state_file")
"""Settings that only a start takes up."""

Mark = tuple[int, int, int]
"""Of a file: when it was changed, its size, its inode."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reload."""

    ok: bool
    problem: str | None = None
    needs_restart: list[str] = []


class Live:
    """``loaded`` is the configuration in use. ``rebuild`` makes a World of a new one; it may raise SettingsError."""

    def __init__(self, runtime: Runtime, loaded: Loaded, rebuild: Callable[[Loaded], World]) -> None:
        self.loaded = loaded
        self.loaded_at = runtime.clock()
        self.problem: str | None = None
        self.problem_at: float | None = None
        self.needs_restart: list[str] = []
        self._runtime = runtime
        self._rebuild = rebuild
        self._first = loaded.settings
        self._used = self._last = _marks(watched(loaded))
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def reload_soon(self) -> None:
        """Read everything again, changed or not; returns at once."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._reload_quietly())

    async def reload(self) -> Outcome:
        """Read everything again and serve from it, or say why not."""
        async with self._lock:
            before = _marks(watched(self.loaded))  # what changes from here on is seen by the next look
            try:
                world = await asyncio.to_thread(self._build)
            except SettingsError as error:
                self._refuse(str(error))
            else:
                self._take(world)
            finally:
                self._used = self._last = _marks(watched(self.loaded)) | before
            return Outcome(ok=self.problem is None, problem=self.problem, needs_restart=self.needs_restart)

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except Exception:
            log.exception("Reading the changed configuration failed; the former one stays in use")

    def _look(self) -> None:
        """Reload once the files are changed and have stopped changing: an editor writes in several steps."""
        found = _marks(watched(self.loaded))
        if found == self._last and any(found[path] != self._used.get(path) for path in found):
            self.reload_soon()
        self._last = found
        self.start()

    def _build(self) -> World:
        loaded = read_again(self.loaded)
        world = self._rebuild(loaded)
        keys = {*world.settings.proxy_api_keys, *(one.secret for one in world.callers)}
        if DEFAULT_KEY in keys and not is_loopback(self._first.host):
            raise SettingsError(
                f"{DEFAULT_KEY} is known to all, and this router still listens on {self._first.host}: keep "
                "PROXY_API_KEYS, or restart with HOST 127.0.0.1"
            )
        return world

    def _take(self, world: World) -> None:
        assert world.loaded is not None
        was, self.loaded = self.loaded.settings, world.loaded
        settings = world.settings
        self._runtime.adopt(world)
        self.loaded_at = self._runtime.clock()
        self.problem = self.problem_at = None
        self.needs_restart = [
            name.upper() for name in AT_START if getattr(settings, name) != getattr(self._first, name)
        ]
        if settings.log_level != was.log_level:
            logging.getLogger().setLevel(settings.log_level)
        log.info("The changed configuration is in use: %d deployments", len(world.deployments))
        if self.needs_restart:
            log.warning("Changed, but taken up only by a restart: %s", ", ".join(self.needs_restart))

    def _refuse(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("The changed configuration cannot be used, the former one stays: %s", problem)
        self.problem, self.problem_at = problem, self._runtime.clock()


def read_again(loaded: Loaded) -> Loaded:
    """The same sources, read now; what the command line said stays. Raises SettingsError."""
    flags = {name: getattr(loaded.settings, name) for name, origin in loaded.origins.items() if origin == "flag"}
    environment = loaded.layers[0]
    return load(flags, environment.values, environment.folder)


def watched(loaded: Loaded) -> tuple[Path, ...]:
    """The files that configure us."""
    settings = loaded.settings
    return (loaded.config_file, *loaded.env_files, settings.router_auth_file, settings.hermes_home / "admin.key")


def _marks(paths: Iterable[Path]) -> dict[Path, Mark | None]:
    return {path: _mark(path) for path in paths}


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
