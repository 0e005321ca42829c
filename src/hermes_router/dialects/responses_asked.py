"""What a Responses request says beyond our ``Request``: what its answer echoes, how calls are written, what is kept.

It rides in ``Request.extra`` under ``ASKED`` from the reader to the writer of the same dialect. Plain values only.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ..core.request import Message, Request

Table = dict[str, Any]

ASKED = "responses"


class CallForm(msgspec.Struct, frozen=True):
    """How a call of one offered tool is written: ``kind`` is ``function``, ``custom`` or ``search``; ``name`` and
    ``namespace`` are the caller's own words for it."""

    kind: str
    name: str
    namespace: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """``echo``: the fields a Response repeats. ``forms``: by offered name, those that are not plain functions.
    ``summary``: reasoning is shown as a summary. ``sealed``: reasoning items carry ``encrypted_content``.
    ``instructions``: the first message is one, and no part of the conversation. ``store``: keep the Response.
    ``items``: the input as a list, for ``input_items``. ``dropped``: what of the request is not served, in words."""

    echo: Table
    items: list[Table]
    forms: dict[str, CallForm] = {}
    summary: bool = False
    sealed: bool = False
    instructions: bool = False
    store: bool = True
    dropped: tuple[str, ...] = ()


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One Response as it was sent, what it was asked, the conversation up to its end without instructions, and the
    items it gave by their id, in the form in which they can be sent back."""

    body: bytes
    input_items: list[Table]
    messages: tuple[Message, ...]
    items: dict[str, Table]


class Shelf(Protocol):
    """Where one caller's Responses are kept."""

    def conversation(self, response_id: str) -> tuple[Message, ...] | None:
        """What ``previous_response_id`` stands for; None where it is not kept."""
        ...

    def item(self, item_id: str) -> Table | None:
        """What an ``item_reference`` stands for; None where it is not kept."""
        ...

    def put(self, response_id: str, stored: Stored) -> None: ...


class NoShelf:
    """Keeps nothing."""

    def conversation(self, response_id: str) -> tuple[Message, ...] | None:
        return None

    def item(self, item_id: str) -> Table | None:
        return None

    def put(self, response_id: str, stored: Stored) -> None:
        return None


def asked_of(request: Request) -> Asked:
    """What came along with a request of this dialect."""
    asked = request.extra[ASKED]
    assert isinstance(asked, Asked)
    return asked
