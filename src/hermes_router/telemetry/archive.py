"""Stories on disk, bounded by number and age: many to a row, since a row for each would cost more than all the rest.

A row holds the stories of one ``keep``, or a part of them, as one MessagePack list. Who looks for some reads rows from
the newest on and looks into each; SQLite leaves out those that do not hold a word that must be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ..engine.records import RequestRecord
from .database import Database
from .story import Story

KEPT_DAYS = 30
KEPT_ROWS = 20_000
_A_ROW = 250
"""Stories in a row at most: what is read of the disk, and what goes at once when there are too many."""
_A_PAGE = 40
"""Rows read at a time."""
_TIDY_SECONDS = 600.0
_TIDY_ROWS = 2_000
"""Whichever comes first: under load the file must not grow for minutes before old rows make room."""
_INSERT = "INSERT INTO requests (seq, at, stories) SELECT coalesce(max(seq), 0) + ?, ?, ? FROM requests"
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Story])


class Archive:
    """Newest last. ``keep`` returns at once, ``find`` waits for the disk in another thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tidied = 0.0
        self._untidied = 0

    def keep(self, stories: Sequence[Story], now: float) -> None:
        """Write these down, but for those that would have to go at once."""
        stories = stories[-KEPT_ROWS:]
        oldest = now - KEPT_DAYS * 86400
        if any(story.request.at < oldest for story in stories):
            stories = [story for story in stories if story.request.at >= oldest]
        rows = []
        for start in range(0, len(stories), _A_ROW):
            part = stories[start : start + _A_ROW]
            rows.append((len(part), max(story.request.at for story in part), _encoder.encode(part)))
        self._database.submit(_INSERT, rows)
        self._tidy(now, len(stories))

    async def find(
        self, fits: Callable[[RequestRecord], bool], limit: int, *, words: Sequence[str] = (), since: float = 0.0
    ) -> list[Story]:
        """The newest that fit. ``words``: no story without each of these fits, nor one that began before ``since``."""
        return await asyncio.to_thread(self._find, fits, limit, words, since)

    def _find(
        self, fits: Callable[[RequestRecord], bool], limit: int, words: Sequence[str], since: float
    ) -> list[Story]:
        self._database.flush()
        found: list[Story] = []
        seen: set[str] = set()
        for stories in self._rows(words, since):
            for story in reversed(stories):
                name = story.request.id
                if name not in seen:  # of one told twice the later is the whole
                    seen.add(name)
                    if fits(story.request):
                        found.append(story)
            if len(found) >= limit:
                break
        return found[:limit]

    def _rows(self, words: Sequence[str], since: float) -> Iterator[list[Story]]:
        # Each word is a value of its own: what a caller said is never a part of the statement.
        holds = " AND instr(stories, ?) > 0" * len(words)
        sql = f"SELECT seq, stories FROM requests WHERE seq < ? AND at >= ?{holds} ORDER BY seq DESC LIMIT {_A_PAGE}"  # noqa: S608
        sought, before = [word.encode() for word in words], 2**62
        while rows := self._database.read(sql, [before, since, *sought]):
            before = rows[-1][0]
            for _, stories in rows:
                try:
                    yield _decoder.decode(stories)
                except msgspec.DecodeError:  # written by a version with other fields
                    continue

    def _tidy(self, now: float, added: int) -> None:
        self._untidied += added
        if self._untidied < _TIDY_ROWS and 0 <= now - self._tidied < _TIDY_SECONDS:
            return
        self._tidied, self._untidied = now, 0
        self._database.submit("DELETE FROM requests WHERE at < ?", [(now - KEPT_DAYS * 86400,)])
        self._database.submit("DELETE FROM requests WHERE seq <= (SELECT max(seq) FROM requests) - ?", [(KEPT_ROWS,)])
