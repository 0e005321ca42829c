"""The tables of the request log and of usage, and what they need of a database. Implemented by ``SqliteWriter``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

Values = Sequence[Any]

VERSION = 2
SCHEMA = (
    # seq is the number of the last request in the row, at the moment the latest of them began.
    "CREATE TABLE IF NOT EXISTS requests (seq INTEGER PRIMARY KEY, at REAL NOT NULL, stories BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS requests_at ON requests (at)",
    "CREATE TABLE IF NOT EXISTS usage (day TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, "
    "caller TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL, input INTEGER NOT NULL, "
    "output INTEGER NOT NULL, reasoning INTEGER NOT NULL, cached INTEGER NOT NULL, "
    "PRIMARY KEY (day, provider, model, caller)) WITHOUT ROWID",
)


class Database(Protocol):
    """``submit`` returns at once and keeps the order; ``read`` and ``flush`` block on the disk."""

    def submit(self, sql: str, rows: Iterable[Values]) -> None: ...

    def read(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]: ...

    def flush(self, seconds: float = 10.0) -> bool: ...

    def close(self) -> None: ...
