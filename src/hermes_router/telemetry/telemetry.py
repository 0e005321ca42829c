"""What is kept of the requests, in one place: the log, usage by day, counters since the start."""

from __future__ import annotations

import msgspec

from ..engine.records import RequestRecord
from .database import Database
from .requests import RequestLog, has_failed
from .usage import Usage


class Counters(msgspec.Struct, kw_only=True):
    """Since the start. ``failed_attempts`` are upstream tries that gave no answer; ``waited`` requests waited for
    quota; ``resumed`` streams went on with another model."""

    requests: int = 0
    errors: int = 0
    attempts: int = 0
    failed_attempts: int = 0
    hedges: int = 0
    waited: int = 0
    resumed: int = 0
    input: int = 0
    output: int = 0

    def add(self, record: RequestRecord) -> None:
        self.requests += 1
        if has_failed(record):
            self.errors += 1
        for attempt in record.attempts:
            self.attempts += 1
            if attempt.outcome not in ("ok", "open", "abandoned"):
                self.failed_attempts += 1
            if attempt.hedge:
                self.hedges += 1
        if record.waited >= 0.001:
            self.waited += 1
        if record.resumes:
            self.resumed += 1
        self.input += record.input
        self.output += record.output


class Telemetry:
    """``database`` None: what is kept is gone with the process. ``keep``: requests in memory."""

    def __init__(self, database: Database | None = None, keep: int = 500) -> None:
        self.log = RequestLog(database, keep)
        self.usage = Usage(database)
        self._counters = Counters()
        self._database = database

    def counters(self, now: float) -> Counters:
        """Up to this moment."""
        self.save(now)
        return self._counters

    def save(self, now: float) -> None:
        """Everything that comes after a request, for all that ended since the last call."""
        for record in self.log.save(now):
            self.usage.add(record)
            self._counters.add(record)
        self.usage.save(now)

    def close(self, now: float) -> None:
        self.save(now)
        if self._database is not None:
            self._database.close()
