"""Anthropic answers into events: streams from tests/transcripts/anthropic, and JSON messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.core.events import (
    Citations,
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.faults import Kind
from hermes_router.core.fold import fold_all
from hermes_router.wires.anthropic import AnthropicWire
from hermes_router.wires.base import Target

FOLDER = Path(__file__).parent.parent / "transcripts" / "anthropic"
BODIES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.sse"))}
START = Start(id="msg_0001", model="claude-sonnet-5")


def target(**quirks: Any) -> Target:
    return Target(
        name="anthropic",
        provider=ProviderSpec(),
        model=ModelSpec(id="claude-sonnet-5"),
        quirks=Quirks(**quirks),
        base_url="http://127.0.0.1:9/v1",
    )


def read(
    body: bytes, cuts: list[int] | None = None, content_type: str = "text/event-stream", **quirks: Any
) -> list[Event]:
    reader = AnthropicWire().chat_reader(target(**quirks), content_type=content_type, now=0.0)
    events: list[Event] = []
    begin = 0
    for cut in [*sorted(cuts or []), len(body)]:
        events += reader.feed(body[begin:cut])
        begin = cut
    return events + reader.end()


STREAMS: dict[str, list[Event]] = {
    "text": [
        START, TextDelta("Grüße"), TextDelta(" aus "), TextDelta("東京 🗼"), Usage(input=25, output=12),
        Finish(FinishReason.STOP, "end_turn"),
    ],
    "cached": [
        START, TextDelta("Yes."), Usage(input=2503, output=4, cache_read=2000, cache_write=500),
        Finish(FinishReason.STOP, "end_turn"),
    ],
    "thinking": [
        START, ReasoningDelta("Two and"), ReasoningDelta(" two."), ReasoningDelta(signature="sig-made-up-1=="),
        TextDelta("Four."), Usage(input=25, output=30, reasoning=18), Finish(FinishReason.STOP, "end_turn"),
    ],
    "redacted": [
        START, ReasoningDelta(redacted="opaque-made-up-1"), TextDelta("Done."), Usage(input=25, output=60),
        Finish(FinishReason.STOP, "end_turn"),
    ],
    "parallel_tools": [
        START, TextDelta("Looking at both."), ToolCallStart(0, "toolu_made_up_1", "get_weather"),
        ToolCallDelta(0, '{"city": "Par'), ToolCallDelta(0, 'is"}'), ToolCallStart(1, "toolu_made_up_2", "get_time"),
        Usage(input=380, output=88), Finish(FinishReason.TOOL_CALLS, "tool_use"),
    ],
    "max_tokens": [
        START, TextDelta("Once upon a"), Usage(input=25, output=4), Finish(FinishReason.LENGTH, "max_tokens"),
    ],
    "stop_sequence": [
        START, TextDelta("one two "), Usage(input=25, output=5),
        Finish(FinishReason.STOP_SEQUENCE, "stop_sequence", "three"),
    ],
    "no_stop_event": [
        START, TextDelta("Enough."), Usage(input=25, output=3), Finish(FinishReason.STOP, "end_turn"),
    ],
    "plain": [
        Start(id="msg_1001", model="claude-haiku-5-5"), TextDelta("Grüße "), TextDelta("aus Oslo"), TextDelta(" 🚢."),
        Usage(input=21, output=9), Finish(FinishReason.STOP, "end_turn"),
    ],
    "tools": [
        Start(id="msg_1001", model="claude-haiku-5-5"), ToolCallStart(0, "toolu_01A", "get_weather"),
        ToolCallDelta(0, '{"city":'), ToolCallDelta(0, '"Oslo"}'), Usage(input=21, output=9),
        Finish(FinishReason.TOOL_CALLS, "tool_use"),
    ],
    "server_tool": [
        START, TextDelta("Searching."), Citations(), TextDelta(" Found."),
        Citations([{"type": "web_search_result_location", "url": "https://example.org"}]),
        Usage(input=25, output=40), Finish(FinishReason.STOP, "end_turn"),
    ],
}  # fmt: skip
FAILURES: dict[str, tuple[list[Event], Kind]] = {
    "error_midway": ([START, TextDelta("Once")], Kind.OVERLOADED),
    "cut": ([START, TextDelta("Once"), TextDelta(" upon")], Kind.CUT),
}


def test_every_transcript_has_its_expectation():
    assert set(BODIES) == set(STREAMS) | set(FAILURES)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_these_events(name: str):
    assert read(BODIES[name]) == STREAMS[name]


@pytest.mark.parametrize("name", FAILURES)
def test_a_broken_stream_ends_in_a_fault(name: str):
    said, kind = FAILURES[name]
    *events, last = read(BODIES[name])
    assert events == said
    assert isinstance(last, Failed)
    assert last.fault.kind is kind


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
def test_events_do_not_depend_on_how_the_bytes_are_cut(name: str, data: st.DataObject):
    body = BODIES[name]
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12))
    assert read(body, cuts) == read(body)


@pytest.mark.parametrize("name", STREAMS)
def test_carriage_returns_and_single_bytes_change_nothing(name: str):
    body = b"\xef\xbb\xbf" + BODIES[name].replace(b"\n", b"\r\n")
    assert read(body, list(range(len(body)))) == STREAMS[name]


@pytest.mark.parametrize("name", ["text", "thinking", "parallel_tools", "max_tokens"])
def test_a_stream_cut_anywhere_is_never_a_whole_answer(name: str):
    body = BODIES[name]
    complete = body.index(b"event: message_delta")
    for end in range(1, complete):
        last = read(body[:end])[-1]
        assert isinstance(last, Failed), end
        assert last.fault.kind in (Kind.CUT, Kind.MALFORMED)


def frame(body: str) -> bytes:
    return b"data: " + body.encode() + b"\n\n"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param('{"type":"content_block_delta","index":0,"delta":{"type":"text_del', id="half a JSON text"),
        pytest.param('{"type":"content_block_delta","index":0}', id="no delta"),
        pytest.param('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}', id="no text"),
        pytest.param('["x"]', id="an array"),
        pytest.param('{"type":"message_start"}', id="no message"),
    ],
)
def test_one_event_that_cannot_be_read_is_skipped_and_a_second_is_a_cut(bad: str):
    head, tail = BODIES["text"].split(b"event: ping", 1)
    assert read(head + frame(bad) + b"event: ping" + tail) == STREAMS["text"]
    *events, last = read(head + frame(bad) + frame(bad) + b"event: ping" + tail)
    assert events == [START]
    assert isinstance(last, Failed)
    assert last.fault.kind is Kind.CUT


def test_unknown_events_and_a_done_line_are_passed_over():
    body = BODIES["text"].replace(b"event: ping", b'event: news\ndata: {"type":"news"}\n\nevent: ping')
    assert read(body + b"data: [DONE]\n\n") == STREAMS["text"]


def test_nothing_comes_after_a_fault():
    reader = AnthropicWire().chat_reader(target(), content_type="text/event-stream", now=0.0)
    assert isinstance(reader.feed(BODIES["error_midway"])[-1], Failed)
    assert reader.feed(BODIES["text"]) == []
    assert reader.end() == []


def test_a_call_whose_input_came_whole_with_its_start_keeps_it():
    body = BODIES["parallel_tools"].replace(
        b'"name":"get_time","input":{}', b'"name":"get_time","input":{"zone":"CET"}'
    )
    assert fold_all(read(body)).calls[1].arguments == '{"zone":"CET"}'


def test_a_provider_may_have_finish_words_of_its_own():
    body = BODIES["text"].replace(b'"end_turn"', b'"sensitive"')
    assert read(body, finish={"sensitive": "filtered"})[-1] == Finish(FinishReason.FILTERED, "sensitive")
    assert read(body)[-1] == Finish(FinishReason.STOP, "sensitive")


# ---- JSON


MESSAGE: dict[str, Any] = {
    "id": "msg_0002",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig-made-up-2=="},
        {"type": "redacted_thinking", "data": "opaque-made-up-2"},
        {"type": "text", "text": "Calling."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": [2]}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": None,
        "output_tokens": 7,
    },
}
MESSAGE_EVENTS: list[Event] = [
    Start(id="msg_0002", model="claude-sonnet-5"),
    ReasoningDelta("Hm."),
    ReasoningDelta(signature="sig-made-up-2=="),
    ReasoningDelta(redacted="opaque-made-up-2"),
    TextDelta("Calling."),
    ToolCallStart(0, "toolu_1", "add"),
    ToolCallDelta(0, '{"a":1,"b":[2]}'),
    ToolCallStart(1, "toolu_2", "now"),
    Usage(input=15, output=7, cache_read=5),
    Finish(FinishReason.TOOL_CALLS, "tool_use"),
]


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", ""])
def test_a_message_becomes_the_same_events_whatever_its_content_type(content_type: str):
    body = orjson.dumps(MESSAGE)
    assert read(body, [3, 100], content_type) == MESSAGE_EVENTS


def test_an_event_stream_is_read_whatever_its_content_type():
    assert read(BODIES["text"], content_type="application/json") == STREAMS["text"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>gateway</body></html>", id="HTML"),
        pytest.param(b"", id="empty"),
        pytest.param(b"  \n", id="blank"),
        pytest.param(b"upstream unavailable", id="plain text"),
        pytest.param(b"internal error", id="plain text that begins like a field"),
        pytest.param(b'{"id": "msg_1", "content": [', id="half a JSON body"),
        pytest.param(b'{"id": "msg_1"}', id="no content"),
        pytest.param(b'{"id": "msg_1", "content": [7]}', id="a block that is none"),
        pytest.param(b'{"content": [{"type": "tool_use", "id": "x", "input": {}}]}', id="a call without a name"),
        pytest.param(b": just a comment\n\n", id="a stream without events"),
    ],
)
def test_a_body_that_is_no_message_is_malformed(body: bytes):
    events = read(body, [1] if body else [])
    assert [type(event) for event in events] == [Failed]
    assert isinstance(events[0], Failed)
    assert events[0].fault.kind is Kind.MALFORMED


def test_an_error_object_in_place_of_a_message_is_classified():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    (event,) = read(body, content_type="application/json")
    assert isinstance(event, Failed)
    assert event.fault.kind is Kind.OVERLOADED
