"""What stands behind the question mark, and JSON bodies of our own routes: read and checked."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from ..core.errors import BadRequest
from .http import Call

T = TypeVar("T")


def query(call: Call, known: tuple[str, ...]) -> dict[str, str]:
    """The parameters by name; empty ones are left out. Raises BadRequest for one that is not ``known``."""
    found = dict(parse_qsl(call.query))
    for name in found:
        if name not in known:
            raise BadRequest(f"{call.path} has no parameter {name[:40]!r}; known: {', '.join(known)}.", param=name[:40])
    return found


def whole(said: dict[str, str], name: str, usual: int, low: int, high: int) -> int:
    """A whole number between ``low`` and ``high``. Raises BadRequest."""
    text = said.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and low <= int(text[:18]) <= high):
        raise BadRequest(f"{name} must be a whole number from {low} to {high}.", param=name)
    return int(text)


def is_set(said: dict[str, str], name: str) -> bool:
    """``?brief=1``."""
    return said.get(name, "").lower() in ("1", "true", "yes", "on")


async def read_json(call: Call, kind: type[T], limit: int) -> T:
    """The body as ``kind``; none is ``{}``. Raises BadRequest, TooLarge."""
    body = await call.body(limit)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is not as expected: {error}.") from None
    except msgspec.DecodeError:
        raise BadRequest("The body is not JSON.") from None
