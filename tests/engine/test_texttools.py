"""Calls written as text become real ones; everything else stays text, and soon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_router.core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.faults import Fault, Kind, Scope
from hermes_router.core.request import Message, Request, ResponseFormat, Role, Text, Tool, ToolChoice, ToolMode
from hermes_router.engine.texttools import TextCalls, text_calls

WEATHER = Tool(
    name="get_weather",
    description=None,
    schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
NOW = Tool(name="now", description=None, schema={"type": "object"})
DONE = Finish(FinishReason.STOP, raw="stop")


def run(text: str, *, size: int = 1000, finish: Finish = DONE, screen: TextCalls | None = None) -> list[Event]:
    screen = screen or TextCalls([WEATHER, NOW])
    out: list[Event] = []
    for at in range(0, len(text), size):
        out += screen.feed([TextDelta(text[at : at + size])])
    return out + screen.feed([Usage(output=1), finish])


def called(events: list[Event]) -> list[tuple[str, str]]:
    names = {event.index: event.name for event in events if isinstance(event, ToolCallStart)}
    return [(names[event.index], event.arguments) for event in events if isinstance(event, ToolCallDelta)]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


ROME = ("get_weather", '{"city":"Rome"}')
BERLIN = ("get_weather", '{"city":"Berlin"}')
ROME_OBJECT = '{"name": "get_weather", "arguments": {"city": "Rome"}}'
BERLIN_OBJECT = '{"name": "get_weather", "arguments": {"city": "Berlin"}}'
CALLS = {
    "tags": (f"<tool_call>\n{ROME_OBJECT}\n</tool_call>", [ROME]),
    "tags, two": (f"<tool_call>{ROME_OBJECT}</tool_call>\n<tool_call>{BERLIN_OBJECT}</tool_call>", [ROME, BERLIN]),
    "tags, the last not closed": (f"\n<tool_call>\n{ROME_OBJECT}\n", [ROME]),
    "a fence": (f"```json\n{ROME_OBJECT}\n```", [ROME]),
    "a fence without a word": (f"```\n{ROME_OBJECT}\n```\n", [ROME]),
    "a fence with a list": (f"```json\n[{ROME_OBJECT},\n {BERLIN_OBJECT}]\n```", [ROME, BERLIN]),
    "bare": (f"  {ROME_OBJECT}\n", [ROME]),
    "other words": ('{"tool": "get_weather", "parameters": {"city": "Rome"}}', [ROME]),
    "yet others": ('{"function": "get_weather", "input": {"city": "Rome"}}', [ROME]),
    "arguments first": ('{"arguments": {"city": "Rome"}, "name": "get_weather"}', [ROME]),
    "as OpenAI has it": (
        '{"type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Rome\\"}"}}',
        [ROME],
    ),
    "as Anthropic has it": (
        '{"type": "tool_use", "id": "x", "name": "get_weather", "input": {"city": "Rome"}}',
        [ROME],
    ),
    "a function tag": ('<function=get_weather>{"city": "Rome"}</function>', [ROME]),
    "Mistral's list": (f"[TOOL_CALLS] [{ROME_OBJECT}, {BERLIN_OBJECT}]", [ROME, BERLIN]),
    "Mistral's newer form": (
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}[TOOL_CALLS]now[ARGS]{}',
        [ROME, ("now", "{}")],
    ),
}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_in_the_text_becomes_a_call(name: str, size: int):
    text, calls = CALLS[name]
    events = run(text, size=size)

    assert called(events) == calls
    assert said(events) == ""
    assert events[-1] == Finish(FinishReason.TOOL_CALLS, raw="stop")
    assert Usage(output=1) in events


TEXTS = {
    "prose": "The weather in Rome is fine.",
    "prose before": f"I call it: {ROME_OBJECT}",
    "prose after": f"<tool_call>{ROME_OBJECT}</tool_call> That should do.",
    "prose after bare": f"{ROME_OBJECT} done",
    "prose after a fence": f"```json\n{ROME_OBJECT}\n```\nThis calls the tool.",
    "another tool": '<tool_call>{"name": "delete_all", "arguments": {}}</tool_call>',
    "arguments that do not fit": '<tool_call>{"name": "get_weather", "arguments": {"town": "Rome"}}</tool_call>',
    "arguments that are none": '{"name": "now", "arguments": [1]}',
    "no arguments": '{"name": "now"}',
    "more than a call": '{"name": "now", "arguments": {}, "comment": "so"}',
    "one good, one not": f"<tool_call>{ROME_OBJECT}</tool_call><tool_call>{{}}</tool_call>",
    "cut": '<tool_call>{"name": "get_weather", "argu',
    "JSON": '{"city": "Rome", "temperature": 21}',
    "a person": '{"name": "Ada", "born": 1815}',
    "a fence of code": "```python\nprint(1)\n```",
    "a link": "[Tool calls](http://example.invalid)",
    "a brace": "{",
    "an empty list": "```json\n[]\n```",
    "nothing": "",
}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("name", TEXTS)
def test_everything_else_stays_text(name: str, size: int):
    events = run(TEXTS[name], size=size)

    assert said(events) == TEXTS[name]
    assert called(events) == []
    assert events[-1] == DONE


SOON = {
    "prose": "T",
    "a link": "[To",
    "another tag": "<tool_b",
    "a person": '{"name": "A',
    "other JSON": '{"c',
    "code": "```p",
    "a fence of other JSON": '```json\n{"c',
    "a list of numbers": "```json\n[1",
    "a block": "{\n  x",
}


@pytest.mark.parametrize("name", SOON)
def test_text_is_let_go_as_soon_as_it_is_no_call(name: str):
    screen = TextCalls([WEATHER])
    passed: list[Event] = []
    for sign in SOON[name]:
        assert passed == []
        passed = screen.feed([TextDelta(sign)])

    assert said(passed) == SOON[name]
    assert screen.feed([TextDelta("more")]) == [TextDelta("more")]


def test_thinking_passes_while_text_is_held():
    screen = TextCalls([WEATHER])

    assert screen.feed([TextDelta("<tool"), ReasoningDelta("hm")]) == [ReasoningDelta("hm")]


def test_a_real_call_lets_the_text_go():
    start = ToolCallStart(0, "c", "now")

    assert TextCalls([NOW]).feed([TextDelta("{"), start]) == [TextDelta("{"), start]


def test_a_broken_answer_takes_what_was_held_along():
    broken = Failed(Fault(kind=Kind.CUT, scope=Scope.PROVIDER))

    assert TextCalls([NOW]).feed([TextDelta("<tool_call>"), broken]) == [broken]


def test_an_answer_that_the_limit_cut_is_no_call():
    text = f"<tool_call>{ROME_OBJECT}</tool_call>"

    assert said(run(text, finish=Finish(FinishReason.LENGTH))) == text


def test_too_much_is_not_held():
    text = '<tool_call>{"name": "now", "arguments": {"x": "' + "y" * 300_000
    events = TextCalls([NOW]).feed([TextDelta(text)])

    assert said(events) == text


def test_ids_are_the_same_each_time_and_differ_between_turns_and_calls():
    text = f"<tool_call>{ROME_OBJECT}</tool_call><tool_call>{ROME_OBJECT}</tool_call>"

    def ids(salt: str) -> list[str]:
        events = run(text, screen=TextCalls([WEATHER], salt=salt))
        return [event.id for event in events if isinstance(event, ToolCallStart)]

    assert ids("1") == ids("1")
    assert len({*ids("1"), *ids("2")}) == 4
    assert all(one.startswith("call_") for one in ids("1"))


def request(**more: object) -> Request:
    user = Message(role=Role.USER, parts=(Text(text="Rome?"),))
    return Request(dialect="openai", model="auto", messages=(user,), **more)  # type: ignore[arg-type]


def test_it_is_used_only_where_tools_may_be_called():
    assert text_calls(request()) is None
    assert text_calls(request(tools=(NOW,), tool_choice=ToolChoice(mode=ToolMode.NONE))) is None
    assert text_calls(request(tools=(NOW,))) is not None


def test_only_the_named_tool_may_be_called():
    screen = text_calls(request(tools=(NOW, WEATHER), tool_choice=ToolChoice(mode=ToolMode.NAMED, name="now")))

    assert said(run(ROME_OBJECT, screen=screen)) == ROME_OBJECT


def test_where_json_was_asked_for_it_needs_a_mark():
    wanted = request(tools=(WEATHER,), response_format=ResponseFormat(kind="json_object"))

    assert said(run(ROME_OBJECT, screen=text_calls(wanted))) == ROME_OBJECT
    assert called(run(f"<tool_call>{ROME_OBJECT}</tool_call>", screen=text_calls(wanted))) == [ROME]


@given(st.text('<tool_ca>{}[]"name: w`js\n', max_size=40), st.integers(1, 9))
def test_no_text_is_lost(text: str, size: int):
    assert said(run(text, size=size)) == text
