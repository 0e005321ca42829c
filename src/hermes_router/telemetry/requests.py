"""The request log: the latest in memory, older ones on disk, bounded by number and age.

``add``, ``planned`` and ``failed`` are called while a request is served and only remember. ``save``, called now and
then, makes the rows and hands them to the database's own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict, deque
from collections.abc import Iterator

import msgspec

from ..engine.records import RequestRecord
from ..routing.plan import Plan
from .database import Database
from .story import Failure, Story, is_straight, tell

KEPT_DAYS = 30
KEPT_ROWS = 20_000
PLANS = 200
"""Plans remembered, so that an answered request can still be explained for a while."""
WHOLE_STORIES = 40
"""Stories with all their reasons made in one ``save``; beyond that, a storm of failures is kept without them."""
_TIDY_SECONDS = 600.0
_TIDY_ROWS = 2_000
"""Whichever comes first: under load the file must not grow for minutes before old rows make room."""
_INSERT = (
    "INSERT OR REPLACE INTO requests (id, at, endpoint, caller, providers, status, failed, story) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests. ``status``: a number, ``4xx``, ``5xx``, ``ok`` or ``error``. ``provider`` served it or was
    tried. ``since`` is wall-clock seconds."""

    limit: int = 50
    provider: str = ""
    status: str = ""
    endpoint: str = ""
    caller: str = ""
    since: float = 0.0
    id: str = ""

    def fits(self, record: RequestRecord) -> bool:
        return (
            (not self.provider or self.provider in providers_of(record))
            and (not self.endpoint or record.endpoint == self.endpoint)
            and (not self.caller or record.caller == self.caller)
            and (not self.id or record.id == self.id)
            and record.at >= self.since
            and self._status_fits(record)
        )

    def _status_fits(self, record: RequestRecord) -> bool:
        match self.status:
            case "":
                return True
            case "ok" | "error":
                return has_failed(record) == (self.status == "error")
            case "4xx" | "5xx":
                return record.status // 100 == int(self.status[0])
            case _:
                return str(record.status) == self.status

    def sql(self) -> tuple[str, list[object]]:
        """The same as a condition on the table."""
        parts, values = ["at >= ?"], [self.since]  # type: tuple[list[str], list[object]]
        for column in ("endpoint", "caller", "id"):
            if value := getattr(self, column):
                parts.append(f"{column} = ?")
                values.append(value)
        if self.provider:
            parts.append("instr(providers, ?) > 0")
            values.append(f"|{self.provider}|")
        if self.status in ("ok", "error"):
            parts.append("failed = ?")
            values.append(int(self.status == "error"))
        elif self.status in ("4xx", "5xx"):
            parts.append("status / 100 = ?")
            values.append(int(self.status[0]))
        elif self.status:
            parts.append("status = ?")
            values.append(int(self.status))
        return " AND ".join(parts), values


STATUS = re.compile(r"ok|error|[45]xx|[1-5][0-9][0-9]|0")
"""What ``Wanted.status`` may be, beside empty."""


