"""What a provider's silence costs: seconds, by the phase it happens in, and never the request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from fakes.lab import DIALECTS, Lab, toml_of
from fakes.memory_transport import DONE, EVENT_STREAM, SILENCE, Asked, Entry, Step, Told, broken, silent, streamed
from fakes.speaker import speaker, spoken
from fakes.upstream import Chunk, delta, frame, text_stream
from fakes.virtual_time import run

FULL = "It is well known that a steady provider may take its time and still be right."
COMMENT = b": still here\n\n"


def test_lone_bytes_and_comments_are_silence():
    for byte in (b" ", b"\n", COMMENT, b'data: {"choices": []}\n\n', frame(delta(role="assistant", content=""))):

        async def main(byte: bytes = byte) -> None:
            lab = _lab(Told(headers=EVENT_STREAM, steps=[byte, 5.0] * 1000))
            heard = await lab.ask()
            assert (heard.text, heard.error) == (FULL, None)
            assert heard.took < 12
            assert len(lab.up.calls("first")) == 1
            assert lab.up.calls("first")[0].closed_at == pytest.approx(10, abs=0.5)

        run(main)


def test_bytes_that_drip_in_the_middle_of_an_answer_are_silence():
    async def main() -> None:
        begun = [frame(chunk) for chunk in text_stream("It is well known ")[:2]]
        dripping: list[Step] = [COMMENT, 5.0] * 1000
        lab = _lab(Told(headers=EVENT_STREAM, steps=[*begun, *dripping]))
        heard = await lab.ask()
        assert (heard.text, heard.error) == (FULL, None)
        assert heard.took < 15
        assert any("resumed" in comment for comment in heard.comments)

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_thinking_counts_as_output(dialect: str):
    async def main() -> None:
        thinking: list[Chunk] = [delta(reasoning_content=f"hm {number} ") for number in range(20)]
        lab = _lab(streamed([*thinking, *text_stream(FULL)], gap=4.0))
        heard = await lab.ask(dialect)
        assert (heard.text, heard.error) == (FULL, None)
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_steady_provider_with_gaps_of_three_seconds_is_left_alone(stream: bool):
    async def main() -> None:
        lab = _lab(streamed(text_stream(*FULL.split(" ")), gap=3.0, wait=3.0))
        heard = await lab.ask(stream=stream)
        assert heard.text == FULL.replace(" ", "")
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


TIMEOUTS = {
    "of the model": ("timeouts = { first_event = 3.0, gap = 2.0 }", ""),
    "of the provider": ("", "[providers.first.timeouts]\nfirst_event = 3.0\ngap = 2.0\n"),
}


@pytest.mark.parametrize("kind", TIMEOUTS)
def test_first_event_and_gap_can_be_set(kind: str):
    facts, more = TIMEOUTS[kind]

    async def main() -> None:
        lab = _lab(silent(), facts=facts, more=more)
        heard = await lab.ask()
        assert heard.text == FULL
        assert heard.took == pytest.approx(3.0, abs=0.1)
        lab = _lab(streamed(text_stream("It is well known ")[:2], then="stall"), facts=facts, more=more)
        heard = await lab.ask()
        assert heard.text == FULL
        assert heard.took == pytest.approx(2.0, abs=0.1)

    run(main)


def test_total_of_an_attempt_can_be_set():
    async def main() -> None:
        lab = _lab(
            streamed(text_stream(*(FULL[at : at + 1] for at in range(len(FULL)))), gap=1.0),
            facts="timeouts = { total = 20.0 }",
        )
        heard = await lab.ask()
        assert (heard.text, heard.error) == (FULL, None)
        assert heard.took == pytest.approx(20, abs=1)

    run(main)


def test_reasoning_model_that_shows_nothing_may_think_for_a_minute():
    async def main() -> None:
        slow = streamed(text_stream(FULL), wait=50.0)
        lab = _lab(slow, facts='reasoning = true\n[providers.first.models.quirks]\nreplay = "none"')
        heard = await lab.ask()
        assert (heard.text, heard.took) == (FULL, 50.0)

    run(main)


def test_silent_provider_is_asked_once_and_rests():
    async def main() -> None:
        lab = _lab(silent())
        took = [(await lab.ask()).took for _ in range(5)]
        assert took[0] == pytest.approx(10, abs=0.5)
        assert max(took[1:]) < 0.5
        assert len(lab.up.calls("first")) == 1

    run(main)


def test_many_silent_providers_cost_the_request_its_deadline_at_most():
    async def main() -> None:
        names = [f"quiet{number}" for number in range(9)]
        lab = Lab(toml_of(*names, alias=True), REQUEST_TIMEOUT="30")
        for name in names:
            lab.up.script(name, silent())
        heard = await lab.ask(stream=False)
        assert heard.error is not None
        assert heard.status == 503
        assert heard.took == pytest.approx(30, abs=0.5)
        assert not lab.up.open

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_that_outlasts_the_request_deadline_ends_in_an_error(dialect: str):
    async def main() -> None:
        lab = Lab(toml_of("first", "second", alias=True), REQUEST_TIMEOUT="30")
        endless: list[Chunk] = [delta(f"word{number} ") for number in range(1000)]
        for name in ("first", "second"):
            lab.up.script(name, streamed(endless, gap=1.0))
        heard = await lab.ask(dialect)
        assert heard.error is not None
        assert heard.finish is None
        assert heard.took == pytest.approx(30, abs=1.5)
        assert not lab.up.open

    run(main)


def test_learned_latency_tightens_the_first_event():
    async def main() -> None:
        lab = _lab(*[streamed(text_stream(FULL), wait=0.5)] * 25, silent())
        for _ in range(25):
            await lab.ask()
        heard = await lab.ask()
        assert heard.text == FULL
        assert heard.took <= 5

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_slow_reader_is_not_taken_for_a_silent_provider(dialect: str):
    async def main() -> None:
        words = FULL.split(" ")
        lab = _lab(streamed(text_stream(*words), gap=1.0))
        heard = await lab.ask(dialect, pace=30.0)
        assert (heard.text, heard.error) == ("".join(words), None)
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


def test_head_that_comes_and_no_body_is_not_asked_twice():
    async def main() -> None:
        lab = _lab(Told(headers=EVENT_STREAM, steps=[SILENCE]))
        loop = asyncio.get_running_loop()
        await lab.ask()
        assert loop.time() < 12
        assert len(lab.up.calls("first")) == 1

    run(main)


def _well(asked: Asked) -> Told:
    return speaker(FULL)(asked)


def _lab(*first: Entry, facts: str = "", more: str = "", others: Sequence[Entry] = (_well,)) -> Lab:
    toml = toml_of("first", facts=facts) + more + toml_of("second")
    lab = Lab(toml + '[aliases]\nchain = ["first/m", "second/m"]\n')
    lab.up.script("first", *first)
    lab.up.script("second", *others)
    return lab


@pytest.mark.parametrize("counted", [True, False], ids=["with its usage", "without"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_silence_after_the_finish_reason_is_the_end_within_a_second(dialect: str, stream: bool, counted: bool):
    async def main() -> None:
        chunks = spoken(FULL, [], 7)
        lab = _lab(streamed(chunks if counted else chunks[:-1], then="stall"))
        heard = await lab.ask(dialect, stream=stream)
        assert (heard.text, heard.error) == (FULL, None)
        assert heard.finish in ("stop", "end_turn")
        assert heard.took < 1.5
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


def test_silence_after_a_word_about_calls_is_not_yet_the_end():
    tools = [{"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}]

    async def main() -> None:
        one, *rest = spoken("", [("go", {"a": 1}), ("go", {"a": 2})], 7)[1:]
        said = frame(one).replace(b'"finish_reason":null', b'"finish_reason":"tool_calls"')
        said = said.replace(b'"finish_reason": null', b'"finish_reason": "tool_calls"')
        assert b"tool_calls" in said.split(b"finish_reason")[1]
        lab = _lab(Told(headers=EVENT_STREAM, steps=[said, 4.0, *map(frame, rest), DONE]))
        heard = await lab.ask(tools=tools)
        assert heard.calls == [("go", {"a": 1}), ("go", {"a": 2})]
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


@pytest.mark.parametrize("then", ["stall", "cut"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_calls_of_an_anthropic_provider_are_whole_once_it_has_said_why_it_stops(stream: bool, then: str):
    tools = [{"name": "go", "input_schema": {"type": "object"}}]

    async def main() -> None:
        lab = Lab(toml_of("first", alias=True).replace('wire = "openai"', 'wire = "anthropic"'))
        frames = [_named(name, **more) for name, more in CALL_EVENTS]
        lab.up.script("first", Told(headers=EVENT_STREAM, steps=[*frames, SILENCE if then == "stall" else broken()]))
        heard = await lab.ask("anthropic", tools=tools, stream=stream)
        assert (heard.calls, heard.finish, heard.error) == ([("go", {"a": 1})], "tool_use", None)
        assert heard.took < 1.5
        assert len(lab.up.asked) == 1

    run(main)


CALL_EVENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "message_start",
        {"message": {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}},
    ),
    ("content_block_start", {"index": 0, "content_block": {"type": "tool_use", "id": "t1", "name": "go", "input": {}}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
]


def _named(name: str, **more: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps({"type": name, **more}))
