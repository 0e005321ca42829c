"""Keeps what was learned, spent and served: gathers it twice a second and hands it to the stores, which write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..limits.callers import Budgets
from ..pool.pool import Pool
from ..storage.base import Row, StateStore
from ..telemetry.telemetry import Telemetry

log = logging.getLogger("hermes_router")

EVERY_SECONDS = 0.5
PART_SECONDS = 0.01
PART_ROWS = 8
"""A row of a busy account takes a few tenths of a millisecond, which every open stream has to wait."""


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
        self._left = 0

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
        """Hand over all that changed; returns at once."""
        self._left = 0
        self.save_part()
        self._keep(self._pool.ledger.changed())
        self._left = 0

    def save_part(self) -> bool:
        """Hand over some of what changed; whether there is more of it. What changes meanwhile is for the next round."""
        if not self._left:
            now = self._clock()
            self._left = self._pool.ledger.unkept
            self._keep([*self._pool.changed(now), *self._budgets.changed(now)])
            self._telemetry.save(now)
        rows = self._pool.ledger.changed(min(PART_ROWS, self._left))
        self._left -= len(rows)
        self._keep(rows)
        return self._left > 0

    def _keep(self, rows: list[Row]) -> None:
        if rows:
            self._store.save(rows)

    def _again(self) -> None:
        self.start()  # first: one save that fails is not the last
        if self.save_part() and self._timer is not None:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(PART_SECONDS, self._again)
