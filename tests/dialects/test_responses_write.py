"""Responses answers, streams and errors: their shape, and that the official SDK reads them back whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from fakes.responses_grammar import check_responses_stream
from hermes_router.core.errors import BadRequest, CannotServe, Exhausted, Internal, Refused, RouterError
from hermes_router.core.events import (
    Event,
    Finish,
    FinishReason,
    Note,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.fold import fold_all
from hermes_router.core.request import Message, Reasoning, Refusal, Request, Role, Text, ToolCall
from hermes_router.dialects.base import Served
from hermes_router.dialects.responses import OpenAIResponses
from hermes_router.dialects.responses_asked import NoShelf, Stored
from hermes_router.dialects.responses_sealed import unseal

SERVED = Served(id="r1", provider="groq", model="m-1", created=1_700_000_000, input_estimate=7)
STOP = Finish(FinishReason.STOP)
LOGPROB = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit.", "format": {"type": "text"}}
GIT = {"type": "namespace", "name": "mcp__git__", "description": "", "tools": [{**FUNCTION, "name": "log"}]}
SEARCH = {"type": "tool_search", "execution": "client", "description": "Find.", "parameters": {"type": "object"}}
TOOLS = [FUNCTION, PATCH, GIT, SEARCH]
CALLS: list[Event] = [
    ToolCallStart(0, "c1", "f"),
    ToolCallDelta(0, '{"a"'),
    ToolCallDelta(0, ":1}"),
    ToolCallStart(1, "c2", "apply_patch"),
    ToolCallDelta(1, '{"input":"*** '),
    ToolCallDelta(1, 'Begin"}'),
    Finish(FinishReason.TOOL_CALLS),
]


class Kept(NoShelf):
    """Remembers what is put."""

    def __init__(self) -> None:
        self.kept: dict[str, Stored] = {}

    def put(self, response_id: str, stored: Stored) -> None:
        self.kept[response_id] = stored


def asked(**body: Any) -> Request:
    said = {"model": "auto", "input": "hi"} | body
    return OpenAIResponses().read(json.dumps(said).encode(), {})


def answered(*events: Event, shelf: NoShelf | None = None, **body: Any) -> dict[str, Any]:
    raw = OpenAIResponses(shelf).answer(asked(**body), fold_all(events), SERVED)
    Response.model_validate_json(raw)
    answer: dict[str, Any] = json.loads(raw)
    return answer


def raw_stream(*events: Event, shelf: NoShelf | None = None, **body: Any) -> bytes:
    writer = OpenAIResponses(shelf).stream(asked(**body), SERVED)
    return b"".join(writer.write(event) for event in events) + writer.end()


def streamed(*events: Event, **body: Any) -> list[dict[str, Any]]:
    return check_responses_stream(raw_stream(*events, **body))


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def output(*events: Event, **body: Any) -> list[dict[str, Any]]:
    """The items of an answer, which are the same when it is streamed."""
    whole = answered(*events, **body)
    final = streamed(*events, **body)[-1]["response"]
    assert final == whole
    items: list[dict[str, Any]] = whole["output"]
    return items


def test_a_text_answer():
    usage = Usage(input=10, output=5, reasoning=2, cache_read=4, cache_write=1)
    assert answered(Start(), TextDelta("Hel"), TextDelta("lo"), usage, STOP) == {
        "id": "resp_r1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": "m-1",
        "output": [
            {
                "id": "msg_r100",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello"}],
            }
        ],
        "usage": {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 15,
        },
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": True,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
    }


def test_what_was_asked_is_echoed():
    body: dict[str, Any] = {
        "instructions": "I", "max_output_tokens": 9, "metadata": {"a": "b"}, "parallel_tool_calls": False,
        "prompt_cache_key": "k", "safety_identifier": "s", "store": False, "temperature": 0.1, "top_p": 0.2,
        "tool_choice": {"type": "function", "name": "f"}, "tools": [FUNCTION], "truncation": "auto", "user": "u",
        "reasoning": {"effort": "low", "summary": "auto"}, "max_tool_calls": 2,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    }  # fmt: skip
    answer = answered(TextDelta("a"), STOP, **body)
    assert {name: answer[name] for name in body} == body


def test_the_events_of_a_text_answer():
    events = streamed(Start(), TextDelta("Hel"), TextDelta("lo"), STOP, Usage(input=1, output=2))
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[4] == {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": "msg_r100",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hel",
        "logprobs": [],
    }
    assert events[5] == {**events[4], "sequence_number": 5, "delta": "lo"}
    assert events[-1]["response"]["usage"]["total_tokens"] == 3


def test_calls_of_functions_and_custom_tools():
    assert output(*CALLS, tools=TOOLS) == [
        {
            "id": "fc_r100",
            "status": "completed",
            "call_id": "c1",
            "type": "function_call",
            "name": "f",
            "arguments": '{"a":1}',
        },
        {
            "id": "ctc_r101",
            "status": "completed",
            "call_id": "c2",
            "type": "custom_tool_call",
            "name": "apply_patch",
            "input": "*** Begin",
        },
    ]


def test_the_events_of_calls():
    events = streamed(*CALLS, tools=TOOLS)
    assert kinds(events)[2:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert events[8]["delta"] == "*** Begin"


def test_arguments_that_come_in_turns_reach_their_calls():
    items = output(
        ToolCallStart(0, "c1", "f"),
        ToolCallStart(1, "c2", "f"),
        ToolCallDelta(1, "{"),
        ToolCallDelta(0, "{"),
        ToolCallDelta(1, '"b":2}'),
        ToolCallDelta(0, '"a":1}'),
        Finish(FinishReason.TOOL_CALLS),
        tools=TOOLS,
    )
    assert [(item["call_id"], item["arguments"]) for item in items] == [("c1", '{"a":1}'), ("c2", '{"b":2}')]


def test_a_call_without_arguments_has_an_empty_object():
    (item,) = output(ToolCallStart(0, "c1", "f"), Finish(FinishReason.TOOL_CALLS), tools=TOOLS)
    assert item["arguments"] == "{}"


def test_a_call_of_a_tool_of_a_namespace_has_the_callers_words():
    start = ToolCallStart(0, "c1", "mcp__git__log")
    (item,) = output(start, ToolCallDelta(0, "{}"), Finish(FinishReason.TOOL_CALLS), tools=TOOLS)
    assert (item["type"], item["namespace"], item["name"]) == ("function_call", "mcp__git__", "log")


def test_a_call_of_the_callers_tool_search():
    start = ToolCallStart(0, "c1", "tool_search")
    (item,) = output(start, ToolCallDelta(0, '{"q":"x"}'), Finish(FinishReason.TOOL_CALLS), tools=TOOLS)
    assert item == {
        "id": "tsc_r100",
        "status": "completed",
        "call_id": "c1",
        "type": "tool_search_call",
        "execution": "client",
        "arguments": {"q": "x"},
    }


def test_text_around_calls_makes_messages_of_its_own():
    items = output(
        TextDelta("a"),
        ToolCallStart(0, "c1", "f"),
        ToolCallDelta(0, "{}"),
        TextDelta("b"),
        Finish(FinishReason.TOOL_CALLS),
        tools=TOOLS,
    )
    assert [item["type"] for item in items] == ["message", "function_call", "message"]


THOUGHT = (ReasoningDelta("let me "), ReasoningDelta("see", details=[{"d": 1}]), ReasoningDelta(signature="sig"))


def test_reasoning_is_a_summary_where_one_was_asked_for():
    reasoning = {"summary": "auto"}
    items = output(*THOUGHT, TextDelta("a"), STOP, reasoning=reasoning)
    summary = [{"type": "summary_text", "text": "let me see"}]
    assert items[0] == {"id": "rs_r100", "type": "reasoning", "summary": summary}
    assert kinds(streamed(*THOUGHT, TextDelta("a"), STOP, reasoning=reasoning))[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]


def test_reasoning_is_an_empty_item_where_nothing_was_asked_for():
    items = output(*THOUGHT, TextDelta("a"), STOP)
    assert items[0] == {"id": "rs_r100", "type": "reasoning", "summary": []}
    assert b"let me" not in raw_stream(*THOUGHT, TextDelta("a"), STOP)


def test_reasoning_is_sealed_where_that_was_asked_for():
    redacted = ReasoningDelta(redacted="blob")
    items = output(*THOUGHT, redacted, TextDelta("a"), STOP, include=["reasoning.encrypted_content"], store=False)
    opened = unseal(items[0]["encrypted_content"])
    thought = Reasoning(text="let me see", signature="sig", details=[{"d": 1}])
    assert opened == ((thought, Reasoning(redacted="blob")), "groq/m-1")


def test_a_refusal_is_a_part_of_its_own():
    (item,) = output(TextDelta("Well, "), RefusalDelta("I "), RefusalDelta("won't"), Finish(FinishReason.REFUSED))
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
    assert item["content"][1] == {"type": "refusal", "refusal": "I won't"}


@pytest.mark.parametrize(
    "reason, expected",
    [(FinishReason.LENGTH, "max_output_tokens"), (FinishReason.FILTERED, "content_filter")],
)
def test_an_answer_that_was_cut_is_incomplete(reason: FinishReason, expected: str):
    events = streamed(TextDelta("a"), Finish(reason))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": expected}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"
    assert answered(TextDelta("a"), Finish(reason)) == events[-1]["response"]


def test_a_call_that_was_cut_is_incomplete():
    start = ToolCallStart(0, "c1", "f")
    events = streamed(start, ToolCallDelta(0, '{"a'), Finish(FinishReason.LENGTH), tools=TOOLS)
    (item,) = events[-1]["response"]["output"]
    assert (item["status"], item["arguments"]) == ("incomplete", '{"a')


def test_logprobs_go_with_their_text():
    body = {"include": ["message.output_text.logprobs"]}
    events = (TextDelta("a", [LOGPROB]), STOP)
    (item,) = output(*events, **body)
    assert item["content"][0]["logprobs"] == [LOGPROB]
    assert streamed(*events, **body)[4]["logprobs"] == [LOGPROB]


def test_usage_is_estimated_where_nobody_told():
    usage = answered(TextDelta("a" * 40), STOP)["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 10)


def test_what_is_left_out_is_said_in_a_comment():
    raw = raw_stream(TextDelta("a"), STOP, tools=[FUNCTION, {"type": "web_search"}])
    assert raw.startswith(b": hermes-router left out: tool web_search\n\nevent: response.created\n")


def test_notes_and_keep_alives_are_comments():
    writer = OpenAIResponses().stream(asked(), SERVED)
    assert writer.keepalive() == b": keep-alive\n\n"
    assert writer.write(Note("a seam")) == b": a seam\n\n"


def test_percent_signs_in_names_do_not_matter():
    served = Served(id="r%d", provider="p", model="100%s", created=1, input_estimate=1)
    writer = OpenAIResponses().stream(asked(), served)
    parts: list[Event] = [TextDelta("5%"), TextDelta(" %d %s"), STOP]
    events = check_responses_stream(b"".join(writer.write(event) for event in parts) + writer.end())
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "5% %d %s"


def test_what_is_kept_of_a_response():
    shelf = Kept()
    body = {"instructions": "I", "tools": TOOLS}
    raw_stream(ReasoningDelta("hm"), TextDelta("a"), RefusalDelta("no"), *CALLS, shelf=shelf, **body)
    stored = shelf.kept["resp_r1"]
    assert stored.messages == (
        Message(role=Role.USER, parts=(Text(text="hi"),)),
        Message(
            role=Role.ASSISTANT,
            parts=(
                Reasoning(text="hm"),
                Text(text="a"),
                Refusal(text="no"),
                ToolCall(id="c1", name="f", arguments='{"a":1}'),
                ToolCall(id="c2", name="apply_patch", arguments='{"input":"*** Begin"}'),
            ),
            origin="groq/m-1",
        ),
    )
    assert list(stored.items) == ["rs_r100", "msg_r101", "fc_r102", "ctc_r103"]
    assert "encrypted_content" in stored.items["rs_r100"]
    assert json.loads(stored.body)["id"] == "resp_r1"
    assert stored.input_items[0]["role"] == "user"


def test_nothing_is_kept_where_the_caller_says_so():
    shelf = Kept()
    answered(TextDelta("a"), STOP, shelf=shelf, store=False)
    raw_stream(TextDelta("a"), STOP, shelf=shelf, store=False)
    assert shelf.kept == {}


ERRORS: list[tuple[RouterError, str, str]] = [
    (Exhausted("No one.", headers={"retry-after": "7"}), "rate_limit_exceeded", "No one. Please try again in 7s."),
    (Exhausted("It broke off.", code="stream_interrupted"), "server_error", "It broke off."),
    (Internal("A bug."), "server_error", "A bug."),
    (CannotServe("Too long.", code="context_length_exceeded"), "context_length_exceeded", "Too long."),
    (Refused("No.", status=400, code="content_filter"), "invalid_prompt", "No."),
]


@pytest.mark.parametrize("begun", [False, True], ids=["before anything", "after text"])
@pytest.mark.parametrize("error, code, message", ERRORS, ids=lambda value: str(value)[:20])
def test_a_failure_is_an_error_and_a_failed_response(error: RouterError, code: str, message: str, begun: bool):
    writer = OpenAIResponses().stream(asked(), SERVED)
    begin = writer.write(TextDelta("a")) if begun else b""
    *_, said, failed = check_responses_stream(begin + writer.fail(error))
    assert (said["code"], said["message"]) == (error.code, error.message)
    assert said["error"]["message"] == error.message
    assert failed["response"]["error"] == {"code": code, "message": message}
    assert failed["response"]["status"] == "failed"


def test_an_error_before_an_answer():
    body = json.loads(OpenAIResponses().error(BadRequest("no", param="x"), "req_1"))
    assert body["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": "x",
        "code": "invalid_request",
        "request_id": "req_1",
    }


def sdk(reply: Callable[[dict[str, Any]], httpx2.Response]) -> openai.OpenAI:
    """A client whose requests ``reply`` answers."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        return reply(json.loads(request.content))

    client = httpx2.Client(transport=httpx2.MockTransport(handle))
    return openai.OpenAI(api_key="k-test-1", base_url="http://127.0.0.1/v1", max_retries=0, http_client=client)


