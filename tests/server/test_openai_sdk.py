"""Chat Completions through the official SDK, in front of a strict upstream of each wire."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai import BadRequestError
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from fakes.router import Router
from fakes.served import ABLE, PNG, WAYS, Start, ask_openai, provider, tool, user
from fakes.strict import Strict
from fakes.upstream import Upstream, completion, delta, reply, sse, text_stream

WEATHER = tool("get_weather", city="string")
CLOCK = tool("read_clock", zone="string", hours="integer")


@pytest.fixture(params=["openai", "anthropic"])
def routed(request: pytest.FixtureRequest, start: Start) -> Router:
    return start(provider("mine", "m1", wire=request.param))


def refusals(up: Upstream) -> list[str]:
    assert isinstance(up.default, Strict)
    return up.default.refused


@pytest.mark.parametrize("way", WAYS)
def test_a_text_answer(routed: Router, way: str):
    answer = ask_openai(routed, way, "Hello there")
    assert answer.choices[0].message.content == "Echo: Hello there"
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", "m1")
    assert answer.id.startswith("chatcmpl-")


@pytest.mark.parametrize("way", ["sync", "async"])
def test_usage_is_the_providers(routed: Router, way: str):
    usage = ask_openai(routed, way).usage
    assert usage is not None
    assert usage.prompt_tokens == 11
    assert usage.total_tokens == 11 + usage.completion_tokens > 11


@pytest.mark.parametrize("way", ["stream", "async stream"])
def test_a_stream_has_usage_where_it_is_asked_for(routed: Router, way: str):
    usage = ask_openai(routed, way, stream_options={"include_usage": True}).usage
    assert usage is not None
    assert usage.prompt_tokens == 11


def test_a_stream_has_no_usage_where_it_is_not_asked_for(routed: Router):
    assert ask_openai(routed, "stream").usage is None


def test_system_and_developer_messages_reach_the_model(routed: Router, up: Upstream):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        *user("hi"),
        {"role": "assistant", "content": "hello"},
        *user("again"),
    ]
    assert ask_openai(routed, "sync", messages=messages).choices[0].message.content == "Echo: again"
    assert b"Be brief." in up.requests[-1].raw
    assert b"Be kind." in up.requests[-1].raw


def answered(answer: ChatCompletion, *results: str) -> list[dict[str, Any]]:
    """The assistant's turn and the results of its calls, as an app sends them back."""
    message = answer.choices[0].message
    said = message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    for call in said["tool_calls"]:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    pairs = zip(said["tool_calls"], results, strict=True)
    return [said, *({"role": "tool", "tool_call_id": call["id"], "content": result} for call, result in pairs)]


