"""Sixteen ways a provider can fail, one of them each time, with one other provider beside it.

The budgets are those of a neutral comparison of gateways: two tries per upstream, one fallback, 30 seconds, an ordered
alias. The other provider answers at once. Time is virtual; tries are counted where they arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from fakes.lab import DIALECTS, Heard, Lab, toml_of
from fakes.memory_transport import Asked, Entry, Told, failing, refusal, silent, streamed
from fakes.speaker import speaker, spoken
from fakes.upstream import Chunk
from fakes.virtual_time import run

WORDS = [f"word{number} " for number in range(1, 61)]
TEXT = "".join(WORDS)
SECONDS = 15.0
CHUNKS = spoken(TEXT, [], 1)[:1] + [chunk for word in WORDS for chunk in spoken(word, [], 99)[1:-2]]
END = spoken(TEXT, [], 99)[-2:]


def well(asked: Asked) -> Told:
    return speaker(TEXT)(asked)


def told(chunks: Sequence[Chunk], then: str = "done", **more: float) -> Entry:
    """A stream whatever was asked for."""
    return streamed(chunks, then=then, **more)  # type: ignore[arg-type]


class Fault(msgspec.Struct, frozen=True):
    """``first`` and ``second`` are what the two providers do; ``tries`` the calls they may get, at most."""

    name: str
    first: tuple[Entry, ...]
    second: tuple[Entry, ...] = (speaker(TEXT),)
    tries: tuple[int, int] = (2, 2)
    served: str = "second"


BROKEN_EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "wo\n\n'
FILTERED = refusal(
    400, "The response was filtered due to the prompt triggering the content policy.", code="content_filter"
)

FAULTS = (
    Fault("429 with Retry-After 2, once", (refusal(429, "slow down", {"retry-after": "2"}), well), served="first"),
    Fault("429 for ever", (refusal(429, "slow down"),)),
    Fault("429 for ever, short Retry-After", (refusal(429, "slow down", {"retry-after": "2"}),)),
    Fault("500 once", (refusal(500), well), served="first"),
    Fault("503 for ever", (refusal(503),)),
    Fault("reset before headers", (failing("closed"),)),
    Fault("accepts and never answers", (silent(),), tries=(1, 1)),
    Fault("a head and no body", (silent(head=True),), tries=(1, 1)),
    Fault("first token after 20 s", (told([*CHUNKS, *END], wait=20.0),), tries=(1, 1)),
    Fault("cut after 40 of 60 tokens", (told(CHUNKS[:41], "cut"),)),
    Fault("stall after 20 tokens", (told(CHUNKS[:21], "stall"),)),
    Fault("one malformed event", (told([*CHUNKS[:9], BROKEN_EVENT, *CHUNKS[9:], *END]),), tries=(1, 0), served="first"),
    Fault("no [DONE]", (told([*CHUNKS, *END], "end"),), tries=(1, 0), served="first"),
    Fault("cut after the finish reason", (told([*CHUNKS, *END[:1]], "cut"),), tries=(1, 0), served="first"),
    Fault("stall after the finish reason", (told([*CHUNKS, *END[:1]], "stall"),), tries=(1, 0), served="first"),
    Fault("no [DONE] and no finish reason", (told(CHUNKS[:41], "end"),)),
    Fault("cut, and the other refuses prefill", (told(CHUNKS[:41], "cut"),), (speaker(TEXT, prefill=False),)),
    Fault("cut, and the other starts over", (told(CHUNKS[:41], "cut"),), (speaker(TEXT, mode="restart"),)),
)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_not_seen_where_another_can_answer(fault: Fault, dialect: str, stream: bool):
    async def main() -> None:
        lab = _lab(fault.first, fault.second)
        heard = await lab.ask(dialect, stream=stream)
        _is_whole(heard)
        assert heard.took <= SECONDS
        for name, most in zip(("first", "second"), fault.tries, strict=True):
            assert len(lab.up.calls(name)) <= most, f"{name} was asked too often"
        assert heard.model == "m"
        served = heard.headers.get("x-hermes-provider") or heard.comments
        if not stream or fault.served == "first":
            assert fault.served in str(served)
        assert not lab.up.open, "an upstream was left open"
        assert lab.app.runtime.engine.open == 0

    run(main)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_that_nobody_goes_on_with_has_no_ending(dialect: str, stream: bool):
    async def main() -> None:
        lab = _lab((told(CHUNKS[:41], "cut"), refusal(503)), (refusal(503),))
        heard = await lab.ask(dialect, stream=stream, headers={"x-hermes-max-wait": "5"})
        assert heard.error is not None
        assert heard.finish is None
        assert TEXT.startswith(heard.text)
        if stream:
            assert heard.text == "".join(WORDS[:40])

    run(main)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_context_overflow_goes_to_the_larger_model(dialect: str, stream: bool):
    async def main() -> None:
        same = toml_of("first", "same", facts="context = 8000")
        lab = Lab(same + toml_of("large", facts="context = 200000") + _chain("first", "same", "large"))
        overflow = refusal(
            400,
            "This model's maximum context length is 8000 tokens. However, your messages resulted in 9000 tokens.",
            code="context_length_exceeded",
        )
        for name in ("first", "same"):
            lab.up.script(name, overflow)
        lab.up.script("large", well)
        heard = await lab.ask(dialect, stream=stream)
        _is_whole(heard)
        assert [asked.name for asked in lab.up.asked] == ["first", "large"]

    run(main)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_content_filter_is_returned_after_one_call(dialect: str, stream: bool):
    async def main() -> None:
        lab = _lab((FILTERED,), (well,))
        heard = await lab.ask(dialect, stream=stream)
        assert heard.status == 400
        assert heard.error is not None
        assert "content policy" in str(heard.error["message"])
        assert [asked.name for asked in lab.up.asked] == ["first"]

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_provider_down_for_a_minute_is_used_again_when_it_is_back(dialect: str):
    async def main() -> None:
        lab = _lab((), (well,))
        loop = asyncio.get_running_loop()
        lab.up.script("first", lambda asked: refusal(503) if loop.time() < 60 else well(asked))
        served = []
        while loop.time() < 80:
            heard = await lab.ask(dialect)
            _is_whole(heard)
            served.append((loop.time(), heard.headers["x-hermes-provider"]))
            await asyncio.sleep(1.0)
        assert {name for at, name in served if at < 60} == {"second"}
        back = next(at for at, name in served if name == "first")
        assert back <= 75, "a preferred provider that recovers is in use within 15 s"
        assert len(lab.up.calls("first")) < 40, "a provider that is down is not asked by every request"

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_failover_names_the_model_and_the_usage(dialect: str):
    async def main() -> None:
        lab = _lab((refusal(503),), (well,))
        more = {"stream_options": {"include_usage": True}} if dialect == "openai" else {}
        streamed_one = await lab.ask(dialect, **more)
        whole = await lab.ask(dialect, stream=False)
        for heard in (streamed_one, whole):
            assert heard.headers["x-hermes-model"] == "m"
            assert heard.headers["x-hermes-provider"] == "second"
            assert int(heard.headers["x-hermes-attempts"]) >= 1
            assert heard.model == "m"
            assert heard.usage is not None
            assert (heard.usage.get("completion_tokens") or heard.usage.get("output_tokens")) == len(TEXT) // 4

    run(main)


def _lab(first: Sequence[Entry | Callable[[Asked], Told]], second: Sequence[Entry]) -> Lab:
    lab = Lab(toml_of("first", "second", alias=True))
    lab.up.script("first", *first)
    lab.up.script("second", *second)
    return lab


def _chain(*names: str) -> str:
    listed = ", ".join(f'"{name}/m"' for name in names)
    return f"[aliases]\nchain = [{listed}]\n"


def _is_whole(heard: Heard) -> None:
    assert heard.error is None, heard.error
    assert heard.status == 200
    assert heard.text == TEXT
    assert heard.finish in ("stop", "end_turn")
