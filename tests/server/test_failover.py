"""Who is asked, in which order, and what happens when one fails: seen from the caller and from the providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from fakes.router import Reply, Router
from fakes.scripted_socket import closed_port
from fakes.served import ABLE, WAYS, Start, ask_anthropic, ask_openai, provider, tool, user
from fakes.upstream import (
    Step,
    Upstream,
    completion,
    delta,
    drip,
    error,
    hang,
    html,
    reply,
    reset_before_headers,
    sse,
    text_stream,
)

CHAT = "/v1/chat/completions"
BOTH = provider("one") + provider("two")


def ask(routed: Router, stream: bool = False, **more: Any) -> Reply:
    headers = {name: more.pop(name) for name in [*more] if name.startswith("x_hermes")}
    body: dict[str, Any] = {"model": "any", "messages": user("hi"), "stream": stream, **more}
    return routed.post(CHAT, body, **headers)


def who(response: Reply) -> str:
    assert response.status == 200, response.body
    return response.headers["x-hermes-provider"]


def named(response: Reply) -> str:
    return f"{who(response)}/{response.headers['x-hermes-model']}"


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "nobody_offered_this", "arguments": "{}"}}
THOUGHT = [delta(role="assistant"), delta(reasoning_content="Hm."), delta(finish="stop")]
ERROR_IN_200 = {"error": {"message": "Provider returned error", "code": 502}}

FAILURES: dict[str, Callable[[], Step]] = {
    "an empty answer": lambda: sse([delta("", role="assistant"), delta(finish="stop")]),
    "an answer of white space": lambda: sse([delta(" \n", role="assistant"), delta(finish="stop")]),
    "a whole empty answer": lambda: reply(completion("")),
    "a whole null answer": lambda: reply(completion(None)),
    "no choices": lambda: reply({"id": "x", "object": "chat.completion", "choices": []}),
    "nothing at all": lambda: reply(b""),
    "an error in a 200": lambda: reply(ERROR_IN_200),
    "an error in a stream": lambda: sse([delta(role="assistant"), ERROR_IN_200]),
    "a named error in a stream": lambda: sse([("error", ERROR_IN_200)]),
    "finish_reason error": lambda: sse([delta(role="assistant"), delta(finish="error")]),
    "a page": html,
    "a page in a 502": lambda: html(502),
    "a body that is not JSON": lambda: reply(b'{"choices": [{"mess'),
    "text that is no JSON": lambda: reply(b"upstream connect error", 200, {"content-type": "text/plain"}),
    "events that are not JSON": lambda: sse([b"data: {oops\n\n", b"data: {again\n\n"]),
    "comments only": lambda: sse([b": waiting\n\n"], then="no_done"),
    "a stream cut before content": lambda: sse([delta(role="assistant")], then="cut"),
    "a stream reset before content": lambda: sse([delta(role="assistant")], then="reset"),
    "a reset before the head": reset_before_headers,
    "a tool nobody offered": lambda: sse([delta(tool_calls=[CALL]), delta(finish="tool_calls")]),
    "400: a bad tool call by the model": lambda: error(400, "Failed to call a function", code="tool_use_failed"),
    "401": lambda: error(401, "Incorrect API key"),
    "402": lambda: error(402, "Insufficient balance"),
    "403": lambda: error(403, "Forbidden"),
    "404": lambda: error(404, "The model does not exist", code="model_not_found"),
    "408": lambda: error(408, "Timeout"),
    "410": lambda: error(410, "Gone"),
    "413": lambda: error(413, "Request too large"),
    "429": lambda: error(429, "Slow down"),
    "429: no money": lambda: error(429, "You exceeded your current quota", code="insufficient_quota"),
    "500": lambda: error(500, "Internal error"),
    "502 without a body": lambda: reply(b"", 502),
    "503": lambda: error(503, "Overloaded"),
    "504": lambda: error(504, "Gateway timeout"),
    "529": lambda: error(529, "Overloaded"),
    "a redirect": lambda: reply(b"", 307, {"location": "https://example.com/"}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_before_any_content_leads_to_the_next(
    start: Start, up: Upstream, failure: Callable[[], Step], stream: bool
):
    up.script(failure(), path="/one/")
    response = ask(start(BOTH), stream, tools=[tool("get_weather", city="string")], tool_choice="none")
    assert who(response) == "two"
    assert response.headers["x-hermes-attempts"] == "2"
    assert b"Echo:" in response.body
    assert len(up.asked("one")) == 1


ONLY_THOUGHT: dict[str, Callable[[], Step]] = {
    "in a stream": lambda: sse(THOUGHT),
    "in one piece": lambda: reply(completion(None, reasoning_content="Hm.")),
    "cut by its limit": lambda: reply(completion(None, "length", reasoning_content="Hm.")),
}


@pytest.mark.parametrize("failure", ONLY_THOUGHT.values(), ids=ONLY_THOUGHT.keys())
@pytest.mark.parametrize("way", WAYS)
def test_thinking_alone_is_no_answer(start: Start, up: Upstream, failure: Callable[[], Step], way: str):
    up.script(failure(), path="/one/")
    answer = ask_openai(start(BOTH), way)
    assert answer.choices[0].message.content == "Echo: hi"
    assert [len(up.asked("one")), len(up.asked("two"))] == [1, 1]


@pytest.mark.parametrize("way", ["sync", "stream"])
def test_thinking_alone_is_no_answer_to_a_caller_who_does_not_see_it(start: Start, up: Upstream, way: str):
    up.script(sse(THOUGHT), path="/one/")
    assert [block.type for block in ask_anthropic(start(BOTH), way).content] == ["text"]


def test_thinking_alone_from_everybody_is_an_error_and_not_an_empty_answer(start: Start, up: Upstream):
    up.script(sse(THOUGHT), for_ever=True)
    response = ask(start(BOTH), True, x_hermes_max_wait="1")
    assert b'"error"' in response.body
    assert b"[DONE]" not in response.body


@pytest.mark.parametrize("failure", [hang, drip], ids=["silence", "drips"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_does_not_begin_is_left(start: Start, up: Upstream, failure: Callable[[], Step], stream: bool):
    up.script(failure(), path="/one/")
    response = ask(start(BOTH, env={"FIRST_EVENT_TIMEOUT": "0.3"}), stream)
    assert who(response) == "two"
    up.wait_for(lambda: up.closed)


def test_a_provider_that_cannot_be_reached_is_left(start: Start):
    toml = provider("one").replace("{up}", f"http://127.0.0.1:{closed_port()}") + provider("two")
    assert who(ask(start(toml))) == "two"


@pytest.mark.parametrize("way", ["sync", "async stream"])
def test_failover_is_the_same_for_messages(start: Start, up: Upstream, way: str):
    up.script(error(500), path="/one/")
    assert ask_anthropic(start(BOTH), way).content[0].type == "text"
    assert [len(up.asked("one")), len(up.asked("two"))] == [1, 1]


def test_failover_crosses_wires(start: Start, up: Upstream):
    up.script(error(529, type="overloaded_error"), path="/one/")
    routed = start(provider("one", wire="anthropic") + provider("two"))
    assert who(ask(routed)) == "two"


# --- within a stream


def test_one_malformed_event_among_good_ones_is_skipped(start: Start, up: Upstream):
    good = text_stream("one ", "two")
    up.script(sse([*good[:2], b"data: {oops\n\n", *good[2:]]))
    assert ask_openai(start(provider("one")), "stream").choices[0].message.content == "one two"


BREAKS: dict[str, Callable[[], Step]] = {
    "a second malformed event": lambda: sse([*text_stream("one ")[:2], b"data: {\n\n", b"data: {\n\n"], gap=0.05),
    "an error": lambda: sse([*text_stream("one ")[:2], ERROR_IN_200], gap=0.05),
    "a cut": lambda: sse(text_stream("one ")[:2], then="cut"),
    "a reset": lambda: sse(text_stream("one ")[:2], then="reset"),
    "an end without a finish": lambda: sse(text_stream("one ")[:2], then="no_done"),
    "silence": lambda: sse(text_stream("one ")[:2], then="stall"),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
def test_a_stream_that_breaks_for_good_ends_in_an_error_event(
    start: Start, up: Upstream, broken: Callable[[], Step], path: str
):
    up.script(broken())
    routed = start(provider("one"), env={"STREAM_RESUME": "0", "GAP_TIMEOUT": "0.3"})
    body = {"model": "x", "max_tokens": 99, "messages": user("hi"), "stream": True}
    response = routed.post(path, body)
    assert response.status == 200
    assert b"one " in response.body
    assert b'"error"' in response.body
    assert b"[DONE]" not in response.body
    assert b"message_stop" not in response.body


def test_the_sdk_raises_when_a_stream_breaks(start: Start, up: Upstream):
    up.script(BREAKS["a cut"]())
    routed = start(provider("one"), env={"STREAM_RESUME": "0"})
    with pytest.raises(openai.APIError):
        ask_openai(routed, "stream")


def test_a_whole_answer_that_breaks_off_is_asked_for_again(start: Start, up: Upstream):
    up.script(BREAKS["a cut"](), path="/one/")
    answer = ask_openai(start(BOTH, env={"STREAM_RESUME": "0"}), "sync")
    assert answer.choices[0].message.content == "Echo: hi"


# --- what is remembered


RESTS = {"401": error(401), "402": error(402), "403": error(403), "404": error(404), "410": error(410)}
RESTS |= {"429": error(429, headers={"retry-after": "60"}), "503": error(503, headers={"retry-after": "60"})}


@pytest.mark.parametrize("step", RESTS.values(), ids=RESTS.keys())
def test_who_refused_is_not_asked_again_at_once(start: Start, up: Upstream, step: Step):
    up.script(step, path="/one/", for_ever=True)
    routed = start(BOTH)
    assert [who(ask(routed)) for _ in range(3)] == ["two"] * 3
    assert len(up.asked("one")) == 1


def test_a_refused_key_does_not_rest_another(start: Start, up: Upstream):
    up.script(error(401), key="k-test-1", for_ever=True)
    routed = start(provider("one", keys=["k-test-1", "k-test-2"]) + provider("two"))
    assert [who(ask(routed)) for _ in range(3)] == ["one"] * 3
    assert [seen.key for seen in up.requests] == ["k-test-1", "k-test-2", "k-test-2", "k-test-2"]


def test_a_model_that_is_gone_does_not_rest_another_of_its_provider(start: Start, up: Upstream):
    up.script(error(404, "no such model", code="model_not_found"), model="m1", for_ever=True)
    routed = start(provider("one", "m1", "m2") + provider("two"))
    assert [named(ask(routed)) for _ in range(2)] == ["one/m2"] * 2
    assert len(up.asked("m1")) == 1


def test_when_a_limit_is_hit_models_of_the_provider_come_before_the_next_provider(start: Start, up: Upstream):
    up.script(error(429, headers={"retry-after": "60"}), model="m1", for_ever=True)
    assert named(ask(start(provider("one", "m1", "m2") + provider("two")))) == "one/m2"


def test_the_callers_own_fault_counts_against_nobody(start: Start, up: Upstream):
    up.script(error(400, "your request is wrong", type="invalid_request_error"), error(400, "indeed"))
    routed = start(BOTH)
    assert ask(routed).status == 400
    assert who(ask(routed)) == "one"


RETRY_AFTER = {
    "seconds": error(429, headers={"retry-after": "40"}),
    "fractions": error(429, headers={"retry-after": "39.5"}),
    "milliseconds": error(429, headers={"retry-after-ms": "40000"}),
    "text": error(429, "Rate limit reached. Please try again in 40s."),
    "text in minutes": error(429, "Please retry in 0m39.6s."),
    "a Google detail": reply(
        {
            "error": {
                "code": 429,
                "message": "Quota exceeded",
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "40s"}],
            }
        },
        429,
    ),
}


@pytest.mark.parametrize("step", RETRY_AFTER.values(), ids=RETRY_AFTER.keys())
def test_what_a_refusal_says_of_its_end_is_passed_on(start: Start, up: Upstream, step: Step):
    up.script(step)
    response = ask(start(provider("one")), x_hermes_max_wait="1")
    assert response.status == 503
    assert 38 <= int(response.headers["retry-after"]) <= 41


def test_retry_after_on_a_success_means_nothing(start: Start, up: Upstream):
    up.script(reply(completion(), headers={"retry-after": "600"}))
    routed = start(BOTH)
    assert [who(ask(routed)) for _ in range(2)] == ["one", "one"]


def test_a_short_limit_is_waited_for(start: Start, up: Upstream):
    up.script(error(429, headers={"retry-after": "1"}))
    response = ask(start(provider("one")))
    assert who(response) == "one"
    assert response.headers["x-hermes-attempts"] == "2"
    assert int(response.headers["x-hermes-waited-ms"]) > 500


def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(start: Start, up: Upstream):
    up.script(error(500), path="/one/", for_ever=True)
    clock = Clock()
    env = {"BREAKER_MIN_SAMPLES": "2", "BREAKER_WINDOW": "2", "BREAKER_COOLDOWN": "60"}
    toml = provider("one", facts=f"{ABLE}tier = 1\n") + provider("two", facts=f"{ABLE}tier = 5\n")
    routed = start(toml + '[profiles.own]\norder = ["tier"]\n', env=env, clock=clock)
    asked = []
    for _ in range(9):
        assert who(ask(routed, model="hermes-router:own")) == "two"
        asked.append(len(up.asked("one")))
        clock.now += 5
    # It opens for a sixth of the cooldown, then for twice that.
    assert asked == [1, 2, 2, 3, 3, 3, 3, 4, 4]


class Clock:
    """Wall-clock time as the test says."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_stale_connection_is_tried_once_more_and_not_held_against_the_provider(start: Start, up: Upstream):
    up.script(reply(completion("first")), reset_before_headers(), path="/one/")
    routed = start(BOTH)
    assert who(ask(routed)) == "one"
    second = ask(routed)
    assert who(second) == "one"
    assert second.headers["x-hermes-attempts"] == "1"


