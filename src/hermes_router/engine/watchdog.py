"""Ends a wait that lasts too long, with one timer for a whole stream instead of one for each chunk."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_AWAY = 0.1
"""Seconds between two waits that are worth adding."""


class TookTooLong(Exception):
    """The wait was ended by its deadline."""


class Overtaken(Exception):
    """The wait was ended because somebody else was faster."""


class Watchdog:
    """``wait`` an awaitable until ``deadline`` (the loop's clock), which may be moved at any time by assignment; who
    moves it during a wait to before ``armed_for`` says ``arm``. ``task`` is the one that waits.

    The timer is armed when a wait begins and none is, and looks at the deadline when it fires: moving the deadline
    later costs nothing. ``interrupt`` ends a wait at once. ``remind``, said before the first wait, is called once at
    ``remind_at``, by the same timer. ``close`` when done. ``time`` is the loop's clock.
    """

    __slots__ = (
        "_fired",
        "_interrupted",
        "_loop",
        "_timer",
        "_waited_until",
        "_waiting",
        "armed_for",
        "deadline",
        "remind",
        "remind_at",
        "task",
        "time",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[object], now: float) -> None:
        self.deadline = math.inf
        self.task = task
        self.time = loop.time
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self.armed_for = 0.0
        self.remind: Callable[[], None] | None = None
        self.remind_at = math.inf
        self._waited_until = now
        self._waiting = False
        self._fired = False
        self._interrupted = False

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Raises TookTooLong where the deadline passes first, Overtaken where it is interrupted; the awaitable is
        cancelled then."""
        if self._timer is None or self.armed_for > self.deadline:
            self.arm()
        self._waiting = True
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not self._fired:
                raise
            self._fired = False
            if self.task.uncancel() > 0:
                raise
        finally:
            self._waiting = False
            self._waited_until = self.time()
        raise Overtaken if self._interrupted else TookTooLong

    def back(self) -> None:
        """Time since the last wait does not count: a caller who reads slowly is no silence of the provider's."""
        now = self.time()
        if now - self._waited_until > _AWAY:
            self.deadline += now - self._waited_until
        self._waited_until = now

    def interrupt(self) -> None:
        """End the wait under way, if there is one, with Overtaken."""
        if self._waiting and not self._fired:
            self._fired = self._interrupted = True
            self.task.cancel()

    def close(self) -> None:
        self.remind = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def arm(self) -> None:
        """Set the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self.deadline if self.deadline < self.remind_at else self.remind_at
        if moment != math.inf:
            self.armed_for = moment
            self._timer = self._loop.call_at(moment, self._check)

    def _check(self) -> None:
        self._timer = None
        now, remind = self.time(), None
        if now >= self.remind_at:
            remind, self.remind_at = self.remind, math.inf
        if self._waiting:  # where nobody does, the next wait arms it again
            if now < self.deadline:
                self.arm()
            elif not self._fired:
                self._fired = True
                self.task.cancel()
        if remind is not None:
            remind()
