"""Responses kept for ``previous_response_id``, ``item_reference`` and ``GET /v1/responses/{id}``. In memory, bounded.

The least recently used go first once there are too many or they are too large together. A conversation shares its
messages with the ones before it, but counts in full: the limit errs on the safe side. Nothing outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from ..core.request import Message, Part, ToolResult
from ..dialects.responses_asked import Stored, Table

_COUNT = 1024
_BYTES = 64 << 20
_PER_PART = 200


class _Kept(msgspec.Struct, frozen=True):
    stored: Stored
    size: int


class ResponseStore:
    """All callers' Responses, at most ``count`` of them and ``size`` bytes; a caller sees its own, through ``of``."""

    def __init__(self, count: int = _COUNT, size: int = _BYTES) -> None:
        self._count = count
        self._limit = size
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._items: dict[tuple[str, str], str] = {}

    def of(self, caller: str) -> CallerShelf:
        """This caller's."""
        return CallerShelf(self, caller)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, caller: str, response_id: str) -> Stored | None:
        kept = self._kept.get((caller, response_id))
        if kept is None:
            return None
        self._kept.move_to_end((caller, response_id))
        return kept.stored

    def item(self, caller: str, item_id: str) -> Table | None:
        response_id = self._items.get((caller, item_id))
        stored = self.get(caller, response_id) if response_id else None
        return stored.items.get(item_id) if stored else None

    def put(self, caller: str, response_id: str, stored: Stored) -> None:
        """One larger than the whole store is not kept."""
        self.remove(caller, response_id)
        kept = _Kept(stored, _size(stored))
        if kept.size > self._limit:
            return
        self._kept[caller, response_id] = kept
        self._size += kept.size
        self._items.update(((caller, item_id), response_id) for item_id in stored.items)
        while len(self._kept) > self._count or self._size > self._limit:
            self.remove(*next(iter(self._kept)))

    def remove(self, caller: str, response_id: str) -> bool:
        """Whether it was there."""
        kept = self._kept.pop((caller, response_id), None)
        if kept is None:
            return False
        self._size -= kept.size
        for item_id in kept.stored.items:
            self._items.pop((caller, item_id), None)
        return True


class CallerShelf:
    """One caller's view; implements ``Shelf``."""

    def __init__(self, store: ResponseStore, caller: str) -> None:
        self._store = store
        self._caller = caller

    def get(self, response_id: str) -> Stored | None:
        return self._store.get(self._caller, response_id)

    def conversation(self, response_id: str) -> tuple[Message, ...] | None:
        stored = self.get(response_id)
        return stored.messages if stored else None

    def item(self, item_id: str) -> Table | None:
        return self._store.item(self._caller, item_id)

    def put(self, response_id: str, stored: Stored) -> None:
        self._store.put(self._caller, response_id, stored)

    def remove(self, response_id: str) -> bool:
        return self._store.remove(self._caller, response_id)


def _size(stored: Stored) -> int:
    parts = sum(_part_size(part) for message in stored.messages for part in message.parts)
    # The items repeat what the body and the messages hold.
    return 2 * len(stored.body) + 2 * parts


def _part_size(part: Part) -> int:
    if isinstance(part, ToolResult):
        return _PER_PART + sum(_part_size(inner) for inner in part.parts)
    fields: list[Any] = [getattr(part, name) for name in part.__struct_fields__]
    return _PER_PART + sum(len(field) for field in fields if isinstance(field, str))