class RequestLog:
    """``keep``: how many in memory."""

    def __init__(self, database: Database | None, keep: int) -> None:
        self._database = database
        self._keep = max(1, keep)
        self._latest: OrderedDict[str, RequestRecord] = OrderedDict()
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._failures: dict[str, Failure] = {}
        self._stories: dict[str, Story] = {}
        self._pending: deque[RequestRecord] = deque()
        self._tidied = 0.0
        self._untidied = 0

    def add(self, record: RequestRecord) -> bool:
        """Keep a finished request; False where it is there already. It may still be changed until the next ``save``."""
        if record.id in self._latest:
            return False
        self._latest[record.id] = record
        self._pending.append(record)
        if len(self._latest) > self._keep:
            self._forget(self._latest.popitem(last=False)[0])
        return True

    def planned(self, request_id: str, plan: Plan) -> None:
        """Who was to be asked, in which order."""
        self._plans[request_id] = plan
        if len(self._plans) > PLANS:
            self._plans.popitem(last=False)

    def failed(self, request_id: str, failure: Failure) -> None:
        """What the caller was told. Before ``add``, or right after."""
        self._failures[request_id] = failure

    def forget_plans(self) -> None:
        """The configuration was exchanged: the plans would keep the old one alive."""
        self._plans.clear()

    def resize(self, keep: int) -> None:
        self._keep = max(1, keep)
        while len(self._latest) > self._keep:
            self._forget(self._latest.popitem(last=False)[0])

    def save(self, now: float) -> list[RequestRecord]:
        """Hand what is new to the database; gives the records."""
        records, rows, whole = list(self._pending), [], 0
        self._pending.clear()
        for record in records:
            explained = not is_straight(record) and whole < WHOLE_STORIES
            whole += explained
            story = self._story(record, whole=explained)
            if record.id in self._latest and explained:
                self._stories[record.id] = story
            rows.append(_row(story))
        if self._database is not None:
            self._database.submit(_INSERT, rows)
            self._tidy(now, len(rows))
        return records

    def latest(self, limit: int) -> list[RequestRecord]:
        """The last ones in memory, newest first."""
        return [record for record, _ in zip(reversed(self._latest.values()), range(limit), strict=False)]

    async def find(self, wanted: Wanted) -> list[RequestRecord]:
        """Newest first, from memory and then from disk."""
        found = list(self._in_memory(wanted))
        if self._database is None or len(found) >= wanted.limit:
            return found
        condition, values = wanted.sql()
        seen = {record.id for record in found}
        older = await self._read(condition, values, wanted.limit + len(found))
        found += [story.request for story in older if story.request.id not in seen]
        return found[: wanted.limit]

    async def story(self, request_id: str) -> Story | None:
        """All that is known of one request; None where it was never seen, or too long ago."""
        record = self._latest.get(request_id)
        if record is not None:
            return self._stories.get(request_id) or self._story(record, whole=True)
        older = await self._read("id = ?", [request_id], 1)
        return older[0] if older else None

    def _in_memory(self, wanted: Wanted) -> Iterator[RequestRecord]:
        left = wanted.limit
        for record in reversed(self._latest.values()):
            if left and wanted.fits(record):
                left -= 1
                yield record

    def _story(self, record: RequestRecord, *, whole: bool) -> Story:
        return tell(record, self._plans.get(record.id), self._failures.get(record.id), whole=whole)

    async def _read(self, condition: str, values: list[object], limit: int) -> list[Story]:
        database = self._database
        if database is None:
            return []
        # The condition is made of column names above, never of what a caller said.
        sql = f"SELECT story FROM requests WHERE {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608

        def work() -> list[Story]:
            database.flush()
            stories = []
            for row in database.read(sql, [*values, limit]):
                with contextlib.suppress(msgspec.DecodeError):  # written by a version with other fields
                    stories.append(msgspec.json.decode(row[0], type=Story))
            return stories

        return await asyncio.to_thread(work)

    def _forget(self, request_id: str) -> None:
        self._stories.pop(request_id, None)
        self._failures.pop(request_id, None)

    def _tidy(self, now: float, added: int) -> None:
        self._untidied += added
        fresh = self._untidied < _TIDY_ROWS and 0 <= now - self._tidied < _TIDY_SECONDS
        if self._database is None or fresh:
            return
        self._tidied, self._untidied = now, 0
        self._database.submit("DELETE FROM requests WHERE at < ?", [(now - KEPT_DAYS * 86400,)])
        self._database.submit("DELETE FROM requests WHERE seq <= (SELECT max(seq) FROM requests) - ?", [(KEPT_ROWS,)])


def has_failed(record: RequestRecord) -> bool:
    """The caller got an error, or a stream that broke off. Who left by himself saw no failure."""
    return (record.status >= 400 and record.status != LEFT) or bool(record.error)


LEFT = 499
"""Status of a request whose caller was gone before the answer (nginx's number for it)."""


def providers_of(record: RequestRecord) -> list[str]:
    """Who served it, and who was tried."""
    return list(dict.fromkeys((record.provider, *(attempt.provider for attempt in record.attempts))))


def _row(story: Story) -> tuple[object, ...]:
    record = story.request
    return (
        record.id,
        record.at,
        record.endpoint,
        record.caller,
        f"|{'|'.join(providers_of(record))}|",
        record.status,
        int(has_failed(record)),
        msgspec.json.encode(story),
    )
