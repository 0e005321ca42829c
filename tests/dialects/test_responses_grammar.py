"""The checker of the Responses grammar: it takes good streams and finds what is wrong with each bad one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.responses_grammar import BadStream, check_responses_stream

Events = list[dict[str, Any]]

RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "error": None,
    "incomplete_details": None, "instructions": None, "metadata": {}, "model": "m", "output": [],
    "parallel_tool_calls": True, "temperature": None, "tool_choice": "auto", "tools": [], "top_p": None, "usage": None,
}  # fmt: skip
USAGE = {
    "input_tokens": 1, "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 3,
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [],
}  # fmt: skip
PART = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
CALL = {"id": "fc_1", "type": "function_call", "status": "in_progress", "call_id": "c", "name": "f", "arguments": ""}


def good() -> Events:
    """A message and a call."""
    here = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    there = {"item_id": "fc_1", "output_index": 1}
    message = {**MESSAGE, "status": "completed", "content": [{**PART, "text": "ab"}]}
    call = {**CALL, "status": "completed", "arguments": "{}"}
    final = {**RESPONSE, "status": "completed", "output": [message, call], "usage": USAGE}
    events: Events = [
        {"type": "response.created", "response": RESPONSE},
        {"type": "response.in_progress", "response": RESPONSE},
        {"type": "response.output_item.added", "output_index": 0, "item": MESSAGE},
        {"type": "response.content_part.added", **here, "part": PART},
        {"type": "response.output_text.delta", **here, "delta": "a", "logprobs": []},
        {"type": "response.output_text.delta", **here, "delta": "b", "logprobs": []},
        {"type": "response.output_text.done", **here, "text": "ab", "logprobs": []},
        {"type": "response.content_part.done", **here, "part": {**PART, "text": "ab"}},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.output_item.added", "output_index": 1, "item": CALL},
        {"type": "response.function_call_arguments.delta", **there, "delta": "{}"},
        {"type": "response.function_call_arguments.done", **there, "arguments": "{}"},
        {"type": "response.output_item.done", "output_index": 1, "item": call},
        {"type": "response.completed", "response": final},
    ]
    return copy.deepcopy([{**event, "sequence_number": number} for number, event in enumerate(events)])


def raw(events: Events) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def without(index: int) -> Callable[[Events], Events]:
    """That event left out, the rest numbered anew."""
    return lambda events: [
        {**event, "sequence_number": number} for number, event in enumerate(events[:index] + events[index + 1 :])
    ]


def changed(index: int, *path: str, to: Any) -> Callable[[Events], Events]:
    """One field of one event changed."""

    def change(events: Events) -> Events:
        table = events[index]
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = to
        return events

    return change


def test_a_good_stream_passes_with_comments_anywhere():
    assert check_responses_stream(b": a\n\n" + raw(good()[:3]) + b": b\n\n" + raw(good()[3:])) == good()


def test_an_error_and_a_failed_response_may_end_a_stream():
    error = {"code": "c", "message": "m", "param": None}
    failed = {**RESPONSE, "status": "failed", "error": {"code": "c", "message": "m"}}
    events = [*good()[:5], {"type": "error", "error": error}, {"type": "response.failed", "response": failed}]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    assert len(check_responses_stream(raw(numbered))) == 7


BAD: dict[str, Callable[[Events], Events]] = {
    "no created": without(0),
    "no in_progress": without(1),
    "no item": without(2),
    "no part": without(3),
    "a delta lost": without(4),
    "no text done": without(6),
    "no part done": without(7),
    "no item done": without(8),
    "no arguments": without(10),
    "no arguments done": without(11),
    "call not done": without(12),
    "no end": without(13),
    "a number twice": changed(3, "sequence_number", to=2),
    "another item's id": changed(4, "item_id", to="msg_2"),
    "an index that skips": changed(9, "output_index", to=2),
    "another part": changed(4, "content_index", to=1),
    "another text": changed(6, "text", to="abc"),
    "another part's text": changed(7, "part", "text", to="abc"),
    "an item's id changes": changed(8, "item", "id", to="msg_2"),
    "an item in progress at its end": changed(8, "item", "status", to="in_progress"),
    "an id of another kind": changed(9, "item", "id", to="msg_9"),
    "a call without an id": changed(9, "item", "call_id", to=None),
    "arguments that are none": changed(11, "arguments", to="{"),
    "no logprobs": changed(4, "logprobs", to=None),
    "a response's id changes": changed(13, "response", "id", to="resp_2"),
    "a status that is not its event's": changed(13, "response", "status", to="incomplete"),
    "an output that was not sent": changed(13, "response", "output", to=[]),
    "a sum that is none": changed(13, "response", "usage", to={**USAGE, "total_tokens": 9}),
    "no usage": changed(13, "response", "usage", to=None),
    "an unknown event": changed(4, "type", to="response.dance"),
    "something after the end": lambda events: [*events, {**events[4], "sequence_number": 14}],
}


@pytest.mark.parametrize("break_it", BAD.values(), ids=BAD.keys())
def test_a_bad_stream_is_found_out(break_it: Callable[[Events], Events]):
    with pytest.raises(BadStream):
        check_responses_stream(raw(break_it(good())))


def test_a_frame_with_another_name_than_its_data_is_found_out():
    with pytest.raises(BadStream, match="named"):
        check_responses_stream(raw(good()).replace(b"event: response.created", b"event: created"))