# --- limits that are known


IN_ORDER = '[profiles.own]\norder = ["tier"]\n'


def limited(limits: str) -> str:
    """The first choice, with limits, and a second one."""
    first = provider("one", facts=f"{ABLE}tier = 1\nlimits = {{ {limits} }}\n")
    return first + provider("two", facts=f"{ABLE}tier = 5\n") + IN_ORDER


@pytest.mark.parametrize("limits", ["rpm = 2", "rpd = 2", "tpm = 800", "tpd = 800"])
def test_a_declared_limit_is_kept_without_asking(start: Start, up: Upstream, limits: str):
    up.script(reply(completion() | {"usage": {"prompt_tokens": 300, "completion_tokens": 10}}), for_ever=True)
    routed = start(limited(limits))
    long = user("word " * 250)
    answers = [ask(routed, model="hermes-router:own", messages=long, max_tokens=20) for _ in range(4)]
    assert [who(one) for one in answers] == ["one", "one", "two", "two"]
    assert all(one.headers["x-hermes-attempts"] == "1" for one in answers)


def test_only_one_at_a_time_where_that_is_the_limit(start: Start, up: Upstream):
    up.script(sse(text_stream("slow")[:2], then="stall"), path="/one/")
    routed = start(limited("concurrency = 1"))
    body: dict[str, Any] = {"model": "hermes-router:own", "messages": user("hi"), "stream": True}
    client: Any = routed.openai()
    with client.chat.completions.with_streaming_response.create(**body) as first:
        assert first.headers["x-hermes-provider"] == "one"
        assert who(ask(routed, model="hermes-router:own")) == "two"
    up.wait_for(lambda: up.closed)
    routed.wait_for(lambda: routed.runtime.engine.open == 0)
    assert who(ask(routed, model="hermes-router:own")) == "one"


