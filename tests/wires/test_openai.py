from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import Auth, EmbedSpec, ModelSpec, ProviderSpec, Quirks
from hermes_router.core.request import (
    EmbeddingRequest,
    KeptTools,
    Message,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolMode,
)
from hermes_router.transport.base import HttpRequest
from hermes_router.wires.base import Target
from hermes_router.wires.openai import OpenAIWire

HI = (Message(role=Role.USER, parts=(Text(text="hi"),)),)
REASONS = ModelSpec(id="m", reasoning=True)
WEATHER = Tool(
    name="get_weather",
    description="Weather now",
    schema={"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False},
    strict=True,
)
CLOCK = Tool(name="get_time", description=None, schema={})

SHARED = {"prompt_cache_key": "k", "safety_identifier": "s", "service_tier": "flex", "verbosity": "low"}
BASE = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def target(quirks: Quirks | None = None, model: ModelSpec | None = None, **more: Any) -> Target:
    return Target(
        name="p",
        provider=more.pop("provider", ProviderSpec()),
        model=model or ModelSpec(id="m"),
        quirks=quirks or Quirks(),
        base_url="https://api.example/v1",
        **more,
    )


def ask(**fields: Any) -> Request:
    fields.setdefault("dialect", "openai")
    fields.setdefault("messages", HI)
    return Request(model="any", **fields)


def send(request: Request, to: Target, max_output: int | None = None) -> HttpRequest:
    return OpenAIWire().chat(request, to, max_output=max_output)


def written(
    request: Request, quirks: Quirks | None = None, model: ModelSpec | None = None, max_output: int | None = None
) -> dict[str, Any]:
    """The body without what every body has."""
    body: dict[str, Any] = orjson.loads(send(request, target(quirks, model), max_output).body)
    return {name: value for name, value in body.items() if name not in BASE}


def test_the_request_is_a_post_to_chat_completions():
    sent = send(ask(), target(secret="k-test-1"))
    assert (sent.method, sent.url) == ("POST", "https://api.example/v1/chat/completions")
    assert sent.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer k-test-1",
    }
    assert orjson.loads(sent.body) == BASE


def test_a_stream_is_asked_for_as_one():
    sent = send(ask(stream=True), target())
    assert sent.headers["accept"] == "text/event-stream"
    assert orjson.loads(sent.body) == BASE | {"stream": True, "stream_options": {"include_usage": True}}


def test_a_provider_may_have_its_own_path_and_headers():
    provider = ProviderSpec(paths={"chat": "/chat"}, auth=Auth(header="Api-Key", scheme=""))
    sent = send(ask(), target(provider=provider, secret="k-test-1", headers={"x-title": "t"}))
    assert sent.url == "https://api.example/v1/chat"
    assert sent.headers["api-key"] == "k-test-1"
    assert sent.headers["x-title"] == "t"


def test_headers_of_one_target_are_one_object_for_each_kind_of_answer():
    to = target(secret="k-test-1")
    whole, streamed = send(ask(), to).headers, send(ask(stream=True), to).headers
    assert send(ask(user="u"), to).headers is whole
    assert send(ask(stream=True), to).headers is streamed
    assert (whole["accept"], streamed["accept"]) == ("application/json", "text/event-stream")


def test_a_target_made_of_another_keeps_nothing_of_it():
    one = target(secret="k-test-1")
    send(ask(), one)
    other = msgspec.structs.replace(one, base_url="https://other.example", secret="k-test-2")
    sent = send(ask(), other)
    assert (sent.url, sent.headers["authorization"]) == ("https://other.example/chat/completions", "Bearer k-test-2")


def test_chat_and_embeddings_of_one_target_keep_their_own_addresses():
    to = target(embed=EmbedSpec(id="e"))
    embedding = EmbeddingRequest(dialect="openai", model="any", inputs=("hi",))
    urls = [send(ask(), to).url, OpenAIWire().embed(embedding, to).url, send(ask(), to).url]
    assert urls == [
        f"https://api.example/v1{path}" for path in ("/chat/completions", "/embeddings", "/chat/completions")
    ]


WAYS = {
    "plain": Quirks(),
    "keywords refused": Quirks(schema_drop=("minLength",)),
    "closed": Quirks(schema_closed=True),
    "never strict": Quirks(strict_tools=False, schema_closed=True),
}


