"""Keeps what was learned and spent: gathers changes twice a second and hands them to the store, which writes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..pool.pool import Pool
from ..storage.base import StateStore

log = logging.getLogger("hermes_router")

EVERY_SECONDS = 0.5


class Keeper:
    """``start`` and ``stop`` run with the server. ``stop`` writes the last changes."""

    def __init__(self, pool: Pool, store: StateStore, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._store = store
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def load(self) -> None:
        """Put back what was kept, before a World is adopted."""
        rows = self._store.load()
        self._pool.load(rows)
        self._pool.ledger.load(rows, self._clock())

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._again)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.save()
        self._store.close()

    def save(self) -> None:
        """Hand over what changed; returns at once."""
        rows = [*self._pool.ledger.changed(), *self._pool.changed(self._clock())]
        if rows:
            self._store.save(rows)

    def _again(self) -> None:
        self.save()
        self.start()
