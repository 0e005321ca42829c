"""The race of a host's addresses. An attempt ends when the test says so."""

from __future__ import annotations

import asyncio

import pytest

from fakes.scripted_socket import until
from hermes_router.transport.dial import race


class Attempt:
    """One address: how it ends is up to the test."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.was_cancelled = False

    async def __call__(self) -> str:
        self.started.set()
        try:
            return await asyncio.shield(self.outcome)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


NEVER = 3600.0


async def test_the_only_address_is_simply_tried() -> None:
    only = Attempt()
    only.outcome.set_result("only")
    assert await race([only], NEVER, print) == "only"


async def test_the_next_address_is_tried_as_soon_as_one_has_failed() -> None:
    first, second = Attempt(), Attempt()
    first.outcome.set_exception(ConnectionRefusedError())
    second.outcome.set_result("second")
    assert await race([first, second], NEVER, print) == "second"


async def test_a_slow_address_is_overtaken_and_given_up() -> None:
    first, second = Attempt(), Attempt()
    running = asyncio.create_task(race([first, second], 0.0, print))
    await second.started.wait()
    second.outcome.set_result("second")
    assert await running == "second"
    await asyncio.sleep(0)
    assert first.was_cancelled


async def test_a_second_success_of_the_same_moment_is_discarded() -> None:
    first, second = Attempt(), Attempt()
    discarded: list[str] = []
    running = asyncio.create_task(race([first, second], 0.0, discarded.append))
    await second.started.wait()
    first.outcome.set_result("connection")
    second.outcome.set_result("connection")
    assert await running == "connection"
    await until(lambda: bool(discarded))
    assert discarded == ["connection"]


async def test_the_first_addresss_error_is_raised_when_all_fail() -> None:
    first, second = Attempt(), Attempt()
    first.outcome.set_exception(ConnectionRefusedError("first"))
    second.outcome.set_exception(OSError("second"))
    with pytest.raises(ConnectionRefusedError, match="first"):
        await race([first, second], NEVER, print)


async def test_a_cancelled_race_gives_up_every_attempt() -> None:
    first, second = Attempt(), Attempt()
    running = asyncio.create_task(race([first, second], 0.0, print))
    await second.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert (first.was_cancelled, second.was_cancelled) == (True, True)
