"""A provider made of a socket and a script: what it is sent is kept, what it answers a test says step by step.

It runs on an event loop in a thread of its own and speaks bytes, so everything between a router and its provider is
real. Calls that no script is left for are answered by ``fakes.strict``. Nothing here sleeps to wait for something:
``wait_for`` returns when it has happened.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

import msgspec
import orjson

Then = Literal["done", "no_done", "cut", "stall", "reset"]
Chunk = bytes | dict[str, Any] | tuple[str, dict[str, Any]]
"""Bytes as they are, an object as a data frame, (name, object) as a named frame."""


class Seen(msgspec.Struct, eq=False):
    """One request. ``at`` and ``gone_at`` (the client closed before the answer was over) are monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: Any
    at: float
    connection: int
    gone_at: float | None = None
    answered: bool = False

    @property
    def model(self) -> str:
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-api-key", "")


class Peer:
    """The server's end of one connection, while one request is being answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._reader = reader
        self.kept = True
        self.left = asyncio.Event()

    async def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def pause(self, seconds: float) -> None:
        """Wait, or until the client leaves."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.left.wait(), seconds)

    def reset(self) -> None:
        self.kept = False
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Step = Callable[[Peer, Seen], Awaitable[None]]


class Default(Protocol):
    """Answers what no script is for."""

    async def __call__(self, peer: Peer, seen: Seen) -> None: ...


# --- steps


def reply(body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Step:
    """A whole answer; ``body`` is sent as JSON, or as it is where it is bytes."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)

    async def step(peer: Peer, seen: Seen) -> None:
        said = {"content-type": "application/json"} | (headers or {}) | {"content-length": str(len(data))}
        await peer.head(status, said.items())
        await peer.send(data)

    return step


def error(status: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any) -> Step:
    """An error in OpenAI's shape."""
    return reply({"error": {"message": message, "type": "error", "param": None, "code": None} | more}, status, headers)


def sse(chunks: Sequence[Chunk], gap: float = 0.0, then: Then = "done", headers: dict[str, str] | None = None) -> Step:
    """An event stream, ``gap`` seconds between its chunks. ``then``: ``[DONE]`` and a clean end, a clean end without
    it, the connection closed in the middle, silence, or a reset."""

    async def step(peer: Peer, seen: Seen) -> None:
        said = {"content-type": "text/event-stream"} | (headers or {}) | {"transfer-encoding": "chunked"}
        await peer.head(200, said.items())
        for number, one in enumerate(chunks):
            if number and gap:
                await peer.pause(gap)
            await peer.chunk(frame(one))
        await _ending(peer, then)

    return step


async def _ending(peer: Peer, then: Then) -> None:
    match then:
        case "done":
            await peer.chunk(b"data: [DONE]\n\n")
            await peer.send(b"0\r\n\r\n")
        case "no_done":
            await peer.send(b"0\r\n\r\n")
        case "cut":
            peer.kept = False
        case "stall":
            await peer.left.wait()
        case "reset":
            peer.reset()


def hang() -> Step:
    """No answer at all, until the client leaves."""

    async def step(peer: Peer, seen: Seen) -> None:
        await peer.left.wait()

    return step


def reset_before_headers() -> Step:
    """The connection is reset once the request was read."""

    async def step(peer: Peer, seen: Seen) -> None:
        peer.reset()

    return step


def drip(byte: bytes = b" ", every: float = 0.05) -> Step:
    """A head, then one byte after the other, which never become an answer."""

    async def step(peer: Peer, seen: Seen) -> None:
        await peer.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        while not peer.left.is_set():
            await peer.chunk(byte)
            await peer.pause(every)

    return step


def html(status: int = 200) -> Step:
    """A page, as a broken gateway sends it."""
    page = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
    return reply(page, status, {"content-type": "text/html"})


def frame(chunk: Chunk) -> bytes:
    """One chunk as bytes."""
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, tuple):
        return b"event: %s\ndata: %s\n\n" % (chunk[0].encode(), orjson.dumps(chunk[1]))
    return b"data: %s\n\n" % orjson.dumps(chunk)


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A Chat Completions chunk."""
    said = ({} if content is None else {"content": content}) | more
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "up",
        "choices": [{"index": 0, "delta": said, "finish_reason": finish}],
    }


def text_stream(*pieces: str, finish: str = "stop") -> list[Chunk]:
    """The chunks of a text answer, with its usage."""
    usage = {"prompt_tokens": 5, "completion_tokens": len(pieces), "total_tokens": 5 + len(pieces)}
    end = delta(finish=finish)
    return [delta(role="assistant"), *(delta(piece) for piece in pieces), end, {**end, "choices": [], "usage": usage}]


def completion(content: str | None = "fine", finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A whole Chat Completions answer."""
    message = {"role": "assistant", "content": content} | more
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion",
        "created": 1,
        "model": "up",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


