from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
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
from hermes_router.core.faults import Kind, Scope
from hermes_router.core.fold import Answer, fold_all
from hermes_router.wires.base import Target
from hermes_router.wires.openai import OpenAIWire

NOW = 1_760_000_000.0
TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"


def target(quirks: Quirks | None = None) -> Target:
    return Target(
        name="p",
        provider=ProviderSpec(),
        model=ModelSpec(id="m"),
        quirks=quirks or Quirks(),
        base_url="http://127.0.0.1:1/v1",
    )


def read(*pieces: bytes, quirks: Quirks | None = None, content_type: str = "text/event-stream") -> list[Event]:
    reader = OpenAIWire().chat_reader(target(quirks), content_type=content_type, now=NOW)
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.end()


def transcript(name: str) -> bytes:
    return (TRANSCRIPTS / f"{name}.sse").read_bytes()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "c1", "model": "m", "choices": [choice], **more}) + b"\n\n"


def body(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return orjson.dumps({"id": "c1", "model": "m", "created": 1, "choices": [choice], **more})


DONE = b"data: [DONE]\n\n"


def joined(events: list[Event]) -> list[Event]:
    """The events with runs of the same kind of text put together."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            out[-1] = TextDelta(last.text + event.text, (last.logprobs or []) + (event.logprobs or []) or None)
        elif isinstance(event, ReasoningDelta) and isinstance(last, ReasoningDelta):
            out[-1] = ReasoningDelta(
                last.text + event.text, details=(last.details or []) + (event.details or []) or None
            )
        else:
            out.append(event)
    return out


def stop(raw: str | None = "stop") -> Finish:
    return Finish(FinishReason.STOP, raw)


def calls(raw: str | None = "tool_calls") -> Finish:
    return Finish(FinishReason.TOOL_CALLS, raw)


ANSWERS: dict[str, list[Event]] = {
    "groq/tools": [
        Start("chatcmpl-g1", "openai/gpt-oss-20b", 1760000000, "fp_g"),
        ReasoningDelta("Need the weather."),
        ToolCallStart(0, "fc_1", "get_weather"),
        ToolCallDelta(0, '{"city":"Oslo"}'),
        Usage(input=80, output=31, reasoning=9),
        calls(),
    ],
    "mistral/thinking_list": [
        Start("m1", "magistral-medium-latest", 1760000000),
        ReasoningDelta("Six by seven."),
        TextDelta("42 it is"),
        Usage(input=12, output=28),
        stop(),
    ],
    "mistral/tool_no_index": [
        Start("m1", "magistral-medium-latest", 1760000000),
        ToolCallStart(0, "EscTeQY62", "get_weather"),
        ToolCallDelta(0, '{"city": "Rome"}'),
        ToolCallStart(1, "abcDEF123", "get_time"),
        ToolCallDelta(1, "{}"),
        Usage(input=9, output=8),
        calls(),
    ],
    "openrouter/reasoning_details": [
        Start("gen-1", "minimax/minimax-m2:free", 1760000000),
        ReasoningDelta(
            "We should greet.",
            details=[
                {"type": "reasoning.text", "text": "We should ", "index": 0, "format": None},
                {"type": "reasoning.text", "text": "greet.", "index": 0, "format": None},
                {"type": "reasoning.encrypted", "data": "b3BhcXVl", "id": "rs_1", "index": 1, "format": "x"},
            ],
        ),
        TextDelta("Grüß dich 👋"),
        Usage(input=20, output=11, cache_read=16, cache_write=4),
        stop(),
    ],
    "openrouter/index_reused": [
        Start("gen-1", "minimax/minimax-m2:free", 1760000000),
        ToolCallStart(0, "tool_0_a", "add"),
        ToolCallDelta(0, '{"n":1}'),
        ToolCallStart(1, "tool_0_b", "add"),
        ToolCallDelta(1, '{"n":2}'),
        Usage(input=5, output=6),
        calls(),
    ],
    "alibaba/empty_ids": [
        Start("a1", "qwen3-max", 1760000000),
        ToolCallStart(0, "call_a", "weather"),
        ToolCallDelta(0, '{"city": '),
        ToolCallDelta(0, '"Lima"}'),
        Usage(input=30, output=12),
        calls(),
    ],
    "gemini/thought_signature": [
        Start("ge1", "gemini-3.5-flash", 1760000000),
        ToolCallStart(0, "function-call-1", "get_weather", {"google": {"thought_signature": "c2lnbmVk"}}),
        ToolCallDelta(0, '{"city":"Kyiv"}'),
        ToolCallStart(1, "call_4a1deebb21847d9a9769ce60", "get_time"),
        ToolCallDelta(1, "{}"),
        Usage(input=50, output=50, reasoning=30),
        calls(),
    ],
    "cerebras/reasoning_and_content": [
        Start("ce1", "gpt-oss-120b", 1760000000, "fp_c"),
        ReasoningDelta("Short. Yes."),
        TextDelta("Hi!"),
        Usage(input=7, output=9),
        stop(),
    ],
    "deepseek/usage_null": [
        Start("d1", "deepseek-v4-flash", 1760000000),
        ReasoningDelta("Count."),
        TextDelta("One two"),
        Usage(input=10, output=5, reasoning=2, cache_read=8),
        stop(),
    ],
    "zai/role_repeated": [
        Start("z1", "glm-4.7-flash", 1760000000),
        ReasoningDelta("\nHm."),
        TextDelta("Ja."),
        Usage(input=4, output=6, cache_read=2),
        stop(),
    ],
    "zai/window_exceeded": [
        Start("z1", "glm-4.7-flash", 1760000000),
        TextDelta("part"),
        Finish(FinishReason.LENGTH, "model_context_window_exceeded"),
    ],
    "cohere/plain_crlf": [
        Start("co1", "command-a-03-2025", 1760000000),
        TextDelta("Good day"),
        Usage(input=3, output=2),
        stop(),
    ],
    "ollama/parallel_tools": [
        Start("chatcmpl-7", "qwen3:8b", 1760000000, "fp_ollama"),
        ReasoningDelta("Two calls."),
        ToolCallStart(0, "call_x1", "a"),
        ToolCallDelta(0, "{}"),
        ToolCallStart(1, "call_x2", "b"),
        ToolCallDelta(1, '{"k":true}'),
        Usage(input=60, output=40),
        calls("stop"),
    ],
    "vllm/think_tags": [
        Start("v1", "qwen3-think", 1760000000),
        ReasoningDelta("Let me see."),
        TextDelta("The <b>answer</b> is <think> literally"),
        stop(),
    ],
    "vllm/no_done": [Start("v1", "qwen3-think", 1760000000), TextDelta("All of it"), stop()],
    "vllm/one_malformed": [
        Start("v1", "qwen3-think", 1760000000),
        TextDelta("ab"),
        Finish(FinishReason.LENGTH, "length"),
    ],
    "perplexity/delta_and_message": [
        Start("p1", "sonar", 1760000000),
        TextDelta("pong"),
        Usage(input=7, output=2),
        stop(),
    ],
    "openai/refusal_logprobs": [
        Start("o1", "gpt-4o-mini", 1760000000),
        TextDelta("No", [{"token": "No", "logprob": -0.1, "bytes": [78, 111], "top_logprobs": []}]),
        RefusalDelta("I can"),
        RefusalDelta("not."),
        Usage(input=5, output=4),
        stop(),
    ],
    "azure/filter_chunk_first": [
        Start("az1", "gpt-4.1-mini", 1760000000),
        TextDelta("ok"),
        Finish(FinishReason.FILTERED, "content_filter"),
    ],
}

FAILURES = {
    "groq/error_event": (Kind.MALFORMED, Scope.MODEL),
    "openrouter/error_chunk": (Kind.SERVER_ERROR, Scope.MODEL),
    "gemini/error_list": (Kind.OVERLOADED, Scope.MODEL),
    "nvidia/error_in_200": (Kind.OVERLOADED, Scope.MODEL),
    "nvidia/problem_details": (Kind.OVERLOADED, Scope.MODEL),
    "zai/network_error": (Kind.CUT, Scope.PROVIDER),
    "vllm/cut": (Kind.CUT, Scope.PROVIDER),
    "vllm/two_malformed": (Kind.CUT, Scope.PROVIDER),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_providers_stream_becomes_events(name: str):
    assert joined(read(transcript(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", FAILURES)
def test_a_stream_that_fails_ends_in_one_fault(name: str):
    events = read(transcript(name))
    last = events[-1]
    assert isinstance(last, Failed)
    assert not any(isinstance(event, Failed | Finish) for event in events[:-1])
    assert (last.fault.kind, last.fault.scope) == FAILURES[name]


@pytest.mark.parametrize("name", [*ANSWERS, *FAILURES])
def test_every_single_cut_gives_the_same_events(name: str):
    stream = transcript(name)
    whole = read(stream)
    assert read(*[stream[i : i + 1] for i in range(len(stream))]) == whole
    for place in range(len(stream)):
        assert read(stream[:place], stream[place:]) == whole


@given(st.sampled_from([*ANSWERS, *FAILURES]), st.lists(st.integers(0, 5000), max_size=12))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_cuts_give_the_same_events(name: str, cuts: list[int]):
    stream = transcript(name)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parts = [stream[start:end] for start, end in pairwise(places)]
    assert read(*parts) == read(stream)


def test_text_comes_out_with_the_bytes_that_complete_it():
    reader = OpenAIWire().chat_reader(target(), content_type="text/event-stream", now=NOW)
    assert reader.feed(chunk({"content": "a"})) == [Start("c1", "m"), TextDelta("a")]
    assert reader.feed(chunk({"content": "b"})) == [TextDelta("b")]
    assert reader.feed(chunk({"content": "b"})[:-1]) == []
    assert reader.feed(b"\n") == [TextDelta("b")]


def test_after_a_fault_nothing_more_comes():
    reader = OpenAIWire().chat_reader(target(), content_type="text/event-stream", now=NOW)
    reader.feed(chunk({"content": "a"}) + chunk(finish="network_error"))
    assert reader.feed(chunk({"content": "b"}) + DONE) == []
    assert reader.end() == []


def test_after_done_nothing_more_comes():
    assert joined(read(chunk({"content": "a"}, "stop") + DONE + chunk({"content": "b"}))) == [
        Start("c1", "m"),
        TextDelta("a"),
        stop(),
    ]


WHOLE = {
    "text": (body({"content": "hi"}), [TextDelta("hi"), stop()]),
    "no finish word": (body({"content": "hi"}, None), [TextDelta("hi"), stop(None)]),
    "empty finish word": (body({"content": "hi"}, ""), [TextDelta("hi"), stop(None)]),
    "calls without a finish word": (
        body({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}]}, ""),
        [ToolCallStart(0, "x", "f"), ToolCallDelta(0, "{}"), calls(None)],
    ),
    "calls in the words of a stop": (
        body({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}]}),
        [ToolCallStart(0, "x", "f"), ToolCallDelta(0, "{}"), calls("stop")],
    ),
    "tool_calls null or empty": (body({"content": "hi", "tool_calls": []}), [TextDelta("hi"), stop()]),
    "a finish of calls without any": (
        body({"content": "hi", "tool_calls": None}, "tool_calls"),
        [TextDelta("hi"), stop("tool_calls")],
    ),
    "arguments as an object": (
        body({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": {"a": 1}}}]}),
        [ToolCallStart(0, "x", "f"), ToolCallDelta(0, '{"a":1}'), calls("stop")],
    ),
    "arguments null": (
        body({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": None}}]}),
        [ToolCallStart(0, "x", "f"), ToolCallDelta(0, "{}"), calls("stop")],
    ),
    "a legacy function call": (
        body({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
        [ToolCallStart(0, "call_94bf5b05ac5c12e4db5e93e9", "f"), ToolCallDelta(0, "{}"), calls("function_call")],
    ),
    "an empty function call (Snowflake)": (
        body({"content": "hi", "function_call": {"name": "", "arguments": ""}}),
        [TextDelta("hi"), stop()],
    ),
    "a signature on the message (Gemini 2.5)": (
        body(
            {
                "extra_content": {"google": {"thought": True, "thought_signature": "c2ln"}},
                "tool_calls": [
                    {"id": "a", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "b", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            "tool_calls",
        ),
        [
            ToolCallStart(0, "a", "f", {"google": {"thought_signature": "c2ln"}}),
            ToolCallDelta(0, "{}"),
            ToolCallStart(1, "b", "g"),
            ToolCallDelta(1, "{}"),
            calls(),
        ],
    ),
    "content as an object (Cloudflare)": (body({"content": {"a": 1}}), [TextDelta('{"a":1}'), stop()]),
    "thinking in tags": (
        body({"content": "<think>\nhm\n</think>\n\nhi"}),
        [ReasoningDelta("hm\n"), TextDelta("hi"), stop()],
    ),
    "refusal": (body({"content": None, "refusal": "no"}), [RefusalDelta("no"), stop()]),
    "a stop sequence named (vLLM)": (
        orjson.dumps(
            {
                "id": "c1",
                "model": "m",
                "created": 1,
                "choices": [{"message": {"content": "hi"}, "finish_reason": "stop", "stop_reason": "END"}],
            }
        ),
        [TextDelta("hi"), Finish(FinishReason.STOP_SEQUENCE, "stop", "END")],
    ),
    "a stop token named (vLLM)": (
        orjson.dumps(
            {
                "id": "c1",
                "model": "m",
                "created": 1,
                "choices": [{"message": {"content": "hi"}, "finish_reason": "stop", "stop_reason": 151645}],
            }
        ),
        [TextDelta("hi"), stop()],
    ),
    "one answer in two choices (Copilot)": (
        orjson.dumps(
            {
                "id": "c1",
                "model": "m",
                "created": 1,
                "choices": [
                    {"message": {"content": "hi"}, "finish_reason": "tool_calls"},
                    {
                        "message": {"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}]},
                        "finish_reason": "tool_calls",
                    },
                ],
            }
        ),
        [TextDelta("hi"), ToolCallStart(0, "x", "f"), ToolCallDelta(0, "{}"), calls()],
    ),
    "only the first of several answers": (
        orjson.dumps(
            {
                "id": "c1",
                "model": "m",
                "created": 1,
                "choices": [
                    {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"},
                    {"index": 1, "message": {"content": "ho"}, "finish_reason": "length"},
                ],
            }
        ),
        [TextDelta("hi"), stop()],
    ),
}


@pytest.mark.parametrize("answer, events", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
def test_a_json_body_gives_the_events_of_a_short_stream(answer: bytes, events: list[Event], content_type: str):
    assert read(answer, content_type=content_type) == [Start("c1", "m", 1), *events]
    assert read(b"\n  " + answer[:7], answer[7:], content_type=content_type) == [Start("c1", "m", 1), *events]


def test_a_stream_in_the_clothes_of_json_is_read_as_a_stream():
    assert read(chunk({"content": "a"}, "stop") + DONE, content_type="application/json")[1] == TextDelta("a")


NO_ANSWERS = {
    "HTML": b"<!DOCTYPE html><html></html>",
    "plain text": b"Internal Server Error",
    "JSON that ends early": b'{"choices": [{"message": {"content": "a',
    "JSON of another kind": b'{"status": "ok"}',
    "a list": b"[1, 2]",
    "no choices": b'{"id": "x", "choices": []}',
    "null choices": b'{"id": "x", "choices": null}',
    "nothing": b"",
    "white space": b"\n \n",
    "only a comment": b": ping\n\n",
    "only DONE": DONE,
    "only one event that is not JSON": b"data: {\n\n",
    "two events that are not JSON": b"data: {\n\ndata: x\n\n" + DONE,
    "an event-like text": b"error: backend unavailable\n\n",
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_the_models_fault(answer: bytes):
    (failed,) = read(answer)
    assert isinstance(failed, Failed)
    assert (failed.fault.kind, failed.fault.scope) == (Kind.MALFORMED, Scope.MODEL)


def test_html_fails_at_its_first_byte():
    reader = OpenAIWire().chat_reader(target(), content_type="text/html", now=NOW)
    assert isinstance(reader.feed(b"<")[0], Failed)


ERRORS = {
    "body": b'{"error": {"code": 502, "message": "bad"}, "user_id": "u"}',
    "text (Hugging Face)": b'{"error": "bad"}',
    "top level (Mistral)": b'{"object": "error", "message": "bad", "type": "x", "code": "1"}',
    "problem (NVIDIA)": b'{"status": 503, "title": "bad"}',
    "list (Cloudflare)": b'{"success": false, "errors": [{"code": 3040, "message": "bad"}]}',
    "list (Gemini)": b'[{"error": {"code": 503, "message": "bad"}}]',
    "choice (OpenRouter)": body({"content": "half"}, None).replace(
        b'"index":0', b'"index":0,"error":{"message":"bad"}'
    ),
    "chunk beside choices": chunk({"content": ""}, None, error={"message": "bad"}),
    "Groq's own table": chunk({}, None, x_groq={"id": "r", "error": "bad"}),
    "named event": b'event: error\ndata: {"message": "bad"}\n\n',
    "named event of text": b"event: error\ndata: bad\n\n",
}


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS)
def test_an_error_in_a_200_is_a_fault(answer: bytes):
    failed = read(answer)[-1]
    assert isinstance(failed, Failed)
    assert "bad" in failed.fault.message


def test_an_error_as_the_finish_is_a_fault():
    failed = read(body({"content": "half"}, "error"))[-1]
    assert isinstance(failed, Failed)
    assert failed.fault.kind is Kind.SERVER_ERROR


def test_an_error_that_is_null_is_none():
    assert read(chunk({"content": "a"}, "stop", error=None) + DONE)[-1] == stop()


def test_a_half_answer_with_an_error_says_nothing_of_it():
    """A JSON body has not been shown to anybody: another candidate can answer from the start."""
    assert not any(isinstance(event, TextDelta) for event in read(ERRORS["choice (OpenRouter)"]))


FINISHES = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "COMPLETE": FinishReason.STOP,
    "a new word": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "MAX_TOKENS": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
    "sensitive": FinishReason.FILTERED,
    "SAFETY": FinishReason.FILTERED,
    "refusal": FinishReason.REFUSED,
}


@pytest.mark.parametrize("word, reason", FINISHES.items())
def test_finish_words_are_understood(word: str, reason: FinishReason):
    assert read(chunk({"content": "a"}, word) + DONE)[-1] == Finish(reason, word)


def test_a_quirk_translates_finish_words():
    events = read(chunk({"content": "a"}, "enough") + DONE, quirks=Quirks(finish={"enough": "length"}))
    assert events[-1] == Finish(FinishReason.LENGTH, "enough")


def test_a_malformed_call_is_the_models_fault():
    failed = read(chunk({"content": "a"}, "function_call_filter: MALFORMED_FUNCTION_CALL") + DONE)[-1]
    assert isinstance(failed, Failed)
    assert failed.fault.kind is Kind.MALFORMED


def test_a_call_without_a_name_is_the_models_fault():
    failed = read(chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": "{}"}}]}, "tool_calls"))[-1]
    assert isinstance(failed, Failed)
    assert failed.fault.kind is Kind.MALFORMED


@pytest.mark.parametrize("ending", [b"", chunk(finish="length") + DONE], ids=["cut", "length"])
def test_a_call_cut_before_its_arguments_does_not_become_one_without(ending: bytes):
    begun = chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": ""}}]})
    assert not any(isinstance(event, ToolCallDelta) for event in read(begun + ending))


def test_a_name_that_comes_after_its_id_is_waited_for():
    events = read(
        chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": ""}}]})
        + chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}, "tool_calls")
        + DONE
    )
    assert events[1:3] == [ToolCallStart(0, "x", "f"), ToolCallDelta(0, "{}")]


def test_a_name_repeated_in_every_piece_is_one_call():
    pieces = [
        chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": text}}]})
        for text in ('{"a"', ":1}")
    ]
    assert [call.arguments for call in fold_all(read(*pieces, DONE)).calls.values()] == ['{"a":1}']


def test_calls_without_ids_and_with_one_index_stay_apart():
    pieces = [
        chunk({"tool_calls": [{"index": 0, "function": {"name": name, "arguments": '{"a":1}'}}]}) for name in "fg"
    ]
    made = fold_all(read(*pieces, DONE)).calls
    assert [call.name for call in made.values()] == ["f", "g"]
    assert len({call.id for call in made.values()}) == 2


def test_two_calls_with_one_id_get_two():
    two = [{"id": "same", "function": {"name": name, "arguments": "{}"}} for name in "fg"]
    ids = [call.id for call in fold_all(read(body({"tool_calls": two}))).calls.values()]
    assert ids[0] == "same"
    assert ids[1] != "same"


def test_made_ids_depend_on_the_answer_and_the_place_alone():
    unnamed = {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}] * 2}
    first, again = (fold_all(read(body(unnamed))).calls for _ in range(2))
    assert [call.id for call in first.values()] == [call.id for call in again.values()]
    assert first[0].id != first[1].id
    assert first[0].id.startswith("call_")
    assert len(first[0].id) == 29


USAGES: dict[str, tuple[dict[str, Any], Usage]] = {
    "plain": ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, Usage(input=3, output=2)),
    "details": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        Usage(input=9, output=8, reasoning=5, cache_read=4),
    ),
    "details null": (
        {"prompt_tokens": 9, "completion_tokens": 8, "prompt_tokens_details": None, "completion_tokens_details": None},
        Usage(input=9, output=8),
    ),
    "thinking only in the total (xAI)": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 32,
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        Usage(input=10, output=22, reasoning=20),
    ),
    "audio in the total (Mistral)": (
        {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 400, "prompt_audio_seconds": 3},
        Usage(input=10, output=2),
    ),
    "Anthropic's cache words (Databricks)": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "cache_read_input_tokens": 6,
            "cache_creation_input_tokens": 3,
        },
        Usage(input=10, output=2, cache_read=6, cache_write=3),
    ),
    "not numbers": ({"prompt_tokens": None, "completion_tokens": "2"}, Usage()),
}


@pytest.mark.parametrize("said, usage", USAGES.values(), ids=USAGES)
def test_usage_is_read_wherever_its_details_are(said: dict[str, Any], usage: Usage):
    assert usage in read(body({"content": "a"}, usage=said))


def test_the_last_usage_counts():
    stream = chunk({"content": "a"}, None, usage={"prompt_tokens": 5, "completion_tokens": 1}) + chunk(
        {}, "stop", usage={"prompt_tokens": 5, "completion_tokens": 7}
    )
    assert [event for event in read(stream + DONE) if isinstance(event, Usage)] == [Usage(input=5, output=7)]


def test_a_cut_answer_still_tells_its_usage():
    events = read(chunk({"content": "a"}, None, usage={"prompt_tokens": 5, "completion_tokens": 1}))
    assert events[-2] == Usage(input=5, output=1)
    assert isinstance(events[-1], Failed)


def test_usage_on_the_choice_is_found():
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
    stream = chunk({"content": "a"}) + b"data: " + orjson.dumps({"id": "c1", "choices": [choice]}) + b"\n\n"
    assert Usage(input=2, output=1) in read(stream + DONE)


def test_done_without_a_finish_is_a_finish():
    assert read(chunk({"content": "a"}) + DONE)[-1] == stop(None)


def test_errors_written_as_text_are_held_back_and_told():
    quirks = Quirks(text_errors=("^out of pollen",))
    events = read(chunk({"content": "Out of"}) + chunk({"content": " pollen today"}, "stop") + DONE, quirks=quirks)
    assert not any(isinstance(event, TextDelta) for event in events)
    assert isinstance(events[-1], Failed)


def test_nothing_follows_an_error_written_as_text():
    quirks = Quirks(text_errors=("^out of pollen",))
    delta = {"content": "Out of pollen" + "!" * 300, "refusal": "no", "tool_calls": [{"function": {"name": "f"}}]}
    assert isinstance(read(chunk(delta, "stop") + DONE, quirks=quirks)[-1], Failed)


def test_text_that_is_no_error_is_let_through():
    quirks = Quirks(text_errors=("^out of pollen",))
    events = read(chunk({"content": "Hello"}) + chunk({"content": " there"}, "stop") + DONE, quirks=quirks)
    assert fold_all(events).text == "Hello there"
    assert events[-1] == stop()


def answer_of(pieces: list[str], think_tags: bool | None = None) -> Answer:
    stream = b"".join(chunk({"content": piece}) for piece in pieces) + chunk({}, "stop") + DONE
    return fold_all(read(stream, quirks=Quirks(think_tags=think_tags)))


THOUGHTS = {
    "at the start": ("<think>a</think>b", None, "a", "b"),
    "after white space": ("\n <think>\na</think>\n\nb", None, "a", "b"),
    "never closed": ("<think>a", None, "a", ""),
    "empty": ("<think>\n\n</think>\n\nb", None, "", "b"),
    "only mentioned": ("b <think>a</think>", None, "", "b <think>a</think>"),
    "only begun": ("<thi", None, "", "<thi"),
    "another tag": ("<thing>b</thing>", None, "", "<thing>b</thing>"),
    "closed once, mentioned again": ("<think>a</think>b</think><think>", None, "a", "b</think><think>"),
    "in the middle of a provider that thinks so": ("b <think>a</think>c", True, "a", "b c"),
    "a partial tag at the end": ("b <thin", True, "", "b <thin"),
    "of a provider that thinks so, mentioned once": ("a < b, <b>c</b>", True, "", "a < b, <b>c</b>"),
    "of a provider that thinks so, twice": ("<think>a</think>\n b<think>c</think>\n d", True, "ac", "bd"),
    "a partial closing tag at the end": ("<think>a</thi", None, "a</thi", ""),
}


@pytest.mark.parametrize("text, quirk, thought, said", THOUGHTS.values(), ids=THOUGHTS)
def test_think_tags_are_told_apart_however_they_are_cut(text: str, quirk: bool | None, thought: str, said: str):
    for cut in range(len(text)):
        answer = answer_of([text[:cut], text[cut:]], quirk)
        assert (answer.reasoning, answer.text) == (thought, said)
    answer = answer_of(list(text), quirk)
    assert (answer.reasoning, answer.text) == (thought, said)


def test_no_more_than_a_partial_tag_is_held_back():
    reader = OpenAIWire().chat_reader(target(), content_type="text/event-stream", now=NOW)
    assert reader.feed(chunk({"content": "<think>abc</th"}))[1:] == [ReasoningDelta("abc")]
    assert reader.feed(chunk({"content": "at"})) == [ReasoningDelta("</that")]
    assert reader.feed(chunk({"content": "</think>x"})) == [TextDelta("x")]
    assert reader.feed(chunk({"content": "<"})) == [TextDelta("<")]


def test_logprobs_of_held_text_come_with_it():
    token = {"token": "<", "logprob": -1.0}
    choice = {"index": 0, "delta": {"content": "<"}, "logprobs": {"content": [token]}, "finish_reason": None}
    stream = b"data: " + orjson.dumps({"id": "c1", "model": "m", "choices": [choice]}) + b"\n\n"
    assert TextDelta("<b", [token]) in read(stream + chunk({"content": "b"}, "stop") + DONE)


ENDED = {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}
UNUSUAL: dict[str, dict[str, Any]] = {
    "no text": {"content": ""},
    "null": {"content": None},
    "white space": {"content": " \n"},
    "a list": {"content": [{"type": "text", "text": "Hi."}]},
    "think tags": {"content": "\n<think>hm</think>Hi."},
    "think tags in the middle": {"content": "Hi. <think>hm</think> Ho."},
    "a tag begun": {"content": "Hi. <thin"},
    "white space first": {"content": "\n Hi."},
    "reasoning": {"content": "Hi.", "reasoning": "hm"},
    "reasoning_content": {"content": "Hi.", "reasoning_content": "hm"},
    "refusal": {"content": "Hi.", "refusal": "no"},
    "a call": {"content": "Hi.", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="nothing else"),
        pytest.param({"id": "c1", "model": "m", "created": 7, "system_fingerprint": "fp"}, id="who answered"),
        pytest.param({"id": None, "created": 7.0}, id="nulls and floats"),
        pytest.param({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}, id="usage"),
        pytest.param({"usage": None}, id="no usage"),
        pytest.param({"usage": "many"}, id="usage of another kind"),
        pytest.param({"x_groq": {"id": "r"}}, id="groq's id"),
        pytest.param({"x_groq": {"error": "no"}}, id="groq's error"),
        pytest.param({"x_groq": {"usage": {"prompt_tokens": 3}}}, id="groq's usage"),
        pytest.param({"error": {"message": "no"}}, id="an error beside it"),
        pytest.param({"choices": [ENDED, ENDED]}, id="two answers"),
        pytest.param({"choices": [ENDED | {"index": 1}]}, id="another answer"),
        pytest.param({"choices": [ENDED | {"index": None}]}, id="index null"),
        pytest.param({"choices": [ENDED | {"finish_reason": "length"}]}, id="cut by the limit"),
        pytest.param({"choices": [ENDED | {"finish_reason": "eos"}]}, id="another word"),
        pytest.param({"choices": [ENDED | {"finish_reason": None}]}, id="no word"),
        pytest.param({"choices": [ENDED | {"stop_reason": "END"}]}, id="a stop sequence"),
        pytest.param({"choices": [ENDED | {"logprobs": {"content": [{"token": "Hi."}]}}]}, id="log probabilities"),
        pytest.param({"choices": [ENDED | {"usage": {"prompt_tokens": 3}}]}, id="usage on the choice"),
        *(
            pytest.param({"choices": [ENDED | {"message": {"role": "assistant", **message}}]}, id=name)
            for name, message in UNUSUAL.items()
        ),
    ],
)
@pytest.mark.parametrize("think_tags", [None, True], ids=["", "a provider that thinks in tags"])
def test_a_plain_answer_is_read_as_any_other_would_be(more: dict[str, Any], think_tags: bool | None):
    whole, quirks = orjson.dumps({"choices": [ENDED], **more}), Quirks(think_tags=think_tags)
    by_the_long_way = b"\xef\xbb\xbf" + whole
    assert read(whole, quirks=quirks) == read(by_the_long_way, quirks=quirks)