def test_tools_that_are_kept_are_written_as_others_are_by_each_provider():
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    tools = (Tool(name="f", description="d", schema=schema, strict=True), Tool(name="g", description=None, schema={}))
    kept = KeptTools(tools)
    for _ in range(2):
        for quirks in WAYS.values():
            assert send(ask(tools=kept), target(quirks)).body == send(ask(tools=tools), target(quirks)).body
    bodies = {send(ask(tools=kept), target(quirks)).body for quirks in WAYS.values()}
    assert len(bodies) == len(WAYS)


def test_a_keyless_provider_gets_no_key():
    assert "authorization" not in send(ask(), target()).headers


FULL = Sampling(
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    seed=7,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    logit_bias={"5": -1.0},
    logprobs=True,
    top_logprobs=2,
)
FULL_BODY = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logit_bias": {"5": -1.0},
    "logprobs": True,
    "top_logprobs": 2,
}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": fields}


WEATHER_BODY = function(name="get_weather", description="Weather now", parameters=WEATHER.schema, strict=True)
CLOCK_BODY = function(name="get_time", parameters={"type": "object", "properties": {}})

BODIES: dict[str, tuple[Request, Quirks, dict[str, Any]]] = {
    "sampling": (ask(sampling=FULL), Quirks(), FULL_BODY),
    "top_k of another dialect": (ask(dialect="anthropic", sampling=Sampling(top_k=40)), Quirks(), {}),
    "top_k of another dialect where it is known": (
        ask(dialect="anthropic", sampling=Sampling(top_k=40)),
        Quirks(allow=("top_k",)),
        {"top_k": 40},
    ),
    "sampling refused": (
        ask(sampling=FULL),
        Quirks(sampling=False),
        {name: value for name, value in FULL_BODY.items() if name not in ("temperature", "top_p", "top_k")},
    ),
    "stop, user, metadata": (
        ask(stop=("a", "b"), user="u", metadata={"k": "v"}),
        Quirks(),
        {"stop": ["a", "b"], "user": "u", "metadata": {"k": "v"}},
    ),
    "metadata of another dialect": (ask(dialect="anthropic", metadata={"k": "v"}), Quirks(), {}),
    "unknown fields": (ask(extra={"store": True, "model": "x"}), Quirks(), {"store": True}),
    "unknown fields of another dialect": (ask(dialect="anthropic", extra={"container": "c"}), Quirks(), {}),
    "what the Responses API says in the same words": (
        ask(dialect="responses", extra={**SHARED, "client_metadata": {"a": "b"}, "responses": object()}),
        Quirks(),
        SHARED,
    ),
    "what the Responses API says, not on the list": (ask(dialect="responses", extra=SHARED), Quirks(allow=()), {}),
    "what the Responses API files an answer under": (ask(dialect="responses", metadata={"a": "b"}), Quirks(), {}),
    "unknown fields not on the list": (ask(extra={"store": True}), Quirks(allow=("seed",)), {}),
    "unknown fields on the list": (ask(extra={"min_p": 0.1}), Quirks(allow=("min_p",)), {"min_p": 0.1}),
    "allow": (ask(sampling=FULL, user="u"), Quirks(allow=("seed", "temperature")), {"temperature": 0.5, "seed": 7}),
    "allow has no say in what the answer is": (
        ask(tools=(CLOCK,), response_format=ResponseFormat(kind="json_object"), stream=True),
        Quirks(allow=()),
        {
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [CLOCK_BODY],
            "response_format": {"type": "json_object"},
        },
    ),
    "drop": (ask(sampling=Sampling(seed=7, temperature=1.0)), Quirks(drop=("seed",)), {"temperature": 1.0}),
    "rename": (ask(sampling=Sampling(seed=7)), Quirks(rename={"seed": "random_seed"}), {"random_seed": 7}),
    "rename and allow by the new name": (
        ask(sampling=Sampling(seed=7)),
        Quirks(rename={"seed": "random_seed"}, allow=("random_seed",)),
        {"random_seed": 7},
    ),
    "force": (ask(sampling=Sampling(temperature=0.2)), Quirks(force={"temperature": 1}), {"temperature": 1}),
    "body": (
        ask(sampling=Sampling(temperature=0.2)),
        Quirks(body={"temperature": 1, "reasoning_format": "parsed"}),
        {"temperature": 0.2, "reasoning_format": "parsed"},
    ),
    "fields about tools need tools": (ask(), Quirks(force={"parallel_tool_calls": False}), {}),
    "fields about tools with tools": (
        ask(tools=(CLOCK,)),
        Quirks(force={"parallel_tool_calls": False}),
        {"tools": [CLOCK_BODY], "parallel_tool_calls": False},
    ),
    "stream_usage": (ask(stream=True), Quirks(stream_usage=False), {"stream": True}),
    "tools": (
        ask(tools=(WEATHER, CLOCK), parallel_tools=False, tool_choice=ToolChoice(mode=ToolMode.AUTO)),
        Quirks(),
        {"tools": [WEATHER_BODY, CLOCK_BODY], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "tool choice without tools": (ask(tool_choice=ToolChoice(mode=ToolMode.AUTO), parallel_tools=True), Quirks(), {}),
    "tool choice named": (
        ask(tools=(WEATHER, CLOCK), tool_choice=ToolChoice(mode=ToolMode.NAMED, name="get_time")),
        Quirks(),
        {"tools": [WEATHER_BODY, CLOCK_BODY], "tool_choice": function(name="get_time")},
    ),
    "tool choice by offering one": (
        ask(tools=(WEATHER, CLOCK), tool_choice=ToolChoice(mode=ToolMode.NAMED, name="get_time")),
        Quirks(tool_choice_named=False, tool_choice={"required": "any"}),
        {"tools": [CLOCK_BODY], "tool_choice": "any"},
    ),
    "tool choice in other words": (
        ask(tools=(CLOCK,), tool_choice=ToolChoice(mode=ToolMode.REQUIRED)),
        Quirks(tool_choice={"required": "any"}),
        {"tools": [CLOCK_BODY], "tool_choice": "any"},
    ),
    "tool choice left out": (
        ask(tools=(CLOCK,), tool_choice=ToolChoice(mode=ToolMode.AUTO)),
        Quirks(tool_choice={"auto": ""}),
        {"tools": [CLOCK_BODY]},
    ),
    "no tools where none cannot be said": (
        ask(tools=(CLOCK,), tool_choice=ToolChoice(mode=ToolMode.NONE)),
        Quirks(tool_choice={"none": ""}),
        {},
    ),
    "schema_drop": (
        ask(tools=(WEATHER,)),
        Quirks(schema_drop=("additionalProperties",), strict_tools=False),
        {
            "tools": [
                function(
                    name="get_weather",
                    description="Weather now",
                    parameters={"type": "object", "properties": {"city": {"type": "string"}}},
                )
            ]
        },
    ),
    "schema_closed": (
        ask(
            tools=(
                Tool(name="f", description=None, schema={"type": "object"}, strict=True),
                Tool(name="g", description=None, schema={"type": "object"}),
            )
        ),
        Quirks(schema_closed=True),
        {
            "tools": [
                function(name="f", parameters={"type": "object", "additionalProperties": False}, strict=True),
                function(name="g", parameters={"type": "object"}),
            ]
        },
    ),
    "json_schema": (
        ask(
            response_format=ResponseFormat(
                kind="json_schema", name="n", description="d", schema={"type": "object"}, strict=True
            )
        ),
        Quirks(schema_closed=True),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "description": "d",
                    "schema": {"type": "object", "additionalProperties": False},
                    "strict": True,
                },
            }
        },
    ),
    "json_schema of a loose kind": (
        ask(response_format=ResponseFormat(kind="json_schema", schema={"type": "object"})),
        Quirks(schema_closed=True),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}},
            }
        },
    ),
}


