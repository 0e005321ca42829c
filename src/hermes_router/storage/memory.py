"""A state store that forgets with the process: for tests and where nothing may be written."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from .base import Row


class MemoryStore:
    """Keeps rows as JSON, so that what cannot be stored elsewhere cannot be stored here either."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[bytes, float]] = {}

    def load(self) -> list[Row]:
        """Every row kept so far."""
        return [Row(kind, key, orjson.loads(text), at) for (kind, key), (text, at) in self._rows.items()]

    def save(self, rows: Sequence[Row]) -> None:
        """Keep these, in place of earlier ones."""
        for row in rows:
            self._rows[row.kind, row.key] = (orjson.dumps(row.value), row.updated_at)

    def close(self) -> None:
        """Nothing to write."""