def test_keys_are_used_in_turn(start: Start, up: Upstream):
    routed = start(provider("one", keys=["k-test-1", "k-test-2"]))
    for _ in range(4):
        ask(routed)
    assert [seen.key for seen in up.requests] == ["k-test-1", "k-test-2"] * 2


def test_keys_are_used_one_after_the_other_where_that_is_asked_for(start: Start, up: Upstream):
    up.script(error(429, headers={"retry-after": "60"}), key="k-test-1", for_ever=True)
    routed = start(provider("one", keys=["k-test-1", "k-test-2"]), env={"ROTATION_MODE": "sequential"})
    for _ in range(3):
        ask(routed)
    assert [seen.key for seen in up.requests] == ["k-test-1", "k-test-2", "k-test-2", "k-test-2"]


# --- who can


def test_who_lacks_what_is_needed_is_passed_over(start: Start, up: Upstream):
    routed = start(provider("one", facts="tools = false\n") + provider("two"))
    assert who(ask(routed, tools=[tool("t")], tool_choice="none")) == "one"
    assert who(ask(routed, tools=[tool("t", a="string")])) == "two"
    assert len(up.asked("one")) == 1


@pytest.mark.parametrize("variable", ["ONE_SUPPORTS_TOOLS", "ONE_M1_SUPPORTS_TOOLS"])
def test_a_variable_overrides_what_a_model_can_do(start: Start, variable: str):
    assert who(ask(start(BOTH, env={variable: "0"}), tools=[tool("t", a="string")])) == "two"


