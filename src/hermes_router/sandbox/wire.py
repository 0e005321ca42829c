"""A simulated answer as the bytes that a provider of the Chat Completions API sends, in pieces with pauses between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import orjson

from ..sse import data_frame
from .answer import Answer, Call, words

_CREATED = 1_790_000_000


class Piece(msgspec.Struct, frozen=True):
    """Bytes, and how many words' time passes before them."""

    data: bytes
    words: int = 0


def whole(answer: Answer, id_: str, model: str) -> Iterator[Piece]:
    """A ``chat.completion``."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.calls:
        message["tool_calls"] = [_call(call) for call in answer.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    body = _head(id_, model, "chat.completion") | {"choices": [choice], "usage": usage(answer)}
    yield Piece(orjson.dumps(body), answer.completion_tokens)


def stream(answer: Answer, id_: str, model: str, *, include_usage: bool) -> Iterator[Piece]:
    """``chat.completion.chunk`` frames, a word at a time."""
    head = _head(id_, model, "chat.completion.chunk")
    for delta, spent in _deltas(answer):
        yield Piece(_chunk(head, delta, None), spent)
    yield Piece(_chunk(head, {}, answer.finish))
    if include_usage:
        yield Piece(data_frame(orjson.dumps(head | {"choices": [], "usage": usage(answer)})))
    yield Piece(data_frame(b"[DONE]"))


def usage(answer: Answer) -> dict[str, Any]:
    """The API's ``usage``."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def embeddings(vectors: Iterable[list[float]], model: str, tokens: int) -> Piece:
    """The ``list`` of an embeddings answer."""
    rows = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    spent = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Piece(orjson.dumps({"object": "list", "data": rows, "model": model, "usage": spent}))


def error(message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
    """OpenAI's error body."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _deltas(answer: Answer) -> Iterator[tuple[dict[str, Any], int]]:
    yield {"role": "assistant", "content": ""}, 0
    for word in words(answer.reasoning):
        yield {"reasoning_content": word}, 1
    for word in words(answer.text):
        yield {"content": word}, 1
    for at, call in enumerate(answer.calls):
        yield {"tool_calls": [{"index": at, **_call(call, arguments="")}]}, 1
        for piece in words(call.arguments):
            yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}, 1


def _chunk(head: dict[str, Any], delta: dict[str, Any], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return data_frame(orjson.dumps(head | {"choices": [choice]}))


def _head(id_: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": id_, "object": kind, "created": _CREATED, "model": model}


def _call(call: Call, arguments: str | None = None) -> dict[str, Any]:
    text = call.arguments if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}
