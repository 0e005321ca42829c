"""Checks a stream of legacy Completions chunks as sent to a caller: framing, fields and their order.

Source: OpenAI API reference, "The completion object" (2025-11), and recorded streams of gpt-3.5-turbo-instruct.
"""

from __future__ import annotations

from typing import Any

import orjson

from hermes_router.sse import SseParser

_COMMON = {"id": str, "object": str, "created": int, "model": str}


def check_completions_stream(raw: bytes, *, usage: bool | None = None) -> list[dict[str, Any]]:
    """The chunks of one stream without ``[DONE]``; an error counts as the last. ``usage`` says whether the caller set
    ``include_usage``; None: whatever the first chunk suggests. Raises AssertionError."""
    assert raw.endswith(b"\n\n"), "the last frame is not closed"
    frames = SseParser().feed(raw)
    assert all(not frame.event for frame in frames), "frames have no names"
    done = frames[-1].data == b"[DONE]"
    chunks: list[dict[str, Any]] = [orjson.loads(frame.data) for frame in (frames[:-1] if done else frames)]
    if not done:
        error = chunks[-1]["error"]
        assert {"message", "type", "param", "code"} <= set(error), "neither [DONE] nor an error ends the stream"
    whole = chunks if done else chunks[:-1]
    for chunk in whole:
        _check_common(chunk, whole[0])
        assert ("usage" in chunk) == ("usage" in whole[0] if usage is None else usage), "usage comes where asked for"
    choices = [chunk for chunk in whole if chunk["choices"]]
    reasons = [_check_choice(chunk) for chunk in choices]
    assert all(reason is None for reason in reasons[:-1]), "a choice follows the finish_reason"
    if done:
        assert reasons[-1] in ("stop", "length", "content_filter"), "[DONE] without a finish_reason"
        _check_usage(whole)
    return chunks


def _check_common(chunk: dict[str, Any], first: dict[str, Any]) -> None:
    assert set(chunk) <= {*_COMMON, "choices", "usage"}, f"unknown fields in {sorted(chunk)}"
    assert chunk["object"] == "text_completion"
    assert chunk["id"].startswith("cmpl-")
    for field, type_ in _COMMON.items():
        assert isinstance(chunk[field], type_), f"{field} is of a wrong type"
        assert chunk[field] == first[field], f"{field} changes"


def _check_choice(chunk: dict[str, Any]) -> str | None:
    (choice,) = chunk["choices"]
    assert set(choice) == {"text", "index", "logprobs", "finish_reason"}
    assert isinstance(choice["text"], str)
    assert (choice["index"], choice["logprobs"]) == (0, None)
    reason: str | None = choice["finish_reason"]
    return reason


def _check_usage(chunks: list[dict[str, Any]]) -> None:
    last = chunks[-1]
    if "usage" not in last:
        assert last["choices"], "no choices and no usage"
        return
    assert last["choices"] == [], "usage comes in a chunk of its own"
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
