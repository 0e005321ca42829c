"""The whole router in one virtual loop: providers in memory, callers of both dialects, a clock that costs nothing.

``Heard`` reads what a caller got with the grammar checks, which share no code with the writers.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import orjson

from hermes_router.pool.world import World
from hermes_router.server.app import App
from hermes_router.server.compose import make_app, make_world
from hermes_router.storage.memory import MemoryStore

from .configured import load_from
from .grammar import check_anthropic_stream
from .memory_transport import MemoryTransport
from .openai_grammar import check_openai_stream
from .pipe import Pipe
from .streams import check_stream, is_stream
from .virtual_time import wall

KEY = "sk-router-1"
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
DIALECTS = tuple(PATHS)


def toml_of(*names: str, facts: str = "", alias: bool = False, more: str = "") -> str:
    """Providers by name, each with a model ``m`` at ``http://<name>.test/v1``; ``alias``: ``chain`` names them in this
    order. ``facts`` are TOML lines of every model."""
    parts = [_provider(name, facts) for name in names]
    listed = orjson.dumps([f"{name}/m" for name in names]).decode()
    return "\n".join([more, *parts, f"[aliases]\nchain = {listed}\n" if alias else ""])


def _provider(name: str, facts: str) -> str:
    return (
        f'[providers.{name}]\nwire = "openai"\nbase_url = "http://{name}.test/v1"\nkeys = ["k-{name}-1"]\n'
        f'[[providers.{name}.models]]\nid = "m"\ntools = true\njson_schema = true\n{facts}\n'
    )


@lru_cache(maxsize=256)
def world_of(toml: str, env: tuple[tuple[str, str], ...] = ()) -> World:
    """The World of this configuration; built once."""
    with tempfile.TemporaryDirectory() as folder:
        return make_world(load_from(Path(folder), {"ADMIN_API_KEY": "k-admin-test-1", **dict(env)}, toml=toml))


class Heard(msgspec.Struct, kw_only=True):
    """What a caller got. ``first`` and ``took``: seconds to the status line and to the end. ``finish``: the dialect's
    own word, None where the answer has no regular end; ``error`` the error object, None where there is none."""

    status: int
    headers: dict[str, str]
    raw: bytes
    first: float = 0.0
    took: float = 0.0
    text: str = ""
    thought: str = ""
    calls: list[tuple[str, Any]] = []
    finish: str | None = None
    error: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    model: str = ""
    comments: list[str] = []
    times: list[float] = []
    """When each piece of the body came."""


class Caller:
    """One request under way. ``left.set()`` takes the caller away."""

    def __init__(self, app: App, pace: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._pipe = Pipe(app, self._note, pace)
        self.left = self._pipe.left
        self.times: list[float] = []
        self.head_at = 0.0
        self.began = self._loop.time()
        self.ended_at = 0.0
        self.task: asyncio.Task[None]

    def begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.task = self._loop.create_task(self._run(method, path, headers, body))

    @property
    def status(self) -> int:
        return self._pipe.status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self._pipe.headers}

    @property
    def parts(self) -> list[bytes]:
        return self._pipe.parts

    @property
    def raw(self) -> bytes:
        return b"".join(self.parts)

    async def _run(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        await self._pipe.run(method, path, headers, body)
        self.ended_at = self._loop.time()
        if is_stream(self._pipe.headers) and not self.left.is_set():
            check_stream(path, self.raw)

    def _note(self, _: bytes) -> None:
        now = self._loop.time()
        self.head_at = self.head_at or now
        self.times.append(now - self.began)


class Lab:
    """An App on ``up``. Make it inside a virtual loop."""

    def __init__(self, toml: str, **env: str) -> None:
        self.up = MemoryTransport()
        world = world_of(toml, tuple(sorted(env.items())))
        self.app: App = make_app(world, store=MemoryStore(), transport=self.up, clock=wall)

    async def ask(self, dialect: str = "openai", **more: Any) -> Heard:
        """One request from its beginning to its end."""
        caller = self.begin(dialect, **more)
        await caller.task
        return heard(dialect, caller)

    def begin(
        self,
        dialect: str = "openai",
        text: str = "hi",
        *,
        stream: bool = True,
        key: str = KEY,
        headers: Mapping[str, str] | None = None,
        pace: float = 0.0,
        **fields: Any,
    ) -> Caller:
        """``pace``: seconds this caller takes to read a piece of the body."""
        body: dict[str, Any] = {"model": "chain", "messages": [{"role": "user", "content": text}], "stream": stream}
        if dialect == "anthropic":
            body["max_tokens"] = 4000
        return self._begin(
            PATHS[dialect], body | fields, {"authorization": f"Bearer {key}", **(headers or {})}, pace=pace
        )

    async def get(self, path: str) -> Any:
        """The JSON of a GET with the caller's key."""
        caller = self._begin(path, None, {"authorization": f"Bearer {KEY}"}, method="GET")
        await caller.task
        return orjson.loads(caller.raw)

    def _begin(
        self, path: str, body: object, headers: Mapping[str, str], *, method: str = "POST", pace: float = 0.0
    ) -> Caller:
        caller = Caller(self.app, pace)
        caller.begin(method, path, headers, orjson.dumps(body) if body is not None else b"")
        return caller


