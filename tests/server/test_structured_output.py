"""Formats for the answer: native where a provider has them, told in words and checked where none has."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fakes.router import Reply, Router
from fakes.served import Start, provider, schema, tool, user
from fakes.strict import Strict
from fakes.upstream import Step, Upstream, completion, error, reply, text_stream
from fakes.upstream import sse as stream_of

ABLE = "tools = true\njson_schema = true\n"
UNABLE = "tools = true\njson_schema = false\n"
UNKNOWN = "tools = true\n"
CITY: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "city", "schema": schema(city="string", people="integer")},
}
OBJECT = {"type": "json_object"}
GOOD = '{"city":"Lyon","people":500000}'
HEADER = "x-hermes-structured-output"


def ask(routed: Router, wanted: dict[str, Any] = CITY, **more: Any) -> Reply:
    return routed.post(
        "/v1/chat/completions", {"model": "auto", "messages": user("A city?"), "response_format": wanted} | more
    )


def content(answer: Reply) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json["choices"][0]["message"]["content"])


def streamed(answer: Reply) -> str:
    assert answer.status == 200, answer.body
    frames = [orjson.loads(line[6:]) for line in answer.body.splitlines() if line[:7] == b"data: {"]
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in frames if one["choices"])


def system_prompt(body: dict[str, Any]) -> str:
    said = body.get("system") or next(one["content"] for one in body["messages"] if one["role"] == "system")
    return said if isinstance(said, str) else " ".join(block["text"] for block in said)


def test_a_deployment_that_has_the_format_gets_it_as_its_own(up: Upstream, start: Start):
    answer = ask(start(provider("mine", facts=ABLE)))
    assert orjson.loads(content(answer)).keys() == {"city", "people"}
    assert answer.headers[HEADER] == "native"
    assert up.requests[-1].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("other", [UNABLE, UNKNOWN], ids=["unable", "unknown"])
def test_those_that_have_the_format_come_first(up: Upstream, start: Start, other: str):
    cheaper = f"{other}tier = 1\nprice = [0.0, 0.0]\n"
    dearer = f"{ABLE}tier = 4\nprice = [9.0, 9.0]\n"
    ask(start(provider("aaa", facts=cheaper) + provider("zzz", facts=dearer)))
    assert up.requests[0].path.startswith("/zzz/")


def whole(text: str, stream: bool) -> Step:
    """An answer of the OpenAI wire."""
    return stream_of(text_stream(*text.partition(" "))) if stream else reply(completion(text))


def message(text: str) -> Step:
    """An answer of the Anthropic wire."""
    body = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": {"input_tokens": 3}}
    return reply({"id": "msg_up", "type": "message", "role": "assistant", "model": "up", **body})


@pytest.mark.parametrize("wanted", [CITY, OBJECT], ids=["schema", "object"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_where_none_has_it_the_format_is_told_in_words(up: Upstream, start: Start, wanted: Any, stream: bool):
    routed = start(provider("mine", wire="anthropic", facts=UNABLE))
    up.script(message(f"Here you are: {GOOD}. Anything else?"))
    answer = ask(routed, wanted, stream=stream)
    assert (streamed if stream else content)(answer) == GOOD
    assert answer.headers[HEADER] == "enforced"
    (seen,) = up.requests
    assert "output_config" not in seen.body
    assert ('"people"' in system_prompt(seen.body)) == (wanted is CITY)
    assert "JSON" in system_prompt(seen.body)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_that_does_not_fit_is_asked_for_once_more(up: Upstream, start: Start, stream: bool):
    routed = start(provider("mine", facts=UNABLE))
    up.script(whole('{"city": "Lyon"}', stream), whole(GOOD, stream))
    answer = ask(routed, stream=stream)
    assert (streamed if stream else content)(answer) == GOOD
    assert (answer.headers[HEADER], answer.headers["x-hermes-attempts"]) == ("enforced", "2")
    *_, wrong, complaint = up.requests[1].body["messages"]
    assert (wrong["role"], wrong["content"]) == ("assistant", '{"city": "Lyon"}')
    assert "people" in complaint["content"]
    assert isinstance(up.default, Strict)
    assert up.default.refused == []


def test_the_repair_may_be_another_deployments(up: Upstream, start: Start):
    routed = start(provider("one", facts=UNABLE) + provider("two", facts=UNABLE))
    up.script(reply(completion("no JSON at all")))
    up.script(error(500), error(500), error(500), path="/one/")
    up.script(reply(completion(GOOD)), path="/two/")
    assert content(ask(routed)) == GOOD
    assert up.requests[-1].body["messages"][-2]["content"] == "no JSON at all"


def test_one_repair_and_no_more(up: Upstream, start: Start):
    routed = start(provider("mine", facts=UNABLE), env={"MAX_WAIT_SECONDS": "0"})
    up.script(reply(completion("never")), for_ever=True)
    answer = ask(routed)
    assert answer.status == 503
    assert len(up.requests) == 2


def test_nothing_is_sent_of_a_streamed_answer_that_does_not_fit(up: Upstream, start: Start):
    routed = start(provider("mine", facts=UNABLE), env={"MAX_WAIT_SECONDS": "0"})
    up.script(whole("never", stream=True), for_ever=True)
    assert ask(routed, stream=True).status == 503


def test_tools_may_be_called_instead(up: Upstream, start: Start):
    routed = start(provider("mine", facts=UNABLE))
    answer = ask(routed, tools=[tool("get_weather", city="string")])
    assert answer.json["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert "instead of calling a tool" in system_prompt(up.requests[0].body)


@pytest.mark.parametrize("status", [400, 422])
def test_a_provider_that_turns_out_to_lack_it_is_told_in_words(up: Upstream, start: Start, status: int):
    routed = start(provider("mine", facts=UNKNOWN))
    up.script(error(status, "This model does not support response_format json_schema"), reply(completion(GOOD)))
    answer = ask(routed)
    assert content(answer) == GOOD
    assert answer.headers[HEADER] == "enforced"
    assert ["response_format" in seen.body for seen in up.requests] == [True, False]


def test_a_provider_nobody_knows_is_checked_even_in_a_stream(up: Upstream, start: Start):
    routed = start(provider("mine", facts=UNKNOWN))
    up.script(whole("Sure! Lyon.", stream=True), whole(GOOD, stream=True))
    assert streamed(ask(routed, stream=True)) == GOOD


def test_a_provider_that_has_it_only_unstreamed_is_asked_for_it_so(up: Upstream, start: Start):
    more = "[providers.mine.quirks]\nschema_with_stream = false"
    routed = start(provider("mine", facts=ABLE, more=more))
    answer = ask(routed, stream=True)
    assert orjson.loads(streamed(answer)).keys() == {"city", "people"}
    assert answer.headers[HEADER] == "native"
    assert "stream" not in up.requests[0].body


def test_no_format_no_header(start: Start):
    routed = start(provider("mine", facts=UNABLE))
    assert HEADER not in routed.post("/v1/chat/completions", {"model": "auto", "messages": user("hi")}).headers


def test_an_anthropic_callers_schema_is_seen_to_alike(up: Upstream, start: Start):
    routed = start(provider("mine", facts=UNABLE))
    up.script(reply(completion("Lyon")), reply(completion(GOOD)))
    wanted = {"format": {"type": "json_schema", "schema": CITY["json_schema"]["schema"]}}
    body = {"model": "x", "max_tokens": 99, "messages": user("A city?"), "output_config": wanted}
    answer = routed.post("/v1/messages", body)
    assert (answer.json["content"][0]["text"], answer.headers[HEADER]) == (GOOD, "enforced")
