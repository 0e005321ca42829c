"""Legacy Completions: what is read, and what answers and streams look like."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types import Completion

from fakes.completions_grammar import check_completions_stream
from hermes_router.core.errors import BadRequest, Exhausted
from hermes_router.core.events import (
    Event,
    Finish,
    FinishReason,
    Note,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    Usage,
)
from hermes_router.core.fold import fold_all
from hermes_router.core.request import Request, Role, Text
from hermes_router.dialects.base import Served
from hermes_router.dialects.completions import OpenAICompletions

SERVED = Served(id="r1", provider="groq", model="m-1", created=1_700_000_000, input_estimate=7)
STOP = Finish(FinishReason.STOP)


def read(**body: Any) -> Request:
    return OpenAICompletions().read(json.dumps({"model": "auto", "prompt": "Once"} | body).encode(), {})


def said(request: Request) -> list[str]:
    return [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]


def answered(*events: Event, **body: Any) -> dict[str, Any]:
    raw = OpenAICompletions().answer(read(**body), fold_all(events), SERVED)
    Completion.model_validate_json(raw, strict=True)
    answer: dict[str, Any] = json.loads(raw)
    return answer


def streamed(*events: Event, **body: Any) -> bytes:
    writer = OpenAICompletions().stream(read(**body), SERVED)
    return b"".join(writer.write(event) for event in events) + writer.end()


def test_a_prompt_is_a_text_to_go_on_with():
    request = read(temperature=0.2, stop=["\n", ""], user="u", stream=True, seed=3)
    assert [message.role for message in request.messages] == [Role.SYSTEM, Role.USER]
    assert said(request)[1] == "Once"
    assert "Continue" in said(request)[0]
    assert (request.stop, request.sampling.temperature, request.sampling.seed) == (("\n",), 0.2, 3)
    assert (request.dialect, request.user, request.stream, request.thinking.show) == ("completions", "u", True, False)


def test_sixteen_tokens_unless_more_are_asked_for():
    assert (read().max_output, read(max_tokens=200).max_output) == (16, 200)


def test_a_list_of_one_is_one():
    assert said(read(prompt=["Once"])) == said(read())


def test_a_suffix_makes_a_gap_to_fill():
    request = read(prompt="def f():\n    ", suffix="\n    return x")
    assert said(request)[1] == "def f():\n    <GAP/>\n    return x"
    assert "<GAP/>" in said(request)[0]


@pytest.mark.parametrize(
    "body, path",
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"n": 2}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 0}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"model": None}, "model"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_refusals_name_the_field_they_are_about(body: dict[str, Any], path: str):
    with pytest.raises(BadRequest) as caught:
        read(**body)
    assert caught.value.param == path


def test_an_answer():
    assert answered(Start(), ReasoningDelta("hm"), TextDelta(" upon"), Usage(input=1, output=2), STOP) == {
        "id": "cmpl-r1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "m-1",
        "choices": [{"text": " upon", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_the_prompt_is_echoed_where_that_was_asked_for():
    assert answered(TextDelta(" upon"), STOP, echo=True)["choices"][0]["text"] == "Once upon"
    chunks = check_completions_stream(streamed(TextDelta(" upon"), STOP, echo=True))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "Once upon"


@pytest.mark.parametrize(
    "reason, word",
    [(FinishReason.STOP, "stop"), (FinishReason.LENGTH, "length"), (FinishReason.FILTERED, "content_filter")],
)
def test_finish_reasons(reason: FinishReason, word: str):
    assert answered(TextDelta("a"), Finish(reason))["choices"][0]["finish_reason"] == word
    chunks = check_completions_stream(streamed(TextDelta("a"), Finish(reason)))
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, word]


def test_a_refusal_is_text():
    assert answered(RefusalDelta("No."), STOP)["choices"][0]["text"] == "No."


@pytest.mark.parametrize("wanted", [True, False])
def test_a_stream_has_usage_exactly_where_it_was_asked_for(wanted: bool):
    events = (Start(), ReasoningDelta("hm"), TextDelta(" a"), TextDelta(""), TextDelta("b"), STOP, Usage(input=1))
    raw = streamed(*events, stream_options={"include_usage": wanted})
    chunks = check_completions_stream(raw, usage=wanted)
    assert len(chunks) == (4 if wanted else 3)
    assert raw.endswith(b"data: [DONE]\n\n")


def test_notes_are_comments_and_errors_end_a_stream():
    writer = OpenAICompletions().stream(read(), SERVED)
    raw = writer.write(Note("seam")) + writer.keepalive() + writer.write(TextDelta("a")) + writer.fail(Exhausted("no"))
    assert raw.startswith(b": seam\n\n: keep-alive\n\n")
    assert check_completions_stream(raw)[-1]["error"]["message"] == "no"


def test_the_sdk_reads_a_stream():
    raw = streamed(TextDelta(" upon"), TextDelta(" a"), STOP)
    content = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    client = httpx2.Client(transport=httpx2.MockTransport(lambda _: content))
    sdk = openai.OpenAI(api_key="k-test-1", base_url="http://127.0.0.1/v1", http_client=client)
    stream = sdk.completions.create(model="m", prompt="Once", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == " upon a"
