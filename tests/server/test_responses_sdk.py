"""Responses through the official SDK, in front of a strict upstream of each wire."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import orjson
import pytest
from openai import BadRequestError, NotFoundError
from openai.types.responses import Response
from pydantic import BaseModel

from fakes.router import Router
from fakes.served import ABLE, PNG, WAYS, Start, provider, schema
from fakes.strict import Strict
from fakes.upstream import Upstream, completion, delta, reply, sse, text_stream

WEATHER = {"type": "function", "name": "get_weather", "description": "w", "parameters": schema(city="string")}
CLOCK = {"type": "function", "name": "read_clock", "description": "c", "parameters": schema(zone="string")}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": {"type": "text"}}


@pytest.fixture(params=["openai", "anthropic"])
def routed(request: pytest.FixtureRequest, start: Start) -> Router:
    return start(provider("mine", "m1", wire=request.param))


@pytest.fixture
def plain(start: Start) -> Router:
    return start(provider("mine", "m1"))


def ask(router: Router, way: str = "sync", input: Any = "hi", **more: Any) -> Response:  # noqa: A002
    """``responses`` in one of ``WAYS``."""
    said: dict[str, Any] = {"model": "auto", "input": input} | more
    if way == "sync":
        answer: Response = router.openai().responses.create(**said)
        return answer
    if way == "stream":
        with router.openai().responses.stream(**said) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()
    return asyncio.run(_ask(router, way, said))


async def _ask(router: Router, way: str, said: dict[str, Any]) -> Response:
    async with router.async_openai() as client:
        if way == "async":
            answer: Response = await client.responses.create(**said)
            return answer
        async with client.responses.stream(**said) as stream:
            return await stream.get_final_response()


def sent_back(response: Response) -> list[dict[str, Any]]:
    """The output as an app sends it back."""
    drop = {"parsed_arguments", "parsed"}
    items = [item.model_dump(exclude_none=True, mode="json") for item in response.output]
    for item in items:
        for table in (item, *item.get("content", ())):
            for name in drop & table.keys():
                del table[name]
    return items


def calls(response: Response) -> list[tuple[str, str]]:
    return [(item.call_id, item.name) for item in response.output if item.type == "function_call"]


def result(call_id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def no_refusals(up: Upstream) -> bool:
    assert isinstance(up.default, Strict)
    return up.default.refused == []


@pytest.mark.parametrize("way", WAYS)
def test_a_text_answer(routed: Router, way: str):
    answer = ask(routed, way, "Hello there", instructions="Be brief.")
    assert answer.output_text == "Echo: Hello there"
    assert (answer.status, answer.model, answer.instructions) == ("completed", "m1", "Be brief.")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@pytest.mark.parametrize("way", WAYS)
def test_a_round_trip_with_a_call(routed: Router, up: Upstream, way: str):
    first = ask(routed, way, "weather in Rome", tools=[WEATHER], tool_choice="required")
    ((call_id, name),) = calls(first)
    assert name == "get_weather"
    history = [{"role": "user", "content": "weather in Rome"}, *sent_back(first), result(call_id, "sunny")]
    second = ask(routed, way, history, tools=[WEATHER])
    assert second.output_text
    assert b"sunny" in up.requests[-1].raw
    assert no_refusals(up)


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_a_round_trip_with_parallel_calls(plain: Router, up: Upstream, way: str):
    made = [
        {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate([("get_weather", '{"city":"Rome"}'), ("read_clock", '{"zone":"CET"}')])
    ]
    if way == "sync":
        up.script(reply(completion(None, "tool_calls", tool_calls=made)))
    else:
        up.script(sse([delta(role="assistant"), delta(tool_calls=made), delta(finish="tool_calls")]))
    first = ask(plain, way, "both", tools=[WEATHER, CLOCK])
    assert calls(first) == [("call_0", "get_weather"), ("call_1", "read_clock")]
    history = [*sent_back(first), result("call_1", "noon"), result("call_0", [{"type": "input_text", "text": "sun"}])]
    ask(plain, way, [{"role": "user", "content": "both"}, *history], tools=[WEATHER, CLOCK])
    tools = [message["content"] for message in up.requests[-1].body["messages"] if message["role"] == "tool"]
    assert tools == ["sun", "noon"]
    assert no_refusals(up)


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_a_custom_tool_there_and_back(plain: Router, up: Upstream, way: str):
    text = '*** Begin Patch\n"x"\n'
    arguments = orjson.dumps({"input": text}).decode()
    call = {"index": 0, "id": "call_p", "type": "function", "function": {"name": "apply_patch", "arguments": arguments}}
    if way == "sync":
        up.script(reply(completion(None, "tool_calls", tool_calls=[call])))
    else:
        up.script(sse([delta(role="assistant"), delta(tool_calls=[call]), delta(finish="tool_calls")]))
    first = ask(plain, way, "patch it", tools=[PATCH, WEATHER])
    (item,) = first.output
    assert item.type == "custom_tool_call"
    assert (item.name, item.input, item.call_id) == ("apply_patch", text, "call_p")
    done = {"type": "custom_tool_call_output", "call_id": "call_p", "output": "patched"}
    ask(plain, way, [{"role": "user", "content": "patch it"}, *sent_back(first), done], tools=[PATCH, WEATHER])
    sent = up.requests[-1].body["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "apply_patch", "arguments": arguments}
    assert sent[2]["content"] == "patched"
    assert no_refusals(up)


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_of_previous_responses(routed: Router, up: Upstream, way: str):
    first = ask(routed, way, "one", instructions="First rules.")
    second = ask(routed, way, "two", previous_response_id=first.id)
    third = ask(routed, way, "three", previous_response_id=second.id, instructions="Third rules.")
    assert third.previous_response_id == second.id
    raw = up.requests[-1].raw
    assert all(said in raw for said in (b"one", b"Echo: one", b"two", b"Echo: two", b"three", b"Third rules."))
    assert b"First rules." not in raw
    assert no_refusals(up)


def test_a_result_may_follow_its_call_by_previous_response(routed: Router, up: Upstream):
    first = ask(routed, "sync", "weather", tools=[WEATHER], tool_choice="required")
    ((call_id, _),) = calls(first)
    ask(routed, "sync", [result(call_id, "sunny")], previous_response_id=first.id, tools=[WEATHER])
    assert b"sunny" in up.requests[-1].raw
    assert no_refusals(up)


def test_what_was_not_stored_cannot_be_gone_on_with(plain: Router):
    first = ask(plain, "sync", store=False)
    with pytest.raises(BadRequestError) as caught:
        ask(plain, "sync", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"
    with pytest.raises(NotFoundError):
        plain.openai().responses.retrieve(first.id)


def test_a_response_is_read_listed_and_deleted(plain: Router):
    client = plain.openai()
    first = ask(plain, "stream", "one")
    assert client.responses.retrieve(first.id).output_text == "Echo: one"
    items = client.responses.input_items.list(first.id)
    assert [item.type for item in items] == ["message"]
    client.responses.delete(first.id)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(first.id)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=101", "after=in_nothing"])
def test_a_page_that_cannot_be_is_refused(plain: Router, query: str):
    answer = ask(plain, "sync")
    reply = plain.raw("GET", f"/v1/responses/{answer.id}/input_items?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, query.partition("=")[0])


def test_a_kept_response_is_not_streamed_again(plain: Router):
    answer = ask(plain, "sync")
    reply = plain.raw("GET", f"/v1/responses/{answer.id}?stream=true")
    assert (reply.status, reply.json["error"]["param"]) == (400, "stream")


def test_the_same_key_in_another_header_is_the_same_caller(plain: Router):
    answer = ask(plain, "sync")
    reply = plain.raw("GET", f"/v1/responses/{answer.id}", None, {"x-api-key": "sk-router-1"}, key=None)
    assert reply.json["id"] == answer.id


def test_input_items_come_in_pages(plain: Router):
    said = [{"role": "user", "content": text} for text in ("a", "b", "c")]
    answer = ask(plain, "sync", said)
    listed = plain.openai().responses.input_items.list(answer.id, limit=2, order="asc")
    assert listed.has_more
    contents = [orjson.loads(item.model_dump_json(exclude_none=True))["content"] for item in listed]
    assert contents == [[{"text": text, "type": "input_text"}] for text in ("a", "b", "c")]


def test_another_callers_response_is_not_there(start: Start):
    keys = {"PROXY_API_KEYS": "sk-one-same,sk-two-same"}
    router = start(provider("mine", "m1"), env=keys)
    first = router.openai("sk-one-same").responses.create(model="auto", input="secret")
    other = router.openai("sk-two-same")
    with pytest.raises(NotFoundError):
        other.responses.retrieve(first.id)
    with pytest.raises(BadRequestError):
        other.responses.create(model="auto", input="what?", previous_response_id=first.id)


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("POST", "/v1/responses/resp_1", 405),
        ("GET", "/v1/responses", 405),
        ("GET", "/v1/responses/resp_1", 404),
        ("GET", "/v1/responses/resp_1/dance", 404),
        ("DELETE", "/v1/responses/resp_1", 404),
        ("DELETE", "/v1/responses/resp_1/input_items", 404),
    ],
)
def test_paths_and_methods_that_are_not_there(plain: Router, method: str, path: str, status: int):
    answer = plain.raw(method, path)
    assert answer.status == status
    assert answer.json["error"]["message"]


def test_a_header_names_what_is_left_out(plain: Router):
    body = {"model": "auto", "input": "hi", "tools": [WEATHER, {"type": "web_search"}]}
    assert plain.post("/v1/responses", body).headers["x-hermes-dropped"] == "tool web_search"
    assert "x-hermes-dropped" not in plain.post("/v1/responses", {"model": "auto", "input": "hi"}).headers


def test_a_hosted_tool_alone_is_refused(plain: Router):
    with pytest.raises(BadRequestError, match="OpenAI's own servers"):
        ask(plain, "sync", tools=[{"type": "web_search"}])


@pytest.mark.parametrize("way", WAYS)
def test_pictures_reach_the_model(routed: Router, up: Upstream, way: str):
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]
    ask(routed, way, [{"role": "user", "content": parts}])
    assert PNG.encode() in up.requests[-1].raw
    assert no_refusals(up)


class Town(BaseModel):
    name: str


def test_structured_output_is_parsed(plain: Router, up: Upstream):
    up.script(reply(completion('{"name":"Rome"}')))
    answer = plain.openai().responses.parse(model="auto", input="a town", text_format=Town)
    assert answer.output_parsed == Town(name="Rome")
    assert up.requests[-1].body["response_format"]["json_schema"]["name"] == "Town"


REASONS = ABLE + "reasoning = true\n"


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_reasoning_goes_out_as_a_summary_and_comes_back_to_its_maker(start: Start, up: Upstream, way: str):
    quirks = "[providers.mine.quirks]\nreplay = 'reasoning_content'\n"
    router = start(provider("mine", "m1", facts=REASONS) + quirks)
    if way == "sync":
        up.script(reply(completion("Four.", reasoning_content="2 and 2")))
    else:
        up.script(sse([delta(role="assistant"), delta(reasoning_content="2 and 2"), *text_stream("Four.")[1:]]))
    first = ask(
        router, way, "2+2?", store=False, reasoning={"summary": "auto"}, include=["reasoning.encrypted_content"]
    )
    thought, message = first.output
    assert thought.type == "reasoning"
    assert [part.text for part in thought.summary] == ["2 and 2"]
    assert (first.output_text, message.type) == ("Four.", "message")
    history = [{"role": "user", "content": "2+2?"}, *sent_back(first), {"role": "user", "content": "and 3?"}]
    elsewhere = start(provider("mine", "m1", facts=REASONS) + quirks)  # nothing but the items can tell
    ask(elsewhere, way, history)
    assert up.requests[-1].body["messages"][1]["reasoning_content"] == "2 and 2"


def test_a_stream_that_breaks_off_raises(plain: Router, up: Upstream):
    up.script(sse(text_stream("one ", "two")[:3], then="cut"), for_ever=True)
    with pytest.raises(openai.APIError):
        ask(plain, "stream")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_at_its_limit_is_incomplete(plain: Router, up: Upstream, stream: bool):
    up.script(sse(text_stream("one", finish="length")) if stream else reply(completion("one", "length")))
    client = plain.openai()
    if stream:
        *_, last = client.responses.create(model="auto", input="count", max_output_tokens=16, stream=True)
        assert last.type == "response.incomplete"
        answer = last.response
    else:
        answer = client.responses.create(model="auto", input="count", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_errors_are_the_sdks_own(plain: Router):
    with pytest.raises(openai.AuthenticationError):
        plain.openai("sk-wrong").responses.create(model="auto", input="hi")
    with pytest.raises(BadRequestError) as caught:
        ask(plain, "sync", [{"type": "dance"}])
    assert caught.value.param == "input[0].type"
