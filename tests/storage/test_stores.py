"""One suite for every state store, and what only a file can get wrong."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hermes_router.storage.base import Row, StateStore
from hermes_router.storage.memory import MemoryStore
from hermes_router.storage.sqlite import STATE_SCHEMA, SqliteStore, SqliteWriter

Reopen = Callable[[], StateStore]


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Gives the same store again, as after a restart."""
    memory = MemoryStore()
    return (lambda: memory) if request.param == "memory" else (lambda: SqliteStore(tmp_path / "state.sqlite"))


def test_a_new_store_is_empty(reopen: Reopen):
    store = reopen()
    assert store.load() == []
    store.close()


def test_rows_come_back_after_a_restart(reopen: Reopen):
    rows = [Row("quota", "groq", {"used": 3.5, "list": [1, None, "ü"]}, 12.5), Row("rest", "groq", None, 1.0)]
    store = reopen()
    store.save(rows)
    store.close()
    again = reopen()
    assert sorted(again.load(), key=lambda row: row.kind) == rows
    again.close()


def test_the_last_row_of_a_key_stands(reopen: Reopen):
    store = reopen()
    store.save([Row("quota", "a", n, float(n)) for n in range(100)])
    store.save([Row("quota", "a", "last", 200.0)])
    store.close()
    again = reopen()
    assert again.load() == [Row("quota", "a", "last", 200.0)]
    again.close()


def test_the_same_key_of_two_kinds_is_two_rows(reopen: Reopen):
    store = reopen()
    store.save([Row("quota", "a", 1, 1.0), Row("rest", "a", 2, 1.0)])
    store.close()
    again = reopen()
    assert len(again.load()) == 2
    again.close()


def test_what_json_cannot_hold_is_refused_at_once(reopen: Reopen):
    store = reopen()
    with pytest.raises(TypeError):
        store.save([Row("quota", "a", object(), 1.0)])
    store.close()


def test_closing_twice_is_harmless(reopen: Reopen):
    store = reopen()
    store.close()
    store.close()


# ── files ──
def test_saved_rows_reach_the_file_within_a_second(tmp_path: Path):
    store = SqliteStore(tmp_path / "s.sqlite")
    store.save([Row("quota", "a", 1, 1.0)])
    deadline = time.monotonic() + 5.0
    began, found = time.monotonic(), 0
    while not found and time.monotonic() < deadline:
        with sqlite3.connect(tmp_path / "s.sqlite") as other:
            found = other.execute("SELECT count(*) FROM state").fetchone()[0]
        other.close()
    took = time.monotonic() - began
    store.close()
    assert found == 1
    assert took < 1.5


def test_a_locked_file_does_not_block_the_caller(tmp_path: Path):
    store = SqliteStore(tmp_path / "s.sqlite")
    lock = sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    for n in range(200):
        store.save([Row("quota", str(n), {"n": n}, 1.0)])
    took = time.monotonic() - began
    lock.execute("ROLLBACK")
    lock.close()
    assert store.flush()
    assert len(store.load()) == 200
    store.close()
    assert took < 0.5


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no database" * 200, id="text"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 5000, id="torn"),
    ],
)
def test_a_broken_file_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
):
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        store = SqliteStore(path)
    store.save([Row("quota", "a", 1, 1.0)])
    assert store.flush()
    assert store.load() == [Row("quota", "a", 1, 1.0)]
    store.close()
    assert [aside.read_bytes() for aside in tmp_path.glob("s.sqlite.broken-*")] == [content]
    assert "set aside" in caplog.text


def test_a_file_of_another_version_is_set_aside(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE state (something TEXT)")
        old.execute("PRAGMA user_version = 99")
    old.close()
    store = SqliteStore(path)
    assert store.load() == []
    store.close()
    assert len(list(tmp_path.glob("s.sqlite.old-*"))) == 1


def test_the_file_is_private(tmp_path: Path):
    store = SqliteStore(tmp_path / "deep" / "s.sqlite")
    store.close()
    assert stat.S_IMODE((tmp_path / "deep" / "s.sqlite").stat().st_mode) == 0o600


def test_a_process_that_dies_leaves_what_was_flushed(tmp_path: Path):
    store = SqliteStore(tmp_path / "s.sqlite")
    store.save([Row("quota", "a", 1, 1.0)])
    assert store.flush()
    again = SqliteStore(tmp_path / "s.sqlite")  # the first one never closed its file
    assert again.load() == [Row("quota", "a", 1, 1.0)]
    again.close()
    store.close()


def test_a_writer_takes_any_table(tmp_path: Path):
    writer = SqliteWriter(tmp_path / "log.sqlite", ["CREATE TABLE IF NOT EXISTS log (n INTEGER)"], 7)
    writer.submit("INSERT INTO log VALUES (?)", [(n,) for n in range(5)])
    writer.submit("DELETE FROM log WHERE n < ?", [(2,)])
    assert writer.flush()
    assert writer.read("SELECT n FROM log ORDER BY n") == [(2,), (3,), (4,)]
    writer.close()


def test_a_statement_that_fails_is_reported_and_the_next_batch_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    writer = SqliteWriter(tmp_path / "s.sqlite", STATE_SCHEMA, 1)
    writer.submit("INSERT INTO nothing VALUES (?)", [(1,)])
    assert writer.flush()
    writer.submit("INSERT INTO state VALUES (?, ?, ?, ?)", [("k", "a", b"1", 1.0)])
    assert writer.flush()
    assert len(writer.read("SELECT * FROM state")) == 1
    writer.close()
    assert "were not written" in caplog.text


def test_no_thread_is_left_after_closing(tmp_path: Path):
    store = SqliteStore(tmp_path / "left.sqlite")
    store.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "sqlite-left"]
