"""The output cap, and the check of JSON answers."""

from __future__ import annotations

import pytest

from hermes_router.core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.faults import Kind
from hermes_router.core.request import ResponseFormat
from hermes_router.engine.schemas import SchemaAnswer, schema_problem
from hermes_router.engine.screens import OutputCap, through

DONE = Finish(FinishReason.STOP)
WORD = TextDelta("word " * 10)  # ten tokens
OBJECT = ResponseFormat(kind="json_object")
RIVER = ResponseFormat(
    kind="json_schema",
    schema={"type": "object", "properties": {"km": {"type": "integer"}}, "required": ["km"]},
)


def test_up_to_half_as_much_again_passes():
    events: list[Event] = [WORD, WORD, WORD, DONE]

    assert OutputCap(20).feed(events) == events


def test_more_is_cut_with_one_finish():
    cap = OutputCap(20)
    over = []

    assert cap.feed([WORD, WORD, WORD]) == [WORD, WORD, WORD]
    over.append(cap.over)
    assert cap.feed([WORD, TextDelta("x"), Usage(output=9), DONE]) == [
        WORD,
        Usage(output=9),
        Finish(FinishReason.LENGTH, raw="length"),
    ]
    over.append(cap.over)
    assert cap.feed([TextDelta("x"), ToolCallStart(0, "c", "f"), ToolCallDelta(0, "{}"), DONE]) == []
    assert over == [False, True]


@pytest.mark.parametrize(
    "pieces, tokens",
    [
        pytest.param([f"w{number} " for number in range(150)], 150, id="a word to a piece"),
        pytest.param(["wor", "d "] * 150, 150, id="half a word to a piece"),
        pytest.param([*"The tides of the river are strong. " * 20], 140, id="a letter to a piece"),
        pytest.param(["流れが速い"] * 30, 75, id="beyond ASCII"),
    ],
)
def test_what_may_be_within_half_as_much_again_passes_however_the_pieces_come(pieces: list[str], tokens: int):
    events: list[Event] = [*(TextDelta(piece) for piece in pieces), DONE]

    assert OutputCap(tokens * 2 // 3 + 1).feed(events) == events


def test_twice_as_much_is_cut_however_the_pieces_come():
    cap = OutputCap(100)
    kept = [event for number in range(200) for event in cap.feed([TextDelta(f"w{number}"), TextDelta(" ")])]

    assert sum(isinstance(event, TextDelta) for event in kept) == 301
    assert kept[-1] == Finish(FinishReason.LENGTH, raw="length")


def test_thinking_is_not_counted():
    events: list[Event] = [ReasoningDelta("word" * 100), WORD, DONE]

    assert OutputCap(10).feed(events) == events


def test_screens_follow_one_another():
    assert through([OutputCap(4), SchemaAnswer(OBJECT)], [TextDelta('{"a": '), TextDelta("word" * 10), DONE]) == [
        TextDelta('{"a": '),
        TextDelta("word" * 10),
        Finish(FinishReason.LENGTH, raw="length"),
    ]


def checked(wanted: ResponseFormat, *lumps: list[Event]) -> list[Event]:
    screen = SchemaAnswer(wanted)
    return [event for lump in lumps for event in screen.feed(lump)]


FITTING = {
    "an object": (OBJECT, '{"a": 1}', '{"a": 1}'),
    "space around": (OBJECT, ' {"a": 1}\n', ' {"a": 1}\n'),
    "the schema": (RIVER, '{"km": 400}', '{"km": 400}'),
    "a fence": (RIVER, '```json\n{"km": 400}\n```\n', '{"km": 400}'),
    "a fence without a word": (RIVER, '```\n{"km":\n400}\n```', '{"km":\n400}'),
    "no schema": (ResponseFormat(kind="json_schema"), "[1]", "[1]"),
    "fences inside a string": (OBJECT, '{"a": "```json\\n{}\\n```"}', '{"a": "```json\\n{}\\n```"}'),
}


@pytest.mark.parametrize("name", FITTING)
def test_json_that_fits_passes(name: str):
    wanted, text, given = FITTING[name]
    events = checked(wanted, [TextDelta(text[:4])], [TextDelta(text[4:]), Usage()], [DONE])

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == given
    assert events[-1] == DONE


UNFIT = {
    "prose": (OBJECT, "Here you are: {}"),
    "a list": (OBJECT, "[]"),
    "half": (RIVER, '{"km": 4'),
    "another type": (RIVER, '{"km": "400"}'),
    "nothing in it": (RIVER, "{}"),
    "a fence around something else": (RIVER, '```json\n{"km": "400"}\n```'),
    "words after the fence": (RIVER, '```json\n{"km": 400}\n```\nThat is it.'),
}


@pytest.mark.parametrize("name", UNFIT)
def test_json_that_does_not_fit_is_a_fault(name: str):
    wanted, text = UNFIT[name]
    events = checked(wanted, [TextDelta(text), DONE])

    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert events[0].fault.kind is Kind.MALFORMED


EXEMPT: dict[str, list[Event]] = {
    "a refusal": [RefusalDelta("No."), DONE],
    "a call": [TextDelta("I look it up."), ToolCallStart(0, "c", "f"), Finish(FinishReason.TOOL_CALLS)],
    "cut by the limit": [TextDelta('{"km'), Finish(FinishReason.LENGTH)],
    "filtered": [TextDelta("{"), Finish(FinishReason.FILTERED)],
    "nothing": [DONE],
}


@pytest.mark.parametrize("name", EXEMPT)
def test_what_is_no_json_answer_is_passed_on(name: str):
    out = checked(RIVER, EXEMPT[name])

    assert sorted(map(repr, out)) == sorted(map(repr, EXEMPT[name]))
    assert out[-1] == EXEMPT[name][-1]


def test_a_problem_names_its_place():
    assert schema_problem({"properties": {"a": {"items": {"type": "string"}}}}, '{"a": ["x", 1]}') == (
        "the value is not of type \"string\" (at ['a'][1])"
    )
    assert schema_problem(None, "nonsense") == "it is not valid JSON"
