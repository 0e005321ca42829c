"""An event loop whose clock stands still while anything is ready, and jumps to the next timer when nothing is.

Seconds of waiting take no time, and what happens at which second is exact and the same each run. Only for code that
waits for timers and for other tasks: nothing outside the process can arrive here.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

WALL = 1_800_000_000.0
"""The wall clock at the loop's second 0."""


class Deadlock(AssertionError):
    """Everybody waits, and no timer will wake anybody."""


class _Jumping(selectors.SelectSelector):
    """Never blocks; ``jump`` is called with the seconds it would have waited, None for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float | None], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` starts at 0; ``wall()`` is the same clock as seconds since 1970."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = _Jumping()
        super().__init__(selector)
        selector.jump = self._jump

    def time(self) -> float:
        return self._now

    def wall(self) -> float:
        return WALL + self._now

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise Deadlock(f"at second {self._now:g} everybody waits for ever")
        self._now += seconds


def wall() -> float:
    """The running loop's wall clock; the ``clock`` of what is under test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.wall()


def run(work: Callable[[], Awaitable[T]]) -> T:
    """``work()`` in a virtual loop of its own."""

    async def main() -> T:
        return await work()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


async def elapsed(awaitable: Awaitable[Any]) -> float:
    """How many virtual seconds it takes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await awaitable
    return loop.time() - began
