from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes_router.engine.records import AttemptRecord, RequestRecord
from hermes_router.storage.sqlite import SqliteWriter
from hermes_router.telemetry import requests
from hermes_router.telemetry.archive import KEPT_DAYS, KEPT_ROWS
from hermes_router.telemetry.database import SCHEMA, VERSION
from hermes_router.telemetry.requests import RequestLog, Wanted, has_failed
from hermes_router.telemetry.story import is_straight
from hermes_router.telemetry.telemetry import Telemetry

NOW = 1_790_000_000.0


def record(number: int, at: float = NOW, **fields: object) -> RequestRecord:
    one = RequestRecord(
        id=f"req_{number}", at=at, endpoint="messages", asked="x", caller="...1", stream=False, status=200
    )
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def tried(provider: str, outcome: str) -> AttemptRecord:
    return AttemptRecord(provider=provider, model="m", tail="1111", started=0.0, outcome=outcome)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteWriter]:
    writer = SqliteWriter(tmp_path / "log.sqlite", SCHEMA, VERSION)
    yield writer
    writer.close()


async def ids(log: RequestLog, **wanted: object) -> list[str]:
    return [one.id for one in await log.find(Wanted(**wanted))]  # type: ignore[arg-type]


async def test_memory_holds_the_latest_and_disk_the_rest(database: SqliteWriter):
    log = RequestLog(database, keep=2)
    for number in range(5):
        log.add(record(number))
    log.save(NOW)
    assert [one.id for one in log.latest(9)] == ["req_4", "req_3"]
    assert await ids(log) == ["req_4", "req_3", "req_2", "req_1", "req_0"]
    assert await ids(log, limit=3) == ["req_4", "req_3", "req_2"]


async def test_without_a_database_only_memory_is_kept():
    log = RequestLog(None, keep=2)
    for number in range(5):
        log.add(record(number))
    log.save(NOW)
    assert await ids(log) == ["req_4", "req_3"]
    assert await log.story("req_0") is None


async def test_a_request_is_kept_once_and_may_be_completed_until_it_is_saved(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    one = record(1)
    assert log.add(one)
    assert not log.add(one)
    one.status = 503
    assert len(log.save(NOW)) == 1
    assert log.save(NOW) == []
    log.add(record(2))
    log.save(NOW)
    assert [one.status for one in await log.find(Wanted(id="req_1"))] == [503]


async def test_old_rows_and_too_many_rows_go(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    log.add(record(1, at=NOW - (KEPT_DAYS + 1) * 86400))
    log.add(record(2))
    log.save(NOW)
    assert await ids(log) == ["req_2"]
    for batch in (range(10, 15), range(15, 20)):
        for number in batch:
            log.add(record(number))
        log.save(NOW + 1)
    database.submit("UPDATE requests SET seq = seq + ? WHERE seq > 6", [(KEPT_ROWS,)])
    log.add(record(99))
    log.save(NOW + 3600)
    assert await ids(log) == ["req_99", "req_19", "req_18", "req_17", "req_16", "req_15"]


async def test_what_has_become_old_goes_with_the_next_save(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    log.add(record(1))
    log.save(NOW)
    later = NOW + (KEPT_DAYS + 1) * 86400
    for number in (2, 3):
        log.add(record(number, at=later))
    log.save(later)
    assert await ids(log) == ["req_3", "req_2"]


async def test_a_flood_of_requests_does_not_wait_for_old_rows_to_go(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    for batch in range(12):
        for number in range(2_500):
            log.add(record(batch * 2_500 + number))
        log.save(NOW + batch / 2)
    kept = await ids(log, limit=100_000)
    assert kept == [f"req_{number}" for number in range(29_999, 29_999 - len(kept), -1)]
    assert KEPT_ROWS <= len(kept) <= KEPT_ROWS + 2_500


async def test_of_one_told_twice_the_later_is_found(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    log.add(record(1))
    log.save(NOW)
    log.add(record(2))
    log.add(record(1, status=499))
    log.add(record(3))
    log.save(NOW)
    assert await ids(log) == ["req_3", "req_1", "req_2"]
    assert await ids(log, status="200", id="req_1") == []


async def test_pages_of_rows_are_searched_to_the_last(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    for number in range(100):
        log.add(record(number, at=NOW + number, endpoint="messages" if number else "embeddings"))
        log.save(NOW)
    assert await ids(log, endpoint="embeddings") == ["req_0"]
    assert await ids(log, since=NOW + 98) == ["req_99", "req_98"]


async def test_rows_of_another_version_are_passed_over(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    log.add(record(1))
    log.save(NOW)
    database.submit("INSERT INTO requests (seq, at, stories) VALUES (9, ?, ?)", [(NOW, b"\x91\x81\xa1a\x01")])
    log.add(record(2))
    log.save(NOW)
    assert await ids(log) == ["req_2", "req_1"]


async def test_who_was_tried_is_found_as_well_as_who_served(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    log.add(record(1, provider="groq", attempts=[tried("gemini", "rate_limited"), tried("groq", "ok")]))
    log.add(record(2, provider="groq2", attempts=[tried("groq2", "ok")]))
    log.save(NOW)
    assert await ids(log, provider="gemini") == ["req_1"]
    assert await ids(log, provider="groq") == ["req_1"]


async def test_a_storm_of_failures_is_kept_but_only_a_part_is_explained(database: SqliteWriter):
    log = RequestLog(database, keep=1000)
    for number in range(requests.WHOLE_STORIES + 20):
        log.add(record(number, status=503, error="all_candidates_exhausted"))
    log.save(NOW)
    assert len(log._stories) == requests.WHOLE_STORIES
    assert len(await ids(log, limit=1000, status="503")) == requests.WHOLE_STORIES + 20


async def test_what_a_caller_says_is_never_read_as_sql(database: SqliteWriter):
    log = RequestLog(database, keep=1)
    for number in range(3):
        log.add(record(number))
    log.save(NOW)
    for field in ("provider", "endpoint", "caller", "id"):
        assert await ids(log, **{field: "x' OR '1'='1"}) == []


@pytest.mark.parametrize(
    "fields, straight, failed",
    [
        ({"attempts": [tried("a", "ok")]}, True, False),
        ({"attempts": [tried("a", "cut"), tried("b", "ok")]}, False, False),
        ({"attempts": [tried("a", "ok")], "waited": 2.0}, False, False),
        ({"attempts": [tried("a", "cut")], "error": "stream_interrupted"}, False, True),
        ({"status": 503}, False, True),
        ({"status": 499}, False, False),
    ],
    ids=["at once", "second try", "waited", "broke off", "refused", "caller left"],
)
def test_what_is_worth_explaining_and_what_is_an_error(fields: dict[str, Any], straight: bool, failed: bool):
    one = record(1, **fields)
    assert (is_straight(one), has_failed(one)) == (straight, failed)


def test_counters_add_up_attempts_waits_and_resumes():
    telemetry = Telemetry()
    attempts = [tried("a", "cut"), tried("b", "ok"), tried("c", "abandoned")]
    telemetry.log.add(record(1, attempts=attempts, waited=1.0, resumes=1, input=5, output=7))
    telemetry.log.add(record(2, status=503))
    counters = telemetry.counters(NOW)
    assert (counters.requests, counters.errors, counters.attempts, counters.failed_attempts) == (2, 1, 3, 1)
    assert (counters.waited, counters.resumed, counters.input, counters.output) == (1, 1, 5, 7)
    assert telemetry.counters(NOW).requests == 2
