"""SQLite files: a writer that never blocks its caller, and the state store on top of it.

``SqliteWriter`` owns a file: it opens or repairs it, and one thread of its own writes what is submitted, in batches.
A crash of the process or the machine loses what was submitted within the last half second or so. What the tables hold
is the business of whoever gives the schema.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from .base import Row

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
"""At most this long a submitted row waits for company."""
BUSY_SECONDS = 5.0
RETRIES = 3
STATE_VERSION = 1
STATE_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS state (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, "
    "updated_at REAL NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID",
)
UPSERT = "INSERT OR REPLACE INTO state (kind, key, value, updated_at) VALUES (?, ?, ?, ?)"

Values = Sequence[Any]


class _Stop:
    """Ends the writer's thread."""


class _Flush:
    """Asks for everything before it to be written."""

    def __init__(self) -> None:
        self.done = threading.Event()


class SqliteWriter:
    """One SQLite file and the thread that writes it.

    A file that is not a sound database, or has another ``version`` (``PRAGMA user_version``), is set aside as
    ``<name>.broken-<seconds>`` (``.old-...``) with a warning, and a new one begun. The file is private to its owner.
    Raises ``sqlite3.Error`` or ``OSError`` where not even a new file can be made.
    """

    def __init__(self, path: Path, schema: Sequence[str], version: int) -> None:
        self.path = path
        self._schema, self._version = tuple(schema), version
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reader = self._open()
        self._queue: queue.SimpleQueue[tuple[str, list[Values]] | _Flush | _Stop] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"sqlite-{path.stem}", daemon=True)
        self._thread.start()

    def submit(self, sql: str, rows: Iterable[Values]) -> None:
        """Run ``sql`` once per row of values, soon, in the order of submission. Returns at once."""
        values = list(rows)
        if values and not self._closed:
            self._queue.put((sql, values))

    def read(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """What the file holds now. Blocks on the disk: for the start and for other threads."""
        return self._reader.execute(sql, values).fetchall()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that was submitted is written; False where that took longer."""
        mark = _Flush()
        self._queue.put(mark)
        return mark.done.wait(seconds)

    def close(self) -> None:
        """Write the rest and let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(_Stop())
        self._thread.join(30.0)
        self._reader.close()

    # ── opening ──
    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _unreadable(error):
                raise
            self._set_aside("broken", str(error))
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.path.touch(mode=0o600, exist_ok=True)
        connection = self._plain()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
            if found != self._version and not empty:
                connection.close()
                self._set_aside("old", f"its layout is version {found}, this program writes {self._version}")
                return self._connect()
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            for statement in self._schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {int(self._version)}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _plain(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _set_aside(self, why: str, reason: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.{why}-{int(time.time())}")
        self.path.replace(aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()
        log.warning("%s could not be used (%s): set aside as %s, a new one was begun", self.path, reason, aside.name)

    # ── the thread ──
    def _run(self) -> None:
        connection = self._plain()
        running = True
        while running:
            batch, marks, running = self._gather()
            if batch:
                self._write(connection, batch)
            for mark in marks:
                mark.done.set()
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def _gather(self) -> tuple[list[tuple[str, list[Values]]], list[_Flush], bool]:
        """What came within one batch; the last value is False when it is time to stop."""
        batch: list[tuple[str, list[Values]]] = []
        marks: list[_Flush] = []
        item = self._queue.get()
        deadline = time.monotonic() + BATCH_SECONDS
        while True:
            if isinstance(item, _Stop):
                return batch, marks, False
            if isinstance(item, _Flush):
                marks.append(item)
                return batch, marks, True
            batch.append(item)
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return batch, marks, True

    def _write(self, connection: sqlite3.Connection, batch: list[tuple[str, list[Values]]]) -> None:
        for attempt in range(1, RETRIES + 1):
            try:
                connection.execute("BEGIN IMMEDIATE")
                for sql, rows in batch:
                    connection.executemany(sql, rows)
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                if attempt == RETRIES:
                    log.warning("%s: %d rows were not written: %s", self.path, sum(len(r) for _, r in batch), error)
            else:
                return


def _unreadable(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteStore:
    """``StateStore`` in a file of its own."""

    def __init__(self, path: Path) -> None:
        self._writer = SqliteWriter(path, STATE_SCHEMA, STATE_VERSION)

    def load(self) -> list[Row]:
        """Every row kept; one that is not JSON any more is left out."""
        rows = []
        for kind, key, value, at in self._writer.read("SELECT kind, key, value, updated_at FROM state"):
            with contextlib.suppress(orjson.JSONDecodeError):
                rows.append(Row(kind, key, orjson.loads(value), at))
        return rows

    def save(self, rows: Sequence[Row]) -> None:
        """Hand over to the writer's thread."""
        self._writer.submit(UPSERT, [(row.kind, row.key, orjson.dumps(row.value), row.updated_at) for row in rows])

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until everything saved so far is on its way to the disk."""
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Write the rest."""
        self._writer.close()
