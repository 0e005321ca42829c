"""Providers in memory: a Transport that answers by script, with pauses on the running loop's clock.

A provider is known by the first label of its host (``http://first.test/v1`` is ``first``). Each call takes the next
entry of its script; the last one stays. An entry is a ``Told`` or a function from the call to one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import orjson

from hermes_router.transport.base import FailureKind, HttpRequest, TransportError
from hermes_router.transport.pulled import Pulled

from .upstream import Chunk, frame

Step = bytes | float | TransportError
Then = Literal["done", "end", "cut", "stall"]
SILENCE = 1e9
"""A pause nobody waits for."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: ``steps`` are bytes to give, seconds to pause, or a failure to end in. ``head_after``: seconds before
    the status line; ``failure``: instead of one."""

    status: int = 200
    headers: Mapping[str, str] = {}
    steps: Sequence[Step] = ()
    head_after: float = 0.0
    failure: TransportError | None = None


class Asked(msgspec.Struct, eq=False):
    """One call. ``at``, ``closed_at`` on the loop's clock; ``closed_at`` is set when the answer was given up early,
    ``ended`` when it was read to its end."""

    name: str
    body: Any
    headers: Mapping[str, str]
    at: float
    closed_at: float | None = None
    ended: bool = False

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


Entry = Told | Callable[[Asked], Told]


class MemoryTransport:
    """``script("first", a, b)``; ``asked`` is every call in order, ``open`` those not over."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._scripts: dict[str, list[Entry]] = {}

    def script(self, name: str, *entries: Entry) -> None:
        self._scripts[name] = list(entries)

    def calls(self, name: str) -> list[Asked]:
        return [one for one in self.asked if one.name == name]

    @property
    def open(self) -> list[Asked]:
        return [one for one in self.asked if one.closed_at is None and not one.ended]

    async def send(self, request: HttpRequest) -> MemoryResponse:
        loop = asyncio.get_running_loop()
        name = (urlsplit(request.url).hostname or "").partition(".")[0]
        asked = Asked(name, orjson.loads(request.body), request.headers, loop.time())
        self.asked.append(asked)
        script = self._scripts[name]
        entry = script[0] if len(script) == 1 else script.pop(0)
        told = entry if isinstance(entry, Told) else entry(asked)
        try:
            if told.head_after:
                await asyncio.sleep(told.head_after)
        except asyncio.CancelledError:
            asked.closed_at = loop.time()
            raise
        if told.failure is not None:
            asked.ended = True
            raise told.failure
        return MemoryResponse(asked, told)

    async def aclose(self) -> None:
        return None


class MemoryResponse(Pulled):
    """One answer."""

    def __init__(self, asked: Asked, told: Told) -> None:
        super().__init__(self._told())
        self.status = told.status
        self.headers: Mapping[str, str] = told.headers
        self._asked = asked
        self._steps = told.steps

    async def _told(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, TransportError):
                self._asked.ended = True
                raise step
            else:
                await asyncio.sleep(step)
        self._asked.ended = True

    async def aclose(self) -> None:
        if not self._asked.ended and self._asked.closed_at is None:
            self._asked.closed_at = asyncio.get_running_loop().time()
        await super().aclose()


EVENT_STREAM = {"content-type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"


def broken(kind: FailureKind = "cut") -> TransportError:
    return TransportError(kind, f"scripted: {kind}")


def streamed(chunks: Sequence[Chunk], *, gap: float = 0.0, wait: float = 0.0, then: Then = "done") -> Told:
    """An event stream: ``wait`` seconds after its head, then ``gap`` between its chunks. ``then``: ``[DONE]`` and the
    end, an end without it, the connection lost, or silence."""
    steps: list[Step] = [wait]
    for chunk in chunks:
        steps += [frame(chunk), gap]
    return Told(headers=EVENT_STREAM, steps=[*steps, *_ENDS[then]()])


_ENDS: dict[str, Callable[[], list[Step]]] = {
    "done": lambda: [DONE],
    "end": list,
    "cut": lambda: [broken()],
    "stall": lambda: [SILENCE],
}


def silent(*, head: bool = False) -> Told:
    """Accepts and never answers; ``head``: its status line comes all the same."""
    return Told(headers=EVENT_STREAM, steps=[SILENCE], head_after=0.0 if head else SILENCE)


def failing(kind: FailureKind) -> Told:
    """Fails below HTTP before any head."""
    return Told(failure=broken(kind))


def replied(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Told:
    """A whole JSON answer."""
    said = {"content-type": "application/json", **(headers or {})}
    return Told(status=status, headers=said, steps=[orjson.dumps(body)])


def refusal(status: int, message: str = "no", headers: Mapping[str, str] | None = None, **more: Any) -> Told:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": "error", "param": None, "code": None} | more
    return replied({"error": error}, status, headers)
