"""Chat Completions requests: what each field becomes, and how a bad one is refused."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_router.core.errors import BadRequest
from hermes_router.core.request import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from hermes_router.dialects.openai_chat import OpenAIChat

HELLO = {"role": "user", "content": "hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
ADD = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": {"type": "object"}}}
SUB = {"type": "function", "function": {"name": "sub"}}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="


def read(**fields: Any) -> Request:
    return OpenAIChat().read(orjson.dumps({"model": "auto", "messages": [HELLO], **fields}), {})


def parts(*messages: dict[str, Any]) -> tuple[Part, ...]:
    return read(messages=list(messages)).messages[-1].parts


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def test_the_smallest_request_is_read():
    assert read() == Request(
        dialect="openai", model="auto", messages=(Message(role=Role.USER, parts=(Text(text="hello"),)),)
    )


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_plain_roles_keep_their_name_and_parts(role: str):
    request = read(messages=[{"role": role, "content": [{"type": "text", "text": "a"}], "name": "n"}])
    assert request.messages == (Message(role=Role(role), parts=(Text(text="a"),), name="n"),)


@pytest.mark.parametrize(
    "part, expected",
    [
        pytest.param({"type": "text", "text": "a"}, Text(text="a"), id="text"),
        pytest.param(
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            Text(text="a", cache_control={"type": "ephemeral"}),
            id="cache mark",
        ),
        pytest.param(
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            Text(text="a", cache_control={"type": "ephemeral"}),
            id="OpenAI's cache mark",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://a.test/i.png", "detail": "low"}},
            Image(url="https://a.test/i.png", detail="low"),
            id="image by URL",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": PNG}},
            Image(data="iVBORw0KGgo=", media_type="image/png"),
            id="image in a data URL",
        ),
        pytest.param(
            {"type": "image_url", "image_url": "data:image/JPG;base64,AA=="},
            Image(data="AA==", media_type="image/jpeg"),
            id="image as a bare string, type made standard",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": PDF}},
            Document(data="JVBERi0=", media_type="application/pdf"),
            id="PDF sent as an image",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            Audio(data="UklG", format="wav"),
            id="audio",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            Document(data="JVBERi0=", media_type="application/pdf", title="a.pdf"),
            id="file",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "JVBERi0="}},
            Document(data="JVBERi0=", media_type="application/pdf"),
            id="file as bare base64",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8;base64,w6Q="}},
            Document(text="ä", media_type="text/plain"),
            id="text file",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "https://a.test/a.pdf"}},
            Document(url="https://a.test/a.pdf"),
            id="file by URL",
        ),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, Document(file_id="file-1"), id="file id"),
        pytest.param(
            {"type": "document_url", "document_url": PDF, "document_name": "a.pdf"},
            Document(data="JVBERi0=", media_type="application/pdf", title="a.pdf"),
            id="Mistral's document",
        ),
    ],
)
def test_content_parts_become_ours(part: dict[str, Any], expected: Part):
    assert parts(user(part)) == (expected,)


@pytest.mark.parametrize(
    "message, expected",
    [
        pytest.param({"content": "a"}, (Text(text="a"),), id="text"),
        pytest.param({"content": ""}, (Text(text=""),), id="nothing said"),
        pytest.param({"content": [{"type": "refusal", "refusal": "no"}]}, (Refusal(text="no"),), id="refusal part"),
        pytest.param({"content": None, "refusal": "no"}, (Refusal(text="no"),), id="refusal field"),
        pytest.param(
            {"content": None, "tool_calls": [CALL]}, (ToolCall(id="c1", name="add", arguments='{"a":1}'),), id="call"
        ),
        pytest.param(
            {"content": "", "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}]},
            (ToolCall(id="c1", name="add", arguments='{"a":1}'),),
            id="arguments as an object",
        ),
        pytest.param(
            {"tool_calls": [{**CALL, "function": {"name": "add", "arguments": None}}]},
            (ToolCall(id="c1", name="add", arguments="{}"),),
            id="no arguments",
        ),
        pytest.param(
            {"content": [], "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "s"}}}]},
            (ToolCall(id="c1", name="add", arguments='{"a":1}', opaque={"google": {"thought_signature": "s"}}),),
            id="Gemini's signature",
        ),
        pytest.param(
            {"content": "a", "reasoning_content": "hm"}, (Reasoning(text="hm"), Text(text="a")), id="reasoning_content"
        ),
        pytest.param({"content": "a", "reasoning": "hm"}, (Reasoning(text="hm"), Text(text="a")), id="reasoning"),
        pytest.param(
            {"content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}]},
            (
                Reasoning(text="hm", details=[{"type": "reasoning.text", "text": "hm", "signature": "s"}]),
                Text(text="a"),
            ),
            id="reasoning_details",
        ),
        pytest.param(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
            (Reasoning(text="hm"),),
            id="Mistral's thinking",
        ),
        pytest.param(
            {"content": "a", "annotations": [], "audio": None, "prefix": True}, (Text(text="a"),), id="echoed extras"
        ),
    ],
)
def test_assistant_messages_become_parts(message: dict[str, Any], expected: tuple[Part, ...]):
    assert parts({"role": "assistant", **message}) == expected


def test_a_cache_mark_on_a_message_goes_to_its_last_part():
    message = user({"type": "text", "text": "a"}, {"type": "text", "text": "b"})
    marked = parts({**message, "cache_control": {"type": "ephemeral"}})
    assert marked == (Text(text="a"), Text(text="b", cache_control={"type": "ephemeral"}))


def test_a_tool_result_keeps_its_call_and_its_parts():
    content = [{"type": "text", "text": "3"}, {"type": "image_url", "image_url": {"url": PNG}}]
    said = parts({"role": "tool", "tool_call_id": "c1", "name": "add", "content": content})
    assert said == (
        ToolResult(id="c1", name="add", parts=(Text(text="3"), Image(data="iVBORw0KGgo=", media_type="image/png"))),
    )


def test_tool_results_follow_the_order_of_their_calls():
    calls = [{**CALL, "id": name} for name in "abc"]
    results = [{"role": "tool", "tool_call_id": name, "content": name} for name in "cab"]
    request = read(messages=[HELLO, {"role": "assistant", "tool_calls": calls}, *results, HELLO])
    said = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    assert said == ["a", "b", "c"]
    assert request.messages[-1].role is Role.USER


def test_legacy_functions_are_tools_and_their_calls_are_paired():
    request = read(
        functions=[{"name": "add", "parameters": {"type": "object"}}],
        function_call={"name": "add"},
        messages=[
            HELLO,
            {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
            {"role": "function", "name": "add", "content": "3"},
        ],
    )
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert request.legacy_functions
    assert request.parallel_tools is False
    assert request.tools[0].name == "add"
    assert request.tool_choice == ToolChoice(mode=ToolMode.NAMED, name="add")
    assert isinstance(call, ToolCall)
    assert result == ToolResult(id=call.id, name="add", parts=(Text(text="3"),))


def test_tools_become_ours():
    strict = {"type": "function", "function": {**ADD["function"], "strict": True}}  # type: ignore[dict-item]
    request = read(tools=[strict, {"function": {"name": "bare"}}], parallel_tool_calls=False)
    assert request.parallel_tools is False
    assert request.tools == (
        Tool(name="add", description="adds", schema={"type": "object"}, strict=True),
        Tool(name="bare", description=None, schema={"type": "object", "properties": {}}),
    )


@pytest.mark.parametrize(
    "choice, expected",
    [
        pytest.param(None, None, id="absent"),
        pytest.param("auto", ToolChoice(mode=ToolMode.AUTO), id="auto"),
        pytest.param("none", ToolChoice(mode=ToolMode.NONE), id="none"),
        pytest.param("required", ToolChoice(mode=ToolMode.REQUIRED), id="required"),
        pytest.param("any", ToolChoice(mode=ToolMode.REQUIRED), id="any"),
        pytest.param(
            {"type": "function", "function": {"name": "sub"}}, ToolChoice(mode=ToolMode.NAMED, name="sub"), id="named"
        ),
        pytest.param({"function": {"name": "sub"}}, ToolChoice(mode=ToolMode.NAMED, name="sub"), id="without a type"),
        pytest.param({"type": "tool", "name": "sub"}, ToolChoice(mode=ToolMode.NAMED, name="sub"), id="as a tool"),
    ],
)
def test_tool_choice_in_all_its_forms(choice: Any, expected: ToolChoice | None):
    request = read(tools=[ADD, SUB], tool_choice=choice)
    assert request.tool_choice == expected
    assert len(request.tools) == 2


def test_allowed_tools_leave_only_those():
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "sub"}}]}
    request = read(tools=[ADD, SUB], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool.name for tool in request.tools] == ["sub"]
    assert request.tool_choice == ToolChoice(mode=ToolMode.REQUIRED)


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_without_tools_a_choice_means_nothing(choice: str | None):
    request = read(tools=[], tool_choice=choice, parallel_tool_calls=True)
    assert (request.tools, request.tool_choice, request.parallel_tools) == ((), None, None)


@pytest.mark.parametrize(
    "given, expected",
    [
        pytest.param({"type": "text"}, None, id="text"),
        pytest.param({"type": "json_object"}, ResponseFormat(kind="json_object"), id="json_object"),
        pytest.param(
            {"type": "json_object", "schema": {"type": "object"}},
            ResponseFormat(kind="json_schema", schema={"type": "object"}),
            id="json_object with a schema",
        ),
        pytest.param(
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
            ResponseFormat(kind="json_schema", name="n", schema={"type": "object"}, strict=True),
            id="json_schema",
        ),
    ],
)
def test_response_formats(given: dict[str, Any], expected: ResponseFormat | None):
    assert read(response_format=given).response_format == expected


@pytest.mark.parametrize(
    "fields, expected",
    [
        pytest.param({}, Thinking(), id="nothing said"),
        pytest.param({"reasoning_effort": "low"}, Thinking(enabled=True, effort="low"), id="effort"),
        pytest.param({"reasoning_effort": "none"}, Thinking(enabled=False, effort="none"), id="none"),
        pytest.param({"reasoning_effort": "max"}, Thinking(enabled=True, effort="xhigh"), id="max"),
        pytest.param({"reasoning_effort": "default"}, Thinking(enabled=True), id="Groq's default"),
        pytest.param({"reasoning": {"effort": "high"}}, Thinking(enabled=True, effort="high"), id="OpenRouter effort"),
        pytest.param({"reasoning": {"max_tokens": 9}}, Thinking(enabled=True, budget=9), id="OpenRouter budget"),
        pytest.param({"reasoning": {"exclude": True}}, Thinking(show=False), id="OpenRouter exclude"),
        pytest.param({"reasoning": {"enabled": False}}, Thinking(enabled=False), id="OpenRouter off"),
        pytest.param({"include_reasoning": False}, Thinking(show=False), id="include_reasoning"),
        pytest.param({"reasoning_format": "hidden"}, Thinking(show=False), id="Groq hidden"),
        pytest.param({"thinking": {"type": "disabled"}}, Thinking(enabled=False), id="thinking off"),
        pytest.param({"thinking": {"type": "enabled"}}, Thinking(enabled=True), id="thinking on"),
    ],
)
def test_reasoning_in_all_its_spellings(fields: dict[str, Any], expected: Thinking):
    assert read(**fields).thinking == expected


def test_the_newer_output_limit_holds():
    assert read(max_tokens=5).max_output == 5
    assert read(max_completion_tokens=7).max_output == 7
    assert read(max_tokens=5, max_completion_tokens=7).max_output == 7


@pytest.mark.parametrize(
    "stop, expected",
    [
        pytest.param("a", ("a",), id="string"),
        pytest.param(["a", "b"], ("a", "b"), id="list"),
        pytest.param("", (), id="empty"),
        pytest.param(["", "a"], ("a",), id="an empty one"),
    ],
)
def test_stop_words(stop: Any, expected: tuple[str, ...]):
    assert read(stop=stop).stop == expected


def test_sampling_is_read():
    sampling = read(
        temperature=0, top_p=1.0, top_k=-1, seed=-7, presence_penalty=-2, frequency_penalty=2, logprobs=True,
        top_logprobs=20, logit_bias={"5": -100},
    ).sampling  # fmt: skip
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed) == (0, 1.0, None, -7)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (-2, 2)
    assert (sampling.logprobs, sampling.top_logprobs, sampling.logit_bias) == (True, 20, {"5": -100})


def test_streaming_options_user_and_metadata_are_read():
    request = read(stream=True, stream_options={"include_usage": True}, user="u", metadata={"k": "v"})
    assert (request.stream, request.include_usage, request.user, request.metadata) == (True, True, "u", {"k": "v"})


def test_unknown_fields_are_kept_and_nulls_are_not():
    request = read(
        n=1, store=True, service_tier="flex", prediction={"type": "content", "content": "x"}, verbosity="low",
        provider={"order": ["a"]}, modalities=["text"], seed=None, tools=None, stop=None, logit_bias=None, other=None,
    )  # fmt: skip
    assert request.extra == {
        "store": True,
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "x"},
        "verbosity": "low",
        "provider": {"order": ["a"]},
    }


BAD_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "model"),
    "empty model": ({"model": ""}, "model"),
    "model a number": ({"model": 5}, "model"),
    "no messages": ({"messages": None}, "messages"),
    "empty messages": ({"messages": []}, "messages"),
    "messages a string": ({"messages": "hi"}, "messages"),
    "n": ({"n": 2}, "n"),
    "n zero": ({"n": 0}, "n"),
    "temperature a string": ({"temperature": "hot"}, "temperature"),
    "temperature too high": ({"temperature": 2.1}, "temperature"),
    "temperature a boolean": ({"temperature": True}, "temperature"),
    "top_p": ({"top_p": 1.5}, "top_p"),
    "penalty": ({"presence_penalty": 3}, "presence_penalty"),
    "top_logprobs": ({"top_logprobs": 21}, "top_logprobs"),
    "logit_bias": ({"logit_bias": {"5": "x"}}, "logit_bias.5"),
    "seed": ({"seed": 1.5}, "seed"),
    "max_tokens": ({"max_tokens": 0}, "max_tokens"),
    "max_completion_tokens": ({"max_completion_tokens": "5"}, "max_completion_tokens"),
    "stop": ({"stop": 5}, "stop"),
    "stop item": ({"stop": ["a", 5]}, "stop[1]"),
    "stream": ({"stream": "yes"}, "stream"),
    "stream_options": ({"stream_options": True}, "stream_options"),
    "include_usage": ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    "effort": ({"reasoning_effort": "extreme"}, "reasoning_effort"),
    "reasoning effort": ({"reasoning": {"effort": 5}}, "reasoning.effort"),
    "reasoning budget": ({"reasoning": {"max_tokens": 0}}, "reasoning.max_tokens"),
    "thinking": ({"thinking": {"type": "maybe"}}, "thinking.type"),
    "modalities": ({"modalities": ["text", "audio"]}, "modalities[1]"),
    "audio": ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    "metadata": ({"metadata": []}, "metadata"),
    "user": ({"user": 5}, "user"),
    "store": ({"store": "yes"}, "store"),
    "format": ({"response_format": "json"}, "response_format"),
    "format without type": ({"response_format": {}}, "response_format.type"),
    "format unknown": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "format without schema": ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    "tools": ({"tools": {}}, "tools"),
    "tool a string": ({"tools": ["add"]}, "tools[0]"),
    "custom tool": ({"tools": [ADD, {"type": "custom", "custom": {"name": "x"}}]}, "tools[1].type"),
    "hosted tool": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "tool without function": ({"tools": [{"type": "function"}]}, "tools[0].function"),
    "tool without name": ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    "tool schema": ({"tools": [{"function": {"name": "a", "parameters": "x"}}]}, "tools[0].function.parameters"),
    "tools and functions": ({"tools": [ADD], "functions": [{"name": "a"}]}, "functions"),
    "choice word": ({"tools": [ADD], "tool_choice": "maybe"}, "tool_choice"),
    "choice unknown tool": (
        {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
        "tool_choice.function.name",
    ),
    "choice custom": ({"tools": [ADD], "tool_choice": {"type": "custom", "custom": {"name": "a"}}}, "tool_choice.type"),
    "required without tools": ({"tool_choice": "required"}, "tool_choice"),
    "allowed tools empty": (
        {"tools": [ADD], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
        "tool_choice.allowed_tools.tools",
    ),
    "parallel": ({"tools": [ADD], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
}


@pytest.mark.parametrize("fields, param", [pytest.param(*case, id=name) for name, case in BAD_FIELDS.items()])
def test_a_bad_field_is_named(fields: dict[str, Any], param: str):
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


BAD_MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "no role": ({"content": "x"}, "role"),
    "unknown role": ({"role": "robot", "content": "x"}, "role"),
    "no content": ({"role": "user"}, "content"),
    "no parts": ({"role": "user", "content": []}, "content"),
    "content a number": ({"role": "user", "content": 5}, "content"),
    "part a string": ({"role": "user", "content": ["x"]}, "content[0]"),
    "part without type": (user({"text": "x"}), "content[0].type"),
    "unknown part": (user({"type": "text", "text": "a"}, {"type": "video_url"}), "content[1].type"),
    "image in instructions": (
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
        "content[0].type",
    ),
    "text missing": (user({"type": "text"}), "content[0].text"),
    "image missing": (user({"type": "image_url"}), "content[0].image_url"),
    "image without url": (user({"type": "image_url", "image_url": {}}), "content[0].image_url.url"),
    "image from disk": (
        user({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}),
        "content[0].image_url.url",
    ),
    "image not base64": (
        user({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}),
        "content[0].image_url.url",
    ),
    "image without media type": (
        user({"type": "image_url", "image_url": {"url": "data:;base64,AA"}}),
        "content[0].image_url.url",
    ),
    "video as an image": (
        user({"type": "image_url", "image_url": {"url": "data:video/mp4;base64,AA"}}),
        "content[0].image_url.url",
    ),
    "audio without format": (
        user({"type": "input_audio", "input_audio": {"data": "x"}}),
        "content[0].input_audio.format",
    ),
    "file without anything": (user({"type": "file", "file": {"filename": "x"}}), "content[0].file"),
    "text file not text": (
        user({"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}),
        "content[0].file.file_data",
    ),
    "images beside content": ({"role": "user", "content": "x", "images": ["AA"]}, "images"),
    "assistant without anything": ({"role": "assistant", "content": None}, "content"),
    "call without id": (
        {"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]},
        "tool_calls[0].id",
    ),
    "call without name": (
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]},
        "tool_calls[0].function.name",
    ),
    "call arguments": (
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "a", "arguments": 5}}]},
        "tool_calls[0].function.arguments",
    ),
    "custom call": (
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "a"}}]},
        "tool_calls[0].type",
    ),
    "result without id": ({"role": "tool", "content": "x"}, "tool_call_id"),
    "result without content": ({"role": "tool", "tool_call_id": "c"}, "content"),
    "function without call": ({"role": "function", "name": "a", "content": "x"}, "name"),
    "reasoning": ({"role": "assistant", "content": "a", "reasoning_content": 5}, "reasoning_content"),
}


@pytest.mark.parametrize("message, param", [pytest.param(*case, id=name) for name, case in BAD_MESSAGES.items()])
def test_a_bad_message_is_named_by_its_path(message: dict[str, Any], param: str):
    with pytest.raises(BadRequest) as caught:
        read(messages=[HELLO, message])
    assert caught.value.param == f"messages[1].{param}"
    assert caught.value.message.startswith(f"messages[1].{param} ")


def test_megabytes_of_a_picture_are_not_copied_into_an_error():
    picture = "data:video/mp4;base64," + base64.b64encode(bytes(100_000)).decode()
    with pytest.raises(BadRequest) as caught:
        read(messages=[user({"type": "image_url", "image_url": {"url": picture}})])
    assert len(caught.value.message) < 200


RICH: dict[str, Any] = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        user(
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
            {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
        ),
        {"role": "assistant", "content": None, "reasoning_details": [{"text": "a"}], "tool_calls": [CALL, CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "b"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
        {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "c"},
    ],
    "tools": [ADD, SUB],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "add"}}]},
    },
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "stop": ["a"],
    "reasoning": {"effort": "low", "max_tokens": 5, "exclude": True},
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "stream_options": {"include_usage": True},
    "logit_bias": {"5": 1},
}


def test_the_rich_request_itself_is_taken():
    assert len(read(**RICH).messages) == len(RICH["messages"])


def spoilt(value: Any, path: list[int], junk: Any) -> Any:
    """``value`` with the node that ``path`` leads to replaced, or removed where ``junk`` is Ellipsis."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = value.copy()
    inner = value[key]
    if len(path) > 1 and isinstance(inner, dict | list) and inner:
        copy[key] = spoilt(inner, path[1:], junk)
    elif junk is ...:
        del copy[key]
    else:
        copy[key] = junk
    return copy


