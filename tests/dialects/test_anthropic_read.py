"""Bodies of POST /v1/messages into requests, and what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hermes_router.core.errors import BadRequest
from hermes_router.core.request import (
    Document,
    Image,
    Message,
    Part,
    Reasoning,
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
from hermes_router.dialects.anthropic import AnthropicMessages

MARK = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}


def read(headers: dict[str, str] | None = None, **fields: Any) -> Request:
    body = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]} | fields
    return AnthropicMessages().read(orjson.dumps(body), headers or {})


def turns(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return read(messages=list(messages)).messages


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def use(id_: str = "toolu_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "get_weather", "input": {"city": "Paris"}, **more}


def answered(id_: str = "toolu_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, **more}


def test_a_minimal_request():
    assert read() == Request(
        dialect="anthropic",
        model="auto",
        messages=(Message(role=Role.USER, parts=(Text(text="Hello"),)),),
        max_output=100,
        thinking=Thinking(show=False),
        include_usage=True,
    )


@pytest.mark.parametrize(
    "system, parts",
    [
        pytest.param("Be brief.", (Text(text="Be brief."),), id="string"),
        pytest.param([{"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": MARK}],
                     (Text(text="A"), Text(text="B", cache_control=MARK)), id="blocks with a cache mark"),
    ],
)  # fmt: skip
def test_system_is_the_first_message(system: Any, parts: tuple[Part, ...]):
    assert read(system=system).messages[0] == Message(role=Role.SYSTEM, parts=parts)


@pytest.mark.parametrize("system", ["", [], None])
def test_an_empty_system_is_no_message(system: Any):
    assert [message.role for message in read(system=system).messages] == [Role.USER]


def test_a_system_turn_among_the_messages_is_taken_as_instructions():
    system = {"role": "system", "content": [{"type": "text", "text": "From now on in French."}]}
    roles = [message.role for message in turns(user({"type": "text", "text": "Hi"}), system)]
    assert roles == [Role.USER, Role.SYSTEM]


@pytest.mark.parametrize(
    "block, part",
    [
        pytest.param({"type": "text", "text": "a", "cache_control": MARK}, Text(text="a", cache_control=MARK),
                     id="text"),
        pytest.param({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                     Image(data="QUJD", media_type="image/png"), id="image"),
        pytest.param({"type": "image", "source": {"type": "url", "url": "https://e.org/a"}, "cache_control": MARK},
                     Image(url="https://e.org/a", cache_control=MARK), id="image url"),
        pytest.param({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
                      "title": "T", "context": "C", "citations": {"enabled": True}, "cache_control": MARK},
                     Document(data="QUJD", media_type="application/pdf", title="T", context="C", citations=True,
                              cache_control=MARK), id="pdf"),
        pytest.param({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}},
                     Document(text="abc", media_type="text/plain"), id="text document"),
        pytest.param({"type": "document", "source": {"type": "url", "url": "https://e.org/a.pdf"}},
                     Document(url="https://e.org/a.pdf"), id="document url"),
        pytest.param({"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                     Document(file_id="file_1"), id="file"),
        pytest.param({"type": "document", "source": {"type": "content", "content": "abc"}},
                     Document(text="abc", media_type="text/plain"), id="content string"),
        pytest.param({"type": "document", "source": {"type": "content", "content": [
                      {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
                     Document(text="a\n\nb", media_type="text/plain"), id="content blocks"),
        pytest.param({"type": "search_result", "source": "https://e.org", "title": "News",
                      "content": [{"type": "text", "text": "It rained."}]},
                     Text(text="News\nSource: https://e.org\n\nIt rained."), id="search result"),
    ],
)  # fmt: skip
def test_what_a_user_may_show(block: dict[str, Any], part: Part):
    assert turns(user(block))[0].parts == (part,)


def test_a_document_of_texts_and_images_becomes_these():
    inner = [{"type": "text", "text": "See:"}, {"type": "image", "source": {"type": "url", "url": "https://e.org/a"}}]
    parts = turns(user({"type": "document", "source": {"type": "content", "content": inner}}))[0].parts
    assert parts == (Text(text="See:"), Image(url="https://e.org/a"))


def test_an_assistant_turn_keeps_its_order_and_what_its_maker_needs():
    said = assistant(
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "Calling.", "citations": None},
        use(cache_control=MARK, caller={"type": "direct"}),
    )
    (message,) = turns(user({"type": "text", "text": "Hi"}), said)[1:]
    assert message.parts == (
        Reasoning(text="Hm.", signature="sig"),
        Reasoning(redacted="opaque"),
        Text(text="Calling."),
        ToolCall(id="toolu_1", name="get_weather", arguments='{"city":"Paris"}', cache_control=MARK),
    )


def test_thinking_that_was_never_signed_is_kept_without_a_signature():
    said = assistant({"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "So."})
    assert turns(user({"type": "text", "text": "Hi"}), said)[1].parts[0] == Reasoning(text="Hm.")


def test_tool_results_come_first_as_turns_of_their_own_with_their_tools_name():
    messages = turns(
        user({"type": "text", "text": "Hi"}),
        assistant(use("a"), use("b")),
        user({"type": "text", "text": "Quick!"}, answered("b", content="20 C"), answered("a", is_error=True)),
    )
    assert messages[2:] == (
        Message(role=Role.TOOL, parts=(ToolResult(id="b", parts=(Text(text="20 C"),), name="get_weather"),)),
        Message(role=Role.TOOL, parts=(ToolResult(id="a", parts=(), is_error=True, name="get_weather"),)),
        Message(role=Role.USER, parts=(Text(text="Quick!"),)),
    )


def test_a_tool_result_may_hold_text_images_documents_and_search_results():
    content = [
        {"type": "text", "text": "a"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
        {"type": "tool_reference", "tool_name": "get_time"},
    ]
    messages = turns(user({"type": "text", "text": "Hi"}), assistant(use()), user(answered(content=content)))
    (result,) = messages[2].parts
    assert isinstance(result, ToolResult)
    assert result.parts == (
        Text(text="a"),
        Image(data="QUJD", media_type="image/png"),
        Document(text="abc", media_type="text/plain"),
        Text(text="t\nSource: s\n\nx"),
        Text(text="The tool get_time is available."),
    )


def test_consecutive_turns_of_one_role_and_a_first_assistant_turn_are_taken():
    hi = {"type": "text", "text": "Hi"}
    roles = [message.role for message in turns(assistant(hi), user(hi), user(hi), assistant())]
    assert roles == [Role.ASSISTANT, Role.USER, Role.USER]


# ---- settings


def test_tools():
    tools = [WEATHER, WEATHER | {"type": "custom", "name": "b", "strict": True, "cache_control": MARK}]
    assert read(tools=tools).tools == (
        Tool(name="get_weather", description="Weather", schema=SCHEMA),
        Tool(name="b", description="Weather", schema=SCHEMA, strict=True, cache_control=MARK),
    )


@pytest.mark.parametrize(
    "said, choice, parallel",
    [
        pytest.param({"type": "auto"}, ToolChoice(mode=ToolMode.AUTO), None, id="auto"),
        pytest.param({"type": "any"}, ToolChoice(mode=ToolMode.REQUIRED), None, id="any"),
        pytest.param({"type": "none"}, ToolChoice(mode=ToolMode.NONE), None, id="none"),
        pytest.param({"type": "tool", "name": "get_weather"}, ToolChoice(mode=ToolMode.NAMED, name="get_weather"), None,
                     id="tool"),
        pytest.param({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(mode=ToolMode.REQUIRED), False,
                     id="one at a time"),
        pytest.param({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice(mode=ToolMode.AUTO), None,
                     id="parallel said to be fine"),
    ],
)  # fmt: skip
def test_tool_choice(said: dict[str, Any], choice: ToolChoice, parallel: bool | None):
    request = read(tools=[WEATHER], tool_choice=said)
    assert (request.tool_choice, request.parallel_tools) == (choice, parallel)


def test_a_free_choice_among_no_tools_is_no_choice():
    assert read(tool_choice={"type": "auto", "disable_parallel_tool_use": True}).tool_choice is None


@pytest.mark.parametrize(
    "fields, thinking",
    [
        pytest.param({}, Thinking(show=False), id="nothing said"),
        pytest.param({"thinking": {"type": "disabled"}}, Thinking(enabled=False, show=False), id="disabled"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Thinking(enabled=True, budget=2048),
                     id="enabled"),
        pytest.param({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
                     Thinking(enabled=True, effort="low"), id="adaptive with an effort"),
        pytest.param({"thinking": {"type": "adaptive", "display": "omitted"}}, Thinking(enabled=True, show=False),
                     id="not to be shown"),
        pytest.param({"output_config": {"effort": "max"}}, Thinking(effort="xhigh", show=False), id="effort alone"),
    ],
)  # fmt: skip
def test_thinking(fields: dict[str, Any], thinking: Thinking):
    assert read(**fields).thinking == thinking


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, id="output_config"),
        pytest.param({"output_format": {"type": "json_schema", "schema": SCHEMA}}, id="the beta's output_format"),
    ],
)
def test_structured_outputs(fields: dict[str, Any]):
    request = read(**fields)
    assert request.response_format == ResponseFormat(kind="json_schema", schema=SCHEMA, strict=True)
    assert request.extra == {}


def test_knobs():
    request = read(temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END"], stream=True, metadata={"user_id": "u"})
    assert request.sampling == Sampling(temperature=0.5, top_p=0.9, top_k=40)
    assert (request.stop, request.stream, request.user) == (("END",), True, "u")


def test_minus_one_stands_for_a_knob_that_is_not_set():
    assert read(top_p=-1, top_k=-1).sampling == Sampling()


def test_fields_only_anthropic_knows_are_kept_for_its_wire():
    request = read(
        {"anthropic-beta": "context-1m-2025-08-07, files-api-2025-04-14"},
        service_tier="auto",
        context_management={"edits": []},
        container=None,
        output_config={"effort": "max", "task_budget": {"total": 5}},
        anthropic_version="2023-06-01",
    )
    assert request.extra == {
        "service_tier": "auto",
        "context_management": {"edits": []},
        "output_config": {"effort": "max", "task_budget": {"total": 5}},
        "anthropic_beta": ["context-1m-2025-08-07", "files-api-2025-04-14"],
    }


# ---- refusals


HI = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    "fields, param",
    [
        pytest.param({"max_tokens": None}, "max_tokens", id="no max_tokens"),
        pytest.param({"max_tokens": 0}, "max_tokens", id="max_tokens 0"),
        pytest.param({"max_tokens": "9"}, "max_tokens", id="max_tokens as text"),
        pytest.param({"max_tokens": True}, "max_tokens", id="max_tokens true"),
        pytest.param({"model": 5}, "model", id="model"),
        pytest.param({"messages": []}, "messages", id="no messages"),
        pytest.param({"messages": None}, "messages", id="messages null"),
        pytest.param({"messages": "Hi"}, "messages", id="messages as text"),
        pytest.param({"messages": ["Hi"]}, "messages[0]", id="a message as text"),
        pytest.param({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", id="role"),
        pytest.param({"messages": [{"role": "user"}]}, "messages[0].content", id="no content"),
        pytest.param({"messages": [{"role": "user", "content": ""}]}, "messages[0].content", id="empty content"),
        pytest.param({"messages": [HI, {"role": "user", "content": 5}]}, "messages[1].content", id="content"),
        pytest.param({"messages": [assistant()]}, "messages", id="nobody says anything"),
        pytest.param({"messages": [user({"text": "x"})]}, "messages[0].content[0].type", id="a block without type"),
        pytest.param({"messages": [user({"type": "text"})]}, "messages[0].content[0].text", id="text missing"),
        pytest.param({"messages": [user({"type": "video"})]}, "messages[0].content[0].type", id="unknown block"),
        pytest.param({"messages": [user(use())]}, "messages[0].content[0].type", id="a user calling tools"),
        pytest.param({"messages": [HI, assistant(use(input="{}"))]}, "messages[1].content[0].input",
                     id="input as text"),
        pytest.param({"messages": [HI, assistant(use(name=""))]}, "messages[1].content[0].name", id="a nameless call"),
        pytest.param({"messages": [user(answered("nobody"))]}, "messages[0].content", id="a result without a call"),
        pytest.param({"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
                     "messages[0].content[0].source", id="an uploaded image"),
        pytest.param({"messages": [user({"type": "image", "source": {"type": "base64", "data": "QUJD"}})]},
                     "messages[0].content[0].source.media_type", id="an image without a media type"),
        pytest.param({"system": 5}, "system", id="system"),
        pytest.param({"system": [{"type": "image"}]}, "system[0].type", id="an image in system"),
        pytest.param({"stop_sequences": "END"}, "stop_sequences", id="stop_sequences"),
        pytest.param({"stop_sequences": ["a", 1]}, "stop_sequences[1]", id="a stop sequence"),
        pytest.param({"temperature": 1.5}, "temperature", id="temperature"),
        pytest.param({"stream": "yes"}, "stream", id="stream"),
        pytest.param({"metadata": {"user_id": 5}}, "metadata.user_id", id="user_id"),
        pytest.param({"thinking": {"type": "on"}}, "thinking.type", id="thinking"),
        pytest.param({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", id="no budget"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 10}}, "thinking.budget_tokens", id="budget"),
        pytest.param({"output_config": {"effort": "huge"}}, "output_config.effort", id="effort"),
        pytest.param({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema",
                     id="schema"),
        pytest.param({"output_format": {"type": "xml"}}, "output_format.type", id="output_format"),
        pytest.param({"tools": [{"name": "a"}]}, "tools[0].input_schema", id="no schema"),
        pytest.param({"tools": [WEATHER, {"input_schema": SCHEMA}]}, "tools[1].name", id="a nameless tool"),
        pytest.param({"tools": [{"name": "a", "input_schema": {}}]}, "tools[0].input_schema.type", id="schema type"),
        pytest.param({"tools": [WEATHER], "tool_choice": "auto"}, "tool_choice", id="tool_choice as text"),
        pytest.param({"tools": [WEATHER], "tool_choice": {"type": "required"}}, "tool_choice.type", id="tool_choice"),
        pytest.param({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "b"}}, "tool_choice.name",
                     id="choice of an unknown tool"),
        pytest.param({"tool_choice": {"type": "any"}}, "tool_choice.type", id="a forced choice among nothing"),
        pytest.param({"mcp_servers": [{"type": "url", "url": "https://e.org"}]}, "mcp_servers", id="mcp_servers"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(fields: dict[str, Any], param: str):
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param
    assert caught.value.message.startswith(param)


@pytest.mark.parametrize(
    "kind, why",
    [
        ("web_search_20250305", "runs on Anthropic's servers"),
        ("web_fetch_20260209", "runs on Anthropic's servers"),
        ("code_execution_20260120", "runs on Anthropic's servers"),
        ("tool_search_tool_bm25_20251119", "runs on Anthropic's servers"),
        ("bash_20250124", "only Anthropic's models know"),
        ("text_editor_20250728", "only Anthropic's models know"),
        ("computer_20251124", "only Anthropic's models know"),
        ("memory_20250818", "only Anthropic's models know"),
    ],
)
def test_tools_of_anthropics_own_are_refused_by_name(kind: str, why: str):
    with pytest.raises(BadRequest) as caught:
        read(tools=[WEATHER, {"type": kind, "name": "x"}])
    assert caught.value.param == "tools[1].type"
    assert kind in caught.value.message
    assert why in caught.value.message


@pytest.mark.parametrize("kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "compaction"])
def test_turns_that_hold_what_anthropics_servers_did_are_refused_by_name(kind: str):
    with pytest.raises(BadRequest) as caught:
        turns(HI, assistant({"type": kind, "id": "x"}))
    assert caught.value.param == "messages[1].content[0].type"
    assert kind in caught.value.message
    assert "Anthropic's servers" in caught.value.message
