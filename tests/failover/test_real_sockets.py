"""What only real sockets show: networks that fail, callers who leave, readers who stop reading."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop

from fakes.router import Router, router
from fakes.served import ABLE, Start, provider
from fakes.upstream import Peer, Seen, Step, Upstream, delta, frame, hang, reset_before_headers, sse, text_stream
from hermes_router.transport.base import HttpRequest
from hermes_router.transport.http1 import Http1Transport

SECONDS = 0.1
"""In which an upstream must have seen that the caller left."""
GENEROUS = 2.0
"""What a loaded machine may take."""
MEGABYTE = 1024 * 1024
CHAIN = '[aliases]\nchain = ["first/m1", "second/m1"]\n'


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def start(up: Upstream, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(toml: str = "", **more: Any) -> Router:
            return stack.enter_context(router(tmp_path, toml=toml, upstream=up, **more))

        yield begin


def body(model: str = "chain", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True, **more}


def end_of_file() -> Step:
    """The connection is closed in good order, without an answer."""

    async def step(peer: Peer, seen: Seen) -> None:
        peer.kept = False

    return step


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


ADDRESSES = {
    "a name that does not resolve": lambda up: "http://nobody.invalid/v1",
    "refused": lambda up: f"http://127.0.0.1:{free_port()}/v1",
    "TLS to a server without": lambda up: up.at("first").replace("http:", "https:"),
    "reset": lambda up: up.at("first"),
    "end of file": lambda up: up.at("first"),
}
STEPS = {"reset": reset_before_headers(), "end of file": end_of_file()}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("kind", ADDRESSES)
def test_network_failure_is_classified_and_invisible(kind: str, stream: bool, up: Upstream, start: Start):
    if kind in STEPS:
        up.script(STEPS[kind], path="/first/", for_ever=True)
    toml = provider("first").replace("{up}/first/v1", ADDRESSES[kind](up)) + provider("second") + CHAIN
    one = start(toml)
    began = time.monotonic()
    reply = one.post("/v1/chat/completions", body(stream=stream))
    assert reply.status == 200
    assert reply.headers["x-hermes-provider"] == "second"
    assert time.monotonic() - began < 8
    attempts = one.runtime.telemetry.log.latest(1)[0].attempts
    assert attempts[0].outcome in ("connect", "cut")
    assert attempts[0].message


def test_connection_that_its_server_closed_while_idle_costs_nothing(up: Upstream, start: Start):
    one = start(provider("first") + provider("second") + CHAIN)
    assert one.post("/v1/chat/completions", body()).status == 200

    async def closes_after(peer: Peer, seen: Seen) -> None:
        await sse(text_stream("fine"))(peer, seen)
        peer.kept = False

    up.script(closes_after, path="/first/")
    assert one.post("/v1/chat/completions", body()).headers["x-hermes-provider"] == "first"
    reply = one.post("/v1/chat/completions", body())
    assert (reply.headers["x-hermes-provider"], reply.headers["x-hermes-attempts"]) == ("first", "1")


class Raw:
    """A caller with a plain socket, which can leave or stop reading."""

    def __init__(self, one: Router, said: dict[str, Any], window: int | None = None) -> None:
        self.socket = socket.socket()
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", one.port))
        data = orjson.dumps(said)
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk-router-1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + data)

    def read_until(self, what: bytes) -> bytes:
        got = b""
        while what not in got:
            part = self.socket.recv(65536)
            assert part, "the router closed the connection"
            got += part
        return got

    def leave(self) -> float:
        """When it left."""
        self.socket.close()
        return time.monotonic()


LEAVING = {
    "before any answer": (hang(), b""),
    "while it speaks": (sse([delta("word ")] * 5000, gap=0.02), b"word "),
    "while it is silent in the middle": (sse([delta("word ")], then="stall"), b"word "),
}


@pytest.mark.parametrize("when", LEAVING)
def test_caller_who_leaves_closes_the_upstream(
    when: str, up: Upstream, start: Start, capsys: pytest.CaptureFixture[str]
):
    step, seen = LEAVING[when]
    one = start(provider("first"))
    up.script(step)
    caller = Raw(one, body("auto"))
    up.wait_for(lambda: up.requests)
    if seen:
        caller.read_until(seen)
    left = caller.leave()
    up.wait_for(lambda: up.closed, GENEROUS + 3)
    took = (up.closed[0].gone_at or 0) - left
    with capsys.disabled():
        print(f"\n    caller left {when}: upstream closed after {took * 1000:.0f} ms (asked for: {SECONDS * 1000:.0f})")
    assert took < GENEROUS
    one.wait_for(lambda: one.runtime.engine.open == 0)
    assert one.runtime.pool.ledger.open_leases == 0


def test_caller_who_leaves_the_queue_is_forgotten(up: Upstream, start: Start):
    one = start(provider("first", facts="tools = true\nlimits = { concurrency = 1 }"))
    up.script(hang())
    first = Raw(one, body("auto"))
    up.wait_for(lambda: up.requests)
    second = Raw(one, body("auto"))
    one.wait_for(lambda: one.runtime.engine.room.waiting)
    left = second.leave()
    one.wait_for(lambda: not one.runtime.engine.room.waiting)
    assert time.monotonic() - left < GENEROUS
    first.leave()
    one.wait_for(lambda: one.runtime.engine.open == 0)
    assert len(up.requests) == 1


def test_reader_who_stops_reading_holds_bounded_memory(up: Upstream, start: Start):
    sent = 0
    piece = frame(delta("x" * 16000))

    async def endless(peer: Peer, seen: Seen) -> None:
        nonlocal sent
        await peer.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
        while not peer.left.is_set() and sent < 400 * MEGABYTE:
            await peer.chunk(piece)
            sent += len(piece)

    one = start(provider("first"))
    up.script(endless)
    caller = Raw(one, body("auto"), window=32768)
    caller.read_until(b"xxx")
    stood = _stands_still(lambda: sent)
    assert stood < 24 * MEGABYTE, "socket buffers, and what the router holds"
    read = 0
    while read < 4 * MEGABYTE:
        read += len(caller.socket.recv(65536))
    again = _stands_still(lambda: sent)
    assert again > stood, "it goes on where it was paused"
    assert again - stood < 24 * MEGABYTE
    caller.leave()
    up.wait_for(lambda: up.closed, 5)
    one.wait_for(lambda: one.runtime.engine.open == 0)


def _stands_still(count: Any, seconds: float = 0.6, timeout: float = 15.0) -> int:
    """The number, once it has not moved for this long."""
    ends, last, since = time.monotonic() + timeout, -1, time.monotonic()
    while time.monotonic() < ends:
        now = count()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > seconds:
            return int(now)
        time.sleep(0.02)
    raise AssertionError("it never stood still: the upstream is not paused")


def test_request_given_up_while_it_connects_leaves_no_connection(up: Upstream):
    up.script(hang(), for_ever=True)
    request = HttpRequest("POST", up.at("first"), {}, b"{}")

    async def main() -> None:
        transport = Http1Transport()
        for turns in range(120):
            sending = asyncio.ensure_future(transport.send(request))
            for _ in range(turns // 3):
                await asyncio.sleep(0)
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        await asyncio.sleep(0.05)
        assert transport.open_connections == 0
        await asyncio.wait_for(transport.aclose(), 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("of", ["model", "provider"])
def test_connect_timeout_can_be_set(of: str, up: Upstream, start: Start):
    with socket.socket() as full, socket.socket() as other:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        other.connect(("127.0.0.1", port))  # its queue is full now: whoever comes next hears nothing
        more = "[providers.first.timeouts]\nconnect = 0.3\n" if of == "provider" else ""
        facts = ABLE + ("timeouts = { connect = 0.3 }\n" if of == "model" else "")
        toml = provider("first", facts=facts).replace("{up}/first/v1", f"http://127.0.0.1:{port}/v1")
        one = start(toml + more + provider("second") + CHAIN)
        began = time.monotonic()
        reply = one.post("/v1/chat/completions", body())
        assert reply.headers["x-hermes-provider"] == "second"
        assert 0.3 <= time.monotonic() - began < 2.5
        assert one.runtime.telemetry.log.latest(1)[0].attempts[0].outcome == "connect"
