"""Keeps what was learned, spent and served: gathers it twice a second and hands it to the stores, which write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..limits.callers import Budgets
from ..pool.pool import Pool
from ..storage.base import StateStore
from ..telemetry.telemetry import Telemetry

log = logging.getLogger("hermes_router")

EVERY_SECONDS = 0.5


class Keeper:
    """``start`` and ``stop`` run with the server. ``stop`` writes the last changes."""

    def __init__(
        self, pool: Pool, budgets: Budgets, telemetry: Telemetry, store: StateStore, clock: Callable[[], float]
    ) -> None:
        self._pool = pool
        self._budgets = budgets
        self._telemetry = telemetry
        self._store = store
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def load(self) -> None:
        """Put back what was kept, before a World is adopted."""
        rows, now = self._store.load(), self._clock()
        self._pool.load(rows)
        self._pool.ledger.load(rows, now)
        self._budgets.load(rows, now)

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._again)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.save()
        self._store.close()
        self._telemetry.close(self._clock())

    def save(self) -> None:
        """Hand over what changed; returns at once."""
        now = self._clock()
        rows = [*self._pool.ledger.changed(), *self._pool.changed(now), *self._budgets.changed(now)]
        if rows:
            self._store.save(rows)
        self._telemetry.save(now)

    def _again(self) -> None:
        self.start()  # first: one save that fails is not the last
        self.save()