def test_a_request_too_long_for_one_goes_to_another(start: Start, up: Upstream):
    routed = start(provider("one", facts=f"{ABLE}".replace("100000", "1000")) + provider("two"))
    assert who(ask(routed, messages=user("word " * 2000))) == "two"
    assert up.asked("one") == []


def test_a_context_window_smaller_than_stated_is_learned(start: Start, up: Upstream):
    up.script(
        error(400, "This model's maximum context length is 500 tokens.", code="context_length_exceeded"), path="/one/"
    )
    routed = start(BOTH)
    assert [who(ask(routed, messages=user("word " * 2000))) for _ in range(2)] == ["two", "two"]
    assert len(up.asked("one")) == 1
    assert who(ask(routed, model="one/m1", x_hermes_pin="1")) == "one"


def test_what_a_model_turns_out_not_to_take_is_learned(start: Start, up: Upstream):
    up.script(error(400, "tool calling is not supported with this model", param="tools"), path="/one/")
    routed = start(provider("one", facts="") + provider("two", facts=""))
    assert [who(ask(routed, tools=[tool("t", a="string")])) for _ in range(2)] == ["two", "two"]
    assert len(up.asked("one")) == 1


# --- the order, and names that change it


def test_the_cheapest_capable_comes_first(start: Start):
    dear = provider("one", facts=f"{ABLE}price = [1.0, 2.0]\n")
    assert who(ask(start(dear + provider("two", facts=f"{ABLE}price = [0.0, 0.0]\n")))) == "two"


