"""Requests as an Anthropic upstream takes them."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from hermes_router.catalogue.schema import Auth, ModelSpec, ProviderSpec, Quirks
from hermes_router.core.errors import CannotServe
from hermes_router.core.request import (
    Audio,
    Document,
    EmbeddingRequest,
    Image,
    KeptTools,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from hermes_router.transport.base import HttpRequest
from hermes_router.wires.anthropic import AnthropicWire
from hermes_router.wires.base import Target

PROVIDER = ProviderSpec(auth=Auth(header="x-api-key", scheme=""))
WEATHER = Tool(name="get_weather", description="Weather", schema={"type": "object", "properties": {}})
PLAIN = Quirks()
MODEL = ModelSpec(id="claude-x")
HELLO = Message(role=Role.USER, parts=(Text(text="Hello"),))


def send(
    *messages: Message,
    quirks: Quirks = PLAIN,
    model: ModelSpec = MODEL,
    provider: ProviderSpec = PROVIDER,
    headers: dict[str, str] | None = None,
    max_output: int | None = 4000,
    dialect: str = "openai",
    **fields: Any,
) -> HttpRequest:
    target = Target(
        name="anthropic", provider=provider, model=model, quirks=quirks, base_url="https://api.example/v1",
        secret="k-test-1", headers=headers or {},
    )  # fmt: skip
    request = Request(dialect=dialect, model="auto", messages=messages or (HELLO,), **fields)
    return AnthropicWire().chat(request, target, max_output=max_output)


def body_of(*messages: Message, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(send(*messages, **fields).body)
    return body


def user(*parts: Part) -> Message:
    return Message(role=Role.USER, parts=parts)


def assistant(*parts: Part, origin: str | None = None) -> Message:
    return Message(role=Role.ASSISTANT, parts=parts, origin=origin)


def call(id_: str = "toolu_1", arguments: str = '{"city":"Paris"}') -> ToolCall:
    return ToolCall(id=id_, name="get_weather", arguments=arguments)


def result(id_: str = "toolu_1", *parts: Text | Image | Document, is_error: bool = False) -> Message:
    return Message(role=Role.TOOL, parts=(ToolResult(id=id_, parts=parts or (Text(text="20 C"),), is_error=is_error),))


# ---- the envelope


def test_the_request_goes_to_messages_with_version_and_key():
    request = send(headers={"X-Extra": "1"})
    assert (request.method, request.url) == ("POST", "https://api.example/v1/messages")
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-version": "2023-06-01",
        "x-extra": "1",
        "x-api-key": "k-test-1",
    }
    assert orjson.loads(request.body) == {
        "model": "claude-x",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_the_path_follows_the_provider():
    assert send(provider=ProviderSpec(paths={"chat": "/v2/messages"})).url == "https://api.example/v1/v2/messages"


@pytest.mark.parametrize(
    "auth, sent",
    [
        pytest.param(Auth(), {"x-api-key": "k-test-1", "authorization": "Bearer k-test-1"}, id="nothing said"),
        pytest.param(Auth(header="x-api-key", scheme=""), {"x-api-key": "k-test-1"}, id="x-api-key"),
        pytest.param(Auth(header="API-Key", scheme="Token"), {"api-key": "Token k-test-1"}, id="another"),
    ],
)
def test_the_key_goes_where_the_provider_wants_it(auth: Auth, sent: dict[str, str]):
    headers = send(provider=ProviderSpec(auth=auth)).headers
    assert {name: value for name, value in headers.items() if "k-test-1" in value} == sent


@pytest.mark.parametrize(
    "max_output, model_max, sent",
    [
        pytest.param(100, 64000, 100, id="asked for"),
        pytest.param(None, 64000, 64000, id="the model's"),
        pytest.param(None, 0, 8192, id="ours"),
    ],
)
def test_max_tokens_is_always_there(max_output: int | None, model_max: int, sent: int):
    assert body_of(max_output=max_output, model=ModelSpec(id="m", max_output=model_max))["max_tokens"] == sent


def test_a_stream_is_asked_for():
    request = send(stream=True)
    assert request.headers["accept"] == "text/event-stream"
    assert orjson.loads(request.body)["stream"] is True


def test_an_anthropic_callers_own_fields_and_betas_travel_along():
    extra = {"service_tier": "auto", "anthropic_beta": ["b-1", "b-2"], "output_config": {"task_budget": {"total": 9}}}
    request = send(dialect="anthropic", extra=extra, headers={"anthropic-beta": "b-2,b-0"})
    body = orjson.loads(request.body)
    assert request.headers["anthropic-beta"] == "b-2,b-0,b-1"
    assert body["service_tier"] == "auto"
    assert body["output_config"] == {"task_budget": {"total": 9}}
    assert "anthropic_beta" not in body


def test_tools_that_are_kept_are_written_as_others_are():
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    tools = (Tool(name="f", description="d", schema=schema, strict=True), Tool(name="g", description=None, schema={}))
    kept = KeptTools(tools)
    for quirks in (Quirks(), Quirks(strict_tools=False), Quirks(schema_drop=("minLength",)), Quirks()):
        to = Target(name="a", provider=PROVIDER, model=ModelSpec(id="m"), quirks=quirks, base_url="x")
        bodies = [
            AnthropicWire()
            .chat(
                Request(dialect="openai", model="any", messages=(user(Text(text="Hi")),), tools=offered),
                to,
                max_output=9,
            )
            .body
            for offered in (kept, tools)
        ]
        assert bodies[0] == bodies[1]


def test_one_requests_betas_are_not_sent_with_the_next():
    to = Target(name="a", provider=PROVIDER, model=ModelSpec(id="m"), quirks=Quirks(), base_url="x", secret="k-test-1")
    asked = {"anthropic_beta": ["b-1"]}
    requests = [
        Request(dialect="anthropic", model="any", messages=(user(Text(text="Hi")),), extra=extra)
        for extra in ({}, asked, {})
    ]
    sent = [AnthropicWire().chat(request, to, max_output=9).headers.get("anthropic-beta") for request in requests]
    assert sent == [None, "b-1", None]


def test_another_dialects_own_fields_stay_behind():
    assert "store" not in body_of(dialect="openai", extra={"store": True})


def test_declared_quirks_shape_the_fields():
    quirks = Quirks(drop=("metadata",), rename={"top_k": "k"}, force={"speed": "fast"}, body={"top_p": 0.5, "k": 9})
    body = body_of(quirks=quirks, user="u-1", sampling=Sampling(top_k=3))
    assert {"metadata", "top_k"}.isdisjoint(body)
    assert (body["k"], body["speed"], body["top_p"]) == (3, "fast", 0.5)


def test_an_allow_list_keeps_what_the_answer_depends_on():
    body = body_of(quirks=Quirks(allow=()), tools=(WEATHER,), user="u-1", sampling=Sampling(temperature=0.5))
    assert set(body) == {"model", "max_tokens", "messages", "tools"}


# ---- turns


def test_instructions_go_to_system_wherever_they_stood():
    marked = Text(text="Be brief.", cache_control={"type": "ephemeral"})
    body = body_of(
        Message(role=Role.SYSTEM, parts=(marked,)), HELLO, Message(role=Role.DEVELOPER, parts=(Text(text="Be kind."),))
    )
    assert body["system"] == [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be kind."},
    ]
    assert [turn["role"] for turn in body["messages"]] == ["user"]


def test_one_plain_instruction_is_a_string():
    assert body_of(Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)), HELLO)["system"] == "Be brief."


def test_instructions_alone_become_what_the_user_says():
    body = body_of(Message(role=Role.SYSTEM, parts=(Text(text="Say hi."),)))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi."}]}]
    assert "system" not in body


def test_turns_alternate_and_results_open_the_turn_after_their_calls():
    body = body_of(
        HELLO,
        assistant(Text(text="Let me see.")),
        assistant(call("a"), call("b")),
        result("a"),
        user(Text(text="Quick!")),
        result("b"),
    )
    roles = [turn["role"] for turn in body["messages"]]
    kinds = [[block["type"] for block in turn["content"]] for turn in body["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert kinds == [["text"], ["text", "tool_use", "tool_use"], ["tool_result", "tool_result", "text"]]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"][:2]] == ["a", "b"]


def test_a_conversation_that_begins_with_the_assistant_gets_a_user_before_it():
    roles = [turn["role"] for turn in body_of(assistant(Text(text="Hi!")), HELLO)["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_blank_texts_and_the_space_at_the_end_of_a_prefill_are_left_out():
    body = body_of(user(Text(text=" "), Text(text="Go")), assistant(Text(text="")), user(Text(text="on")),
                   assistant(Text(text="It is \n")))  # fmt: skip
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Go"}, {"type": "text", "text": "on"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "It is"}]},
    ]


@pytest.mark.parametrize(
    "part, block",
    [
        pytest.param(Image(url="https://e.org/a.png"),
                     {"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}}, id="image url"),
        pytest.param(Image(data="QUJD", media_type="image/jpeg", cache_control={"type": "ephemeral"}),
                     {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"},
                      "cache_control": {"type": "ephemeral"}}, id="image data"),
        pytest.param(Document(data="QUJD", media_type="application/pdf", title="T", context="C", citations=True),
                     {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
                      "title": "T", "context": "C", "citations": {"enabled": True}}, id="pdf"),
        pytest.param(Document(data=base64.b64encode("Grüße".encode()).decode(), media_type="text/csv"),
                     {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
                     id="text as base64"),
        pytest.param(Document(text="abc"), {"type": "document", "source": {"type": "text", "media_type": "text/plain",
                     "data": "abc"}}, id="text"),
        pytest.param(Document(url="https://e.org/a.pdf"), {"type": "document", "source": {"type": "url",
                     "url": "https://e.org/a.pdf"}}, id="document url"),
        pytest.param(Document(file_id="file_1"), {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                     id="file"),
    ],
)  # fmt: skip
def test_content_blocks(part: Part, block: dict[str, Any]):
    assert body_of(user(part))["messages"][0]["content"] == [block]


def test_a_refusal_goes_back_as_text():
    assert body_of(HELLO, assistant(Refusal(text="No.")), HELLO)["messages"][1]["content"] == [
        {"type": "text", "text": "No."}
    ]


def test_audio_is_refused():
    with pytest.raises(CannotServe, match="audio"):
        send(user(Audio(data="QUJD", format="wav")))


# ---- tools


@pytest.mark.parametrize(
    "arguments, sent",
    [
        pytest.param('{"n": 123456789012345678901234567890}', '{"n": 123456789012345678901234567890}', id="as written"),
        pytest.param(" \n", "{}", id="none"),
        pytest.param("[1]", '{"arguments":[1]}', id="no object"),
        pytest.param('{"a":', '{"arguments":"{\\"a\\":"}', id="no JSON"),
    ],
)
def test_arguments_become_an_object(arguments: str, sent: str):
    raw = send(HELLO, assistant(call(arguments=arguments)), result()).body.decode()
    assert f'"input":{sent}' in raw


def test_strange_call_ids_are_replaced_alike_in_call_and_result():
    body = body_of(HELLO, assistant(call("functions.get:0"), call("ok-1")), result("functions.get:0"), result("ok-1"))
    calls = [block["id"] for block in body["messages"][1]["content"]]
    results = [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert calls == results
    assert calls[1] == "ok-1"
    assert calls[0].replace("_", "").isalnum()


@pytest.mark.parametrize(
    "message, block",
    [
        pytest.param(result("a"), {"content": "20 C"}, id="plain text"),
        pytest.param(result("a", Text(text="")), {}, id="nothing"),
        pytest.param(result("a", is_error=True), {"content": "20 C", "is_error": True}, id="error"),
        pytest.param(result("a", Image(url="https://e.org/i.png"), is_error=True),
                     {"content": [{"type": "text", "text": "The tool failed."},
                                  {"type": "image", "source": {"type": "url", "url": "https://e.org/i.png"}}]},
                     id="error with an image"),
    ],
)  # fmt: skip
def test_tool_results(message: Message, block: dict[str, Any]):
    body = body_of(HELLO, assistant(call("a")), message)
    assert body["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "a"} | block]


def test_tools_keep_their_marks_and_always_have_an_object_schema():
    bare = Tool(name="now", description=None, schema={}, strict=True, cache_control={"type": "ephemeral"})
    assert body_of(tools=(WEATHER, bare))["tools"] == [
        {"name": "get_weather", "description": "Weather", "input_schema": {"type": "object", "properties": {}}},
        {
            "name": "now",
            "input_schema": {"type": "object", "additionalProperties": False},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
    ]


def test_more_strict_tools_than_the_api_takes_are_sent_as_ordinary_ones():
    tools = tuple(Tool(name=f"t{n}", description=None, schema={"type": "object"}, strict=True) for n in range(21))
    assert not any("strict" in tool for tool in body_of(tools=tools)["tools"])


@pytest.mark.parametrize(
    "fields, quirks, sent",
    [
        pytest.param({}, Quirks(), None, id="nothing said"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.AUTO)}, Quirks(), {"type": "auto"}, id="auto"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.REQUIRED)}, Quirks(), {"type": "any"}, id="required"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.NONE), "parallel_tools": False}, Quirks(),
                     {"type": "none"}, id="none"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.NAMED, name="get_weather")}, Quirks(),
                     {"type": "tool", "name": "get_weather"}, id="named"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.NAMED, name="get_weather")},
                     Quirks(tool_choice_named=False), {"type": "any"}, id="named where it cannot be"),
        pytest.param({"parallel_tools": False}, Quirks(), {"type": "auto", "disable_parallel_tool_use": True},
                     id="one at a time"),
        pytest.param({"parallel_tools": True}, Quirks(), None, id="parallel is the default"),
        pytest.param({"tool_choice": ToolChoice(mode=ToolMode.REQUIRED)}, Quirks(tool_choice={"required": ""}), None,
                     id="left out by quirk"),
    ],
)  # fmt: skip
def test_tool_choice(fields: dict[str, Any], quirks: Quirks, sent: dict[str, Any] | None):
    assert body_of(tools=(WEATHER,), quirks=quirks, **fields).get("tool_choice") == sent


def test_tool_choice_without_tools_is_left_out():
    assert "tool_choice" not in body_of(tool_choice=ToolChoice(mode=ToolMode.AUTO), parallel_tools=False)


# ---- knobs


@pytest.mark.parametrize(
    "sampling, quirks, sent",
    [
        pytest.param(Sampling(temperature=1.7, top_k=5), Quirks(), {"temperature": 1.0, "top_k": 5}, id="clamped"),
        pytest.param(Sampling(temperature=0.0, top_p=0.9), Quirks(), {"temperature": 0.0}, id="never both"),
        pytest.param(Sampling(top_p=0.9), Quirks(), {"top_p": 0.9}, id="top_p"),
        pytest.param(Sampling(temperature=0.5, top_k=3), Quirks(sampling=False), {}, id="refused"),
        pytest.param(Sampling(seed=1, presence_penalty=1.0), Quirks(), {}, id="unknown here"),
    ],
)
def test_sampling(sampling: Sampling, quirks: Quirks, sent: dict[str, Any]):
    body = body_of(sampling=sampling, quirks=quirks)
    assert {key: body[key] for key in body if key not in ("model", "messages", "max_tokens")} == sent


def test_blank_stop_sequences_are_left_out():
    assert body_of(stop=("END", "\n"))["stop_sequences"] == ["END"]
    assert "stop_sequences" not in body_of(stop=(" ",))


def test_a_json_schema_is_native_closed_and_without_refused_keywords():
    schema = {
        "type": "object",
        "properties": {"minimum": {"type": "integer", "minimum": 1}, "o": {"type": "object", "properties": {}}},
        "required": ["minimum"],
    }
    form = ResponseFormat(kind="json_schema", schema=schema)
    assert body_of(response_format=form)["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "minimum": {"type": "integer"},
                    "o": {"type": "object", "properties": {}, "additionalProperties": False},
                },
                "required": ["minimum"],
                "additionalProperties": False,
            },
        }
    }
    assert "output_config" not in body_of(response_format=form, model=ModelSpec(id="m", json_schema=False))


def test_json_without_a_schema_is_asked_for_in_words():
    assert "JSON object" in body_of(response_format=ResponseFormat(kind="json_object"))["system"]


# ---- thinking


NEWER = Quirks(sampling=False)
FORCED = {"tools": (WEATHER,), "tool_choice": ToolChoice(mode=ToolMode.REQUIRED)}


@pytest.mark.parametrize(
    "thinking, fields, sent, effort",
    [
        pytest.param(Thinking(), {}, None, None, id="nothing said"),
        pytest.param(Thinking(enabled=False), {}, {"type": "disabled"}, None, id="off"),
        pytest.param(Thinking(effort="none"), {}, {"type": "disabled"}, None, id="effort none"),
        pytest.param(Thinking(enabled=True, budget=2000), {}, {"type": "enabled", "budget_tokens": 2000}, None,
                     id="budget"),
        pytest.param(Thinking(enabled=True, budget=9000), {}, {"type": "enabled", "budget_tokens": 3999}, None,
                     id="budget below max_tokens"),
        pytest.param(Thinking(effort="high"), {}, {"type": "enabled", "budget_tokens": 2000}, None,
                     id="effort as a budget, at most half"),
        pytest.param(Thinking(effort="low"), {"max_output": 50000}, {"type": "enabled", "budget_tokens": 2048}, None,
                     id="effort as a budget"),
        pytest.param(Thinking(enabled=True, budget=2000), {"max_output": 800}, None, None, id="no room to think"),
        pytest.param(Thinking(enabled=True, budget=2000), FORCED, None, None, id="not with a forced call"),
        pytest.param(Thinking(enabled=True, budget=2000), {"quirks": NEWER}, {"type": "adaptive",
                     "display": "summarized"}, None, id="newer models decide themselves"),
        pytest.param(Thinking(effort="minimal", show=False), {"quirks": NEWER}, {"type": "adaptive"}, "low",
                     id="newer models take an effort"),
        pytest.param(Thinking(effort="high", show=False), {"dialect": "anthropic"}, None, "high",
                     id="an Anthropic effort alone"),
        pytest.param(Thinking(effort="xhigh"), {"quirks": Quirks(thinking="effort", effort={"xhigh": "max"})},
                     {"type": "adaptive", "display": "summarized"}, "max", id="effort by quirk"),
        pytest.param(Thinking(effort="xhigh", show=False), {"dialect": "anthropic", "quirks": NEWER,
                     "extra": {"output_config": {"effort": "max"}}}, None, "max", id="max is the caller's own word"),
        pytest.param(Thinking(enabled=True), {"quirks": Quirks(thinking="none")}, None, None, id="never said"),
        pytest.param(Thinking(effort="high"), {"model": ModelSpec(id="m", reasoning=False)}, None, None,
                     id="a model that does not think"),
    ],
)  # fmt: skip
def test_thinking(thinking: Thinking, fields: dict[str, Any], sent: dict[str, Any] | None, effort: str | None):
    body = body_of(thinking=thinking, **fields)
    assert body.get("thinking") == sent
    assert body.get("output_config", {}).get("effort") == effort


def test_thinking_takes_the_sampling_knobs_with_it():
    thinking = Thinking(enabled=True, budget=2000)
    body = body_of(thinking=thinking, sampling=Sampling(temperature=0.3, top_k=3, top_p=0.96))
    assert "temperature" not in body
    assert "top_k" not in body
    assert body["top_p"] == 0.96
    assert "top_p" not in body_of(thinking=thinking, sampling=Sampling(top_p=0.5))


SIGNED = Reasoning(text="Hm.", signature="sig-1")


@pytest.mark.parametrize(
    "part, origin, blocks",
    [
        pytest.param(SIGNED, "anthropic/claude-x", [{"type": "thinking", "thinking": "Hm.", "signature": "sig-1"}],
                     id="its own"),
        pytest.param(Reasoning(redacted="opaque"), "anthropic/claude-y",
                     [{"type": "redacted_thinking", "data": "opaque"}], id="redacted"),
        pytest.param(SIGNED, "elsewhere/claude-x", [], id="another provider's"),
        pytest.param(SIGNED, None, [], id="nobody knows whose"),
        pytest.param(Reasoning(text="Hm."), "anthropic/claude-x", [], id="unsigned"),
    ],
)  # fmt: skip
def test_thinking_goes_back_only_to_its_maker_and_signed(part: Reasoning, origin: str | None, blocks: list[Any]):
    body = body_of(HELLO, assistant(part, Text(text="So."), origin=origin), HELLO)
    assert body["messages"][1]["content"] == [*blocks, {"type": "text", "text": "So."}]


@pytest.mark.parametrize(
    "origin, on", [pytest.param("anthropic/c", True, id="its own calls"), pytest.param("groq/x", False, id="others'")]
)
def test_calls_made_without_thinking_are_answered_without_it(origin: str, on: bool):
    loop = (HELLO, assistant(SIGNED, call(), origin=origin), result())
    assert ("thinking" in body_of(*loop, thinking=Thinking(enabled=True, budget=2000))) is on


def test_embeddings_are_refused():
    target = Target(name="anthropic", provider=PROVIDER, model=ModelSpec(id="m"), quirks=Quirks(), base_url="x")
    with pytest.raises(CannotServe, match="no embeddings"):
        AnthropicWire().embed(EmbeddingRequest(dialect="openai", model="m", inputs=("a",)), target)
