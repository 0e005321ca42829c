"""Citations of an Anthropic upstream: kept for Anthropic callers, left out for others, sent back to who made them."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.router import Router
from fakes.served import Start, provider, user
from fakes.upstream import Chunk, Upstream, reply, sse

GRASS: dict[str, Any] = {
    "type": "char_location",
    "cited_text": "The grass is green.",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 19,
}
SKY = GRASS | {"cited_text": "The sky is blue.", "start_char_index": 20, "end_char_index": 36}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "It says that "},
    {"type": "text", "text": "grass is green", "citations": [GRASS]},
    {"type": "text", "text": " and "},
    {"type": "text", "text": "the sky is blue", "citations": [SKY, GRASS]},
    {"type": "text", "text": "."},
]
WORDS = "It says that grass is green and the sky is blue."
HEAD = {"id": "msg_up", "type": "message", "role": "assistant", "model": "up"}
USAGE = {"input_tokens": 9, "output_tokens": 12}
WHOLE = {**HEAD, "content": BLOCKS, "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE}


def stream() -> list[Chunk]:
    """The same as recorded streams have it: a block that cites begins with an empty list, the citations come last."""
    start = {**WHOLE, "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for at, block in enumerate(BLOCKS):
        empty: dict[str, Any] = {"type": "text", "text": ""} | ({"citations": []} if "citations" in block else {})
        events.append({"type": "content_block_start", "index": at, "content_block": empty})
        deltas = [{"type": "text_delta", "text": block["text"]}]
        deltas += [{"type": "citations_delta", "citation": one} for one in block.get("citations", ())]
        events += [{"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": at})
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ending, "usage": USAGE}, {"type": "message_stop"}]
    return [(event["type"], event) for event in events]


@pytest.fixture
def routed(up: Upstream, start: Start) -> Router:
    up.script(sse(stream(), then="no_done"), for_ever=True)
    return start(provider("mine", wire="anthropic"))


def ask(routed: Router, messages: Any, way: str) -> list[dict[str, Any]]:
    client = routed.anthropic()
    asked: dict[str, Any] = {"model": "x", "max_tokens": 500, "messages": messages}
    if way == "whole":
        message = client.messages.create(**asked)
    else:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    return [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in message.content]


def without_nulls(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if inner is not None}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return [plain(block) for block in blocks]


@pytest.mark.parametrize("way", ["whole", "stream"])
def test_each_passage_keeps_its_citations(routed: Router, way: str):
    assert without_nulls(ask(routed, user("What is said?"), way)) == without_nulls(BLOCKS)


def test_a_json_answer_of_the_provider_has_them_too(up: Upstream, start: Start):
    up.script(reply(WHOLE))
    assert without_nulls(ask(start(provider("mine", wire="anthropic")), user("hi"), "whole")) == without_nulls(BLOCKS)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_an_openai_caller_gets_the_words(routed: Router, streamed: bool):
    chat = routed.openai().chat.completions
    if streamed:
        with chat.stream(model="x", messages=[{"role": "user", "content": "hi"}]) as events:
            completion = events.get_final_completion()
    else:
        completion = chat.create(model="x", messages=[{"role": "user", "content": "hi"}])  # type: ignore[assignment]
    assert completion.choices[0].message.content == WORDS


def test_a_response_is_one_text(routed: Router):
    response = routed.openai().responses.create(model="x", input="hi")
    assert response.output_text == WORDS
    assert len(response.output) == 1


def test_they_go_back_to_the_provider_that_made_them(up: Upstream, routed: Router):
    said = ask(routed, user("What is said?"), "whole")
    ask(routed, [*user("What is said?"), {"role": "assistant", "content": said}, *user("More?")], "whole")
    sent = up.requests[-1].body["messages"][1]["content"]
    assert [len(block.get("citations", ())) for block in sent] == [0, 1, 0, 2, 0]


def test_they_stay_behind_where_another_provider_goes_on(up: Upstream, start: Start):
    routed = start(provider("mine", wire="anthropic", facts="tier = 1") + provider("other", facts="tier = 1"))
    history = [*user("hi"), {"role": "assistant", "content": BLOCKS}, *user("More?")]
    reply_ = routed.post(
        "/v1/messages", {"model": "mine/m1", "max_tokens": 9, "messages": history}, x_hermes_pin="true"
    )
    assert reply_.status == 200
    assert b"cited_text" not in up.requests[-1].raw


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_why_an_answer_was_refused_is_passed_on(up: Upstream, start: Start, streamed: bool):
    why = {"type": "refusal", "category": "cyber", "explanation": "No."}
    ending = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": why}
    events = [event for event in stream() if event[0] != "message_delta"]  # type: ignore[index]
    events.insert(-1, ("message_delta", {"type": "message_delta", "delta": ending, "usage": USAGE}))
    up.script(sse(events, then="no_done"))
    client = start(provider("mine", wire="anthropic")).anthropic()
    asked: dict[str, Any] = {"model": "x", "max_tokens": 500, "messages": user("hi")}
    if streamed:
        with client.messages.stream(**asked) as said:
            message = said.get_final_message()
    else:
        message = client.messages.create(**asked)
    assert (message.stop_reason, message.stop_details and message.stop_details.category) == ("refusal", "cyber")