def heard(dialect: str, caller: Caller) -> Heard:
    """What came, read strictly."""
    one = Heard(
        status=caller.status,
        headers=caller.headers,
        raw=caller.raw,
        first=caller.head_at - caller.began,
        took=caller.ended_at - caller.began,
        times=caller.times,
        calls=[],
    )
    if not caller.headers.get("content-type", "").startswith("text/event-stream"):
        _whole(one, orjson.loads(one.raw))
        return one
    one.comments = [line[1:].strip() for line in one.raw.decode().splitlines() if line.startswith(":")]
    (_openai if dialect == "openai" else _anthropic)(one)
    return one


def _whole(one: Heard, body: dict[str, Any]) -> None:
    one.error = body.get("error")
    one.model = body.get("model", "")
    one.usage = body.get("usage")
    if "choices" in body:
        choice = body["choices"][0]
        message = choice["message"]
        one.finish = choice["finish_reason"]
        one.text, one.thought = message.get("content") or "", message.get("reasoning_content") or ""
        one.calls = [
            (call["function"]["name"], orjson.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or []
        ]
    elif "content" in body:
        one.finish = body["stop_reason"]
        one.text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
        one.thought = "".join(block["thinking"] for block in body["content"] if block["type"] == "thinking")
        one.calls = [(block["name"], block["input"]) for block in body["content"] if block["type"] == "tool_use"]


def _openai(one: Heard) -> None:
    arguments: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for chunk in check_openai_stream(one.raw):
        if "error" in chunk:
            one.error = chunk["error"]
            continue
        one.model = chunk["model"]
        one.usage = chunk.get("usage") or one.usage
        for choice in chunk["choices"]:
            delta = choice["delta"]
            one.text += delta.get("content") or ""
            one.thought += delta.get("reasoning_content") or ""
            one.finish = choice["finish_reason"] or one.finish
            for call in delta.get("tool_calls") or []:
                names.setdefault(call["index"], call["function"].get("name", ""))
                arguments.setdefault(call["index"], []).append(call["function"].get("arguments", ""))
    one.calls = [(names[at], orjson.loads("".join(arguments[at]))) for at in names]
    if b"data: [DONE]" not in one.raw:
        one.finish = None


def _anthropic(one: Heard) -> None:
    blocks: dict[int, tuple[str, list[str]]] = {}
    stopped = False
    for event in check_anthropic_stream(one.raw):
        match event["type"]:
            case "error":
                one.error = event["error"]
            case "message_start":
                one.model = event["message"]["model"]
            case "content_block_start" if event["content_block"]["type"] == "tool_use":
                blocks[event["index"]] = (event["content_block"]["name"], [])
            case "content_block_delta":
                delta = event["delta"]
                one.text += delta.get("text", "")
                one.thought += delta.get("thinking", "")
                if "partial_json" in delta:
                    blocks[event["index"]][1].append(delta["partial_json"])
            case "message_delta":
                one.finish = event["delta"]["stop_reason"]
                one.usage = event["usage"]
            case "message_stop":
                stopped = True
    one.calls = [(name, orjson.loads("".join(parts) or "{}")) for name, parts in blocks.values()]
    if not stopped:
        one.finish = None
