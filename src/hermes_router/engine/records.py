"""What is kept of a request for people and programs: metadata only, no prompt, no answer, no key."""

from __future__ import annotations

import msgspec

from ..core.events import Usage


class AttemptRecord(msgspec.Struct, gc=False):
    """One try. ``started`` and ``took`` in seconds since the request came; ``outcome`` is ``ok``, ``abandoned`` or the
    fault's kind; ``tail`` the last characters of the key."""

    provider: str
    model: str
    tail: str
    started: float
    took: float = 0.0
    first_event: float | None = None
    outcome: str = "open"
    status: int | None = None
    message: str = ""
    resumed: bool = False
    hedge: bool = False


class RequestRecord(msgspec.Struct, gc=False):
    """One request. ``at`` is wall clock; ``status`` what the caller got (200 for a stream that later broke: see
    ``error``); tokens as far as known."""

    id: str
    at: float
    endpoint: str
    asked: str
    caller: str
    stream: bool
    needs: list[str] = []
    tier: int = 0
    attempts: list[AttemptRecord] = []
    dropped: list[str] = []
    provider: str = ""
    model: str = ""
    status: int = 0
    error: str = ""
    waited: float = 0.0
    first_event: float | None = None
    took: float = 0.0
    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache_read: int = 0
    resumes: int = 0

    def spent(self, usage: Usage) -> None:
        self.input += usage.input
        self.output += usage.output
        self.reasoning += usage.reasoning
        self.cache_read += usage.cache_read