@pytest.mark.parametrize("request_, quirks, body", BODIES.values(), ids=BODIES)
def test_quirks_shape_the_body(request_: Request, quirks: Quirks, body: dict[str, Any]):
    assert written(request_, quirks) == body


LIMITS: dict[str, tuple[int | None, Quirks, ModelSpec, dict[str, int]]] = {
    "none": (None, Quirks(), ModelSpec(id="m", max_output=100), {}),
    "given": (50, Quirks(), ModelSpec(id="m"), {"max_tokens": 50}),
    "given, whatever is allowed": (50, Quirks(allow=()), ModelSpec(id="m"), {"max_tokens": 50}),
    "under another name": (
        50,
        Quirks(max_tokens_field="max_completion_tokens"),
        ModelSpec(id="m"),
        {"max_completion_tokens": 50},
    ),
    "always": (None, Quirks(always_max_tokens=True), ModelSpec(id="m", max_output=20000), {"max_tokens": 20000}),
    "always, of an unknown model": (None, Quirks(always_max_tokens=True), ModelSpec(id="m"), {"max_tokens": 8192}),
    "always, within the window": (
        None,
        Quirks(always_max_tokens=True),
        ModelSpec(id="m", max_output=24000, context=24000),
        {"max_tokens": 12000},
    ),
    "always, where it is charged": (
        None,
        Quirks(always_max_tokens=True, charges_output=True),
        ModelSpec(id="m", max_output=32000),
        {"max_tokens": 8192},
    ),
    "always, and given": (50, Quirks(always_max_tokens=True), ModelSpec(id="m"), {"max_tokens": 50}),
}


