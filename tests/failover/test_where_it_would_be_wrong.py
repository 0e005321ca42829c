"""Where failing over would be wrong, and where staying once is right."""

from __future__ import annotations

import asyncio

import pytest

from fakes.lab import DIALECTS, Heard, Lab, toml_of
from fakes.memory_transport import Asked, Entry, Told, failing, refusal, replied, silent
from fakes.speaker import speaker
from fakes.virtual_time import run

TEXT = "The answer is forty-two, as everybody knows by now."
NAMED = refusal(
    400, "Invalid value for 'temperature': must be at most 2.", type="invalid_request_error", param="temperature"
)
FILTERED = refusal(400, "The prompt triggered our content management policy.", code="content_filter")

RANGES: dict[str, Entry] = {
    "a value that is wrong": NAMED,
    "openai": refusal(
        400, "Invalid 'temperature': decimal above maximum value.", param="temperature", code="decimal_above_max_value"
    ),
    "groq": refusal(400, "'temperature' : number must be at most 2"),
    "fastapi": replied(
        {"detail": [{"type": "less_than_equal", "loc": ["body", "temperature"], "msg": "Input should be less"}]}, 422
    ),
}


def well(asked: Asked) -> Told:
    return speaker(TEXT)(asked)


def lab_of(*first: Entry, second: Entry = well, alias: bool = True, facts: str = "", **env: str) -> Lab:
    lab = Lab(toml_of("first", "second", alias=alias, facts=facts), **env)
    lab.up.script("first", *first)
    lab.up.script("second", second)
    return lab


def asked(lab: Lab) -> list[str]:
    return [one.name for one in lab.up.asked]


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_callers_own_mistake_is_returned_after_one_call(dialect: str, stream: bool, kind: str):
    async def main() -> None:
        lab = lab_of(RANGES[kind])
        heard = await lab.ask(dialect, stream=stream, temperature=0.9)
        assert heard.status in (400, 422)
        assert heard.error is not None
        assert asked(lab) == ["first"]
        assert (await lab.ask(dialect, stream=stream, temperature=0.9)).status == heard.status
        assert asked(lab) == ["first", "first"], "it says nothing about the provider's health"
        assert "temperature" in lab.up.asked[-1].body, "it is asked for again the next time"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_the_provider_merely_lacks_is_left_out_and_asked_again(dialect: str):
    async def main() -> None:
        lab = lab_of(refusal(400, "Unsupported parameter: 'temperature' is not supported.", param="temperature"), well)
        heard = await lab.ask(dialect, temperature=0.9)
        assert (heard.text, heard.error) == (TEXT, None)
        assert ["temperature" in one.body for one in lab.up.asked] == [True, False]

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_content_filter_fails_over_where_the_operator_wants_it(dialect: str):
    async def main() -> None:
        lab = lab_of(FILTERED, CONTENT_FILTER_FAILOVER="1")
        heard = await lab.ask(dialect)
        assert (heard.text, heard.error) == (TEXT, None)
        assert asked(lab) == ["first", "second"]

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_content_filter_of_all_is_returned_where_failover_finds_nobody(dialect: str):
    async def main() -> None:
        lab = lab_of(FILTERED, second=FILTERED, CONTENT_FILTER_FAILOVER="1")
        heard = await lab.ask(dialect)
        assert heard.error is not None
        assert heard.status == 400
        assert "content management policy" in heard.error["message"]

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_overlong_request_that_fits_nobody_names_the_largest_window(dialect: str):
    async def main() -> None:
        lab = Lab(
            toml_of("first", facts="context = 2000")
            + toml_of("second", facts="context = 3000")
            + '[aliases]\nchain = ["first/m", "second/m"]\n'
        )
        heard = await lab.ask(dialect, text="word " * 5000)
        assert heard.status == 400
        assert heard.error is not None
        assert "3000" in heard.error["message"]
        assert asked(lab) == []

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_overflow_that_only_providers_see_names_the_largest_window(dialect: str):
    async def main() -> None:
        lab = Lab(
            toml_of("first", facts="context = 20000")
            + toml_of("second", facts="context = 30000")
            + '[aliases]\nchain = ["first/m", "second/m"]\n'
        )
        for name, most in (("first", 20000), ("second", 30000)):
            words = f"This model's maximum context length is {most} tokens."
            lab.up.script(name, refusal(400, words, code="context_length_exceeded"))
        heard = await lab.ask(dialect, text="word " * 10000)
        assert heard.status == 400
        assert heard.error is not None
        assert "30000" in heard.error["message"]
        assert asked(lab) == ["first", "second"]

    run(main)


