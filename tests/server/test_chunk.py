"""What a chunk costs the event loop on its way through the whole router: one word to the outbox a turn, and no more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

import orjson

from fakes.connection import Line as Upstream
from fakes.lab import KEY, PATHS, toml_of, world_of
from fakes.line import Line, settle
from fakes.upstream import delta, frame
from hermes_router.server.compose import make_app
from hermes_router.server.protocol import Shared
from hermes_router.storage.memory import MemoryStore
from hermes_router.transport.base import HttpRequest, HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = 50
Ts = TypeVarTuple("Ts")


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.asked["call_soon"] += 1
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.asked["timer"] += 1
        return super().call_at(when, callback, *args, context=context)

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        self.asked["task"] += 1
        return super().create_task(coro, **more)

    def create_future(self) -> asyncio.Future[Any]:
        self.asked["future"] += 1
        return super().create_future()


class ByHand:
    """One provider, whose connection the test feeds."""

    def __init__(self) -> None:
        self.line: Upstream

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.line = Upstream()
        answer = self.line.ask()
        asyncio.get_running_loop().call_soon(self.line.feed, HEAD)
        return await answer.head()

    async def aclose(self) -> None:
        return None


def chunk(text: str) -> bytes:
    data = frame(delta(text))
    return b"%x\r\n%b\r\n" % (len(data), data)


def asked_for(path: str) -> bytes:
    body = {"model": "chain", "max_tokens": 900, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    data = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def test_a_chunk_makes_no_timer_no_task_and_no_future() -> None:
    for path in PATHS.values():
        with asyncio.Runner(loop_factory=CountingLoop) as runner:
            asked, heard = runner.run(_chunks(path))
        assert asked == {"call_soon": 1}, path
        assert all(f"word{number} " in heard for number in range(CHUNKS)), path


async def _chunks(path: str) -> tuple[dict[str, int], str]:
    """What the loop was asked for while all chunks came in one turn, and what the caller had heard after it."""
    loop, up = asyncio.get_running_loop(), ByHand()
    assert isinstance(loop, CountingLoop)
    app = make_app(world_of(toml_of("first", alias=True)), store=MemoryStore(), transport=up)
    caller = Line(Shared(app, app.refusal, loop))
    caller.say(asked_for(path))
    await settle()
    up.line.feed(chunk("Well. "))
    await settle()
    assert "Well. " in caller.heard.decode()
    loop.asked.clear()
    for number in range(CHUNKS):
        up.line.feed(chunk(f"word{number} "))
    asked = dict(loop.asked)
    await settle()
    heard = caller.heard.decode()
    caller.leave()
    await settle()
    return asked, heard
