"""Hedging: where the first word is much later than usual, a second candidate starts; the first to speak is kept.

Never twice for one request, and never where quota is scarce: when one begins is the loop's affair.
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
    """A second attempt beside a first one that is late. Where it speaks first, the first one is overtaken and ``heard``
    is what it said."""

    __slots__ = ("_first", "_task", "heard", "second")

    def __init__(self, first: Attempt, second: Attempt, hear: Hear, loop: asyncio.AbstractEventLoop) -> None:
        self.second = second
        self.heard: Heard | None = None
        self._first = first
        self._task = loop.create_task(self._run(hear))
        second.belongs_to(self._task)

    async def outcome(self) -> Heard | None:
        """What the second attempt came to, once it did."""
        await self._task
        return self.heard

    async def cancel(self) -> None:
        """The first one spoke: the second is closed."""
        if not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not isinstance(self.heard, Fault):
            await self.second.close()

    async def _run(self, hear: Hear) -> None:
        self.heard = await hear(self.second)
        if not isinstance(self.heard, Fault):
            self._first.overtake()
