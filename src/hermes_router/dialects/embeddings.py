"""OpenAI's Embeddings as our callers speak it: request in, vectors out.

Source: OpenAI API reference, "Create embeddings" (2025-11), https://platform.openai.com/docs/api-reference/embeddings.
Splitting to a provider's batch size and what ``dimensions`` a model can do are the engine's matter. Errors:
``openai_writer.error_body``.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..core.events import Usage
from ..core.request import EmbeddingRequest
from .base import Served
from .reading import (
    Table,
    at,
    bad,
    choice,
    integer,
    kind,
    leftovers,
    missing,
    need_text,
    parse_json,
    text,
    wrong_type,
)

MAX_INPUTS = 2048

_KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_EXPECTED = "a string, an array of strings, an array of integers or an array of arrays of integers"

Input = str | tuple[int, ...]


def read(body: bytes, headers: Mapping[str, str]) -> EmbeddingRequest:
    """Raises BadRequest naming the field."""
    table = parse_json(body)
    model = need_text(table, "model")
    if not model:
        raise bad("model", "must not be empty")
    return EmbeddingRequest(
        dialect="openai",
        model=model,
        inputs=_inputs(table),
        dimensions=integer(table, "dimensions", minimum=1),
        encoding=choice(table, "encoding_format", among=("float", "base64")) or "float",
        user=text(table, "user"),
        extra=leftovers(table, _KNOWN),
    )


def answer(request: EmbeddingRequest, vectors: Sequence[list[float]], usage: Usage, served: Served) -> bytes:
    """The ``list`` of ``embedding`` objects, ``vectors`` in the order of the inputs."""
    rows: Sequence[list[float] | str] = vectors
    if request.encoding == "base64":
        rows = [_base64(vector) for vector in vectors]
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)],
        "model": served.model,
        "usage": {"prompt_tokens": usage.input, "total_tokens": usage.input},
    }
    return orjson.dumps(body)


def _inputs(table: Table) -> tuple[Input, ...]:
    value = table.get("input")
    if value is None:
        raise missing("input")
    if isinstance(value, str):
        return (_not_empty(value, "input"),)
    if not isinstance(value, list):
        raise wrong_type("input", _EXPECTED, value)
    if not value:
        raise bad("input", "must not be empty")
    if _is_integer(value[0]):
        return (_tokens(value, "input"),)
    if len(value) > MAX_INPUTS:
        raise bad("input", f"must have at most {MAX_INPUTS} items, not {len(value)}")
    return tuple(_batch(value))


def _batch(values: list[Any]) -> list[Input]:
    """All texts or all token arrays; the first item says which."""
    first = values[0]
    if isinstance(first, str):
        return [_text(value, at("input", index)) for index, value in enumerate(values)]
    if isinstance(first, list):
        return [_tokens(value, at("input", index)) for index, value in enumerate(values)]
    raise bad("input[0]", f"must be a string, an integer or an array of integers, not {kind(first)}")


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(path, "a string, as the items before it", value)
    return _not_empty(value, path)


def _not_empty(value: str, path: str) -> str:
    if not value:
        raise bad(path, "must not be an empty string")
    return value


def _tokens(value: Any, path: str) -> tuple[int, ...]:
    """Token arrays may be long: the types are looked at one by one only where something is wrong."""
    if not isinstance(value, list):
        raise wrong_type(path, "an array of integers", value)
    if not value:
        raise bad(path, "must not be empty")
    if set(map(type, value)) != {int}:
        index = next(index for index, item in enumerate(value) if not _is_integer(item))
        raise wrong_type(at(path, index), "an integer", value[index])
    if min(value) < 0:
        index = next(index for index, item in enumerate(value) if item < 0)
        raise bad(at(path, index), f"must be at least 0, not {value[index]}")
    return tuple(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _base64(vector: list[float]) -> str:
    """Little-endian float32, as openai-python decodes it (``resources/embeddings.py``)."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers).decode("ascii")
