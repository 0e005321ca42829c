"""Fifty callers for minutes, in front of providers that fail in every way they can; prints what the router still holds.

python scripts/soak.py [--minutes 10] [--callers 50] [--seed 1]

Starts a world of providers in this process (real sockets on loopback) and `python -m hermes_router serve` in another,
and lets callers of both dialects ask, streamed and whole, some of whom leave early or read slowly. Each answer has a
known text: one that is not exactly that text, or the beginning of it followed by an error, is wrong. A line every ten
seconds: requests, the router's resident memory, its file descriptors, and what `GET /v1/status` counts as open.

Exit status 1: memory still grew in the last quarter; a request, a lease, a connection, a task or a file descriptor was
left a minute after the last request, when idle connections have been closed; an answer was wrong; or it did not stop.
Needs Linux for memory and descriptors; only the standard library.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

PROVIDERS = ("north", "east", "south", "west", "dawn", "dusk")
KEY, ADMIN = "k-soak-1", "k-soak-admin-1"
ASK = "end:\n\n"
"""What comes before the words that a router asks a model to repeat."""
EVERY = 10.0
SETTLE = 75.0
GROWTH = 1.04
"""How much more memory the last quarter may hold than the third, and at least ..."""
GROWTH_MB = 3.0
"""What the router remembers on purpose (8,192 turns, 4,096 calls an account) is full after some 9,000 requests."""
IDLE_TASKS = 3
"""What one status request may add to the tasks at rest."""

FAULTS: dict[str, float] = {
    "429": 4,
    "500": 4,
    "503": 4,
    "html": 1,
    "garbage": 1,
    "reset": 3,
    "end of file": 2,
    "hang": 1.5,
    "drip": 1,
    "empty": 2,
    "error in stream": 2,
    "cut": 8,
    "reset in stream": 3,
    "stall": 2,
    "no done": 3,
    "malformed event": 3,
    "slow": 3,
    "cut call": 3,
}
"""Fault -> how many calls of a hundred meet it."""


def text_of(number: int) -> str:
    """The answer to question ``number``: no two places in it are alike."""
    return " ".join(f"word{number}x{at}" for at in range(20 + number % 60)) + "."


# --- the world


class World:
    """The providers. ``busy`` counts calls that are being answered."""

    def __init__(self, seed: int) -> None:
        self.met: Counter[str] = Counter()
        self.busy = 0
        self.port = 0
        self._draw = random.Random(seed)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (body := await read_request(reader)) is not None:
                self.busy += 1
                try:
                    keep = await (self._answer(body, reader, writer) if body else _models(writer))
                finally:
                    self.busy -= 1
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may carry another request."""
        fault = "none"
        point = self._draw.uniform(0, 100)
        for name, share in FAULTS.items():
            point -= share
            if point < 0:
                fault = name
                break
        self.met[fault] += 1
        return await _Reply(body, reader, writer, self._draw).give(fault)


async def _models(writer: asyncio.StreamWriter) -> bool:
    """The answer to a GET, which is for the list of models."""
    data = b'{"data": [{"id": "m"}]}'
    writer.write(
        b"HTTP/1.1 200 Soak\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data) + data
    )
    await writer.drain()
    return True


