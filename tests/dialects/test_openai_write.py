"""Chat Completions answers, streams and errors: their shape, and that the official SDK reads them back whole."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fakes.openai_grammar import check_openai_stream
from hermes_router.core.errors import BadRequest, Exhausted, Internal, NotFound, Refused, RouterError, Unauthorized
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
from hermes_router.core.request import Message, Request, Role, Text, Thinking
from hermes_router.dialects.base import Served
from hermes_router.dialects.openai_chat import OpenAIChat

SERVED = Served(id="r1", provider="groq", model="m-1", created=1_700_000_000, input_estimate=7)
ASKED = Request(dialect="openai", model="auto", messages=(Message(role=Role.USER, parts=(Text(text="hi"),)),))
STOP = Finish(FinishReason.STOP)
LOGPROB = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}


def asked(**fields: Any) -> Request:
    return Request(dialect="openai", model="auto", messages=ASKED.messages, **fields)


def answered(*events: Event, request: Request = ASKED) -> dict[str, Any]:
    body = OpenAIChat().answer(request, fold_all(events), SERVED)
    ChatCompletion.model_validate_json(body, strict=True)
    answer: dict[str, Any] = json.loads(body)
    return answer


def streamed(*events: Event, request: Request = ASKED) -> bytes:
    writer = OpenAIChat().stream(request, SERVED)
    return b"".join(writer.write(event) for event in events) + writer.end()


def deltas(raw: bytes) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in check_openai_stream(raw) if chunk["choices"]]


def folded_by_the_sdk(raw: bytes) -> ChatCompletion:
    state = ChatCompletionStreamState()
    for chunk in check_openai_stream(raw):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True))
    return state.current_completion_snapshot


def test_a_text_answer_has_the_shape_of_the_api():
    usage = Usage(input=10, output=5, reasoning=2, cache_read=4)
    assert answered(Start(fingerprint="fp"), TextDelta("he"), TextDelta("llo"), usage, STOP) == {
        "id": "chatcmpl-r1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m-1",
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def test_calls_are_answered_with_null_content_and_what_must_come_back():
    opaque = {"google": {"thought_signature": "s"}}
    answer = answered(
        ToolCallStart(0, "c1", "add", opaque), ToolCallDelta(0, '{"a":1}'), ToolCallStart(1, "c2", "now"), STOP
    )
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "add", "arguments": '{"a":1}'},
            "extra_content": opaque,
        },
        {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]


def test_text_before_a_call_is_kept():
    answer = answered(TextDelta("let me see"), ToolCallStart(0, "c1", "add"), Finish(FinishReason.TOOL_CALLS))
    assert answer["choices"][0]["message"]["content"] == "let me see"


@pytest.mark.parametrize("show", [True, False])
def test_reasoning_is_returned_only_where_it_may_be_shown(show: bool):
    details = [{"type": "reasoning.text", "text": "hm"}]
    events = (ReasoningDelta("hm", details=details), TextDelta("a"), STOP)
    request = asked(thinking=Thinking(show=show))
    message = answered(*events, request=request)["choices"][0]["message"]
    assert (message.get("reasoning_content"), message.get("reasoning_details")) == (
        ("hm", details) if show else (None, None)
    )
    said = deltas(streamed(*events, request=request))
    assert ({"reasoning_content": "hm", "reasoning_details": details} in said) is show


def test_a_refusal_has_null_content():
    choice = answered(RefusalDelta("no"), Finish(FinishReason.REFUSED))["choices"][0]
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, "no")
    assert choice["finish_reason"] == "stop"


def test_logprobs_are_passed_on():
    events = (TextDelta("a", logprobs=[LOGPROB]), TextDelta("b", logprobs=[LOGPROB]), STOP)
    expected = {"content": [LOGPROB, LOGPROB], "refusal": None}
    assert answered(*events)["choices"][0]["logprobs"] == expected
    chunks = check_openai_stream(streamed(*events))
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks[1:3]] == [{"content": [LOGPROB], "refusal": None}] * 2


@pytest.mark.parametrize(
    "reason, word",
    [
        (FinishReason.STOP, "stop"),
        (FinishReason.STOP_SEQUENCE, "stop"),
        (FinishReason.REFUSED, "stop"),
        (FinishReason.TOOL_CALLS, "stop"),
        (FinishReason.LENGTH, "length"),
        (FinishReason.FILTERED, "content_filter"),
    ],
)
def test_finish_reasons_of_an_answer_without_calls(reason: FinishReason, word: str):
    assert answered(TextDelta("a"), Finish(reason))["choices"][0]["finish_reason"] == word
    last = check_openai_stream(streamed(TextDelta("a"), Finish(reason)))[-1]
    assert last["choices"][0]["finish_reason"] == word


def test_usage_nobody_counted_is_estimated():
    usage = answered(ReasoningDelta("x" * 40), TextDelta("y" * 80), STOP)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 30, 37)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 10


def test_a_stream_estimates_the_usage_it_was_not_told():
    request = asked(include_usage=True)
    events: list[Event] = [ReasoningDelta("x" * 40), *[TextDelta("yyyy")] * 20, STOP]
    usage = check_openai_stream(streamed(*events, request=request))[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7, 30)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 10


def test_the_bytes_of_a_stream():
    request = asked(include_usage=True)
    usage = Usage(input=3, output=2, cache_write=1)
    head = (
        b'data: {"id":"chatcmpl-r1","object":"chat.completion.chunk","created":1700000000,"model":"m-1",'
        b'"system_fingerprint":"fp","choices":['
    )
    choice = head + b'{"index":0,"delta":'
    assert streamed(
        Start(fingerprint="fp"), TextDelta('"ä\n'), Note("resumed\nhere"), usage, STOP, request=request
    ) == (
        choice
        + b'{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}'
        b"\n\n"
        + choice
        + '{"content":"\\"ä\\n"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'.encode()
        + b": resumed here\n\n"
        + choice
        + b'{},"logprobs":null,"finish_reason":"stop"}],"usage":null}\n\n'
        + head
        + b'],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":'
        b'{"cached_tokens":0,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":0}}}\n\n'
        b"data: [DONE]\n\n"
    )


def test_a_stream_of_calls_goes_out_in_fragments():
    raw = streamed(
        ToolCallStart(0, "c1", "add", {"google": 1}),
        ToolCallDelta(0, '{"a"'),
        ToolCallStart(1, "c2", "now"),
        ToolCallDelta(0, ":1}"),
        Finish(FinishReason.TOOL_CALLS),
    )
    assert deltas(raw)[1:] == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": ""},
                    "extra_content": {"google": 1},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]


def test_a_caller_of_functions_is_answered_with_a_function_call():
    request = asked(legacy_functions=True)
    events = (ToolCallStart(0, "c1", "add"), ToolCallDelta(0, '{"a":1}'), Finish(FinishReason.TOOL_CALLS))
    choice = answered(*events, request=request)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "add", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]
    raw = streamed(*events, request=request)
    assert deltas(raw)[1:3] == [
        {"function_call": {"name": "add", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
    ]


def test_keepalives_and_comments_may_come_before_the_first_chunk():
    writer = OpenAIChat().stream(ASKED, SERVED)
    raw = writer.keepalive() + writer.write(Note("waiting")) + writer.write(Start()) + writer.keepalive()
    assert raw.startswith(b": keep-alive\n\n: waiting\n\ndata: ")
    assert len(check_openai_stream(raw + writer.write(STOP) + writer.end())) == 2


def test_a_stream_that_never_finished_cannot_be_ended():
    writer = OpenAIChat().stream(ASKED, SERVED)
    writer.write(TextDelta("a"))
    with pytest.raises(AssertionError):
        writer.end()


@pytest.mark.parametrize("begun", [True, False])
def test_the_sdk_raises_from_a_failed_stream(begun: bool):
    writer = OpenAIChat().stream(ASKED, SERVED)
    raw = writer.write(TextDelta("a")) if begun else b""
    raw += writer.fail(Exhausted("nobody is free", details={"candidates": []}))
    check_openai_stream(raw)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    )
    client = openai.OpenAI(
        api_key="k-test-1", base_url="http://x.test/v1", http_client=httpx2.Client(transport=transport)
    )
    with client, pytest.raises(openai.APIError, match="nobody is free"):
        list(client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}], stream=True))


@pytest.mark.parametrize(
    "error, kind, sdk_class",
    [
        pytest.param(BadRequest("bad", param="n"), "invalid_request_error", openai.BadRequestError, id="400"),
        pytest.param(Unauthorized("bad"), "authentication_error", openai.AuthenticationError, id="401"),
        pytest.param(Refused("bad", status=403, code="c"), "permission_error", openai.PermissionDeniedError, id="403"),
        pytest.param(NotFound("bad"), "not_found_error", openai.NotFoundError, id="404"),
        pytest.param(
            Refused("bad", status=422, code="c"), "invalid_request_error", openai.UnprocessableEntityError, id="422"
        ),
        pytest.param(Refused("bad", status=429, code="c"), "rate_limit_error", openai.RateLimitError, id="429"),
        pytest.param(Internal("bad"), "server_error", openai.InternalServerError, id="500"),
        pytest.param(Exhausted("bad"), "server_error", openai.InternalServerError, id="503"),
    ],
)
def test_the_sdk_raises_its_own_class(error: RouterError, kind: str, sdk_class: type[openai.APIStatusError]):
    body = OpenAIChat().error(error, "req-1")
    transport = httpx2.MockTransport(lambda _: httpx2.Response(error.status, content=body))
    client = openai.OpenAI(
        api_key="k-test-1",
        base_url="http://x.test/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )
    with client, pytest.raises(sdk_class) as caught:
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}])
    assert (caught.value.type, caught.value.code, caught.value.param) == (kind, error.code, error.param)


def test_an_error_carries_its_details_and_the_request_id():
    body = json.loads(OpenAIChat().error(Exhausted("none", details={"candidates": [{"name": "a"}]}), "req-1"))
    assert body == {
        "error": {
            "message": "none",
            "type": "server_error",
            "param": None,
            "code": "all_candidates_exhausted",
            "details": {"candidates": [{"name": "a"}]},
            "request_id": "req-1",
        }
    }


said = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def whole_answers(draw: st.DrawFn) -> list[Event]:
    """Any answer a wire may produce: parts in any order, calls whose fragments interleave, usage before or after."""
    events: list[Event] = [Start(fingerprint=draw(st.sampled_from([None, "fp"])))] if draw(st.booleans()) else []
    arguments: list[str] = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["text", "logprobs", "reasoning", "signature", "refusal", "note", "call"]))
        if kind == "text":
            events.append(TextDelta(draw(said)))
        elif kind == "logprobs":
            events.append(TextDelta(draw(said), logprobs=[LOGPROB]))
        elif kind == "reasoning":
            events.append(ReasoningDelta(draw(said)))
        elif kind == "signature":
            events.append(ReasoningDelta(signature="s"))
        elif kind == "refusal":
            events.append(RefusalDelta(draw(said)))
        elif kind == "note":
            events.append(Note(draw(said)))
        else:
            index = len(arguments)
            arguments.append(json.dumps({"a": draw(said)}) if draw(st.booleans()) else "")
            events.append(ToolCallStart(index, f"c{index}", "add"))
    left = {index: whole for index, whole in enumerate(arguments) if whole}
    while left:
        index = draw(st.sampled_from(sorted(left)))
        cut = draw(st.integers(0, len(left[index])))
        events.append(ToolCallDelta(index, left[index][:cut]))
        left[index] = left[index][cut:]
        if not left[index]:
            del left[index]
    ending: list[Event] = [Finish(draw(st.sampled_from(list(FinishReason))))]
    if draw(st.booleans()):
        ending.insert(draw(st.integers(0, 1)), Usage(input=draw(st.integers(0, 99)), output=draw(st.integers(0, 99))))
    return events + ending


@settings(deadline=None, max_examples=150)
@given(events=whole_answers(), include_usage=st.booleans())
def test_any_stream_keeps_the_grammar_and_says_what_the_answer_says(events: list[Event], include_usage: bool):
    request = asked(include_usage=include_usage)
    raw = streamed(*events, request=request)
    check_openai_stream(raw, usage=include_usage)
    whole = answered(*events, request=request)["choices"][0]
    choice = folded_by_the_sdk(raw).choices[0]
    calls = [(call["id"], call["function"]["arguments"]) for call in whole["message"].get("tool_calls", ())]
    assert (choice.message.content or "") == (whole["message"]["content"] or "")
    assert (choice.message.refusal or "") == (whole["message"]["refusal"] or "")
    assert [(call.id, call.function.arguments) for call in choice.message.tool_calls or ()] == calls  # type: ignore[union-attr]
    assert choice.finish_reason == whole["finish_reason"]
