"""The request log: the latest in memory, older ones on disk (``telemetry/archive.py``).

``add``, ``planned`` and ``failed`` are called while a request is served and only remember. ``save``, called now and
then, tells the stories and hands them to the archive.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator

import msgspec

from ..engine.records import RequestRecord
from ..routing.plan import Plan
from .archive import Archive
from .database import Database
from .story import Failure, Story, is_straight, tell

PLANS = 200
"""Plans remembered, so that an answered request can still be explained for a while."""
WHOLE_STORIES = 40
"""Stories with all their reasons made in one ``save``; beyond that, a storm of failures is kept without them."""


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

    def words(self) -> list[str]:
        """What every story that fits holds."""
        return [word for word in (self.id, self.provider, self.endpoint, self.caller) if word]


STATUS = re.compile(r"ok|error|[45]xx|[1-5][0-9][0-9]|0")
"""What ``Wanted.status`` may be, beside empty."""


class RequestLog:
    """``keep``: how many in memory."""

    def __init__(self, database: Database | None, keep: int) -> None:
        self._archive = None if database is None else Archive(database)
        self._keep = max(1, keep)
        self._latest: OrderedDict[str, RequestRecord] = OrderedDict()
        self._plans: deque[tuple[str, Plan]] = deque(maxlen=PLANS)
        self._failures: dict[str, Failure] = {}
        self._stories: dict[str, Story] = {}
        self._pending: deque[RequestRecord] = deque()

    def add(self, record: RequestRecord) -> bool:
        """Keep a finished request; False where it is there already. It may still be changed until the next ``save``."""
        latest, name = self._latest, record.id
        if name in latest:
            return False
        latest[name] = record
        self._pending.append(record)
        if len(latest) > self._keep:
            self._forget(latest.popitem(last=False)[0])
        return True

    def planned(self, request_id: str, plan: Plan) -> None:
        """Who was to be asked, in which order."""
        self._plans.append((request_id, plan))

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
        """Hand what is new to the archive; gives the records."""
        records, stories, whole = list(self._pending), [], 0
        self._pending.clear()
        plans, failures = dict(self._plans), self._failures
        for record in records:
            name = record.id
            explained = whole < WHOLE_STORIES and not is_straight(record)
            story = tell(record, plans.get(name), failures.get(name), whole=explained)
            stories.append(story)
            if explained:
                whole += 1
                if name in self._latest:
                    self._stories[name] = story
        if self._archive is not None and stories:
            self._archive.keep(stories, now)
        return records

    def latest(self, limit: int) -> list[RequestRecord]:
        """The last ones in memory, newest first."""
        return [record for record, _ in zip(reversed(self._latest.values()), range(limit), strict=False)]

    async def find(self, wanted: Wanted) -> list[RequestRecord]:
        """Newest first, from memory and then from disk."""
        found = list(self._in_memory(wanted))
        if self._archive is None or len(found) >= wanted.limit:
            return found
        seen = {record.id for record in found}
        most = wanted.limit + len(found)
        older = await self._archive.find(wanted.fits, most, words=wanted.words(), since=wanted.since)
        found += [story.request for story in older if story.request.id not in seen]
        return found[: wanted.limit]

    async def story(self, request_id: str) -> Story | None:
        """All that is known of one request; None where it was never seen, or too long ago."""
        record = self._latest.get(request_id)
        if record is not None:
            plan = dict(self._plans).get(request_id)
            return self._stories.get(request_id) or tell(record, plan, self._failures.get(request_id), whole=True)
        if self._archive is None:
            return None
        wanted = Wanted(id=request_id, limit=1)
        older = await self._archive.find(wanted.fits, 1, words=wanted.words())
        return older[0] if older else None

    def _in_memory(self, wanted: Wanted) -> Iterator[RequestRecord]:
        left = wanted.limit
        for record in reversed(self._latest.values()):
            if left and wanted.fits(record):
                left -= 1
                yield record

    def _forget(self, request_id: str) -> None:
        self._stories.pop(request_id, None)
        self._failures.pop(request_id, None)


def has_failed(record: RequestRecord) -> bool:
    """The caller got an error, or a stream that broke off. Who left by himself saw no failure."""
    return (record.status >= 400 and record.status != LEFT) or bool(record.error)


LEFT = 499
"""Status of a request whose caller was gone before the answer (nginx's number for it)."""


def providers_of(record: RequestRecord) -> list[str]:
    """Who served it, and who was tried."""
    return list(dict.fromkeys((record.provider, *(attempt.provider for attempt in record.attempts))))
