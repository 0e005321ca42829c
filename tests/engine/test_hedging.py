"""Hedging: a second candidate where the first is late, never twice, never where quota is short; the loser is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from fakes.lab import Heard, Lab, heard, toml_of
from fakes.memory_transport import Asked, Entry, Told, refusal, replied, silent, streamed
from fakes.upstream import text_stream
from fakes.virtual_time import run

TEXT = "fine"
NAMES = ("one", "two", "three")
Test = Callable[[Lab], Coroutine[None, None, None]]


def after(seconds: float) -> Told:
    return streamed(text_stream(TEXT), wait=seconds)


def in_turn(lab: Lab, *entries: Entry) -> None:
    """The first call of all gets the first entry, whoever is asked, and so on."""
    left = list(entries)

    def take(asked: Asked) -> Told:
        entry = left.pop(0)
        return entry if isinstance(entry, Told) else entry(asked)

    for name in NAMES:
        lab.up.script(name, take)


def known(test: Test, *, samples: int = 25, usual: float = 0.5, limits: str = "", **env: str) -> None:
    """``test`` with three providers of which so many answers have been seen."""

    async def main() -> None:
        facts = f"limits = {{ {limits} }}" if limits else ""
        lab = Lab(toml_of(*NAMES, facts=facts, alias=True), **env)
        for state in lab.app.runtime.roster.chat:
            for _ in range(samples):
                state.model.latency.first_event(usual)
        await test(lab)
        over(lab)

    run(main)


async def ask(lab: Lab) -> Heard:
    return await lab.ask(model="auto")


def spend(lab: Lab, share: float) -> None:
    """Use up this share of 100 calls a day of everybody."""
    ledger, now = lab.app.runtime.pool.ledger, lab.app.runtime.clock()
    for state in lab.app.runtime.roster.chat:
        for _ in range(round(100 * share)):
            lease = ledger.lease(state.lane, 1, now)
            assert lease is not None
            ledger.settle(lease, 1, now)


def over(lab: Lab) -> None:
    """Nothing is left of any request."""
    assert not lab.up.open
    assert lab.app.runtime.engine.open == 0
    assert lab.app.runtime.pool.ledger.open_leases == 0


@pytest.mark.parametrize("usual, late", [(0.5, 2.0), (1.5, 3.0)])
def test_second_starts_when_the_first_is_later_than_usual(usual: float, late: float):
    async def test(lab: Lab) -> None:
        in_turn(lab, after(3.9), after(0.1))
        one = await ask(lab)
        assert (one.text, one.error) == (TEXT, None)
        first, second = lab.up.asked
        assert second.name != first.name
        assert one.headers["x-hermes-provider"] == second.name
        assert second.at - first.at == pytest.approx(late, abs=0.01)
        assert first.closed_at == pytest.approx(first.at + late + 0.1, abs=0.05)

    known(test, usual=usual)


def test_first_that_speaks_after_all_closes_the_second():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(2.5), after(9.0))
        one = await ask(lab)
        first, second = lab.up.asked
        assert one.headers["x-hermes-provider"] == first.name
        assert one.text == TEXT
        assert second.closed_at is not None

    known(test)


def test_too_few_samples_do_not_hedge():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(5.0))
        assert (await ask(lab)).text == TEXT
        assert len(lab.up.asked) == 1

    known(test, samples=19)


@pytest.mark.parametrize("spent, share, hedges", [(0.5, "0.2", True), (0.9, "0.2", False), (0.5, "0.6", False)])
def test_scarce_quota_is_not_spent_on_a_hedge(spent: float, share: str, hedges: bool):
    async def test(lab: Lab) -> None:
        spend(lab, spent)
        in_turn(lab, after(3.5), after(0.1))
        assert (await ask(lab)).text == TEXT
        assert len(lab.up.asked) == 1 + hedges

    known(test, limits="rpd = 100", HEDGE_QUOTA_SHARE=share)


def test_never_twice_for_one_request():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(3.8), after(3.8))
        assert (await ask(lab)).text == TEXT
        assert len(lab.up.asked) == 2

    known(test)


def test_the_second_answers_when_the_first_fails():
    async def test(lab: Lab) -> None:
        in_turn(lab, Told(status=500, head_after=2.5), after(3.0))
        one = await ask(lab)
        assert (one.text, one.error) == (TEXT, None)
        assert one.headers["x-hermes-provider"] == lab.up.asked[1].name
        assert one.took == pytest.approx(5.0, abs=0.1)

    known(test)


def test_the_second_answers_what_the_first_refused():
    async def test(lab: Lab) -> None:
        refuses = replied({"error": {"message": "bad value", "param": "messages"}}, 400)
        in_turn(lab, Told(status=400, headers=refuses.headers, steps=refuses.steps, head_after=2.5), after(3.0))
        one = await ask(lab)
        assert (one.text, one.error) == (TEXT, None)

    known(test)


def test_both_fail_and_a_third_answers():
    async def test(lab: Lab) -> None:
        in_turn(lab, Told(status=500, head_after=2.5), Told(status=503, head_after=1.0), after(0.1))
        one = await ask(lab)
        assert (one.text, one.error) == (TEXT, None)
        assert len({asked.name for asked in lab.up.asked}) == 3

    known(test)


LEAVES: dict[str, tuple[float, Entry, Entry]] = {
    "while both are silent": (3.0, silent(), silent()),
    "while the second is under way and the first has failed": (3.2, Told(status=500, head_after=2.5), silent()),
    "after the second failed": (3.2, silent(), Told(status=500, head_after=0.5)),
    "before the second starts": (1.0, silent(), silent()),
    "while the second speaks": (2.6, silent(), streamed(text_stream("a", "b", "c"), gap=1.0, wait=0.2)),
}


@pytest.mark.parametrize("when", LEAVES)
def test_caller_who_leaves_closes_both(when: str):
    seconds, one, two = LEAVES[when]

    async def test(lab: Lab) -> None:
        in_turn(lab, one, two)
        caller = lab.begin(model="auto")
        await asyncio.sleep(seconds)
        caller.left.set()
        await asyncio.sleep(0.1)
        assert caller.task.done()
        assert not lab.up.open

    known(test)


def test_an_ordered_list_is_not_hedged():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(3.5))
        assert (await lab.ask()).text == TEXT

    known(test)


def test_hedge_that_is_refused_teaches_the_ledger():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(3.0), refusal(429, "slow down", {"retry-after": "60"}))
        one = await ask(lab)
        first, second = lab.up.asked
        assert one.headers["x-hermes-provider"] == first.name
        state = next(one for one in lab.app.runtime.roster.chat if one.provider.key == second.name)
        now = lab.app.runtime.clock()
        assert lab.app.runtime.pool.ledger.free_at(state.lane, 1, now).at > now + 50

    known(test)


def test_answer_that_is_asked_for_whole_is_hedged_too():
    async def test(lab: Lab) -> None:
        in_turn(lab, after(3.9), after(0.1))
        caller = lab.begin(model="auto", stream=False)
        await caller.task
        assert heard("openai", caller).text == TEXT
        assert len(lab.up.asked) == 2

    known(test)