ONCE: dict[str, tuple[Entry, bool]] = {
    "500": (refusal(500), True),
    "429 with Retry-After of 3 s": (refusal(429, "slow", {"retry-after": "3"}), True),
    "429 with Retry-After of 4 s": (refusal(429, "slow", {"retry-after": "4"}), False),
    "429 without Retry-After": (refusal(429, "slow"), False),
    "401": (refusal(401, "bad key"), False),
    "silence": (silent(), False),
}


@pytest.mark.parametrize("kind", ONCE)
def test_preferred_deployment_gets_one_more_chance_after_a_passing_fault(kind: str):
    fault, stays = ONCE[kind]

    async def main() -> None:
        lab = lab_of(fault, well)
        heard = await lab.ask()
        assert (heard.text, heard.error) == (TEXT, None)
        assert asked(lab) == (["first", "first"] if stays else ["first", "second"])
        assert heard.took < 11

    run(main)


def test_second_fault_in_a_row_goes_to_the_next():
    async def main() -> None:
        lab = lab_of(refusal(500))
        heard = await lab.ask()
        assert heard.text == TEXT
        assert asked(lab) == ["first", "first", "second"]

    run(main)


@pytest.mark.parametrize("kind", ["500", "429 with Retry-After of 3 s"])
def test_in_the_pool_the_next_answers_at_once(kind: str):
    async def main() -> None:
        lab = Lab(toml_of("first", "second"))
        for name in ("first", "second"):
            lab.up.script(name, ONCE[kind][0], well)
        other = "second" if (await _first_asked(lab)) == "first" else "first"
        lab = Lab(toml_of("first", "second"))
        lab.up.script(other, well)
        lab.up.script("second" if other == "first" else "first", ONCE[kind][0], well)
        heard = await lab.ask(model="auto")
        assert heard.text == TEXT
        assert heard.took < 0.1
        assert len(lab.up.asked) == 2

    run(main)


async def _first_asked(lab: Lab) -> str:
    await lab.ask(model="auto")
    return lab.up.asked[0].name


DOWN: dict[str, Entry] = {
    "503": refusal(503),
    "500": refusal(500),
    "refused": failing("connect"),
    "reset": failing("closed"),
}


@pytest.mark.parametrize("kind", DOWN)
@pytest.mark.parametrize("gap", [0.5, 3.0])
def test_recovered_preferred_deployment_is_used_again_within_15_seconds(kind: str, gap: float):
    async def main() -> None:
        lab = lab_of()
        loop = asyncio.get_running_loop()
        lab.up.script("first", lambda call: DOWN[kind] if loop.time() < 300 else well(call))  # type: ignore[arg-type, return-value]
        back = 0.0
        while loop.time() < 330 and not back:
            heard = await lab.ask()
            assert heard.text == TEXT
            if heard.headers["x-hermes-provider"] == "first":
                back = loop.time()
            await asyncio.sleep(gap)
        assert 300 <= back <= 315

    run(main)


NETWORK = ("connect", "closed", "cut", "protocol")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("kind", NETWORK)
def test_failure_below_http_is_invisible_where_another_can_answer(kind: str, stream: bool):
    async def main() -> None:
        lab = lab_of(failing(kind))  # type: ignore[arg-type]
        heard = await lab.ask(stream=stream)
        assert (heard.text, heard.error) == (TEXT, None)
        assert heard.took < 3
        assert len(lab.up.calls("first")) <= 2

    run(main)


@pytest.mark.parametrize("kind", ["connect"])
@pytest.mark.parametrize("minutes", [0.05, 1, 30])
def test_network_of_the_machine_gone_and_back_is_recovered_at_the_first_request(kind: str, minutes: float):
    async def main() -> None:
        names = ("first", "second", "third")
        lab = Lab(toml_of(*names))
        loop = asyncio.get_running_loop()
        gone_until = 60 * minutes

        def answer(call: Asked) -> Told:
            return failing(kind) if loop.time() < gone_until else well(call)  # type: ignore[arg-type]

        for name in names:
            lab.up.script(name, answer)
        refused: list[Heard] = []
        while loop.time() < gone_until:
            refused.append(await lab.ask(model="auto", headers={"x-hermes-max-wait": "0"}))
            await asyncio.sleep(min(5.0, gone_until))
        assert all(heard.error is not None for heard in refused if heard.took < 1)
        heard = await lab.ask(model="auto")
        assert (heard.text, heard.error) == (TEXT, None)
        assert heard.took < 15

    run(main)
