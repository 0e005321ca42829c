"""Messages through the official SDK, in front of a strict upstream of each wire."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from anthropic import BadRequestError
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolUseBlock

from fakes.grammar import check_anthropic_stream
from fakes.router import Router
from fakes.served import ABLE, PNG, WAYS, Start, anthropic_tool, ask_anthropic, provider, schema, user
from fakes.strict import Strict
from fakes.upstream import Upstream, delta, reply, sse, text_stream

WEATHER = anthropic_tool("get_weather", city="string")
CLOCK = anthropic_tool("read_clock", zone="string", hours="integer")
THINKS = f"{ABLE}reasoning = true\n"
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture(params=["openai", "anthropic"])
def routed(request: pytest.FixtureRequest, start: Start) -> Router:
    return start(provider("mine", "m1", wire=request.param))


def refusals(up: Upstream) -> list[str]:
    assert isinstance(up.default, Strict)
    return up.default.refused


def text(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def uses(message: Message) -> list[tuple[str, object]]:
    return [(block.name, block.input) for block in message.content if isinstance(block, ToolUseBlock)]


@pytest.mark.parametrize("way", WAYS)
def test_a_text_answer(routed: Router, way: str):
    message = ask_anthropic(routed, way, "Hello there")
    assert text(message) == "Echo: Hello there"
    assert (message.stop_reason, message.model, message.role) == ("end_turn", "m1", "assistant")
    assert message.id.startswith("msg_")


@pytest.mark.parametrize("way", WAYS)
def test_usage_is_the_providers_in_the_end(routed: Router, way: str):
    usage = ask_anthropic(routed, way).usage
    assert usage.input_tokens == 11
    assert usage.output_tokens > 0


def test_a_stream_follows_the_event_order_of_the_real_api(routed: Router):
    with routed.anthropic().messages.stream(model="x", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as s:
        s.until_done()
    ((_, raw),) = routed.streams
    events = check_anthropic_stream(raw)
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    deltas = kinds.count("content_block_delta")
    begin = ["message_start", "content_block_start"]
    assert kinds == [*begin, *["content_block_delta"] * deltas, "content_block_stop", "message_delta", "message_stop"]
    assert events[0]["message"]["usage"]["input_tokens"] > 0
    assert next(event for event in events if event["type"] == "message_delta")["usage"]["input_tokens"] == 11


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]], ids=["text", "blocks"])
def test_system_reaches_the_model(routed: Router, up: Upstream, system: Any):
    ask_anthropic(routed, "sync", system=system)
    assert b"Be brief." in up.requests[0].raw
    assert refusals(up) == []


def with_results(message: Message, *results: Any) -> list[dict[str, Any]]:
    """The assistant's turn and the results of its calls, as an app sends them back."""
    calls = [block for block in message.content if isinstance(block, ToolUseBlock)]
    blocks = [
        {"type": "tool_result", "tool_use_id": call.id, "content": result}
        for call, result in zip(calls, results, strict=True)
    ]
    said = [block.model_dump(exclude_none=True) for block in message.content]
    return [{"role": "assistant", "content": said}, {"role": "user", "content": blocks}]


@pytest.mark.parametrize("way", WAYS)
def test_a_tool_round_trip(routed: Router, up: Upstream, way: str):
    first = ask_anthropic(routed, way, "weather?", tools=[WEATHER])
    assert uses(first) == [("get_weather", {"city": "some city"})]
    assert first.stop_reason == "tool_use"
    messages = [*user("weather?"), *with_results(first, "18 degrees")]
    assert text(ask_anthropic(routed, way, messages=messages, tools=[WEATHER])) == "Results: 18 degrees"
    assert refusals(up) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_round_trip_of_parallel_calls(routed: Router, up: Upstream, way: str):
    tools = [WEATHER, CLOCK]
    first = ask_anthropic(routed, way, "both?", tools=tools)
    assert [name for name, _ in uses(first)] == ["get_weather", "read_clock"]
    results = with_results(first, "one", [{"type": "text", "text": "two"}])
    second = ask_anthropic(routed, way, messages=[*user("both?"), *results], tools=tools)
    assert text(second) == "Results: one, two"
    results[-1]["content"].append({"type": "text", "text": "and now?"})
    third = ask_anthropic(routed, way, messages=[*user("both?"), *results], tools=tools, tool_choice={"type": "none"})
    assert third.stop_reason == "end_turn"
    assert refusals(up) == []


