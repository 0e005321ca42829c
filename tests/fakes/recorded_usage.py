"""What providers said a recorded request took in, beside the request as our dialects read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import orjson

from hermes_router.core.errors import BadRequest
from hermes_router.core.request import Audio, Document, Image, Part, Request, ToolResult
from hermes_router.core.tokens import count_request
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.openai_chat import OpenAIChat

from .recordings import Record, everything

_APART = frozenset(("server_tools", "media_replaced"))


class Counted(msgspec.Struct, frozen=True):
    """``stated`` is the provider's count of the prompt, ``ours`` the estimate. ``half`` (0 or 1) is the same for all
    exchanges that one test of the recording project made."""

    id: str
    half: int
    model: str
    stated: int
    ours: int

    @property
    def error(self) -> float:
        """As a share of what was stated."""
        return abs(self.ours - self.stated) / self.stated


def counted(endpoint: str) -> Iterator[Counted]:
    """Every answered request of ``messages`` or ``chat`` that we accept, whose usage is known, without media and
    without tools that run on the provider's servers."""
    for record in everything(endpoint):
        body = record["request"]["body"]
        if record["response"]["status"] != 200 or not body or _APART & set(record["features"]):
            continue
        stated, request = _stated(record), _read(endpoint, record)
        if stated and request is not None and not _media(part for one in request.messages for part in one.parts):
            yield Counted(record["id"], _half(record["id"]), request.model, stated, count_request(request))


def percentile(errors: Iterable[float], share: float) -> float:
    """The error that ``share`` of all stay below."""
    ordered = sorted(errors)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _half(id_: str) -> int:
    return hashlib.sha256(id_.rsplit("-", 1)[0].encode()).digest()[0] % 2


def _read(endpoint: str, record: Record) -> Request | None:
    body, headers = record["request"]["body"].encode(), record["request"]["headers"]
    try:
        if endpoint == "messages":
            return AnthropicMessages().read_to_count(body, headers)
        return OpenAIChat().read(body, headers)
    except BadRequest:
        return None


def _media(parts: Iterable[Part]) -> bool:
    return any(
        isinstance(part, Image | Audio)
        or (isinstance(part, Document) and part.text is None)
        or (isinstance(part, ToolResult) and _media(part.parts))
        for part in parts
    )


def _stated(record: Record) -> int:
    return max((_input(usage) for usage in _usages(record["response"]["body"])), default=0)


def _usages(body: str) -> Iterator[dict[str, Any]]:
    for table in _objects(body):
        holders = (table, table.get("message"), table.get("x_groq"))
        yield from (one["usage"] for one in holders if isinstance(one, dict) and isinstance(one.get("usage"), dict))
        if "input_tokens" in table:
            yield table


def _objects(body: str) -> Iterator[dict[str, Any]]:
    texts = [body] if body.lstrip().startswith("{") else [line[5:] for line in body.splitlines() if line[:5] == "data:"]
    for text in texts:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value


def _input(usage: dict[str, Any]) -> int:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "prompt_tokens")
    return sum(value for name in names if isinstance(value := usage.get(name), int))