def test_a_hard_question_goes_to_the_stronger(start: Start):
    routed = start(provider("one", facts=f"{ABLE}tier = 5\n") + provider("two", facts=f"{ABLE}tier = 1\n"))
    hard = user("Prove step by step that this distributed algorithm is linearizable, and derive its complexity.")
    assert who(ask(routed, messages=hard)) == "two"


@pytest.mark.parametrize("name", ["gpt-4o", "claude-sonnet-4-5", "hermes-router", "two/m1", "mine/thing"])
def test_any_other_name_means_anybody(start: Start, name: str):
    response = ask(start(BOTH), model=name)
    assert who(response) == "one"
    assert response.json["model"] == "m1"


ALIASES = '[aliases]\nchain = ["two/m1", "one/m2"]\nopen = ["two/m1", "*"]\n'


def test_an_alias_is_tried_in_its_order_and_never_left(start: Start, up: Upstream):
    routed = start(provider("one", "m1", "m2") + provider("two") + ALIASES)
    assert named(ask(routed, model="chain")) == "two/m1"
    up.script(error(401), path="/two/", for_ever=True)
    assert named(ask(routed, model="chain")) == "one/m2"
    up.script(error(404, code="model_not_found"), model="m2", for_ever=True)
    response = ask(routed, model="chain")
    assert response.status == 503
    assert up.asked("m1") == up.asked("two")


