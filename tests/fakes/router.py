"""The whole router in a thread: the composition of production on a free port, with clients of the official SDKs."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import orjson
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from hermes_router.server.app import App
from hermes_router.server.compose import make_app, make_world
from hermes_router.server.http import Call, Header, Outlet
from hermes_router.server.run import Server, listen, loop_factory
from hermes_router.server.runtime import Runtime
from hermes_router.storage.base import StateStore
from hermes_router.storage.memory import MemoryStore
from hermes_router.transport.base import Transport

from .configured import load_from
from .streams import check_stream
from .upstream import Upstream

KEY = "sk-router-1"
_PATIENCE = 20.0


class Reply:
    """A response, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Router:
    """A running router. ``openai()`` and ``anthropic()`` make clients that do not retry and know no proxies."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.streams: list[tuple[str, bytes]] = []
        """Every event stream that was sent to its end, by path. All are checked when the router stops."""
        self._clients: list[Callable[[], object]] = []

    @property
    def runtime(self) -> Runtime:
        return self.app.runtime

    def openai(self, key: str = KEY, **more: Any) -> OpenAI:
        client = httpx2.Client(trust_env=False, timeout=_PATIENCE)
        self._clients.append(client.close)
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, http_client=client, **more)

    def async_openai(self, key: str = KEY, **more: Any) -> AsyncOpenAI:
        client = httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE)
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, http_client=client, **more)

    def anthropic(self, key: str = KEY, **more: Any) -> Anthropic:
        client = httpx2.Client(trust_env=False, timeout=_PATIENCE)
        self._clients.append(client.close)
        return Anthropic(base_url=self.url, api_key=key, max_retries=0, http_client=client, **more)

    def async_anthropic(self, key: str = KEY, **more: Any) -> AsyncAnthropic:
        client = httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE)
        return AsyncAnthropic(base_url=self.url, api_key=key, max_retries=0, http_client=client, **more)

    def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = KEY,
    ) -> Reply:
        """One request; ``body`` is sent as JSON, or as it is where it is bytes. ``headers`` win over the usual ones."""
        said = {"content-type": "application/json"} if body is not None else {}
        if key is not None:
            said["authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        connection = self.connect()
        try:
            connection.request(method, path, data, said | dict(headers or {}))
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def post(self, path: str, body: object, **headers: str) -> Reply:
        """``raw`` with POST; ``x_hermes_pin="true"`` becomes a header."""
        return self.raw("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)

    def call(self, work: Callable[[], object]) -> None:
        """Run ``work`` on the router's loop, and wait for it."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(work)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(_PATIENCE)

    def wait_for(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """For what the router does not announce: looks again each time its loop has turned."""
        ends = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > ends:
                raise TimeoutError(f"nothing of the kind happened within {timeout} s")
            self.call(lambda: None)

    _loop: asyncio.AbstractEventLoop

    def check_streams(self) -> None:
        """Raises AssertionError at the first that breaks its API's grammar."""
        for path, raw in self.streams:
            check_stream(path, raw)

    def close(self) -> None:
        for close in self._clients:
            close()


class _Keeping:
    """The application, its event streams kept in ``one``."""

    def __init__(self, one: Router) -> None:
        self._one = one

    async def __call__(self, call: Call) -> None:
        kept = call.outlet = _Kept(call.outlet)
        await self._one.app(call)
        if kept.streams and kept.ended:
            self._one.streams.append((call.path, b"".join(kept.parts)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one.app, name)


class _Kept:
    """The outlet of one call, with a copy of what is sent."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self.parts: list[bytes] = []
        self.streams = self.ended = False

    def head(self, call: Call, status: int, headers: Iterable[Header]) -> None:
        lines = list(headers)
        self.streams = any(b"text/event-stream" in line for line in lines)
        self._outlet.head(call, status, lines)

    def send(self, call: Call, data: bytes) -> None:
        self.parts.append(data)
        self._outlet.send(call, data)

    def end(self, call: Call, data: bytes) -> None:
        self.parts.append(data)
        self.ended = not call.left
        self._outlet.end(call, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outlet, name)


@contextlib.contextmanager
def router(
    folder: Path,
    *,
    toml: str = "",
    env: Mapping[str, str] | None = None,
    upstream: Upstream | None = None,
    store: StateStore | None = None,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[Router]:
    """``toml`` is hermes-router.toml; ``{up}`` in it stands for the upstream's address."""
    loaded = load_from(
        folder,
        {"DRAIN_SECONDS": "1", "STARTUP_DETECTION": "0", **(env or {})},
        flags={"port": 0},
        toml=toml.replace("{up}", upstream.url if upstream else ""),
    )
    app = make_app(make_world(loaded), store=store or MemoryStore(), transport=transport, clock=clock)
    listener = listen("127.0.0.1", 0)
    one = Router(app, listener.getsockname()[1])
    ready = threading.Event()
    app_of_server: Any = _Keeping(one)
    server = Server(app_of_server, ready.set)
    thread = threading.Thread(target=_run, args=(server, listener, one, ready), daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE)
    assert thread.is_alive(), "the router did not start"
    try:
        yield one
    finally:
        one.close()
        one.call(server.tell)
        thread.join(_PATIENCE)
    assert not thread.is_alive(), "the router did not stop"
    one.check_streams()


def _run(server: Server, listener: socket.socket, one: Router, ready: threading.Event) -> None:
    async def main() -> None:
        one._loop = asyncio.get_running_loop()
        await server.serve(listener)

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main())
    finally:
        listener.close()
        ready.set()
