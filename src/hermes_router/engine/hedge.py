"""Hedging: where the first word is much later than usual, a second candidate starts; the first to speak is kept.

Never twice for one request, and never where quota is scarce.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..core.events import Event
from ..core.faults import Fault
from ..pool.states import DeploymentState
from .attempt import Attempt

SAMPLES = 20
"""Answers to have seen before "usual" means anything."""
SOONEST_SECONDS = 2.0
USUAL = 2.0
"""Times its own 95th percentile a first word may take."""

Heard = list[Event] | Fault
Hear = Callable[[Attempt], Awaitable[Heard]]


def late_after(state: DeploymentState) -> float | None:
    """Seconds after which a first word is late; None where too little is known."""
    latency = state.model.latency
    if latency.samples < SAMPLES or latency.p95 is None:
        return None
    return max(SOONEST_SECONDS, USUAL * latency.p95)


class Hedge:
    """``start`` gives a second attempt, or None where there is nobody to spare. When the second speaks first, ``first``
    is overtaken and ``won`` holds it with what it said."""

    def __init__(
        self,
        first: Attempt,
        delay: float,
        start: Callable[[], Attempt | None],
        hear: Hear,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.second: Attempt | None = None
        self.heard: Heard | None = None
        self._first = first
        self._start = start
        self._hear = hear
        self._task: asyncio.Task[None] | None = None
        self._loop = loop
        self._timer = loop.call_later(delay, self._begin)

    async def outcome(self) -> Heard | None:
        """What the second attempt came to, once it did; None where there was none."""
        self._timer.cancel()
        if self._task is not None:
            await self._task
        return self.heard

    def disarm(self) -> bool:
        """No second attempt begins from now on. Whether none has."""
        self._timer.cancel()
        return self.second is None

    async def cancel(self) -> None:
        """The first one spoke: the second is closed."""
        self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.second is not None and not isinstance(self.heard, Fault):
            await self.second.close()

    def _begin(self) -> None:
        if self._first.spoke:  # what is awaited is the rest of a whole answer
            return
        self.second = self._start()
        if self.second is not None:
            self._task = self._loop.create_task(self._run(self.second))

    async def _run(self, second: Attempt) -> None:
        self.heard = await self._hear(second)
        if not isinstance(self.heard, Fault):
            self._first.overtake()