def events_of(raw: bytes) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)


def test_the_sdks_stream_helper_reads_a_stream_whole():
    raw = raw_stream(*THOUGHT, TextDelta("Hel"), TextDelta("lo"), *CALLS, tools=TOOLS, reasoning={"summary": "auto"})
    with sdk(lambda _: events_of(raw)).responses.stream(model="m", input="hi") as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == "Hello"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "custom_tool_call"]
    assert seen.count("response.output_text.delta") == 2


def test_the_sdk_raises_where_a_stream_breaks_off():
    writer = OpenAIResponses().stream(asked(), SERVED)
    raw = writer.write(TextDelta("a")) + writer.fail(Exhausted("It broke off.", code="stream_interrupted"))
    stream = sdk(lambda _: events_of(raw)).responses.create(model="m", input="hi", stream=True)
    with pytest.raises(openai.APIError, match="It broke off"):
        for _ in stream:
            pass


text_events = st.builds(TextDelta, st.text(max_size=5))
thought_events = st.builds(
    ReasoningDelta, st.text(max_size=5), st.none() | st.text(min_size=1, max_size=3), st.none() | st.text(max_size=3)
)
refusal_events = st.builds(RefusalDelta, st.text(max_size=5))


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Events as wires may send them, calls whole or mixed."""
    names = draw(st.lists(st.sampled_from(["f", "apply_patch", "mcp__git__log", "tool_search"]), max_size=3))
    events: list[Event] = draw(st.lists(text_events | thought_events | refusal_events, max_size=6))
    calls: list[Event] = [ToolCallStart(index, f"c{index}", name) for index, name in enumerate(names)]
    halves = ('{"input":', '"x"}')
    pieces: list[Event] = [ToolCallDelta(index, half) for index in range(len(names)) for half in halves]
    if draw(st.booleans()):
        whole: list[Event] = []
        for index, start in enumerate(calls):
            whole += [start, *pieces[2 * index : 2 * index + 2], *draw(st.lists(text_events, max_size=1))]
        calls, pieces = whole, []
    reason = draw(st.sampled_from([FinishReason.STOP, FinishReason.LENGTH, FinishReason.TOOL_CALLS]))
    return [Start(), *events, *calls, *pieces, Usage(input=1, output=1), Finish(reason)]


@settings(max_examples=300, deadline=None)
@given(answers(), st.booleans(), st.booleans())
def test_whatever_is_said_the_stream_keeps_the_grammar_and_ends_as_the_answer(
    events: list[Event], shown: bool, sealed: bool
):
    body = {
        "tools": TOOLS,
        "reasoning": {"summary": "auto"} if shown else {},
        "include": ["reasoning.encrypted_content"] if sealed else [],
    }
    final = streamed(*events, **body)[-1]["response"]
    Response.model_validate(final)
    assert final["usage"]["total_tokens"] == 2
