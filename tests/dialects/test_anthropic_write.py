"""Answers as the Anthropic Messages API gives them: JSON messages, event streams, errors; read back by the SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import orjson
import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from fakes.grammar import check_anthropic_stream
from hermes_router.core import errors
from hermes_router.core.events import (
    Event,
    Failed,
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
from hermes_router.core.faults import Fault, Kind, Scope
from hermes_router.core.fold import fold_all
from hermes_router.core.request import Request, Thinking
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.base import Served

DIALECT = AnthropicMessages()
SERVED = Served(id="abc", provider="mine", model="m1", created=0, input_estimate=40)
STOP = Finish(FinishReason.STOP)
EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def request(show: bool = True) -> Request:
    return Request(dialect="anthropic", model="auto", messages=(), thinking=Thinking(show=show))


def stream(*events: Event, show: bool = True) -> bytes:
    writer = DIALECT.stream(request(show), SERVED)
    return b"".join(writer.write(event) for event in events) + writer.end()


def streamed(*events: Event, show: bool = True) -> dict[str, Any]:
    """The message that a client gathers from the stream."""
    message: dict[str, Any] = {}
    gathered = ""
    for event in check_anthropic_stream(stream(*events, show=show)):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"])
                gathered = ""
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "input_json_delta":
                    gathered += delta["partial_json"]
                    message["content"][-1]["input"] = orjson.loads(gathered) if _is_json(gathered) else {}
                else:
                    field = delta["type"].removesuffix("_delta")
                    message["content"][-1][field] += delta[field]
            case "message_delta":
                message |= event["delta"] | {"usage": event["usage"]}
    return message


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def answered(*events: Event, show: bool = True) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(DIALECT.answer(request(show), fold_all(events), SERVED))
    return message


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


CALLS = (
    ToolCallStart(0, "call_1", "get_weather"), ToolCallDelta(0, '{"city":'), ToolCallDelta(0, '"Paris"}'),
    ToolCallStart(1, "call_2", "now"), Finish(FinishReason.TOOL_CALLS),
)  # fmt: skip
CALL_BLOCKS = [
    {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}},
    {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
]
THOUGHT = (
    ReasoningDelta("Hm"),
    ReasoningDelta("."),
    ReasoningDelta(signature="sig"),
    ReasoningDelta(redacted="opaque"),
)
CASES: dict[str, tuple[tuple[Event, ...], list[dict[str, Any]], str]] = {
    "text": ((Start(), TextDelta("Grü"), TextDelta(""), TextDelta("ße 🗼\n"), STOP), [text("Grüße 🗼\n")], "end_turn"),
    "nothing": ((Start(), STOP), [], "end_turn"),
    "calls": (CALLS, CALL_BLOCKS, "tool_use"),
    "text and calls": ((TextDelta("Wait."), *CALLS), [text("Wait."), *CALL_BLOCKS], "tool_use"),
    "text between calls": (
        (*CALLS[:3], TextDelta("And:"), *CALLS[3:]), [CALL_BLOCKS[0], text("And:"), CALL_BLOCKS[1]], "tool_use"),
    "calls that interleave": (
        (CALLS[0], CALLS[1], CALLS[3], ToolCallDelta(1, "{"), CALLS[2], ToolCallDelta(1, "}"), CALLS[4]),
        CALL_BLOCKS, "tool_use"),
    "calls whose reason says stop": ((*CALLS[:4], STOP), CALL_BLOCKS, "tool_use"),
    "a reason of calls without one": ((TextDelta("a"), Finish(FinishReason.TOOL_CALLS)), [text("a")], "end_turn"),
    "thinking": (
        (*THOUGHT, TextDelta("Yes."), STOP),
        [{"type": "thinking", "thinking": "Hm.", "signature": "sig"}, {"type": "redacted_thinking", "data": "opaque"},
         text("Yes.")], "end_turn"),
    "unsigned thinking": (
        (ReasoningDelta("Hm."), TextDelta("Yes."), STOP),
        [{"type": "thinking", "thinking": "Hm.", "signature": ""}, text("Yes.")], "end_turn"),
    "a signature alone": (
        (ReasoningDelta(signature="sig"), TextDelta("Yes."), STOP),
        [{"type": "thinking", "thinking": "", "signature": "sig"}, text("Yes.")], "end_turn"),
    "reasoning details alone": ((ReasoningDelta(details=[{}]), TextDelta("a"), STOP), [text("a")], "end_turn"),
    "length": ((TextDelta("a"), Finish(FinishReason.LENGTH)), [text("a")], "max_tokens"),
    "length within calls": ((*CALLS[:4], Finish(FinishReason.LENGTH)), CALL_BLOCKS, "max_tokens"),
    "filtered": ((TextDelta("a"), Finish(FinishReason.FILTERED)), [text("a")], "refusal"),
    "refusal": ((RefusalDelta("I can"), RefusalDelta("not."), STOP), [text("I cannot.")], "refusal"),
    "stop sequence": (
        (TextDelta("a"), Finish(FinishReason.STOP_SEQUENCE, stop_sequence="END")), [text("a")], "stop_sequence"),
    "stop sequence unknown": ((TextDelta("a"), Finish(FinishReason.STOP_SEQUENCE)), [text("a")], "end_turn"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("write", [answered, streamed])
def test_message_and_stream_say_the_same(name: str, write: Any):
    events, content, reason = CASES[name]
    message = write(*events)
    assert message["content"] == content
    assert message["stop_reason"] == reason
    assert message["stop_sequence"] == ("END" if reason == "stop_sequence" else None)
    assert (message["id"], message["model"], message["role"]) == ("msg_abc", "m1", "assistant")


@pytest.mark.parametrize("write", [answered, streamed])
def test_thinking_is_shown_only_to_who_asked(write: Any):
    assert write(*THOUGHT, TextDelta("Yes."), STOP, show=False)["content"] == [text("Yes.")]


@pytest.mark.parametrize("write", [answered, streamed])
def test_a_refusal_has_stop_details(write: Any):
    assert write(RefusalDelta("No."), STOP)["stop_details"]["type"] == "refusal"
    assert write(TextDelta("Yes."), STOP)["stop_details"] is None


@pytest.mark.parametrize("usage_first", [True, False])
@pytest.mark.parametrize("write", [answered, streamed])
def test_cached_tokens_are_no_input_tokens(write: Any, usage_first: bool):
    usage = Usage(input=100, output=20, reasoning=8, cache_read=60, cache_write=30)
    ending = (usage, STOP) if usage_first else (STOP, usage)
    assert write(TextDelta("a"), *ending)["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 8},
    }


@pytest.mark.parametrize("write", [answered, streamed])
def test_unknown_usage_is_estimated(write: Any):
    usage = write(TextDelta("a" * 400), STOP)["usage"]
    assert usage["input_tokens"] == 40
    assert 50 < usage["output_tokens"] < 200


def test_the_order_of_events():
    kinds = [event["type"] for event in check_anthropic_stream(stream(Start(), TextDelta("a"), TextDelta("b"), STOP))]
    assert kinds == [
        "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip


def test_message_start_estimates_the_input():
    usage = check_anthropic_stream(stream(STOP))[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (40, 1)


def test_a_call_is_written_as_it_comes():
    writer = DIALECT.stream(request(), SERVED)
    writer.write(ToolCallStart(0, "call_1", "f"))
    assert b'"partial_json":"{\\"a\\":"' in writer.write(ToolCallDelta(0, '{"a":'))


def test_numbers_in_arguments_stay_as_the_model_wrote_them():
    call = (ToolCallStart(0, "c", "f"), ToolCallDelta(0, ' {"n": 12345678901234567890123} '), STOP)
    assert b'"input":{"n": 12345678901234567890123}' in DIALECT.answer(request(), fold_all(call), SERVED)


def test_keepalives_are_comments_before_the_stream_pings_in_it_and_nothing_after():
    writer = DIALECT.stream(request(), SERVED)
    assert writer.keepalive().startswith(b": ")
    writer.write(Start())
    assert writer.keepalive() == b'event: ping\ndata: {"type":"ping"}\n\n'
    writer.write(STOP)
    writer.end()
    assert (writer.keepalive(), writer.end()) == (b"", b"")


def test_a_note_is_a_comment_and_opens_nothing():
    writer = DIALECT.stream(request(), SERVED)
    assert writer.write(Note("moved\nto another")) == b": moved to another\n\n"
    check_anthropic_stream(writer.write(Start()) + writer.write(Note("x")) + writer.end())


@pytest.mark.parametrize("said", [(), (Start(),), (TextDelta("a"),), CALLS[:2]])
def test_a_stream_that_fails_ends_in_an_error_event(said: tuple[Event, ...]):
    writer = DIALECT.stream(request(), SERVED)
    raw = b"".join(writer.write(event) for event in said) + writer.fail(errors.Exhausted("nobody left"))
    last = check_anthropic_stream(raw)[-1]
    assert last == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "nobody left"},
        "request_id": "req_abc",
    }
    assert (writer.end(), writer.keepalive(), writer.fail(errors.Internal("x"))) == (b"", b"", b"")


def test_a_fault_is_not_written_as_an_event():
    with pytest.raises(TypeError):
        DIALECT.stream(request(), SERVED).write(Failed(Fault(kind=Kind.CUT, scope=Scope.MODEL)))


# ---- errors


def refused(status: int) -> errors.RouterError:
    return errors.Refused("no", status=status, code="x")


@pytest.mark.parametrize(
    "error, kind, sdk_class",
    [
        pytest.param(errors.BadRequest("no"), "invalid_request_error", anthropic.BadRequestError, id="400"),
        pytest.param(errors.CannotServe("no"), "invalid_request_error", anthropic.BadRequestError, id="cannot serve"),
        pytest.param(errors.Unauthorized("no"), "authentication_error", anthropic.AuthenticationError, id="401"),
        pytest.param(refused(402), "billing_error", anthropic.APIStatusError, id="402"),
        pytest.param(refused(403), "permission_error", anthropic.PermissionDeniedError, id="403"),
        pytest.param(errors.NotFound("no"), "not_found_error", anthropic.NotFoundError, id="404"),
        pytest.param(errors.MethodNotAllowed("no"), "invalid_request_error", anthropic.APIStatusError, id="405"),
        pytest.param(errors.TooLarge("no"), "request_too_large", anthropic.APIStatusError, id="413"),
        pytest.param(refused(422), "invalid_request_error", anthropic.UnprocessableEntityError, id="422"),
        pytest.param(refused(429), "rate_limit_error", anthropic.RateLimitError, id="429"),
        pytest.param(errors.Internal("no"), "api_error", anthropic.InternalServerError, id="500"),
        pytest.param(errors.Exhausted("no"), "overloaded_error", anthropic.InternalServerError, id="503"),
        pytest.param(refused(504), "timeout_error", anthropic.InternalServerError, id="504"),
        pytest.param(refused(599), "api_error", anthropic.InternalServerError, id="599"),
    ],
)
def test_errors_have_the_apis_types_and_raise_the_sdks_classes(
    error: errors.RouterError, kind: str, sdk_class: type[anthropic.APIStatusError]
):
    body = DIALECT.error(error, "req_1")
    assert orjson.loads(body) == {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(error.status, content=body))
    with (
        httpx2.Client(transport=transport) as http,
        anthropic.Anthropic(
            api_key="k-test-1", base_url="http://127.0.0.1:9", http_client=http, max_retries=0
        ) as client,
        pytest.raises(sdk_class) as caught,
    ):
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.status_code == error.status


def test_details_travel_with_the_error():
    error = errors.Exhausted("no", details={"candidates": [{"name": "a/b", "reason": "rpm"}]})
    assert orjson.loads(DIALECT.error(error, "r"))["error"]["details"] == error.details


# ---- the official SDK reads it


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_accepts_message_and_events(name: str):
    events, content, reason = CASES[name]
    message = SdkMessage.model_validate_json(DIALECT.answer(request(), fold_all(events), SERVED), strict=True)
    assert message.stop_reason == reason
    assert [block.type for block in message.content] == [block["type"] for block in content]
    for event in check_anthropic_stream(stream(*events)):
        if event["type"] != "ping":
            EVENTS.validate_python(event)


@pytest.mark.parametrize("name", CASES)
def test_the_sdks_stream_helper_gathers_the_same_message(name: str):
    events, content, reason = CASES[name]
    raw = b": keep-alive\n\n" + stream(*events)
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=raw, headers=headers))
    with (
        httpx2.Client(transport=transport) as http,
        anthropic.Anthropic(api_key="k-test-1", base_url="http://127.0.0.1:9", http_client=http) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as said,
    ):
        message = said.get_final_message()
    gathered = [block.model_dump(exclude_none=True) for block in message.content]
    assert [{key: block[key] for key in due} for block, due in zip(gathered, content, strict=True)] == content
    assert message.stop_reason == reason


# ---- any answer


PARTS = st.one_of(
    st.text(max_size=8).map(lambda said: [TextDelta(said)]),
    st.text(max_size=8).map(lambda said: [ReasoningDelta(said)]),
    st.just([ReasoningDelta(signature="sig")]),
    st.just([ReasoningDelta(redacted="opaque")]),
    st.text(max_size=4).map(lambda said: [RefusalDelta(said)]),
    st.just([Note("n")]),
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2), min_size=1, max_size=3),
)


def _numbered(parts: list[list[Any]]) -> list[Event]:
    """Lists of objects become calls made in parallel, their pieces dealt out in turns."""
    events: list[Event] = []
    calls = 0
    for part in parts:
        if not isinstance(part[0], dict):
            events += part
            continue
        texts = [orjson.dumps(arguments).decode() for arguments in part]
        events += [ToolCallStart(calls + place, f"c{calls + place}", "f") for place in range(len(texts))]
        for at in range(0, max(map(len, texts)), 5):
            events += [ToolCallDelta(calls + place, said[at : at + 5]) for place, said in enumerate(texts) if said[at:]]
        calls += len(texts)
    return events


@given(parts=st.lists(PARTS, max_size=8), reason=st.sampled_from(FinishReason), show=st.booleans())
def test_any_answer_keeps_to_the_grammar(parts: list[list[Any]], reason: FinishReason, show: bool):
    events = _numbered(parts)
    message = streamed(*events, Finish(reason), show=show)
    calls = [block["input"] for block in message["content"] if block["type"] == "tool_use"]
    assert calls == [arguments for part in parts if isinstance(part[0], dict) for arguments in part]


def test_the_sdk_raises_what_a_broken_stream_ends_in():
    writer = DIALECT.stream(request(), SERVED)
    raw = writer.write(TextDelta("Once")) + writer.fail(errors.Exhausted("nobody left"))
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=raw, headers=headers))
    with (
        httpx2.Client(transport=transport) as http,
        anthropic.Anthropic(api_key="k-test-1", base_url="http://127.0.0.1:9", http_client=http) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as said,
        pytest.raises(anthropic.APIStatusError, match="nobody left"),
    ):
        said.get_final_message()
