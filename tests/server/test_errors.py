"""What callers are told when a request cannot be served: status, code and field, in the caller's own dialect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import orjson
import pytest

from fakes.router import Router, router
from fakes.served import Start, ask_anthropic, ask_openai, provider, tool, user
from fakes.upstream import Upstream, completion, error, hang, reply

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Router, Upstream]]:
    folder: Path = tmp_path_factory.mktemp("errors")
    with Upstream() as upstream, router(folder, toml=provider("mine"), upstream=upstream) as routed:
        yield routed, upstream


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "x", "messages": user("hi")} | more


def message(**more: Any) -> dict[str, Any]:
    return {"model": "x", "max_tokens": 9, "messages": user("hi")} | more


WRONG: dict[str, tuple[str, object, str | None]] = {
    "chat: not JSON": (CHAT, b"{", None),
    "chat: not an object": (CHAT, b"[]", None),
    "chat: not UTF-8": (CHAT, b'{"model": "\xff"}', None),
    "chat: empty": (CHAT, b"", None),
    "chat: no model": (CHAT, {"messages": user("hi")}, "model"),
    "chat: no messages": (CHAT, {"model": "x"}, "messages"),
    "chat: empty messages": (CHAT, chat(messages=[]), "messages"),
    "chat: messages of a wrong type": (CHAT, chat(messages="hi"), "messages"),
    "chat: an unknown role": (CHAT, chat(messages=[{"role": "robot", "content": "hi"}]), "messages[0].role"),
    "chat: content of a wrong type": (CHAT, chat(messages=[{"role": "user", "content": 7}]), "messages[0].content"),
    "chat: max_tokens of a wrong type": (CHAT, chat(max_tokens="many"), "max_tokens"),
    "chat: max_tokens of 0": (CHAT, chat(max_tokens=0), "max_tokens"),
    "chat: temperature out of range": (CHAT, chat(temperature=3), "temperature"),
    "chat: more than one answer": (CHAT, chat(n=2), "n"),
    "chat: stream of a wrong type": (CHAT, chat(stream="yes"), "stream"),
    "chat: tools of a wrong type": (CHAT, chat(tools={}), "tools"),
    "chat: an unknown response_format": (CHAT, chat(response_format={"type": "xml"}), "response_format.type"),
    "messages: not JSON": (MESSAGES, b"{", None),
    "messages: no max_tokens": (MESSAGES, {"model": "x", "messages": user("hi")}, "max_tokens"),
    "messages: empty messages": (MESSAGES, message(messages=[]), "messages"),
    "messages: an unknown block": (
        MESSAGES,
        message(messages=[{"role": "user", "content": [{"type": "video"}]}]),
        "messages[0].content[0].type",
    ),
    "messages: an unknown role": (
        MESSAGES,
        message(messages=[{"role": "tool", "content": "x"}]),
        "messages[0].role",
    ),
    "messages: a tool without a schema": (MESSAGES, message(tools=[{"name": "t"}]), "tools[0].input_schema"),
    "messages: a result without a call": (
        MESSAGES,
        message(messages=[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]),
        "messages[0].content",
    ),
    "embeddings: no input": ("/v1/embeddings", {"model": "x"}, "input"),
}


@pytest.mark.parametrize("path, body, field", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_told_which_field(
    shared: tuple[Router, Upstream], path: str, body: object, field: str | None
):
    routed, upstream = shared
    response = routed.raw("POST", path, body)
    assert response.status == 400
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-hermes-request-id"].startswith("req_")
    told = response.json
    if path == MESSAGES:
        assert told["type"] == "error"
        assert told["error"]["type"] == "invalid_request_error"
        assert told["request_id"] == response.headers["x-hermes-request-id"]
        assert field is None or field in told["error"]["message"]
    else:
        assert told["error"]["type"] == "invalid_request_error"
        assert told["error"]["param"] == field
    assert told["error"]["message"]
    assert upstream.requests == []


ROUTES: dict[str, tuple[str, str, int]] = {
    "an unknown path": ("POST", "/v1/nothing", 404),
    "the root": ("GET", "/", 404),
    "a wrong method": ("GET", CHAT, 405),
    "a wrong method for messages": ("PUT", MESSAGES, 405),
    "a wrong method for models": ("POST", "/v1/models", 405),
}


@pytest.mark.parametrize("method, path, status", ROUTES.values(), ids=ROUTES.keys())
def test_an_unknown_route_or_method(shared: tuple[Router, Upstream], method: str, path: str, status: int):
    response = shared[0].raw(method, path)
    assert response.status == status
    assert response.json["error"]["message"]
    assert (response.headers.get("allow") is not None) == (status == 405)


def test_a_wrong_method_for_messages_is_told_in_its_dialect(shared: tuple[Router, Upstream]):
    assert shared[0].raw("GET", MESSAGES).json["type"] == "error"


def test_head_is_get_without_a_body(shared: tuple[Router, Upstream]):
    response = shared[0].raw("HEAD", "/health")
    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_body_that_says_it_is_too_large_is_refused_at_once(start: Start, path: str):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "1000"})
    connection = routed.connect()
    connection.putrequest("POST", path)
    connection.putheader("authorization", "Bearer sk-router-1")
    connection.putheader("content-length", "5000000")
    connection.endheaders(b"{")  # and nothing more: the answer must not wait for it
    response = connection.getresponse()
    assert response.status == 413
    assert b"MAX_REQUEST_BYTES" in response.read()
    connection.close()


def test_a_body_that_grows_too_large_is_refused_while_reading(start: Start):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "1000"})
    connection = routed.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("authorization", "Bearer sk-router-1")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    for _ in range(3):
        connection.send(b"258\r\n%s\r\n" % (b" " * 600))
    assert connection.getresponse().status == 413  # the last chunk was never sent
    connection.close()


def test_a_body_of_exactly_the_limit_is_read(start: Start):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "1000"})
    body = orjson.dumps(chat())
    assert routed.raw("POST", CHAT, body + b" " * (1000 - len(body))).status == 200
    assert routed.raw("POST", CHAT, body + b" " * (1001 - len(body))).status == 413


def test_the_sdks_raise_their_own_bad_request(shared: tuple[Router, Upstream]):
    with pytest.raises(openai.BadRequestError) as ours:
        ask_openai(shared[0], "sync", n=2)
    assert (ours.value.param, ours.value.type) == ("n", "invalid_request_error")
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        ask_anthropic(shared[0], "sync", max_tokens=0)


def test_the_sdks_raise_their_own_authentication_error(shared: tuple[Router, Upstream]):
    with pytest.raises(openai.AuthenticationError):
        shared[0].openai(key="k-wrong").models.list()
    with pytest.raises(anthropic.AuthenticationError):
        shared[0].anthropic(key="k-wrong").models.list()


LACKING: dict[str, tuple[str, dict[str, Any], str]] = {
    "tools": ("tools = false", {"tools": [tool("t")]}, "tools"),
    "pictures": (
        "vision = false",
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
            ]
        },
        "images",
    ),
}


@pytest.mark.parametrize("facts, body, word", LACKING.values(), ids=LACKING.keys())
def test_what_nobody_can_do_is_a_400_that_names_it(
    start: Start, up: Upstream, facts: str, body: dict[str, Any], word: str
):
    routed = start(provider("mine", facts=facts))
    response = routed.raw("POST", CHAT, chat(**body))
    assert response.status == 400
    assert response.json["error"]["code"] == "unsupported_capability"
    assert word in response.json["error"]["message"]
    assert up.requests == []


def test_a_request_too_long_for_everybody_is_a_400(start: Start, up: Upstream):
    routed = start(provider("mine", facts="context = 1000"))
    response = routed.raw("POST", CHAT, chat(messages=user("word " * 4000)))
    assert (response.status, response.json["error"]["code"]) == (400, "context_length_exceeded")
    assert up.requests == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_all_exhausted_is_a_503_that_says_when_and_why(start: Start, up: Upstream, path: str, stream: bool):
    up.script(error(429, headers={"retry-after": "120"}), path="/one/", for_ever=True)
    up.script(error(401, "Incorrect API key"), path="/two/", for_ever=True)
    routed = start(provider("one") + provider("two"))
    body = (chat if path == CHAT else message)(stream=stream)
    response = routed.post(path, body)
    assert response.status == 503
    assert response.headers["content-type"] == "application/json"
    assert 110 <= int(response.headers["retry-after"]) <= 121
    assert response.headers["x-hermes-attempts"] == "2"
    told = response.json["error"]["message"]
    assert "one/m1" in told
    assert "two/m1" in told
    assert "k-test-1" not in response.body.decode()
    candidates = response.json["error"]["details"]["candidates"]
    assert {one["provider"] for one in candidates} == {"one", "two"}
    assert all(one["reason"] for one in candidates)
    assert path == MESSAGES or response.json["error"]["code"] == "all_candidates_exhausted"


def test_the_sdks_raise_their_own_server_error_when_all_are_exhausted(start: Start, up: Upstream):
    up.script(error(401), for_ever=True)
    routed = start(provider("one"))
    with pytest.raises(openai.InternalServerError):
        ask_openai(routed, "sync")
    with pytest.raises(anthropic.InternalServerError):
        ask_anthropic(routed, "async stream")


def test_no_provider_is_a_503_that_says_what_to_do(start: Start):
    response = start("", env={"SANDBOX": "0"}).raw("POST", CHAT, chat())
    assert response.status == 503
    assert "No provider is configured" in response.json["error"]["message"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_provider_that_is_configured_and_does_not_serve_is_named_in_the_503(start: Start, path: str):
    response = start("", env={"GITHUB_MODELS_TOKEN": "k-test-1"}).raw("POST", path, chat(max_tokens=9))
    message = response.json["error"]["message"]
    assert response.status == 503
    assert "github_models: GitHub closed the service" in message
    assert "No provider is configured" not in message


def test_a_profile_with_nobody_in_it_says_so(start: Start):
    response = start(provider("mine")).raw("POST", CHAT, chat(model="hermes-router:local"))
    assert response.status == 400
    assert response.json["error"]["message"] == "Nobody whom the profile local allows is configured."


def test_what_a_profile_lacks_is_named_though_others_have_it(start: Start):
    toml = provider("mine") + provider("plain", facts="tools = false") + '[profiles.p]\nproviders = ["plain"]\n'
    response = start(toml).raw("POST", CHAT, chat(model="hermes-router:p", tools=[tool("f")]))
    assert response.status == 400
    assert "tools" in response.json["error"]["message"]


def test_a_wait_longer_than_the_caller_allows_is_refused_at_once(start: Start, up: Upstream):
    up.script(error(429, headers={"retry-after": "30"}), for_ever=True)
    response = start(provider("one")).post(CHAT, chat(), x_hermes_max_wait="1")
    assert response.status == 503
    assert len(up.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "nan"])
def test_an_unreadable_patience_is_refused(shared: tuple[Router, Upstream], value: str):
    response = shared[0].post(CHAT, chat(), x_hermes_max_wait=value)
    assert (response.status, response.json["error"]["param"]) == (400, "X-Hermes-Max-Wait")


def test_a_request_that_the_provider_finds_wrong_is_asked_once_more_elsewhere_and_returned(start: Start, up: Upstream):
    up.script(error(400, "messages.3: cannot be so", type="invalid_request_error"), for_ever=True)
    response = start(provider("one") + provider("two") + provider("three")).raw("POST", CHAT, chat())
    assert response.status == 400
    assert "messages.3: cannot be so" in response.json["error"]["message"]
    assert len(up.requests) == 2
    assert response.headers["x-hermes-attempts"] == "2"


def test_a_filtered_prompt_is_not_taken_elsewhere(start: Start, up: Upstream):
    up.script(error(400, "The response was filtered due to content policy", code="content_filter"), for_ever=True)
    response = start(provider("one") + provider("two")).raw("POST", CHAT, chat())
    assert (response.status, response.json["error"]["code"]) == (400, "content_filter")
    assert len(up.requests) == 1


def test_no_key_of_a_provider_is_shown_even_where_it_repeats_it(start: Start, up: Upstream):
    up.script(error(401, "Incorrect API key provided: k-test-secret-0123456789"), for_ever=True)
    response = start(provider("one", keys=["k-test-secret-0123456789"])).raw("POST", CHAT, chat())
    assert response.status == 503
    assert b"secret-0123" not in response.body


def test_a_pinned_model_that_is_not_there_is_a_404_with_a_hint(start: Start):
    response = start(provider("mine")).post(CHAT, chat(model="mine/m2"), x_hermes_pin="true")
    assert (response.status, response.json["error"]["code"]) == (404, "model_not_found")
    assert "mine/m1" in response.json["error"]["message"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_unknown_profile_is_a_404(start: Start, path: str):
    body = (chat if path == CHAT else message)(model="hermes-router:swift")
    response = start(provider("mine")).raw("POST", path, body)
    assert response.status == 404
    assert "fast" in response.json["error"]["message"]


def test_unread_answers_do_not_mix_up_a_kept_connection(start: Start, up: Upstream):
    up.script(reply(completion("first")), hang())
    routed = start(provider("mine"))
    connection = routed.connect()
    for body, status in ((chat(n=2), 400), (chat(), 200)):
        data = orjson.dumps(body)
        connection.request("POST", CHAT, data, {"authorization": "Bearer sk-router-1"})
        response = connection.getresponse()
        assert response.status == status
        response.read()
    connection.close()


def test_an_ability_nobody_has_seen_is_tried(start: Start):
    assert start(provider("mine", facts="")).raw("POST", CHAT, chat(tools=[tool("t")])).status == 200
