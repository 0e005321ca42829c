"""While something is held back until it is whole, the caller hears that the connection lives."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.lab import DIALECTS, Heard, Lab, toml_of
from fakes.memory_transport import refusal, streamed
from fakes.speaker import spoken
from fakes.upstream import Chunk, delta
from fakes.virtual_time import run

GO: dict[str, list[dict[str, Any]]] = {
    "openai": [{"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}],
    "anthropic": [{"name": "go", "input_schema": {"type": "object"}}],
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FORMATS: dict[str, dict[str, Any]] = {
    "openai": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
}
WORDS = '{"a": "' + "b" * 40 + '"}'
MOST_QUIET = 15.0


def slow_call(before: str) -> list[Chunk]:
    function = {"name": "go", "arguments": ""}
    head: list[Chunk] = [delta(role="assistant", content=before or None)]
    head.append(delta(tool_calls=[{"index": 0, "id": "c0", "type": "function", "function": function}]))
    pieces = ['{"a": "', *"abcdefghij", '"}']
    head += [delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in pieces]
    return [*head, delta(finish="tool_calls")]


def longest_quiet(heard: Heard) -> float:
    return max(later - sooner for sooner, later in zip([0.0, *heard.times], heard.times, strict=False))


@pytest.mark.parametrize("before", ["", "I will go."], ids=["call alone", "after some text"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_that_is_held_has_keepalives_meanwhile(dialect: str, before: str):
    async def main() -> None:
        lab = Lab(toml_of("first", alias=True))
        lab.up.script("first", streamed(slow_call(before), gap=4.0))
        heard = await lab.ask(dialect, tools=GO[dialect])
        assert (heard.text, heard.calls, heard.error) == (before, [("go", {"a": "abcdefghij"})], None)
        assert heard.took > 40
        assert longest_quiet(heard) <= MOST_QUIET

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_enforced_format_that_is_held_has_keepalives_meanwhile(dialect: str):
    async def main() -> None:
        lab = Lab(toml_of("first", alias=True).replace("json_schema = true", "json_schema = false"))
        lab.up.script("first", streamed(spoken(WORDS, [], 4), gap=4.0))
        heard = await lab.ask(dialect, **FORMATS[dialect])
        assert (heard.text, heard.error) == (WORDS, None)
        assert heard.took > 40
        assert longest_quiet(heard) <= MOST_QUIET
        assert any("structured-output=enforced" in comment for comment in heard.comments)

    run(main)


def test_who_serves_a_stream_whose_head_went_out_early_is_said_whatever_its_name():
    async def main() -> None:
        lab = Lab(toml_of("first").replace('id = "m"', 'id = "modèle"'))
        busy = refusal(429, "slow down", {"retry-after": "20"})
        lab.up.script("first", busy, streamed(spoken("Well.", [], 4)))
        heard = await lab.ask(model="auto")
        assert (heard.text, heard.error) == ("Well.", None)
        assert any("provider=first model=modèle" in comment for comment in heard.comments)

    run(main)
