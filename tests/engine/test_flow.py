"""Events that flow: from the provider's connection to the caller without waking the one who waits, until it must look.

What an answer is worth, and how one goes on that broke off, is tested where callers see it (tests/failover).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import pytest

from fakes.lab import Lab, toml_of
from fakes.memory_transport import DONE, EVENT_STREAM, Step, Told, broken, streamed
from fakes.upstream import frame, text_stream
from fakes.virtual_time import run
from hermes_router.core.errors import Exhausted
from hermes_router.core.events import Event
from hermes_router.core.fold import Folder
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.engine.records import RequestRecord
from hermes_router.engine.run import Exchange
from hermes_router.engine.work import ChatWork
from hermes_router.routing.needs import needs_of
from hermes_router.routing.selection import select

WORDS = ["one ", "two ", "three ", "four ", "five "]
BODY = b'{"model": "chain", "messages": [{"role": "user", "content": "hi"}], "stream": true}'


class Sink:
    """Takes what is given. ``slow``: after how many batches the caller reads slowly, and for how many seconds;
    ``fails_at``: which batch breaks it."""

    def __init__(self, *, slow: tuple[int, float] = (0, 0.0), fails_at: int = 0) -> None:
        self.given: list[list[Event]] = []
        self.at: list[float] = []
        self.tasks: list[object] = []
        self.drains = 0
        self.folder = Folder()
        self._slow_at, self._seconds = slow
        self._fails_at = fails_at

    def give(self, events: list[Event]) -> bool:
        self.folder.add(events)
        self.given.append(events)
        self.at.append(asyncio.get_running_loop().time())
        self.tasks.append(asyncio.current_task())
        if len(self.given) == self._fails_at:
            raise ZeroDivisionError
        return len(self.given) != self._slow_at

    async def drained(self) -> None:
        self.drains += 1
        before = len(self.given)
        await asyncio.sleep(self._seconds)
        assert len(self.given) == before, "something was given while the caller read slowly"

    @property
    def text(self) -> str:
        return self.folder.answer().text

    @property
    def finished(self) -> bool:
        return self.folder.answer().finish is not None


class Bench(Lab):
    """One provider, which gives this answer; no continuation."""

    def __init__(self, told: Told) -> None:
        super().__init__(toml_of("first", alias=True), STREAM_RESUME="0")
        self.up.script("first", told)
        runtime = self.app.runtime
        request = OpenAIChat().read(BODY, {})
        needs = needs_of(request)
        world = runtime.roster.world
        plan = runtime.planner.plan(runtime.roster, needs, select("chain", world, pin=False), runtime.clock())
        record = RequestRecord(id="r", at=0.0, endpoint="chat", asked="chain", caller="", stream=True)
        work = ChatWork(request, needs, world.settings)
        self.exchange = Exchange(runtime.engine, work, plan, record, patience=0.0, whole=False)

    async def run(self, sink: Sink) -> None:
        """The whole exchange, as a stream does it."""
        try:
            await self.exchange.begin()
            await self.exchange.run(sink)
        finally:
            await self.exchange.close()

    def check_over(self) -> None:
        """Nothing of it is left."""
        assert not self.up.open
        assert self.app.runtime.engine.open == 0
        assert self.app.runtime.pool.ledger.open_leases == 0


def spoken(gap: float = 1.0) -> Told:
    return streamed(text_stream(*WORDS), gap=gap)


def broken_off(then: Sequence[Step], words: int = 3) -> Told:
    begun: list[Step] = [step for chunk in text_stream(*WORDS)[: words + 1] for step in (frame(chunk), 1.0)]
    return Told(headers=EVENT_STREAM, steps=[*begun, *then])


def bench(told: Told, test: Callable[[Bench], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        one = Bench(told)
        await test(one)
        one.check_over()

    run(main)


def test_events_are_given_when_they_arrive_and_by_nobody_who_had_to_wake():
    async def test(one: Bench) -> None:
        sink = Sink()
        await one.run(sink)
        assert (sink.text, sink.finished, sink.drains) == ("".join(WORDS), True, 0)
        assert [later - sooner for sooner, later in zip(sink.at, sink.at[1:], strict=False)][: len(WORDS) - 1] == [
            1.0
        ] * 4
        mine = asyncio.current_task()
        assert [task is mine for task in sink.tasks[: len(WORDS)]] == [True, False, False, False, False]

    bench(spoken(), test)


@pytest.mark.parametrize("batch", range(1, 6))
def test_a_slow_caller_is_given_nothing_more_before_there_is_room_and_that_is_no_silence(batch: int):
    async def test(one: Bench) -> None:
        sink = Sink(slow=(batch, 60.0))
        await one.run(sink)
        assert (sink.text, sink.finished, sink.drains) == ("".join(WORDS), True, 1)
        assert sink.at[batch] - sink.at[batch - 1] >= 60

    bench(spoken(), test)


def test_a_slow_caller_buys_a_silent_provider_no_time():
    async def test(one: Bench) -> None:
        sink = Sink(slow=(2, 60.0))
        with pytest.raises(Exhausted) as caught:
            await one.run(sink)
        assert caught.value.code == "stream_interrupted"
        last = sink.at[-1]
        assert sink.text == "".join(WORDS[:3])
        assert asyncio.get_running_loop().time() - last == pytest.approx(10, abs=0.01)

    bench(broken_off([1e9]), test)


@pytest.mark.parametrize("batch", range(1, 7))
def test_what_goes_wrong_in_giving_is_raised_to_the_one_who_waits(batch: int):
    async def test(one: Bench) -> None:
        sink = Sink(fails_at=batch)
        with pytest.raises(ZeroDivisionError):
            await one.run(sink)
        assert len(sink.given) == batch

    bench(spoken(), test)


def test_a_cut_in_mid_flow_is_an_error_after_all_that_came_before():
    async def test(one: Bench) -> None:
        sink = Sink()
        with pytest.raises(Exhausted) as caught:
            await one.run(sink)
        assert (caught.value.code, sink.text, sink.finished) == ("stream_interrupted", "".join(WORDS[:3]), False)
        assert one.exchange.record.attempts[0].outcome == "cut"

    bench(broken_off([broken()]), test)


def test_a_deadline_in_mid_flow_runs_from_the_last_event():
    async def test(one: Bench) -> None:
        sink = Sink()
        with pytest.raises(Exhausted):
            await one.run(sink)
        assert asyncio.get_running_loop().time() - sink.at[-1] == pytest.approx(10, abs=0.01)
        assert (sink.text, one.exchange.record.attempts[0].outcome) == ("".join(WORDS[:3]), "stalled")

    bench(broken_off([1e9]), test)


def test_a_deadline_that_comes_nearer_in_mid_flow_is_kept():
    said = frame(text_stream("x")[1])
    stops = said.replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    assert stops != said

    async def test(one: Bench) -> None:
        sink = Sink()
        await one.run(sink)
        assert sink.finished
        assert asyncio.get_running_loop().time() - sink.at[-2] == pytest.approx(1, abs=0.01)

    bench(broken_off([stops, 1e9]), test)


def test_a_caller_who_leaves_in_mid_flow_takes_the_provider_along():
    async def main() -> None:
        made: list[Bench] = []
        sink = Sink()

        async def whole() -> None:  # the exchange belongs to the task that makes it
            made.append(Bench(spoken()))
            await made[0].run(sink)

        task = asyncio.get_running_loop().create_task(whole())
        await asyncio.sleep(2.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        given = len(sink.given)
        assert given >= 2
        assert made[0].up.asked[0].closed_at == pytest.approx(2.5)
        await asyncio.sleep(60)
        assert len(sink.given) == given
        made[0].check_over()

    run(main)


def test_the_end_is_heard_where_it_comes_with_the_last_words():
    whole = b"".join([*map(frame, text_stream(*WORDS)), DONE])

    async def test(one: Bench) -> None:
        sink = Sink()
        await one.run(sink)
        assert (sink.text, sink.finished) == ("".join(WORDS), True)

    bench(Told(headers=EVENT_STREAM, steps=[whole]), test)
