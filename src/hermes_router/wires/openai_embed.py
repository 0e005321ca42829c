"""Embeddings in OpenAI's format: the request for one batch, and vectors out of the answer.

Source: OpenAI API reference, "Create embeddings". Vectors are asked for as numbers; base64 (float32, little-endian)
is read all the same. Whether there are as many vectors as inputs is for the caller to check.
"""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Any

import msgspec
import orjson

from ..core.events import Event, Failed, Finish, FinishReason, Usage, Vectors
from ..core.faults import Fault
from ..core.request import EmbeddingRequest
from .base import Target
from .classify import classify_event_error
from .openai_chunks import malformed
from .quirks import shape_fields

_KEPT = frozenset({"model", "input", "dimensions"})


def write_embed(request: EmbeddingRequest, target: Target) -> dict[str, Any]:
    """The body of one batch."""
    body: dict[str, Any] = {
        "model": target.embed.id if target.embed else target.model.id,
        "input": list(request.inputs),
        "encoding_format": "float",
    }
    if request.dimensions is not None and not _is_only_size(request.dimensions, target):
        body["dimensions"] = request.dimensions
    if request.user is not None:
        body["user"] = request.user
    if request.dialect == "openai":
        body = request.extra | body
    body = shape_fields(body, target.quirks, _KEPT)
    return body | (target.quirks.embed_body or {})


def _is_only_size(size: int, target: Target) -> bool:
    """A model that has one size refuses the field even where it names that size."""
    spec = target.embed
    return spec is not None and size == spec.dimensions and not spec.sizes and not spec.any_size


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Vector]
    usage: dict[str, Any] | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class EmbedReader:
    """Reads one embeddings answer: ``Vectors`` in the order of the inputs, ``Usage``, ``Finish``."""

    ending = False

    def __init__(self, target: Target, now: float) -> None:
        self._target = target
        self._now = now
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """Nothing yet: vectors come whole."""
        self._body.append(data)
        return []

    def end(self) -> list[Event]:
        """The whole answer."""
        body = b"".join(self._body)
        try:
            answer = _ANSWER.decode(body)
            vectors = [_floats(item.embedding) for item in _ordered(answer.data)]
        except ValueError:
            return [Failed(self._fault(body))]
        if not vectors or not all(vectors):
            return [Failed(malformed("the answer holds no vectors"))]
        events: list[Event] = [Vectors(vectors)]
        if answer.usage:
            events.append(_usage(answer.usage))
        events.append(Finish(FinishReason.STOP))
        return events

    def _fault(self, body: bytes) -> Fault:
        try:
            value: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            return malformed("the answer is not valid JSON")
        if isinstance(value, dict) and "data" in value and not value.get("error"):
            return malformed("the answer holds no vectors")
        return classify_event_error(self._target, value, self._now)


def _ordered(items: list[_Vector]) -> list[_Vector]:
    """By ``index``, where all have one."""
    if any(item.index is None for item in items):
        return items
    return sorted(items, key=lambda item: item.index or 0)


def _floats(value: list[float] | str) -> list[float]:
    if isinstance(value, list):
        return value
    numbers = array("f", base64.b64decode(value, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _usage(table: dict[str, Any]) -> Usage:
    for key in ("prompt_tokens", "total_tokens"):
        value = table.get(key)
        if isinstance(value, int | float) and value > 0:
            return Usage(input=int(value))
    return Usage()