@pytest.mark.parametrize("way", WAYS)
def test_a_tool_round_trip(routed: Router, up: Upstream, way: str):
    first = ask_openai(routed, way, "weather?", tools=[WEATHER])
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    assert [(one.type, one.function.name) for one in calls if one.type == "function"] == [("function", "get_weather")]
    assert calls[0].type == "function"
    assert orjson.loads(calls[0].function.arguments) == {"city": "some city"}
    assert first.choices[0].finish_reason == "tool_calls"
    messages = [*user("weather?"), *answered(first, "18 degrees")]
    second = ask_openai(routed, way, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == "Results: 18 degrees"
    assert refusals(up) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_round_trip_of_parallel_calls(routed: Router, up: Upstream, way: str):
    tools = [WEATHER, CLOCK]
    first = ask_openai(routed, way, "both?", tools=tools)
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    assert len({call.id for call in calls}) == 2
    second = ask_openai(routed, way, messages=[*user("both?"), *answered(first, "one", "two")], tools=tools)
    assert second.choices[0].message.content == "Results: one, two"
    third_turn = [*user("both?"), *answered(first, "one", "two"), {"role": "assistant", "content": "ok"}, *user("bye")]
    third = ask_openai(routed, way, messages=third_turn, tools=tools, tool_choice="none")
    assert third.choices[0].message.content == "Echo: bye"
    assert refusals(up) == []


CHOICES: dict[str, tuple[object, list[str]]] = {
    "none": ("none", []),
    "auto": ("auto", ["get_weather", "read_clock"]),
    "required": ("required", ["get_weather", "read_clock"]),
    "named": ({"type": "function", "function": {"name": "read_clock"}}, ["read_clock"]),
}


@pytest.mark.parametrize("choice, names", CHOICES.values(), ids=CHOICES.keys())
def test_tool_choice(routed: Router, up: Upstream, choice: object, names: list[str]):
    answer = ask_openai(routed, "sync", tools=[WEATHER, CLOCK], tool_choice=choice)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == names
    assert refusals(up) == []


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_parallel_calls_can_be_forbidden(routed: Router, way: str):
    answer = ask_openai(routed, way, tools=[WEATHER, CLOCK], parallel_tool_calls=False)
    assert len(answer.choices[0].message.tool_calls or []) == 1


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_json_schema_gives_what_the_sdk_can_parse(routed: Router, up: Upstream, way: str):
    if way == "sync":
        parsed = routed.openai().chat.completions.parse(
            model="auto", messages=[{"role": "user", "content": "hi"}], response_format=Weather
        )
    else:
        with routed.openai().chat.completions.stream(
            model="auto", messages=[{"role": "user", "content": "hi"}], response_format=Weather
        ) as stream:
            parsed = stream.get_final_completion()
    assert parsed.choices[0].message.parsed == Weather(city="some city", degrees=7)
    assert refusals(up) == []


def test_json_object(start: Start):
    answer = ask_openai(start(provider("mine")), "sync", response_format={"type": "json_object"})
    assert orjson.loads(answer.choices[0].message.content or "") == {"echo": True}


@pytest.mark.parametrize("url", ["https://example.com/a.png", f"data:image/png;base64,{PNG}"], ids=["url", "data"])
def test_a_picture(routed: Router, up: Upstream, url: str):
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = ask_openai(routed, "sync", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "Echo: look (1 attached)"
    assert refusals(up) == []


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("way", ["sync", "stream"])
def test_an_answer_cut_by_its_limit_says_so(routed: Router, way: str, field: str):
    # With the SDK's stream helper a cut answer raises, so the plain stream is read here.
    said = {"model": "auto", "messages": user("one two three four"), field: 3, "stream": way == "stream"}
    response = routed.post("/v1/chat/completions", said)
    assert b"length" in response.body
    assert b"four" not in response.body


@pytest.mark.parametrize("stop", ["two", ["two", "zzz"]], ids=["text", "list"])
def test_stop(routed: Router, stop: str | list[str]):
    answer = ask_openai(routed, "sync", "one two three", stop=stop)
    assert answer.choices[0].message.content == "Echo: one "
    assert answer.choices[0].finish_reason == "stop"


def test_knobs_and_unknown_fields_reach_a_provider_that_takes_them(start: Start, up: Upstream):
    up.script(reply(completion()))
    knobs: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "presence_penalty": 0.1, "user": "u-1"}
    knobs |= {"frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 2, "logit_bias": {"50256": -100}}
    ask_openai(start(provider("mine")), "sync", **knobs, extra_body={"safe_mode": True})
    assert knobs.items() <= up.requests[0].body.items()
    assert up.requests[0].body["safe_mode"] is True


def test_logprobs_come_back(start: Start, up: Upstream):
    token = {"token": "fine", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    answer = completion()
    answer["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    up.script(reply(answer))
    choice = ask_openai(start(provider("mine")), "sync", logprobs=True).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert choice.logprobs.content[0].token == "fine"


def test_one_field_that_is_refused_is_left_out_from_then_on(start: Start, up: Upstream):
    routed = start(provider("mine"))
    assert ask_openai(routed, "sync", extra_body={"odd": 1}).choices[0].message.content == "Echo: hi"
    assert ask_openai(routed, "sync", extra_body={"odd": 1}).choices[0].message.content == "Echo: hi"
    assert len(refusals(up)) == 1


THINKS = f"{ABLE}reasoning = true\n"


@pytest.mark.parametrize("way", WAYS)
def test_thinking_is_given_as_reasoning_content(start: Start, way: str):
    answer = ask_openai(start(provider("thinker", facts=THINKS)), way)
    message = answer.choices[0].message
    assert message.content == "Echo: hi"
    assert message.model_dump()["reasoning_content"] == "Let me see."


def test_a_small_limit_leaves_a_reasoning_model_room_to_think(start: Start, up: Upstream):
    ask_openai(start(provider("thinker", facts=THINKS)), "sync", max_tokens=20)
    assert up.requests[0].body["max_tokens"] == 20 + 4096


def test_reasoning_can_be_left_out(start: Start):
    routed = start(provider("thinker", facts=THINKS))
    answer = ask_openai(routed, "sync", extra_body={"include_reasoning": False})
    assert "reasoning_content" not in answer.choices[0].message.model_dump()


def test_mistrals_ids_are_mapped_there_and_back(start: Start, up: Upstream):
    other = start(provider("mistral", "ministral-14b-latest"))
    calls = [{"id": "call_from_elsewhere-1", "type": "function", "function": {"name": "get_weather"}}]
    calls[0]["function"] |= {"arguments": '{"city":"Paris"}'}  # type: ignore[operator]
    messages = [
        *user("weather?"),
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_from_elsewhere-1", "content": "18 degrees"},
    ]
    answer = ask_openai(other, "sync", messages=messages, tools=[WEATHER], seed=3, metadata={"a": "b"})
    assert answer.choices[0].message.content == "Results: 18 degrees"
    assert up.requests[0].body["random_seed"] == 3
    assert refusals(up) == []


def test_geminis_refused_schema_words_stay_away(start: Start, up: Upstream):
    answer = ask_openai(start(provider("gemini", "gemini-3.5-flash-lite")), "sync", tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert refusals(up) == []


def test_audio_is_passed_where_a_model_takes_it(start: Start, up: Upstream):
    content = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    ask_openai(
        start(provider("mine", facts=f"{ABLE}audio = true\n")), "sync", messages=[{"role": "user", "content": content}]
    )
    assert up.requests[0].body["messages"][0]["content"] == content


def test_content_that_nobody_takes_is_refused_by_name(start: Start, up: Upstream):
    content = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    routed = start(provider("mine", facts=f"{ABLE}audio = false\n"))
    with pytest.raises(BadRequestError, match="audio"):
        ask_openai(routed, "sync", messages=[{"role": "user", "content": content}])
    assert up.requests == []


def test_the_deprecated_functions_are_answered_in_kind(start: Start):
    functions = [WEATHER["function"]]
    answer = ask_openai(start(provider("mine")), "sync", functions=functions)
    call = answer.choices[0].message.function_call
    assert call is not None
    assert (call.name, answer.choices[0].finish_reason) == ("get_weather", "function_call")


def test_a_stream_arrives_piece_by_piece(start: Start, up: Upstream):
    up.script(sse(text_stream("one ", "two ", "three"), gap=0.02))
    client: Any = start(provider("mine")).openai()
    chunks = client.chat.completions.create(model="x", messages=user("hi"), stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [piece for piece in pieces if piece] == ["one ", "two ", "three"]


def test_headers_say_who_served(start: Start):
    routed = start(provider("mine"))
    response = routed.openai().chat.completions.with_raw_response.create(model="x", messages=user("hi"))  # type: ignore[arg-type]
    assert response.headers["x-hermes-provider"] == "mine"
    assert response.headers["x-hermes-model"] == "m1"
    assert response.headers["x-hermes-attempts"] == "1"
    assert response.headers["x-hermes-request-id"].startswith("req_")


def test_a_refusal_comes_back_as_one(start: Start, up: Upstream):
    up.script(sse([delta(role="assistant"), delta(refusal="I will not."), delta(finish="stop")]))
    answer = ask_openai(start(provider("mine")), "stream")
    assert answer.choices[0].message.refusal == "I will not."
