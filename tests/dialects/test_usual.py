"""What most clients send is decoded in one step: with the same outcome as the general reader, whatever is in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_router.core.errors import BadRequest
from hermes_router.core.request import KeptTools, Request, Tool
from hermes_router.dialects import anthropic_usual, openai_chat, openai_usual
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.anthropic import read_request as read_any
from hermes_router.dialects.kept_tools import ToolShelf
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.dialects.reading import need_integer, parse_json

Table = dict[str, Any]
Reader = Callable[[bytes], Request]

HEADERS = {"anthropic-beta": "one, two"}

TEXT = {"type": "text", "text": "hello"}
TEXT_TURN = {"role": "user", "content": "hello"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
OPENAI: Table = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [TEXT, TEXT]},
        {"role": "user", "content": "add", "name": "ann"},
        {
            "role": "assistant",
            "content": "",
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
                {"id": "c2", "index": 1, "function": {"name": "add", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "c2", "content": "two", "name": "add"},
        {"role": "tool", "tool_call_id": "c1", "content": [TEXT]},
        {"role": "assistant", "content": "three"},
        {"role": "assistant", "content": None, "reasoning_content": "hm"},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": ""}, TEXT],
            "reasoning_content": "hm",
            "tool_calls": [{"id": "c3", "function": {"name": "add"}}],
        },
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {"role": "user", "content": [TEXT]},
    ],
    "tools": [
        {"type": "function", "function": {"name": "add", "description": "adds", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "sub", "strict": True}},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "max_tokens": 10,
    "max_completion_tokens": 20,
    "temperature": 0.5,
    "top_p": 1,
    "presence_penalty": -1,
    "frequency_penalty": 0.25,
    "seed": 7,
    "n": 1,
    "response_format": {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA, "strict": True}},
    "stop": ["a", ""],
    "reasoning_effort": "low",
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "user": "u",
}
CALL = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1, "b": {"c": [1.5, None]}}}
MARKED = {**TEXT, "cache_control": {"type": "ephemeral"}}
ANTHROPIC: Table = {
    "model": "auto",
    "max_tokens": 5000,
    "system": [MARKED, TEXT],
    "messages": [
        {"role": "user", "content": "add"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, TEXT, CALL, {**CALL, "id": "t2"}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t2", "content": "two", "is_error": True},
                {"type": "tool_result", "tool_use_id": "t1", "content": [TEXT], "cache_control": {"type": "ephemeral"}},
                MARKED,
            ],
        },
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]},
        {"role": "assistant", "content": ""},
    ],
    "tools": [
        {"name": "add", "description": "adds", "input_schema": SCHEMA},
        {"name": "sub", "type": "custom", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
    ],
    "tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": True},
    "stop_sequences": ["a", ""],
    "temperature": 0.5,
    "top_p": 1,
    "top_k": 5,
    "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
    "metadata": {"user_id": "u"},
    "stream": True,
}
# fmt: off
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2.0, 0.5, -0.0, 3, 1e300, 2**63, -(2**70), "", "x", "\u2028\ud83d\ude00", "tool",
    "user", "assistant", "function", "auto", "required", "text", "none", [], {}, [None], [""], ["a", "b"], [{}],
    [TEXT], TEXT, {"type": "text"}, {"include_usage": 1}, {"type": "function", "function": {"name": "add"}},
    {"a": 2**70}, {"type": "base64", "data": "YQ==", "media_type": "image/png"}, {"type": "any"}, {"type": "disabled"},
    {"type": "json_object"},
    {"type": "image_url", "image_url": {"url": "https://e.test/a.png"}}, {"type": "ephemeral"}, SCHEMA,
]
NAMES = [
    "name", "content", "type", "refusal", "images", "cache_control", "function_call", "functions", "metadata", "store",
    "response_format", "audio", "logprobs", "top_k", "arguments", "tool_calls", "tool_call_id", "reasoning_content",
    "index", "id", "thinking", "role", "text", "input", "citations", "system", "output_config", "mcp_servers", "title",
    "signature", "anthropic_beta", "is_error", "source",
]
# fmt: on


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of everything below ``value``."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in list(keys) for place in ((value, key), *places(value[key]))]


@st.composite
def bodies(draw: st.DrawFn, usual: Table) -> bytes:
    """The usual body with a few things changed, left out or added anywhere."""
    body = copy.deepcopy(usual)
    for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=6)):
        body.pop(key, None)
    for _ in range(draw(st.integers(0, 3))):
        everywhere = places(body)
        holder, key = draw(st.sampled_from(everywhere)) if everywhere else (body, "model")
        match draw(st.sampled_from(["change", "leave out", "add"])):
            case "change":
                holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "leave out":
                del holder[key]
            case _ if isinstance(holder, dict):
                holder[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case _:
                holder.insert(key, copy.deepcopy(draw(st.sampled_from([*ODD, *holder]))))
    # the json module writes what orjson would not: numbers of any length, and escapes
    return json.dumps(body).encode()


def outcome(read: Reader, body: bytes) -> tuple[object, str]:
    try:
        request = read(body)
    except BadRequest as error:
        return (error.message, error.param, error.code), ""
    return request, repr(request).replace("KeptTools", "")


def openai() -> Reader:
    dialect = OpenAIChat()
    return lambda body: dialect.read(body, {})


def generally_openai(body: bytes) -> Request:
    return openai_chat.read_request(parse_json(body))


def anthropic() -> Reader:
    dialect = AnthropicMessages()
    return lambda body: dialect.read(body, HEADERS)


def generally_anthropic(body: bytes) -> Request:
    return read_any(parse_json(body), HEADERS, need_integer)


def single_changes(usual: Table) -> Iterator[bytes]:
    """The usual body with each odd value in each place in turn, and each place left out."""
    body = copy.deepcopy(usual)
    for holder, key in places(body):
        kept = holder[key]
        for value in ODD:
            holder[key] = value
            yield json.dumps(body).encode()
        holder[key] = kept
        if isinstance(holder, dict):
            del holder[key]
            yield json.dumps(body).encode()
            holder[key] = kept


def test_usual_requests_need_no_general_reader():
    for at in range(len(OPENAI["messages"])):
        openai_usual.usual_messages(
            openai_usual.usual(orjson.dumps(OPENAI | {"messages": OPENAI["messages"][at:]})).messages
        )
    anthropic_usual.usual_messages(anthropic_usual.usual(orjson.dumps(ANTHROPIC)))
    assert type(openai()(orjson.dumps(OPENAI)).tools) is KeptTools
    assert type(anthropic()(orjson.dumps(ANTHROPIC)).tools) is KeptTools


@pytest.mark.parametrize(
    "usual, reader, generally",
    [(OPENAI, openai(), generally_openai), (ANTHROPIC, anthropic(), generally_anthropic)],
    ids=["openai", "anthropic"],
)
def test_every_single_change_to_a_request_reads_as_the_general_reader_reads_it(
    usual: Table, reader: Reader, generally: Reader
):
    for body in single_changes(usual):
        assert outcome(reader, body) == outcome(generally, body), body


def test_every_single_change_to_a_named_choice_reads_as_the_general_reader_reads_it():
    choice = {"type": "function", "function": {"name": "add"}}
    usual = {key: OPENAI[key] for key in ("model", "tools")} | {"messages": [TEXT_TURN], "tool_choice": choice}
    reader = openai()
    for body in single_changes(usual):
        assert outcome(reader, body) == outcome(generally_openai, body), body


@given(bodies(OPENAI))
@settings(max_examples=300, deadline=None)
def test_a_chat_request_reads_as_the_general_reader_reads_it(body: bytes):
    reader = openai()
    expected = outcome(generally_openai, body)
    assert outcome(reader, body) == expected
    assert outcome(reader, body) == expected  # its tools are known now


@given(bodies(ANTHROPIC))
@settings(max_examples=300, deadline=None)
def test_a_messages_request_reads_as_the_general_reader_reads_it(body: bytes):
    reader = anthropic()
    expected = outcome(generally_anthropic, body)
    assert outcome(reader, body) == expected
    assert outcome(reader, body) == expected  # its tools are known now


def test_tools_named_in_the_same_bytes_are_read_once_and_only_the_latest_are_kept():
    asked: list[str] = []

    def read(body: Table) -> tuple[Tool, ...]:
        asked.append(body["tools"][0])
        return (Tool(name=body["tools"][0], description=None, schema={}),)

    shelf = ToolShelf(read, kept=2, largest=10)
    first = shelf.of(b'["a"]')
    assert shelf.of(b'["a"]') is first
    for raw in (b'["b"]', b'["a"]', b'["c"]', b'["a"]', b'["b"]', b'["too long"]', b'["too long"]'):
        shelf.of(raw)
    assert asked == ["a", "b", "c", "b", "too long", "too long"]


@pytest.mark.parametrize("raw", [b'["\xff"]', b'["\\ud800"]'], ids=["no UTF-8", "half a pair"])
def test_tools_that_are_no_json_are_refused_as_any_body_is(raw: bytes):
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": ' + raw + b"}"
    with pytest.raises(BadRequest, match="not valid JSON"):
        OpenAIChat().read(body, {})
