"""The checker of the chunk grammar: it takes a good stream and finds what is wrong with each bad one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.openai_grammar import BadStream, check_openai_stream

Chunks = list[dict[str, Any]]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return frame([choice])


def frame(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> dict[str, Any]:
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**common, "choices": choices, "usage": usage}


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


def good() -> Chunks:
    return [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "a"}),
        chunk(call(0, id="c", type="function", function={"name": "f", "arguments": ""})),
        chunk(call(0, function={"arguments": "{}"})),
        chunk({}, "tool_calls"),
        frame([], USAGE),
    ]


def raw(chunks: Chunks, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(item)}\n\n" for item in chunks) + end).encode()


def without(chunks: Chunks, index: int) -> Chunks:
    return chunks[:index] + chunks[index + 1 :]


def changed(chunks: Chunks, index: int, **fields: Any) -> Chunks:
    return [*chunks[:index], {**chunks[index], **fields}, *chunks[index + 1 :]]


def test_a_good_stream_passes_with_comments_anywhere_before_the_end():
    stream = b": a\n\n" + raw(good()[:2], end=": b\n\n") + raw(good()[2:])
    assert check_openai_stream(stream, usage=True) == good()


def test_an_error_may_end_a_stream():
    error = {"error": {"message": "m", "type": "server_error", "param": None, "code": "c"}}
    assert len(check_openai_stream(raw([*good()[:2], error], end=""))) == 3


BAD: dict[str, Callable[[Chunks], bytes]] = {
    "no [DONE]": lambda chunks: raw(chunks, end=""),
    "no closing blank line": lambda chunks: raw(chunks).rstrip(b"\n"),
    "a chunk after [DONE]": lambda chunks: raw(chunks) + raw(chunks),
    "a comment after [DONE]": lambda chunks: raw(chunks) + b": x\n\n",
    "a named event": lambda chunks: b"event: x\n" + raw(chunks),
    "no role": lambda chunks: raw(without(chunks, 0)),
    "role twice": lambda chunks: raw([chunks[0], *chunks]),
    "no finish": lambda chunks: raw(without(chunks, 4)),
    "finish twice": lambda chunks: raw([*chunks[:5], *chunks[4:]]),
    "text after the finish": lambda chunks: raw([*chunks[:5], chunks[1], chunks[5]]),
    "finish with content": lambda chunks: raw([*chunks[:4], chunk({"content": "x"}, "stop"), chunks[5]]),
    "an odd reason": lambda chunks: raw([*chunks[:4], chunk({}, "end_turn"), chunks[5]]),
    "no usage": lambda chunks: raw(without(chunks, 5)),
    "usage first": lambda chunks: raw([chunks[5], *chunks[:5]]),
    "usage twice": lambda chunks: raw([*chunks, chunks[5]]),
    "usage that does not add up": lambda chunks: raw(changed(chunks, 5, usage={**USAGE, "total_tokens": 4})),
    "another id": lambda chunks: raw(changed(chunks, 1, id="chatcmpl-2")),
    "another model": lambda chunks: raw(changed(chunks, 1, model="n")),
    "another kind": lambda chunks: raw(changed(chunks, 1, object="chat.completion")),
    "an unknown field": lambda chunks: raw(changed(chunks, 1, provider="x")),
    "a choice too many": lambda chunks: raw(changed(chunks, 1, choices=chunks[1]["choices"] * 2)),
    "another index": lambda chunks: raw(changed(chunks, 1, choices=[{**chunks[1]["choices"][0], "index": 1}])),
    "null content": lambda chunks: raw([chunks[0], chunk({"content": None}), *chunks[1:]]),
    "empty content": lambda chunks: raw([chunks[0], chunk({"content": ""}), *chunks[1:]]),
    "a call without its start": lambda chunks: raw(without(chunks, 2)),
    "a call index skipped": lambda chunks: raw([*chunks[:2], chunk(call(1, id="c", function={})), *chunks[2:]]),
    "arguments that are not JSON": lambda chunks: raw(without(chunks, 3)),
    "tool_calls without calls": lambda chunks: raw([*chunks[:2], *chunks[4:]]),
    "an error and then more": lambda chunks: raw(
        [*chunks[:2], {"error": {"message": "m", "type": "t", "param": None, "code": None}}]
    ),
    "an error without a message": lambda _: raw([{"error": {"type": "t"}}], end=""),
}


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=name) for name, spoil in BAD.items()])
def test_a_bad_stream_is_found(spoil: Callable[[Chunks], bytes]):
    with pytest.raises(BadStream):
        check_openai_stream(spoil(good()), usage=True)


def test_usage_nobody_asked_for_is_found():
    with pytest.raises(BadStream):
        check_openai_stream(raw(good()), usage=False)
