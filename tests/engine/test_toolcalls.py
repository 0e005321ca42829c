"""Whole tool calls: held, checked, sent as they came; or a fault."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_router.core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.faults import Fault, Kind, Scope
from hermes_router.core.request import Tool
from hermes_router.engine.toolcalls import WholeCalls

SAVE = Tool(
    name="save",
    description=None,
    schema={
        "type": "object",
        "properties": {"task": {"type": "string"}, "items": {"type": "array", "items": {"type": "string"}}},
        "required": ["task"],
        "additionalProperties": False,
    },
)
NOW = Tool(name="now", description=None, schema={})
DONE = Finish(FinishReason.TOOL_CALLS)
CUT = Finish(FinishReason.LENGTH)
START = ToolCallStart(0, "c0", "save")


def run(*lumps: list[Event], tools: tuple[Tool, ...] = (SAVE, NOW)) -> list[Event]:
    screen = WholeCalls(tools)
    return [event for lump in lumps for event in screen.feed(lump)]


def one(name: str, *pieces: str, finish: Finish = DONE, tools: tuple[Tool, ...] = (SAVE, NOW)) -> list[Event]:
    deltas: list[Event] = [ToolCallDelta(0, piece) for piece in pieces]
    return run([ToolCallStart(0, "c0", name), *deltas, finish], tools=tools)


def test_a_call_waits_for_the_finish_and_leaves_in_its_pieces():
    screen = WholeCalls([SAVE])

    assert screen.feed([TextDelta("Well: "), START, ToolCallDelta(0, '{"task":')]) == [TextDelta("Well: ")]
    assert screen.holding
    assert screen.feed([ToolCallDelta(0, ' "a"} ')]) == []
    assert screen.feed([Usage(output=3), DONE]) == [
        Usage(output=3),
        START,
        ToolCallDelta(0, '{"task":'),
        ToolCallDelta(0, ' "a"} '),
        DONE,
    ]
    assert not screen.holding


def test_parallel_calls_all_wait():
    other = ToolCallStart(1, "c1", "now")
    events = run([START, other, ToolCallDelta(0, '{"task"'), ToolCallDelta(1, "{}"), ToolCallDelta(0, ':"a"}')], [DONE])

    assert events == [
        START,
        ToolCallDelta(0, '{"task"'),
        ToolCallDelta(0, ':"a"}'),
        other,
        ToolCallDelta(1, "{}"),
        DONE,
    ]


REFUSED: dict[str, tuple[str, str, str]] = {
    "cut": ("save", '{"task": "a", "items": ["x', "not valid JSON"),
    "another type": ("save", '{"task": 3}', "'task'"),
    "one that is missing": ("save", "{}", "required"),
    "one too many": ("save", '{"task": "a", "x": 1}', "'x'"),
    "deep inside": ("save", '{"task": "a", "items": ["x", 2]}', "[1]"),
    "no object": ("now", "[]", "not an object"),
    "null": ("now", "null", "not an object"),
    "empty where something is required": ("save", "", "required"),
    "an unknown tool": ("delete", "{}", "'delete'"),
    "a string of something else": ("save", '"{\\"task\\": 3}"', "'task'"),
    "words": ("save", "task: a", "not valid JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_tool_did_not_declare_is_a_fault(name: str):
    tool, arguments, said = REFUSED[name]
    events = one(tool, arguments)

    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert events[0].fault.kind is Kind.MALFORMED
    assert said in events[0].fault.message


def test_a_fault_does_not_quote_the_answer():
    (failed,) = one("save", '{"task": "a", "items": ["my secret plan", 4711]}')

    assert isinstance(failed, Failed)
    assert "4711" not in failed.fault.message
    assert "secret" not in failed.fault.message


def test_one_bad_call_refuses_all():
    events = run(
        [START, ToolCallDelta(0, '{"task":"a"}'), ToolCallStart(1, "c1", "save"), ToolCallDelta(1, "{")], [DONE]
    )

    assert [type(event) for event in events] == [Failed]


@pytest.mark.parametrize("pieces", [(), ("",), (" ", "\n")])
def test_no_arguments_are_an_empty_object(pieces: tuple[str, ...]):
    assert one("now", *pieces) == [ToolCallStart(0, "c0", "now"), ToolCallDelta(0, "{}"), DONE]


def test_an_object_in_a_string_is_taken_out():
    assert one("save", '"{\\"task\\": ', '\\"a\\"}"') == [START, ToolCallDelta(0, '{"task": "a"}'), DONE]


SCHEMAS: dict[str, dict[str, Any]] = {
    "not valid": {"type": "objekt"},
    "not even close": {"properties": [1]},
    "an unknown draft": {"$schema": "http://example.invalid/schema", "type": "object"},
    "another address": {"$ref": "http://127.0.0.1:9/schema.json"},
    "a file": {"$ref": "file:///etc/hostname"},
    "a pattern that is none": {"properties": {"a": {"pattern": "("}}},
    "a pattern without end": {"properties": {"a": {"pattern": r"^(?=a)(a|aa)*\1b$"}}},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_that_cannot_be_used_blames_no_model(name: str):
    tool = Tool(name="f", description=None, schema=SCHEMAS[name])
    arguments = '{"a": "' + "a" * 60 + 'c"}'

    assert one("f", arguments, tools=(tool,))[1:] == [ToolCallDelta(0, arguments), DONE]
    assert isinstance(one("f", "3", tools=(tool,))[0], Failed)


def test_schemas_of_an_older_draft_and_references_inside_are_used():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"n": {"type": "integer"}},
        "properties": {"n": {"$ref": "#/definitions/n"}},
    }
    tool = Tool(name="f", description=None, schema=schema)

    assert len(one("f", '{"n": 3}', tools=(tool,))) == 3
    assert isinstance(one("f", '{"n": "3"}', tools=(tool,))[0], Failed)


def test_the_limit_leaves_the_unfinished_call_out():
    events = run(
        [START, ToolCallDelta(0, '{"task":"a"}'), ToolCallStart(1, "c1", "save"), ToolCallDelta(1, '{"ta'), CUT]
    )

    assert events == [START, ToolCallDelta(0, '{"task":"a"}'), CUT]


def test_the_limit_excuses_no_call_that_is_whole_and_wrong():
    assert isinstance(one("save", '{"task": 3}', finish=CUT)[0], Failed)


def test_calls_held_when_the_answer_breaks_off_are_gone():
    broken = Failed(Fault(kind=Kind.CUT, scope=Scope.PROVIDER))

    assert run([START, ToolCallDelta(0, '{"task":"a"}')], [broken]) == [broken]


def test_an_answer_without_calls_passes_untouched():
    events: list[Event] = [TextDelta("Hi"), Finish(FinishReason.STOP)]

    assert WholeCalls([SAVE]).feed(events) is events
