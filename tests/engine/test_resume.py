"""What the next model is asked, in which order of ways, and what of its events passes."""

from __future__ import annotations

import pytest

from hermes_router.catalogue.schema import Quirks
from hermes_router.core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.faults import Kind
from hermes_router.core.fold import Folder
from hermes_router.core.request import (
    Message,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
)
from hermes_router.core.tokens import count_text
from hermes_router.engine.resume import Sent, UsageSum, Way, ask, can_resume, continuation, joining, way

USER = Message(role=Role.USER, parts=(Text(text="Tell me of the river."),))
SAID = "I went down to the river and sat "
DONE = Finish(FinishReason.STOP)


def request(*messages: Message, **more: object) -> Request:
    return Request(dialect="openai", model="auto", messages=messages or (USER,), **more)  # type: ignore[arg-type]


def texts(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, Text))


def test_the_partial_answer_and_the_words_to_repeat_are_added():
    asked = continuation(request(), SAID, native=False)

    assert [message.role for message in asked.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert texts(asked.messages[1]) == SAID.rstrip()
    assert "repeat" in texts(asked.messages[2])
    assert texts(asked.messages[2]).endswith("\n\ndown to the river and sat")


def test_native_prefill_ends_with_the_assistant():
    asked = continuation(request(), SAID, native=True)

    assert [message.role for message in asked.messages] == [Role.USER, Role.ASSISTANT]
    assert texts(asked.messages[1]) == SAID.rstrip()


def test_a_callers_own_prefill_is_lengthened():
    prefill = Message(role=Role.ASSISTANT, parts=(Text(text="It was so: "),), origin="a/b")

    asked = continuation(request(USER, prefill), SAID, native=True)

    assert asked.messages == (
        USER,
        Message(role=Role.ASSISTANT, parts=(Text(text="It was so: " + SAID.rstrip()),), origin="a/b"),
    )


def test_calls_are_no_prefill():
    call = Message(role=Role.ASSISTANT, parts=(ToolCall(id="c1", name="f", arguments="{}"),))

    assert continuation(request(USER, call), SAID, native=True).messages[1] == call


def test_tools_and_stops_stay_and_thinking_is_not_shown():
    tool = Tool(name="f", description=None, schema={})
    whole = request(tools=(tool,), stop=("END",), thinking=Thinking(effort="high"))

    asked = continuation(whole, SAID, native=False)

    assert (asked.tools, asked.stop, asked.thinking) == ((tool,), ("END",), Thinking(effort="high", show=False))


@pytest.mark.parametrize(
    "most, said, left",
    [
        pytest.param(None, SAID, None, id="no limit"),
        pytest.param(1000, SAID, 1000 - count_text(SAID), id="less what was said"),
        pytest.param(100, "word " * 90, 64, id="never next to nothing"),
    ],
)
def test_output_is_what_is_left(most: int | None, said: str, left: int | None):
    assert continuation(request(max_output=most), said, native=True).max_output == left


def test_a_format_is_described_instead_of_enforced():
    wanted = ResponseFormat(kind="json_schema", schema={"type": "object", "title": "River"})

    asked = continuation(request(response_format=wanted), '{"name": "Spree", "len', native=False)

    assert asked.response_format is None
    assert '"title":"River"' in texts(asked.messages[-1])


@pytest.mark.parametrize(
    "prefill, failures, said, expected",
    [
        pytest.param(None, 0, SAID, Way.REPEAT, id="first"),
        pytest.param("native", 0, SAID, Way.REPEAT, id="first, prefill known"),
        pytest.param("native", 1, SAID, Way.NATIVE, id="second, native"),
        pytest.param("prefix", 1, SAID, Way.NATIVE, id="second, prefix"),
        pytest.param("refused", 1, SAID, Way.REPEAT, id="second, refused"),
        pytest.param(None, 1, SAID, Way.REPEAT, id="second, unknown"),
        pytest.param("native", 2, SAID, Way.RESTART, id="third"),
        pytest.param("native", 0, " \n", Way.RESTART, id="nothing was said"),
    ],
)
def test_ways_in_order(prefill: str | None, failures: int, said: str, expected: Way):
    assert way(Quirks(prefill=prefill), failures, said) is expected  # type: ignore[arg-type]


def test_a_restart_is_the_request_itself():
    whole = request()

    assert ask(whole, SAID, Way.RESTART) is whole


RESUMABLE: dict[str, tuple[list[Event], bool]] = {
    "nothing": ([], True),
    "text": ([Start(), TextDelta("a"), Usage()], True),
    "thinking": ([ReasoningDelta("hm")], True),
    "a call": ([TextDelta("a"), ToolCallStart(0, "c", "f")], False),
    "a refusal": ([RefusalDelta("no")], False),
    "the finish": ([TextDelta("a"), DONE], False),
}


@pytest.mark.parametrize("name", RESUMABLE)
def test_what_was_sent_decides_whether_it_can_go_on(name: str):
    events, expected = RESUMABLE[name]
    folder = Folder()
    folder.add(events)

    assert can_resume(request(), Sent(folder)) is expected


def test_log_probabilities_are_not_resumed():
    assert not can_resume(request(sampling=Sampling(logprobs=True)), Sent(Folder()))


def test_text_sent_is_kept_in_order():
    folder = Folder()
    sent = Sent(folder)
    assert not sent.anything
    folder.add([Start(), TextDelta("I went "), ReasoningDelta("x")])
    folder.add([TextDelta("down")])

    assert sent.text == "I went down"
    assert sent.anything


def passed(said: str, how: Way, *lumps: list[Event]) -> list[Event]:
    screen = joining(said, how)
    return [event for lump in lumps for event in screen.feed(lump)]


def test_only_what_is_new_passes():
    lumps: list[list[Event]] = [
        [Start(model="m"), ReasoningDelta("so far"), TextDelta("the river ")],
        [TextDelta("and sat there"), TextDelta(" alone")],
        [Usage(output=5), DONE],
    ]

    assert passed(SAID, Way.REPEAT, *lumps) == [
        TextDelta("there"),
        TextDelta(" alone"),
        Usage(output=5),
        DONE,
    ]


def test_calls_may_follow_the_repeat():
    call = ToolCallStart(0, "c", "f")

    assert passed(SAID, Way.REPEAT, [TextDelta("the river and sat"), call, ToolCallDelta(0, "{}"), DONE]) == [
        call,
        ToolCallDelta(0, "{}"),
        DONE,
    ]


@pytest.mark.parametrize("last", [DONE, ToolCallStart(0, "c", "f")], ids=["finish", "call"])
@pytest.mark.parametrize("text", ["", "Once upon", "Something else. " * 40])
def test_what_does_not_join_is_a_failed_attempt(text: str, last: Event):
    events = passed(SAID, Way.REPEAT, [Start(), TextDelta(text), last])

    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert events[0].fault.kind is Kind.MALFORMED


def test_a_restart_after_thinking_alone_passes_text_whole():
    assert passed("", Way.RESTART, [Start(), ReasoningDelta("again"), TextDelta("Hello"), DONE]) == [
        TextDelta("Hello"),
        DONE,
    ]


def test_usage_of_all_attempts_adds_up():
    total = UsageSum()
    assert total.total is None
    total.add(Usage(input=10, output=5, reasoning=2, cache_read=3, cache_write=1))
    total.add(Usage(input=16, output=7, reasoning=1, cache_read=4, cache_write=2))

    assert total.total == Usage(input=26, output=12, reasoning=3, cache_read=7, cache_write=3)


def test_an_attempt_that_told_no_usage_makes_it_an_estimate():
    total = UsageSum()
    total.add(None)
    total.add(Usage(input=16, output=7))

    assert total.total == Usage(input=16, output=7, known=False)
