"""The composed application in this very event loop: requests without a socket, streams that a test holds open.

The upstream is ``GatedTransport``: it answers as an OpenAI-style provider would, and holds its streams until it is
told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from hermes_router.server.app import App
from hermes_router.server.compose import make_app, make_world
from hermes_router.server.reload import Live
from hermes_router.storage.base import StateStore
from hermes_router.storage.memory import MemoryStore
from hermes_router.telemetry.database import Database
from hermes_router.transport.base import HttpRequest, Transport
from hermes_router.transport.pulled import Pulled

from .configured import load_from
from .pipe import Pipe
from .streams import check_stream, is_stream

KEY = "sk-router-1"
ADMIN = "k-admin-test-1"
PATIENCE = 10.0


class Answer:
    """A response, read to its end."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.headers = {name.decode(): value.decode() for name, value in headers}
        self.body = body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Stream:
    """A request under way. ``head`` is set once the status line was sent."""

    def __init__(self, pipe: Pipe, task: asyncio.Task[None]) -> None:
        self._pipe = pipe
        self.task = task
        self.head = pipe.head
        self.left = pipe.left

    @property
    def status(self) -> int:
        return self._pipe.status

    @property
    def parts(self) -> list[bytes]:
        return self._pipe.parts

    async def answer(self) -> Answer:
        """Waits for the end."""
        await asyncio.wait_for(self.task, PATIENCE)
        return Answer(self.status, self._pipe.headers, b"".join(self.parts))


class Inside:
    """Speaks to an App."""

    def __init__(self, app: App) -> None:
        self.app = app

    @property
    def live(self) -> Live:
        assert self.app.runtime.live is not None
        return self.app.runtime.live

    def begin(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = KEY,
        headers: Mapping[str, str] | None = None,
    ) -> Stream:
        """Start a request; ``body`` is sent as JSON."""
        pipe = Pipe(self.app)
        said = {"authorization": f"Bearer {key}"} if key is not None else {}
        data = b"" if body is None else orjson.dumps(body)
        running = _checked(pipe, method, path, said | dict(headers or {}), data)
        return Stream(pipe, asyncio.get_running_loop().create_task(running))

    async def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = KEY, **headers: str
    ) -> Answer:
        """A whole request; ``x_hermes_pin="1"`` becomes a header."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.begin(method, path, body, key=key, headers=said).answer()

    async def admin(self, method: str, path: str, body: object = None) -> Answer:
        """``/admin/api/<path>`` with the administration key."""
        return await self.ask(method, f"/admin/api/{path}", body, key=ADMIN)

    async def chat(self, text: str = "Hello", *, key: str = KEY, **more: Any) -> Answer:
        body = {"model": "hermes-router", "messages": [{"role": "user", "content": text}], **more}
        return await self.ask("POST", "/v1/chat/completions", body, key=key)


async def _checked(pipe: Pipe, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
    await pipe.run(method, path, headers, body)
    if is_stream(pipe.headers) and not pipe.left.is_set():
        check_stream(path.partition("?")[0], b"".join(pipe.parts))


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """For what is not announced: looks again each time the loop has turned."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - files change without any event
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    *,
    toml: str = "",
    auth: Mapping[str, list[str]] | None = None,
    env: Mapping[str, str] | None = None,
    transport: Transport | None = None,
    store: StateStore | None = None,
    database: Database | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Inside]:
    """The application between its start and its stop."""
    loaded = load_from(folder, {"ADMIN_API_KEY": ADMIN, **(env or {})}, toml=toml, auth=auth)
    more = {"clock": clock} if clock else {}
    app = make_app(
        make_world(loaded),
        store=store or MemoryStore(),
        transport=transport or GatedTransport(),
        database=database,
        **more,
    )
    await app.start()
    try:
        yield Inside(app)
    finally:
        await app.stop()


class GatedTransport:
    """Every provider there is. A streamed answer says "one", waits for ``gate``, then says " two".

    ``refuse`` maps a model or a key to (status, error body) or to several of them in turn; ``requests`` is what came.
    """

    def __init__(self, *, open_gate: bool = True) -> None:
        self.gate = asyncio.Event()
        if open_gate:
            self.gate.set()
        self.refuse: dict[str, tuple[int, dict[str, Any]]] = {}
        self.models_need_key = True
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> GatedResponse:
        self.requests.append(request)
        secret = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.endswith("/models"):
            if secret in self.refuse or (self.models_need_key and not secret):
                return GatedResponse(self, 401, b'{"error": {"message": "bad key"}}', [])
            return GatedResponse(self, 200, b'{"data": [{"id": "m1"}, {"id": "m2"}]}', [])
        body = orjson.loads(request.body)
        refusal = self.refuse.get(body["model"]) or self.refuse.get(secret)
        if refusal is not None:
            return GatedResponse(self, refusal[0], orjson.dumps(refusal[1]), [])
        return GatedResponse(self, 200, b"", _frames(body))

    async def aclose(self) -> None:
        self.gate.set()


class GatedResponse(Pulled):
    """Whole, or in frames with the gate before the second."""

    def __init__(self, transport: GatedTransport, status: int, whole: bytes, frames: list[bytes]) -> None:
        super().__init__(self._told())
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream" if frames else "application/json"}
        self._transport = transport
        self._whole = whole
        self._frames = frames

    async def _told(self) -> AsyncIterator[bytes]:
        if self._whole:
            yield self._whole
        for at, frame in enumerate(self._frames):
            if at == 1:
                await self._transport.gate.wait()
            yield frame


def _frames(body: Mapping[str, Any]) -> list[bytes]:
    def chunk(**fields: Any) -> dict[str, Any]:
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"], **fields}

    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "one two"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return [
            orjson.dumps(
                {
                    "id": "c1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": body["model"],
                    "choices": [choice],
                    "usage": usage,
                }
            )
        ]
    said = [
        chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "one"}, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {"content": " two"}, "finish_reason": None}]),
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chunk(choices=[], usage=usage),
    ]
    return [*(b"data: " + orjson.dumps(one) + b"\n\n" for one in said), b"data: [DONE]\n\n"]
