"""Ends a wait that lasts too long, with one timer for a whole stream instead of one for each chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
_AWAY = 0.1
"""Seconds between two waits that are worth adding."""


class TookTooLong(Exception):
    """The wait was ended by its deadline."""


class Overtaken(Exception):
    """The wait was ended because somebody else was faster."""


class Watchdog:
    """``wait`` an awaitable until ``deadline`` (the loop's clock), which may be moved at any time by assignment.

    The timer is armed when a wait begins and none is, and looks at the deadline when it fires: moving the deadline
    later costs nothing. Time between two waits does not count: a caller who reads slowly is no silence of the
    provider's. ``interrupt`` ends a wait at once. ``close`` when done.
    """

    __slots__ = ("_armed_for", "_fired", "_interrupted", "_loop", "_task", "_timer", "_waited_until", "deadline")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.deadline = float("inf")
        self._loop = loop or asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._waited_until = self._loop.time()
        self._fired = False
        self._interrupted = False

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Raises TookTooLong where the deadline passes first, Overtaken where it is interrupted; the awaitable is
        cancelled then."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        away = self._loop.time() - self._waited_until
        if away > _AWAY:
            self.deadline += away
        if self._timer is None or self._armed_for > self.deadline:
            self._arm()
        self._task = task
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not self._fired:
                raise
            self._fired = False
            if task.uncancel() > 0:
                raise
        finally:
            self._task = None
            self._waited_until = self._loop.time()
        raise Overtaken if self._interrupted else TookTooLong

    def interrupt(self) -> None:
        """End the wait under way, if there is one, with Overtaken."""
        if self._task is not None and not self._fired:
            self._fired = self._interrupted = True
            self._task.cancel()

    def time(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.deadline != float("inf"):
            self._armed_for = self.deadline
            self._timer = self._loop.call_at(self.deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits: the next wait arms it again
        if self._loop.time() < self.deadline:
            self._arm()
        elif not self._fired:
            self._fired = True
            self._task.cancel()
