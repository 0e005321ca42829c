"""A model in memory that has one thing to say, and knows what to do (or not) when asked to go on with it.

It reads a request as a model would: the last turn asks to repeat some words, or is an assistant turn to go on from, or
is a plain question.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from .memory_transport import Asked, Told, refusal, replied, streamed
from .upstream import Chunk, completion, delta

Mode = Literal["repeat", "restart", "other", "lazy"]
"""What it does when asked to go on: repeats the asked words and continues; says everything from the beginning; says
something else; goes on without repeating anything."""
OTHER = "Quite another reply: the weather in Lisbon is mild, and nothing of the above applies."


def speaker(
    text: str,
    calls: list[tuple[str, Any]] | None = None,
    *,
    mode: Mode = "repeat",
    step: int = 7,
    prefill: bool = True,
    then: Literal["done", "cut", "stall"] = "done",
    stop_after: int | None = None,
) -> Callable[[Asked], Told]:
    """The entry of a script. ``step``: characters a chunk. ``prefill`` False: an assistant turn at the end is a 400.
    ``stop_after``: chunks after which it ends as ``then`` says."""

    def answer(asked: Asked) -> Told:
        messages = asked.body["messages"]
        if messages[-1]["role"] == "assistant" and not prefill:
            return refusal(400, "the last message must not be from the assistant", type="invalid_request_error")
        said = text if mode != "other" else OTHER
        if is_continuation(asked):
            said = {"repeat": repeated, "restart": _all, "other": _other, "lazy": _rest}[mode](asked, text)
        if not asked.body.get("stream"):
            return replied(completion(said, **_whole_calls(calls or [])))
        chunks = spoken(said, calls or [] if mode != "other" else [], step)
        if stop_after is not None:
            return streamed(chunks[:stop_after], then=then)
        return streamed(chunks)

    return answer


def is_continuation(asked: Asked) -> bool:
    """Whether the router asks to go on with an answer that broke off."""
    last = asked.body["messages"][-1]
    return last["role"] == "assistant" or "cut off by a broken connection" in str(last["content"])


def partial(asked: Asked) -> str:
    """The text it was told to go on from."""
    turns = [message for message in asked.body["messages"] if message["role"] == "assistant"]
    return str(turns[-1]["content"])


def repeated(asked: Asked, text: str) -> str:
    """The asked words, then the rest."""
    last = asked.body["messages"][-1]
    words = "" if last["role"] == "assistant" else str(last["content"]).partition("end:\n\n")[2]
    return words + _rest(asked, text)


def _rest(asked: Asked, text: str) -> str:
    said = partial(asked)
    assert text.startswith(said), f"it was told of words that were never said: {said!r}"
    return text[len(said) :]


def _all(asked: Asked, text: str) -> str:
    return text


def _other(asked: Asked, text: str) -> str:
    return OTHER


def spoken(text: str, calls: list[tuple[str, Any]], step: int) -> list[Chunk]:
    """The chunks of an answer with its usage."""
    chunks: list[Chunk] = [delta(role="assistant")]
    chunks += [delta(text[at : at + step]) for at in range(0, len(text), step)]
    for at, (name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        chunks.append(delta(tool_calls=[{"index": at, "id": f"call_{at}", "type": "function", "function": function}]))
    end = delta(finish="tool_calls" if calls else "stop")
    usage = {"prompt_tokens": 5, "completion_tokens": len(text) // 4, "total_tokens": 5 + len(text) // 4}
    return [*chunks, end, {**end, "choices": [], "usage": usage}]


def _whole_calls(calls: list[tuple[str, Any]]) -> dict[str, Any]:
    if not calls:
        return {}
    made = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for at, (name, arguments) in enumerate(calls)
    ]
    return {"finish": "tool_calls", "tool_calls": made}
