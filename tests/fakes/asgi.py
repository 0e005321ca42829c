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
from hermes_router.server.http import Message
from hermes_router.server.reload import Live
from hermes_router.storage.base import StateStore
from hermes_router.storage.memory import MemoryStore
from hermes_router.telemetry.database import Database
from hermes_router.transport.base import HttpRequest, Transport

from .configured import load_from
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

    def __init__(self) -> None:
        self.head = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.left = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def answer(self) -> Answer:
        """Waits for the end."""
        assert self.task is not None
        await asyncio.wait_for(self.task, PATIENCE)
        return Answer(self.status, self.headers, b"".join(self.parts))


class Asgi:
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
        stream = Stream()
        stream.task = asyncio.get_running_loop().create_task(self._run(stream, method, path, body, key, headers or {}))
        return stream

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

    async def _run(
        self, stream: Stream, method: str, path: str, body: object, key: str | None, headers: Mapping[str, str]
    ) -> None:
        route, _, query = path.partition("?")
        said = {"authorization": f"Bearer {key}"} if key is not None else {}
        scope = {
            "type": "http",
            "method": method,
            "path": route,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (said | dict(headers)).items()],
        }
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"" if body is None else orjson.dumps(body), "more_body": False}
            await stream.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                stream.status, stream.headers = message["status"], list(message["headers"])
                stream.head.set()
            else:
                stream.parts.append(message["body"])

        await self.app(scope, receive, send)
        if is_stream(stream.headers) and not stream.left.is_set():
            check_stream(route, b"".join(stream.parts))


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
) -> AsyncIterator[Asgi]:
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
    assert app._on_start is not None
    assert app._on_stop is not None
    await app._on_start()
    try:
        yield Asgi(app)
    finally:
        await app._on_stop()


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


class GatedResponse:
    """Whole, or in frames with the gate before the second."""

    def __init__(self, transport: GatedTransport, status: int, whole: bytes, frames: list[bytes]) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream" if frames else "application/json"}
        self._transport = transport
        self._whole = whole
        self._frames = frames

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._whole:
            yield self._whole
        for at, frame in enumerate(self._frames):
            if at == 1:
                await self._transport.gate.wait()
            yield frame

    async def aclose(self) -> None:
        return None


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
