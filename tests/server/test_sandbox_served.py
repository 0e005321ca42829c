"""The sandbox as a newcomer meets it: no provider, the official SDKs, tools, pictures, thinking, formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from anthropic.types import TextBlock, ToolUseBlock
from pydantic import BaseModel

from fakes.router import Router, router
from fakes.served import PNG, WAYS, Start, anthropic_tool, ask_anthropic, ask_openai, tool, user

WEATHER = tool("get_weather", city="string")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with router(tmp_path_factory.mktemp("sandbox")) as routed:
        yield routed


@pytest.mark.parametrize("way", WAYS)
def test_it_says_what_was_said_and_what_it_is(sandbox: Router, way: str):
    text = ask_openai(sandbox, way, "Hello there").choices[0].message.content or ""
    assert text.startswith("You said: Hello there")
    assert "no real model" in text
    assert "hr auth add" in text


@pytest.mark.parametrize("way", WAYS)
def test_messages_are_served_too(sandbox: Router, way: str):
    block = ask_anthropic(sandbox, way, "Hello there").content[0]
    assert isinstance(block, TextBlock)
    assert block.text.startswith("You said: Hello there")


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_a_round_trip_of_parallel_calls(sandbox: Router, way: str):
    asked = user("What is the weather in Paris and in London?")
    first = ask_openai(sandbox, way, messages=asked, tools=[WEATHER]).choices[0]
    calls: list[Any] = list(first.message.tool_calls or [])
    assert [orjson.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "London"}]
    said = [
        {"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": call.function.arguments}}
        for call in calls
    ]
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"{at} degrees"} for at, call in enumerate(calls)]
    messages = [*asked, {"role": "assistant", "tool_calls": said}, *results]
    text = ask_openai(sandbox, way, messages=messages, tools=[WEATHER]).choices[0].message.content or ""
    assert "0 degrees" in text
    assert "1 degrees" in text


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_tools_work_through_messages(sandbox: Router, way: str):
    message = ask_anthropic(
        sandbox, way, "What is the weather in Paris?", tools=[anthropic_tool("get_weather", city="string")]
    )
    assert [block.input for block in message.content if isinstance(block, ToolUseBlock)] == [{"city": "Paris"}]


class City(BaseModel):
    name: str
    people: int
    tags: list[str]


def test_a_format_that_the_sdk_can_parse(sandbox: Router):
    answer = sandbox.openai().chat.completions.parse(
        model="auto",
        messages=[{"role": "user", "content": "Tell me of Paris with 2100000 people"}],
        response_format=City,
    )
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert (parsed.name, parsed.people) == ("Paris", 2100000)


def test_a_picture_finds_the_one_who_sees(sandbox: Router):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    content = [{"type": "text", "text": "Look"}, picture]
    body = {"model": "x", "messages": [{"role": "user", "content": content}]}
    response = sandbox.post("/v1/chat/completions", body)
    assert response.headers["x-hermes-provider"] == "sandbox-strong"
    assert "1 picture" in response.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_thinking_is_shown_by_the_one_that_thinks(sandbox: Router, way: str):
    more: dict[str, Any] = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    pin = {"X-Hermes-Pin": "true"}
    message = ask_anthropic(sandbox, way, model="sandbox-thinker/thinker-1", extra_headers=pin, **more)
    assert [block.type for block in message.content] == ["thinking", "text"]


def test_a_small_limit_still_gives_an_answer_where_the_model_thinks(sandbox: Router):
    pin = {"X-Hermes-Pin": "true"}
    said: dict[str, Any] = {"model": "sandbox-thinker/thinker-1", "max_tokens": 10, "extra_headers": pin}
    assert (ask_openai(sandbox, "sync", **said).choices[0].message.content or "").startswith("You said: hi")


def test_requests_go_on_when_small_limits_are_spent(start: Start):
    sandbox = start("")
    body = {"model": "x", "messages": user("again")}
    answers = [sandbox.post("/v1/chat/completions", body) for _ in range(12)]
    assert {one.status for one in answers} == {200}
    assert len({one.headers["x-hermes-provider"] for one in answers}) >= 2