@pytest.mark.parametrize("max_output, quirks, model, body", LIMITS.values(), ids=LIMITS)
def test_the_output_limit(max_output: int | None, quirks: Quirks, model: ModelSpec, body: dict[str, int]):
    assert written(ask(), quirks, model, max_output) == body


KNOWS = {"none": "none", "low": "low", "medium": "high", "high": "high"}
THINKING: dict[str, tuple[Thinking, Quirks, ModelSpec, dict[str, Any]]] = {
    "nothing said": (Thinking(), Quirks(), REASONS, {}),
    "effort": (Thinking(effort="low"), Quirks(), REASONS, {"reasoning_effort": "low"}),
    "effort, translated": (Thinking(effort="medium"), Quirks(effort=KNOWS), REASONS, {"reasoning_effort": "high"}),
    "effort, not known there": (Thinking(effort="xhigh"), Quirks(effort=KNOWS), REASONS, {}),
    "effort, not allowed": (Thinking(effort="low"), Quirks(allow=()), REASONS, {}),
    "effort, of a model that does not reason": (
        Thinking(effort="low"),
        Quirks(),
        ModelSpec(id="m", reasoning=False),
        {},
    ),
    "effort, of an unknown model": (Thinking(effort="low"), Quirks(), ModelSpec(id="m"), {"reasoning_effort": "low"}),
    "effort none": (Thinking(effort="none"), Quirks(), REASONS, {"reasoning_effort": "none"}),
    "switched off": (Thinking(enabled=False), Quirks(), REASONS, {}),
    "switched off, where it can be": (
        Thinking(enabled=False),
        Quirks(effort=KNOWS),
        REASONS,
        {"reasoning_effort": "none"},
    ),
    "a small budget": (Thinking(enabled=True, budget=1024), Quirks(), REASONS, {"reasoning_effort": "low"}),
    "a middle budget": (Thinking(enabled=True, budget=4000), Quirks(), REASONS, {"reasoning_effort": "medium"}),
    "a large budget": (Thinking(enabled=True, budget=32000), Quirks(), REASONS, {"reasoning_effort": "high"}),
    "a budget, of an unknown model": (Thinking(enabled=True, budget=1024), Quirks(), ModelSpec(id="m"), {}),
    "switched on": (Thinking(enabled=True), Quirks(), REASONS, {}),
    "never": (Thinking(effort="low"), Quirks(thinking="none"), REASONS, {}),
    "by type, nothing said": (Thinking(), Quirks(thinking="type"), REASONS, {}),
    "by type, on": (
        Thinking(enabled=True, budget=1024),
        Quirks(thinking="type", allow=()),
        REASONS,
        {"thinking": {"type": "enabled"}},
    ),
    "by type, off": (
        Thinking(enabled=False),
        Quirks(thinking="type"),
        REASONS,
        {"thinking": {"type": "disabled"}},
    ),
    "by type, effort none": (
        Thinking(effort="none"),
        Quirks(thinking="type"),
        REASONS,
        {"thinking": {"type": "disabled"}},
    ),
    "by type and effort": (
        Thinking(effort="low"),
        Quirks(thinking="type", effort=KNOWS),
        REASONS,
        {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
    ),
}


@pytest.mark.parametrize("thinking, quirks, model, body", THINKING.values(), ids=THINKING)
def test_thinking(thinking: Thinking, quirks: Quirks, model: ModelSpec, body: dict[str, Any]):
    assert written(ask(thinking=thinking), quirks, model) == body


def test_the_body_never_shows_in_a_repr():
    sent = send(ask(), target(secret="k-test-1"))
    assert "k-test-1" not in repr(sent)
    assert "hi" not in repr(sent)


def test_openai_itself_is_not_sent_the_fields_of_openrouter():
    quirks = load_builtin(("openai",))["openai"].quirks
    foreign = dict.fromkeys(("provider", "usage", "transforms", "models", "route", "plugins"), "x")
    assert written(ask(extra={**foreign, "store": True}), quirks) == {"store": True}
    assert written(ask(extra=foreign)) == foreign, "others may know them"