# --- the server


class _Script(msgspec.Struct, eq=False):
    steps: list[Step]
    path: str
    model: str
    key: str
    for_ever: bool

    def fits(self, seen: Seen) -> bool:
        asked = self.path in seen.path if self.path else seen.method == "POST"  # a look at /models is no call
        return bool(self.steps and asked and self.model in ("", seen.model) and self.key in ("", seen.key))

    def next(self) -> Step:
        return self.steps[0] if self.for_ever and len(self.steps) == 1 else self.steps.pop(0)


class Upstream:
    """``with Upstream() as up``: ``up.url`` has no path; ``up.at("mine")`` is a base URL."""

    def __init__(self, default: Default | None = None) -> None:
        from .strict import Strict

        self.default: Default = default or Strict()
        self.requests: list[Seen] = []
        self.connections = 0
        self._scripts: list[_Script] = []
        self._failures: list[BaseException] = []
        self._news = threading.Condition()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    def __enter__(self) -> Upstream:
        self._thread.start()
        self._started.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        for failure in self._failures:
            raise failure

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def at(self, name: str) -> str:
        """A base URL; the first step of its path tells scripts and ``Strict`` whose it is."""
        return f"{self.url}/{name}/v1"

    def script(self, *steps: Step, path: str = "", model: str = "", key: str = "", for_ever: bool = False) -> None:
        """What the next calls get that fit; ``path`` need only be a part. ``for_ever``: the last step stays."""
        with self._news:
            self._scripts.append(_Script(list(steps), path, model, key, for_ever))

    @property
    def closed(self) -> list[Seen]:
        """Requests whose client left before their answer was over."""
        return [seen for seen in self.requests if seen.gone_at is not None]

    def asked(self, name: str) -> list[Seen]:
        """The requests for one provider's base URL, or one model's."""
        return [seen for seen in self.requests if seen.path.startswith(f"/{name}/") or seen.model == name]

    def wait_for(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Returns when ``condition`` holds; it is looked at whenever something happens here."""
        with self._news:
            if not self._news.wait_for(lambda: bool(condition()), timeout):
                raise TimeoutError(f"nothing of the kind happened within {timeout} s")

    # everything below runs in the thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._connection(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                rest = b""
                while (rest := await self._exchange(reader, writer, number, rest)) is not None:  # type: ignore[assignment]
                    pass
        except asyncio.CancelledError:
            raise
        except BaseException as failure:  # noqa: BLE001 - it fails the test, in __exit__
            self._failures.append(failure)
        finally:
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, rest: bytes
    ) -> bytes | None:
        """One request and its answer; what was read beyond it, or None where the connection is done with."""
        seen = await _read(reader, number, rest)
        step = self._note(seen)
        peer = Peer(reader, writer)
        watch = asyncio.get_running_loop().create_task(self._watch(reader, peer, seen))
        try:
            await step(peer, seen)
            seen.answered = peer.kept
        except ConnectionError:  # noticed in writing, before the watch has looked
            seen.gone_at = seen.gone_at or time.monotonic()
            raise
        finally:
            watch.cancel()
            (early,) = await asyncio.gather(watch, return_exceptions=True)
            self._tell()
        if not peer.kept or peer.left.is_set():
            return None
        return early if isinstance(early, bytes) else b""

    def _note(self, seen: Seen) -> Step:
        with self._news:
            self.requests.append(seen)
            script = next((one for one in self._scripts if one.fits(seen)), None)
            self._news.notify_all()
            return script.next() if script else self.default

    async def _watch(self, reader: asyncio.StreamReader, peer: Peer, seen: Seen) -> bytes:
        """Notices the client's leaving; bytes are the beginning of its next request."""
        data = b""
        with suppress(ConnectionError):
            data = await reader.read(65536)
        if not data:
            seen.gone_at = time.monotonic()
            peer.left.set()
            self._tell()
        return data

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


async def _read(reader: asyncio.StreamReader, number: int, rest: bytes) -> Seen:
    head = rest
    while b"\r\n\r\n" not in head:
        data = await reader.read(65536)
        if not data:
            raise asyncio.IncompleteReadError(head, None)
        head += data
    head, _, raw = head.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    raw += await reader.readexactly(length - len(raw)) if length > len(raw) else b""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    return Seen(method, path, headers, raw, body, time.monotonic(), number)