class _Reply:
    """One answer of a provider."""

    def __init__(
        self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, draw: random.Random
    ) -> None:
        self.body, self.reader, self.writer, self.draw = body, reader, writer, draw
        self.streams = bool(body.get("stream"))
        self.call = bool(body.get("tools"))
        self.text = said(body)

    async def give(self, fault: str) -> bool:
        simple: dict[str, Callable[[], Awaitable[bool]]] = {
            "429": lambda: self.whole(429, {"error": {"message": "slow down"}}, "retry-after: 2\r\n"),
            "500": lambda: self.whole(500, {"error": {"message": "internal error"}}),
            "503": lambda: self.whole(503, {"error": {"message": "overloaded"}}),
            "html": lambda: self.raw(200, "text/html", b"<html><body>Bad gateway</body></html>"),
            "garbage": lambda: self.raw(200, "application/json", b'{"choices": [{"mess'),
            "reset": self.reset,
            "end of file": self.nothing,
            "hang": self.hang,
            "drip": self.drip,
        }
        if fault in simple:
            return await simple[fault]()
        if not self.streams:
            return await self.whole(200, self.completion("" if fault == "empty" else self.text))
        return await self.stream(fault)

    async def whole(self, status: int, body: object, more: str = "") -> bool:
        return await self.raw(status, "application/json", json.dumps(body).encode(), more)

    async def raw(self, status: int, kind: str, data: bytes, more: str = "") -> bool:
        head = f"HTTP/1.1 {status} Soak\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{more}\r\n"
        self.writer.write(head.encode() + data)
        await self.writer.drain()
        return True

    async def reset(self) -> bool:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        return False

    async def nothing(self) -> bool:
        return False

    async def hang(self) -> bool:
        await self.reader.read(1)
        return False

    async def drip(self) -> bool:
        self.open()
        with contextlib.suppress(ConnectionError):
            while not await self._left(1.0):
                self.chunk(b": still thinking\n\n")
                await self.writer.drain()
        return False

    async def _left(self, seconds: float) -> bool:
        try:
            return not await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return False

    def open(self) -> None:
        self.writer.write(b"HTTP/1.1 200 Soak\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
        self.chunk(b"data: %s\n\n" % json.dumps(value).encode())

    async def stream(self, fault: str) -> bool:
        self.open()
        if fault == "slow":
            await asyncio.sleep(self.draw.uniform(1.0, 3.5))
        pieces = [] if fault == "empty" or self.call else _pieces(self.text, self.draw)
        stop = self.draw.randrange(max(1, len(pieces)))
        self.event({"role": "assistant"})
        for at, piece in enumerate(pieces):
            if at == stop and (ends := await self._break(fault)) is not None:
                return ends
            self.event({"content": piece})
            await self.writer.drain()
            await asyncio.sleep(self.draw.uniform(0.0, 0.03))
        if self.call and fault != "empty" and not await self._call(fault):
            return False
        usage = {"prompt_tokens": 9, "completion_tokens": len(pieces), "total_tokens": 9 + len(pieces)}
        self.event({}, "tool_calls" if self.call else "stop", usage=usage)
        if fault != "no done":
            self.chunk(b"data: [DONE]\n\n")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def _break(self, fault: str) -> bool | None:
        """None: it goes on."""
        match fault:
            case "cut":
                return False
            case "reset in stream":
                await self.writer.drain()
                return await self.reset()
            case "stall":
                return await self.hang()
            case "error in stream":
                self.chunk(b'data: {"error": {"message": "the engine failed", "code": 500}}\n\n')
                self.writer.write(b"0\r\n\r\n")
                return True
            case "malformed event":
                self.chunk(b'data: {"choices": [{"del\n\n')
        return None

    async def _call(self, fault: str) -> bool:
        arguments = json.dumps({"words": self.text})
        cut = len(arguments) // 2 if fault in ("cut call", "cut", "stall", "reset in stream") else len(arguments)
        name = self.body["tools"][0]["function"]["name"]
        for at in range(0, cut, 40):
            start = {"id": "call_1", "type": "function"} if at == 0 else {}
            function = {"name": name} if at == 0 else {}
            piece = {"index": 0, **start, "function": {**function, "arguments": arguments[at : min(at + 40, cut)]}}
            self.event({"tool_calls": [piece]})
            await self.writer.drain()
        if cut < len(arguments):
            return await self.hang() if fault == "stall" else False
        return True

    def completion(self, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.call:
            function = {"name": self.body["tools"][0]["function"]["name"], "arguments": json.dumps({"words": text})}
            message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if self.call else "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        return {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }


def said(body: dict[str, Any]) -> str:
    """What a model says to this: the answer, or the words it is asked to repeat and the rest of the answer."""
    messages = body["messages"]
    question = next(str(one["content"]) for one in messages if one["role"] == "user")
    text = text_of(int(question.split()[-1]))
    last = messages[-1]
    if last["role"] == "assistant":
        return text[len(str(last["content"])) :]
    if ASK in str(last["content"]):
        begun = next(str(one["content"]) for one in messages if one["role"] == "assistant")
        return str(last["content"]).partition(ASK)[2] + text[len(begun) :]
    return text


def _pieces(text: str, draw: random.Random) -> list[str]:
    pieces, at = [], 0
    while at < len(text):
        size = draw.randint(4, 30)
        pieces.append(text[at : at + size])
        at += size
    return pieces


async def read_request(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The JSON body of the next request, empty for a GET; None where there is no next one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    value: dict[str, Any] = json.loads(await reader.readexactly(length) or b"{}")
    return value


# --- the callers


class Callers:
    """``told`` counts how requests ended; ``wrong`` holds a few answers that were not what they had to be."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.told: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.stop = False
        self._draw = random.Random(seed + 1)
        self._numbers = iter(range(10**9))

    async def run(self) -> None:
        """One caller, until ``stop``."""
        while not self.stop:
            try:
                await self._ask()
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.told[f"connection: {type(error).__name__}"] += 1
            await asyncio.sleep(self._draw.uniform(0.0, 0.6))

    async def _ask(self) -> None:
        number, draw = next(self._numbers), self._draw
        dialect = draw.choice(("openai", "anthropic"))
        stream, call = draw.random() < 0.7, draw.random() < 0.2
        leaves = draw.uniform(0.0, 2.0) if draw.random() < 0.08 else None
        slow = draw.random() < 0.03
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request_bytes(dialect, number, stream=stream, call=call))
            await writer.drain()
            if leaves is None:
                status, data = await read_response(reader, pause=0.2 if slow else 0.0)
                self._judge(dialect, number, status, data, stream=stream, call=call)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(read_response(reader), leaves)
                self.told["left early"] += 1
        finally:
            writer.close()

    def _judge(self, dialect: str, number: int, status: int, data: bytes, *, stream: bool, call: bool) -> None:
        if status != 200:
            self.told[f"status {status}"] += 1
            return
        read = (openai_stream if dialect == "openai" else anthropic_stream) if stream else whole
        text, ended = read(data)
        wanted = json.dumps({"words": text_of(number)}) if call else text_of(number)
        if call and text:
            text = json.dumps(json.loads(text)) if ended else text
        if ended and text == wanted:
            self.told["whole"] += 1
        elif not ended and wanted.startswith(text):
            self.told["ended in an error event"] += 1
        else:
            self.told["WRONG"] += 1
            if len(self.wrong) < 5:
                self.wrong.append(f"{dialect} {number} stream={stream} call={call}: {text[-300:]!r}")


def request_bytes(dialect: str, number: int, *, stream: bool, call: bool) -> bytes:
    body: dict[str, Any] = {"model": "auto", "stream": stream, "max_tokens": 2000}
    body["messages"] = [{"role": "user", "content": f"Please answer question {number}"}]
    schema = {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}
    if call and dialect == "openai":
        body["tools"] = [{"type": "function", "function": {"name": "note", "parameters": schema}}]
    elif call:
        body["tools"] = [{"name": "note", "input_schema": schema}]
    data = json.dumps(body).encode()
    path = "/v1/chat/completions" if dialect == "openai" else "/v1/messages"
    return head_bytes("POST", path, KEY, len(data)) + data


def head_bytes(method: str, path: str, key: str, length: int) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


async def read_response(reader: asyncio.StreamReader, pause: float = 0.0) -> tuple[int, bytes]:
    """Status and body of a response after which the connection closes."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = b""
    while data := await reader.read(2048 if pause else 65536):
        body += data
        await asyncio.sleep(pause)
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunk(body)
    return int(head.split(b" ", 2)[1]), body


def unchunk(data: bytes) -> bytes:
    whole, at = b"", 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if size == 0:
            break
        whole += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return whole


def _events(data: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in data.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def openai_stream(data: bytes) -> tuple[str, bool]:
    """The text, or the arguments of its call; and whether it has a regular end."""
    text = ""
    for event in _events(data):
        for choice in event.get("choices", ()):
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                text += call["function"].get("arguments", "")
    return text, b"data: [DONE]" in data


def anthropic_stream(data: bytes) -> tuple[str, bool]:
    text = ""
    for event in _events(data):
        delta = event.get("delta", {})
        text += delta.get("text", "") + delta.get("partial_json", "")
    return text, b'"message_stop"' in data


def whole(data: bytes) -> tuple[str, bool]:
    body = json.loads(data)
    if "choices" in body:
        message = body["choices"][0]["message"]
        calls = message.get("tool_calls") or ()
        return "".join(call["function"]["arguments"] for call in calls) or message["content"], True
    parts = [json.dumps(one["input"]) if one["type"] == "tool_use" else one.get("text", "") for one in body["content"]]
    return "".join(parts), True


# --- the router


def toml(port: int) -> str:
    return "\n".join(
        f'[providers.{name}]\nwire = "openai"\nbase_url = "http://127.0.0.1:{port}/{name}/v1"\nkeys = ["k-{name}-1"]\n'
        f'[[providers.{name}.models]]\nid = "m"\ntools = true\ncontext = 100000\nmax_output = 8000\n'
        "limits = { rpm = 6000 }\n"
        for name in PROVIDERS
    )


def start_router(folder: Path, world_port: int) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (folder / "hermes-router.toml").write_text(toml(world_port), "utf-8")
    env = {
        "PATH": os.environ.get("PATH", ""),
        "HERMES_HOME": str(folder),
        "PORT": str(port),
        "PROXY_API_KEYS": KEY,
        "ADMIN_API_KEY": ADMIN,
        "FIRST_EVENT_TIMEOUT": "4",
        "GAP_TIMEOUT": "3",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "hermes_router", "serve"]
    process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL)
    return process, port


async def status(port: int) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head_bytes("GET", "/v1/status?brief=1", ADMIN, 0))
        _, data = await read_response(reader)
        value: dict[str, Any] = json.loads(data)
        return value
    finally:
        writer.close()


async def until_ready(port: int) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            await status(port)
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.1)


class Sample:
    """What the router held at one moment. Memory in MB."""

    def __init__(self, pid: int, said: dict[str, Any]) -> None:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
        self.memory = int(pages) * os.sysconf("SC_PAGE_SIZE") / 1048576
        self.files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only, and quickly
        self.open, self.leases = said["open"], said["open_leases"]
        self.connections, self.tasks = said["open_connections"], said["tasks"]

    def __str__(self) -> str:
        return (
            f"memory {self.memory:6.1f} MB  files {self.files:4d}  requests {self.open:3d}  leases {self.leases:3d}"
            f"  connections {self.connections:3d}  tasks {self.tasks:4d}"
        )


async def soak(minutes: float, many: int, seed: int) -> bool:
    """Whether all is well."""
    world = World(seed)
    await world.start()
    with tempfile.TemporaryDirectory() as folder:
        process, port = start_router(Path(folder), world.port)
        try:
            await until_ready(port)
            well = await _watched(world, Callers(port, seed), process.pid, minutes, many)
            return await _stops(process) and well
        finally:
            process.kill()
            world.stop()


async def _stops(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ends when it is told to."""
    process.terminate()
    for _ in range(100):
        if process.poll() is not None:
            return True
        await asyncio.sleep(0.1)
    print("PROBLEM: it does not stop within 10 s")
    return False


async def _watched(world: World, callers: Callers, pid: int, minutes: float, many: int) -> bool:
    port = callers.port
    rest = Sample(pid, await status(port))
    print(f"     0 s  at rest                  {rest}", flush=True)
    tasks = [asyncio.create_task(callers.run()) for _ in range(many)]
    samples: list[Sample] = []
    began = time.monotonic()
    while (passed := time.monotonic() - began) < minutes * 60:
        await asyncio.sleep(min(EVERY, minutes * 60 - passed))
        samples.append(Sample(pid, await status(port)))
        counted = f"{callers.told['whole']:6d} of {callers.told.total():6d}"
        print(f"{time.monotonic() - began:6.0f} s  whole {counted}  {samples[-1]}", flush=True)
    callers.stop = True
    await asyncio.gather(*tasks)
    end = await _settled(pid, port, rest)
    print(f"        after the last request    {end}")
    _tell(world, callers)
    problems = [*_grown(samples), *_left(end, rest, world), *(f"wrong answer: {one}" for one in callers.wrong)]
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("no leak" if not problems else "not well")
    return not problems


async def _settled(pid: int, port: int, rest: Sample) -> Sample:
    """Once nothing changes any more, or after a while."""
    ends = time.monotonic() + SETTLE
    while True:
        sample = Sample(pid, await status(port))
        busy = sample.open or sample.leases or sample.connections or sample.tasks > rest.tasks + IDLE_TASKS
        if (not busy and sample.files <= rest.files) or time.monotonic() > ends:
            return sample
        await asyncio.sleep(0.5)


def _grown(samples: list[Sample]) -> list[str]:
    quarter = len(samples) // 4
    if quarter < 2:
        return []
    before = statistics.median(one.memory for one in samples[-2 * quarter : -quarter])
    after = statistics.median(one.memory for one in samples[-quarter:])
    print(f"memory: {before:.1f} MB in the third quarter, {after:.1f} MB in the last")
    if after > max(before * GROWTH, before + GROWTH_MB):
        return [f"memory grew from {before:.1f} to {after:.1f} MB"]
    return []


def _left(end: Sample, rest: Sample, world: World) -> list[str]:
    counts = {
        "requests": end.open,
        "leases": end.leases,
        "connections in use": end.connections,
        "calls at the providers": world.busy,
        "file descriptors": max(0, end.files - rest.files),
        "tasks": max(0, end.tasks - rest.tasks - IDLE_TASKS),
    }
    return [f"{count} {what} left" for what, count in counts.items() if count]


def _tell(world: World, callers: Callers) -> None:
    print("answers: " + ", ".join(f"{count} {what}" for what, count in callers.told.most_common()))
    print("met: " + ", ".join(f"{count} {what}" for what, count in world.met.most_common()))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    return 0 if asyncio.run(soak(said.minutes, said.callers, said.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