def test_an_alias_with_a_star_goes_on_to_the_pool(start: Start, up: Upstream):
    up.script(error(401), path="/two/", for_ever=True)
    assert who(ask(start(BOTH + ALIASES.replace('"two/m1", "one/m2"', '"two/m1"')), model="open")) == "one"


def test_an_alias_is_filtered_by_needs(start: Start):
    toml = (
        provider("one", facts="tools = false\n")
        + provider("two")
        + '[aliases]\na = ["one/m1", "two/m1"]\nb = ["one/m1"]\n'
    )
    routed = start(toml)
    assert who(ask(routed, model="a", tools=[tool("t", x="string")])) == "two"
    assert ask(routed, model="b", tools=[tool("t", x="string")]).status == 400


def test_a_pinned_model_is_the_only_one_asked(start: Start, up: Upstream):
    routed = start(BOTH)
    assert who(ask(routed, model="two/m1", x_hermes_pin="true")) == "two"
    up.script(error(401), path="/two/", for_ever=True)
    assert ask(routed, model="two/m1", x_hermes_pin="true").status == 503
    assert up.asked("one") == []


def test_a_model_id_with_slashes_is_split_at_the_first(start: Start):
    routed = start(provider("one") + provider("two", "org/m2:free"))
    assert named(ask(routed, model="two/org/m2:free", x_hermes_pin="1")) == "two/org/m2:free"


def test_pinning_can_be_the_rule(start: Start):
    routed = start("[router]\npin = true\n" + BOTH)
    assert who(ask(routed, model="two/m1")) == "two"


PROFILED = (
    provider("one", facts=f"{ABLE}tier = 4\nprice = [0.0, 0.0]\n")
    + provider("two", facts=f"{ABLE}tier = 1\nprice = [2.0, 2.0]\n")
    + provider("local", facts=f"{ABLE}tier = 5\nprice = [5.0, 5.0]\n")
    + '[profiles.mine]\norder = ["tier"]\nproviders = ["one", "local"]\n[profiles.weak]\ntiers = [5]\n'
)
PROFILES = {"best": "two", "cheap": "one", "local": "local", "mine": "one", "weak": "local"}


@pytest.mark.parametrize("profile, name", PROFILES.items())
def test_a_profile(start: Start, profile: str, name: str):
    assert who(ask(start(PROFILED), model=f"hermes-router:{profile}")) == name


def test_the_fast_profile_takes_who_began_soonest(start: Start, up: Upstream):
    up.script(sse([b": \n\n", *text_stream("slow")], gap=0.15), path="/one/", for_ever=True)
    routed = start(BOTH)
    for name in ("one", "two"):
        ask(routed, True, model=f"{name}/m1", x_hermes_pin="1")
    assert who(ask(routed, model="hermes-router:fast")) == "two"
