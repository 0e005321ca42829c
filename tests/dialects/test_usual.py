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
from hermes_router.dialects.kept_tools import ToolShelf
from hermes_router.dialects.openai_chat import OpenAIChat, read_request
from hermes_router.dialects.openai_usual import usual
from hermes_router.dialects.reading import parse_json

Table = dict[str, Any]

TEXT = {"type": "text", "text": "hello"}
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
        {
            "role": "assistant",
            "content": [{"type": "text", "text": ""}, TEXT],
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
    "stop": ["a", ""],
    "reasoning_effort": "low",
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "user": "u",
}
# fmt: off
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2.0, 0.5, -0.0, 3, 1e300, 2**63, -(2**70), "", "x", "\u2028\ud83d\ude00", "tool",
    "user", "assistant", "function", "auto", "required", "text", "none", [], {}, [None], [""], ["a", "b"], [{}], [TEXT], TEXT,
    {"type": "text"}, {"include_usage": 1}, {"type": "function", "function": {"name": "add"}}, {"a": 2**70},
    {"type": "image_url", "image_url": {"url": "https://e.test/a.png"}}, {"type": "ephemeral"}, SCHEMA,
]
NAMES = [
    "name", "content", "type", "refusal", "images", "cache_control", "function_call", "functions", "metadata", "store",
    "response_format", "audio", "logprobs", "top_k", "arguments", "tool_calls", "tool_call_id", "reasoning_content",
    "index", "id", "thinking", "role", "text",
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


def outcome(read: Callable[[bytes], Request], body: bytes) -> tuple[object, str]:
    try:
        request = read(body)
    except BadRequest as error:
        return (error.message, error.param, error.code), ""
    return request, repr(request).replace("KeptTools", "")


def reading() -> Callable[[bytes], Request]:
    dialect = OpenAIChat()
    return lambda body: dialect.read(body, {})


def generally(body: bytes) -> Request:
    return read_request(parse_json(body))


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


def test_usual_chat_requests_need_no_general_reader():
    for at in range(len(OPENAI["messages"])):
        body = OPENAI | {"messages": OPENAI["messages"][at : at + 1]}
        assert usual(json.dumps(body).encode()) is not None
    assert type(OpenAIChat().read(orjson.dumps(OPENAI), {}).tools) is KeptTools


def test_every_single_change_to_a_chat_request_reads_as_the_general_reader_reads_it():
    reader = reading()
    for body in single_changes(OPENAI):
        assert outcome(reader, body) == outcome(generally, body), body


@given(bodies(OPENAI))
@settings(max_examples=300, deadline=None)
def test_a_chat_request_reads_as_the_general_reader_reads_it(body: bytes):
    reader = reading()
    expected = outcome(generally, body)
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
