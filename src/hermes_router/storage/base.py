"""What a state store is: rows in, rows out. Who makes the rows knows what they mean; a store does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class Row(msgspec.Struct, frozen=True):
    """``value`` is anything JSON can hold, and is not changed after it was handed over. ``kind`` and ``key`` identify
    the row; ``updated_at`` is wall-clock seconds."""

    kind: str
    key: str
    value: Any
    updated_at: float


class StateStore(Protocol):
    """Keeps the last row of each (kind, key). Neither method blocks on a disk, except ``load`` and ``close``."""

    def load(self) -> list[Row]:
        """Everything that was kept; called once, before the first ``save``."""
        ...

    def save(self, rows: Sequence[Row]) -> None:
        """Keep these, in place of earlier ones of the same kind and key. Returns at once."""
        ...

    def close(self) -> None:
        """Write what is still to be written. No ``save`` after it."""
        ...