def test_a_failed_tool_is_told(routed: Router, up: Upstream):
    first = ask_anthropic(routed, "sync", "weather?", tools=[WEATHER])
    results = with_results(first, "no such city")
    results[1]["content"][0]["is_error"] = True
    ask_anthropic(routed, "sync", messages=[*user("weather?"), *results], tools=[WEATHER])
    assert b"Error: no such city" in up.requests[1].raw or b'"is_error":true' in up.requests[1].raw


CHOICES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "none": ({"type": "none"}, []),
    "auto": ({"type": "auto"}, ["get_weather", "read_clock"]),
    "any": ({"type": "any"}, ["get_weather", "read_clock"]),
    "tool": ({"type": "tool", "name": "read_clock"}, ["read_clock"]),
    "one at a time": ({"type": "auto", "disable_parallel_tool_use": True}, ["get_weather"]),
}


@pytest.mark.parametrize("choice, names", CHOICES.values(), ids=CHOICES.keys())
def test_tool_choice(routed: Router, up: Upstream, choice: dict[str, Any], names: list[str]):
    message = ask_anthropic(routed, "sync", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [name for name, _ in uses(message)] == names
    assert refusals(up) == []


@pytest.mark.parametrize("source", ["base64", "url"])
def test_a_picture(routed: Router, up: Upstream, source: str):
    sources = {
        "base64": {"type": "base64", "media_type": "image/png", "data": PNG},
        "url": {"type": "url", "url": "https://example.com/a.png"},
    }
    content = [{"type": "text", "text": "look"}, {"type": "image", "source": sources[source]}]
    message = ask_anthropic(routed, "sync", messages=[{"role": "user", "content": content}])
    assert text(message) == "Echo: look (1 attached)"
    assert refusals(up) == []


def test_a_picture_in_a_result_reaches_the_model(routed: Router, up: Upstream):
    first = ask_anthropic(routed, "sync", "weather?", tools=[WEATHER])
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [*user("weather?"), *with_results(first, [picture])]
    ask_anthropic(routed, "sync", messages=messages, tools=[WEATHER])
    assert PNG.encode() in up.requests[1].raw
    assert refusals(up) == []


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_document(start: Start, up: Upstream, wire: str):
    routed = start(provider("mine", wire=wire, facts=f"{ABLE}documents = true\n"))
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    content = [{"type": "document", "source": source}, {"type": "text", "text": "read"}]
    message = ask_anthropic(routed, "sync", messages=[{"role": "user", "content": content}])
    assert text(message) == "Echo: read (1 attached)"
    assert refusals(up) == []


def test_a_document_that_nobody_takes_is_refused_by_name(start: Start, up: Upstream):
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    routed = start(provider("mine", facts=f"{ABLE}documents = false\n"))
    with pytest.raises(BadRequestError, match="documents"):
        ask_anthropic(routed, "sync", messages=[{"role": "user", "content": [{"type": "document", "source": source}]}])
    assert up.requests == []


@pytest.mark.parametrize("way", WAYS)
def test_a_cut_answer(routed: Router, way: str):
    message = ask_anthropic(routed, way, "one two three four", max_tokens=3)
    assert (text(message), message.stop_reason) == ("Echo: one two", "max_tokens")


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_a_stop_sequence_is_named(start: Start, way: str):
    routed = start(provider("mine", wire="anthropic"))
    message = ask_anthropic(routed, way, "one two three", stop_sequences=["zzz", "two"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "two")


def test_knobs_reach_a_provider_that_takes_them(start: Start, up: Upstream):
    knobs = {"temperature": 0.5, "top_k": 5, "metadata": {"user_id": "u-1"}, "stop_sequences": ["zzz"]}
    # The SDK marks the sampling knobs as deprecated for some models; they are part of the API all the same.
    start(provider("mine", wire="anthropic")).post(
        "/v1/messages", {"model": "x", "max_tokens": 9, "messages": user("hi"), **knobs}
    )
    assert knobs.items() <= up.requests[0].body.items()


@pytest.mark.parametrize("way", WAYS)
def test_thinking_comes_back_signed_and_goes_back(start: Start, up: Upstream, way: str):
    routed = start(provider("mine", wire="anthropic", facts=THINKS))
    more: dict[str, Any] = {"max_tokens": 4000, "thinking": THINKING, "tools": [WEATHER]}
    first = ask_anthropic(routed, way, "weather?", **more)
    thought = first.content[0]
    assert isinstance(thought, ThinkingBlock)
    assert (thought.thinking, thought.signature) == ("Let me see.", "sig-1")
    second = ask_anthropic(routed, way, messages=[*user("weather?"), *with_results(first, "18")], **more)
    assert text(second) == "Results: 18"
    sent = up.requests[1].body["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["thinking", "tool_use"]
    assert refusals(up) == []


def test_lost_thinking_is_put_back(start: Start, up: Upstream):
    routed = start(provider("mine", wire="anthropic", facts=THINKS))
    more: dict[str, Any] = {"max_tokens": 4000, "thinking": THINKING, "tools": [WEATHER]}
    first = ask_anthropic(routed, "sync", "weather?", **more)
    turns = with_results(first, "18")
    turns[0]["content"] = [block for block in turns[0]["content"] if block["type"] == "tool_use"]
    ask_anthropic(routed, "sync", messages=[*user("weather?"), *turns], **more)
    assert up.requests[1].body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "Let me see.",
        "signature": "sig-1",
    }


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_another_providers_thinking_is_a_block_where_it_was_asked_for(start: Start, way: str):
    routed = start(provider("thinker", facts=THINKS))
    message = ask_anthropic(routed, way, max_tokens=4000, thinking=THINKING)
    assert [block.type for block in message.content] == ["thinking", "text"]


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_thinking_is_kept_back_where_it_was_not_asked_for(start: Start, way: str):
    message = ask_anthropic(start(provider("thinker", facts=THINKS)), way)
    assert [block.type for block in message.content] == ["text"]


def test_a_foreign_thinking_block_does_not_reach_an_anthropic_provider(start: Start, up: Upstream):
    routed = start(provider("mine", wire="anthropic", facts=THINKS))
    foreign = [{"type": "thinking", "thinking": "hm", "signature": "of-somebody-else"}, {"type": "text", "text": "yes"}]
    ask_anthropic(routed, "sync", messages=[*user("a"), {"role": "assistant", "content": foreign}, *user("b")])
    assert b"of-somebody-else" not in up.requests[0].raw
    assert refusals(up) == []


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_a_json_schema(routed: Router, up: Upstream, way: str):
    wanted = {"format": {"type": "json_schema", "schema": schema(city="string", degrees="integer")}}
    message = ask_anthropic(routed, way, output_config=wanted)
    assert orjson.loads(text(message)) == {"city": "some city", "degrees": 7}
    assert refusals(up) == []


def test_mistrals_ids_are_mapped_there_and_back(start: Start, up: Upstream):
    routed = start(provider("mistral", "ministral-14b-latest"))
    use = {"type": "tool_use", "id": "toolu_01abc", "name": "get_weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01abc", "content": "18 degrees"}
    messages = [*user("weather?"), {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    assert text(ask_anthropic(routed, "sync", messages=messages, tools=[WEATHER])) == "Results: 18 degrees"
    assert refusals(up) == []


def test_mistral_takes_what_the_user_says_after_a_result(start: Start, up: Upstream):
    routed = start(provider("mistral", "ministral-14b-latest"))
    use = {"type": "tool_use", "id": "toolu_01abc", "name": "get_weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01abc", "content": "18 degrees"}
    said = [result, {"type": "text", "text": "and tomorrow?"}]
    messages = [*user("weather?"), {"role": "assistant", "content": [use]}, {"role": "user", "content": said}]
    assert "and tomorrow?" in text(ask_anthropic(routed, "sync", messages=messages))
    assert refusals(up) == []


def test_pings_and_comments_of_a_provider_are_no_content(start: Start, up: Upstream):
    up.script(sse([b": waiting\n\n", *text_stream("one ", "two"), b": bye\n\n"]))
    assert text(ask_anthropic(start(provider("mine")), "stream")) == "one two"


def test_text_before_a_call_is_a_block_of_its_own(start: Start, up: Upstream):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    up.script(sse([delta("Let me look.", role="assistant"), delta(tool_calls=[call]), delta(finish="tool_calls")]))
    message = ask_anthropic(start(provider("mine")), "stream", tools=[anthropic_tool("get_weather")])
    assert [block.type for block in message.content] == ["text", "tool_use"]


def test_a_withheld_answer_is_a_refusal(start: Start, up: Upstream):
    answer: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m1",
        "stop_sequence": None,
    }
    answer |= {"content": [{"type": "text", "text": "I"}], "stop_reason": "refusal"}
    up.script(reply(answer | {"usage": {"input_tokens": 3, "output_tokens": 1}}))
    assert ask_anthropic(start(provider("mine", wire="anthropic")), "sync", max_tokens=16).stop_reason == "refusal"