@settings(deadline=None, max_examples=400)
@given(
    path=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    junk=st.sampled_from(
        [..., None, True, -1, 0, 1.5, 10**12, "", "x", "data:", [], {}, [None], [[]], ["x"], {"x": 1}]
    ),
)
def test_whatever_is_wrong_the_caller_is_told_which_field(path: list[int], junk: Any):
    refusal = refused(spoilt(RICH, path, junk))
    assert refusal is None or refusal.param


def refused(body: dict[str, Any]) -> BadRequest | None:
    try:
        OpenAIChat().read(orjson.dumps(body), {})
    except BadRequest as error:
        return error
    return None


TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="messages only"),
        pytest.param({"temperature": 0.2, "top_p": 1, "max_tokens": 5}, id="knobs"),
        pytest.param({"stop": "END", "user": "u", "stream": True}, id="a stop word"),
        pytest.param({"stream": True, "stream_options": {"include_usage": True}}, id="usage"),
        pytest.param({"temperature": None, "stop": None, "stream_options": None, "user": None}, id="nulls"),
        pytest.param({"tools": [{"type": "function", "function": dict(TOOL)}]}, id="a tool"),
    ],
)
def test_a_common_request_is_read_as_any_other_would_be(fields: dict[str, Any]):
    # A null parameter of another kind changes nothing, but makes the request an uncommon one.
    assert read(**fields) == read(**fields, logprobs=None, response_format=None)


def test_a_plain_tool_is_read_as_any_other_would_be():
    plain = {"type": "function", "function": dict(TOOL)}
    by_the_long_way = {"type": "function", "function": TOOL | {"strict": None}}
    assert read(tools=[plain]) == read(tools=[by_the_long_way])


@pytest.mark.parametrize("content", [pytest.param("hi", id="text"), pytest.param("", id="empty")])
@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_a_plain_message_is_read_as_any_other_would_be(role: str, content: str):
    plain = {"role": role, "content": content}
    assert read(messages=[plain]) == read(messages=[plain | {"name": None}])


def test_sound_of_an_earlier_answer_is_refused_in_words():
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "audio": {"id": "audio_1"}}]
    error = refused({"model": "m", "messages": turns})
    assert error is not None
    assert (error.param, "transcript" in error.message) == ("messages[1].audio", True)
