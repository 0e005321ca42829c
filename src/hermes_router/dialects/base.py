"""What a dialect is: it reads a caller's bytes into a Request and writes events as the caller's API would.

No I/O and no clock here. Errors of ours come in as RouterError and leave in the dialect's own shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ..core.errors import RouterError
from ..core.events import Event
from ..core.fold import Answer
from ..core.request import Request


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers, for the writer. ``id`` is unique per answer (no prefix), ``created`` wall-clock seconds,
    ``input_estimate`` our count of the prompt's tokens, used until the provider's own arrives."""

    id: str
    provider: str
    model: str
    created: int
    input_estimate: int


class StreamWriter(Protocol):
    """Writes one streamed answer. Every method returns bytes to send, maybe none. The first ``write`` opens the
    stream; ``keepalive`` and ``comment`` may come before it and at any point between events."""

    def write(self, event: Event) -> bytes:
        """Any event but ``Failed``. ``Note`` becomes a comment."""
        ...

    def keepalive(self) -> bytes:
        """Something every client ignores."""
        ...

    def comment(self, text: str) -> bytes:
        """An SSE comment of one line."""
        ...

    def end(self) -> bytes:
        """What closes a stream whose ``Finish`` was written."""
        ...

    def fail(self, error: RouterError) -> bytes:
        """The dialect's error event. Nothing comes after it, least of all something that looks like an ending."""
        ...


class Dialect(Protocol):
    """One inbound chat API."""

    name: str

    def read(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Raises BadRequest naming the field. Headers have lower-case names."""
        ...

    def answer(self, request: Request, answer: Answer, served: Served) -> bytes:
        """The JSON body of a finished, unstreamed answer."""
        ...

    def stream(self, request: Request, served: Served) -> StreamWriter: ...

    def error(self, error: RouterError, request_id: str) -> bytes:
        """The JSON body of an error response (its status is ``error.status``)."""
        ...
