"""A caller who leaves takes the upstream with it within a second; a router told to stop finishes what is open."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.openai_grammar import check_openai_stream
from fakes.router import Router
from fakes.served import Start, provider, user
from fakes.upstream import Step, Upstream, drip, error, hang, sse, text_stream

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
HEADERS = {"authorization": "Bearer sk-router-1", "content-type": "application/json"}
PROMPT = 1.0


def begin(routed: Router, path: str, stream: bool) -> http.client.HTTPConnection:
    connection = routed.connect()
    body = {"model": "x", "max_tokens": 99, "messages": user("hi"), "stream": stream}
    connection.request("POST", path, orjson.dumps(body), HEADERS)
    return connection


SILENT: dict[str, Callable[[], Step]] = {
    "before the head": hang,
    "after the head": lambda: sse([], then="stall"),
    "in the middle": lambda: sse(text_stream("one ")[:2], then="stall"),
    "while it drips": drip,
    "while it speaks": lambda: sse(text_stream(*["word "] * 1000), gap=0.02),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("silence", SILENT.values(), ids=SILENT.keys())
def test_the_upstream_is_left_within_a_second_of_its_caller(
    start: Start, up: Upstream, silence: Callable[[], Step], stream: bool, path: str
):
    up.script(silence())
    routed = start(provider("mine"))
    connection = begin(routed, path, stream)
    up.wait_for(lambda: up.requests)
    left = time.monotonic()
    connection.close()
    up.wait_for(lambda: up.closed)
    assert (up.closed[0].gone_at or 0.0) - left < PROMPT
    routed.wait_for(lambda: routed.runtime.engine.open == 0)
    assert len(up.requests) == 1


def test_a_caller_who_leaves_while_waiting_for_quota_is_forgotten(start: Start, up: Upstream):
    up.script(error(429, headers={"retry-after": "20"}))
    routed = start(provider("mine"))
    connection = begin(routed, CHAT, True)
    routed.wait_for(lambda: routed.runtime.engine.room.waiting)
    connection.close()
    routed.wait_for(lambda: not routed.runtime.engine.room.waiting)
    routed.wait_for(lambda: routed.runtime.engine.open == 0)


def test_leaving_counts_against_nobody(start: Start, up: Upstream):
    up.script(hang(), hang(), hang(), hang())
    routed = start(provider("mine"))
    for _ in range(4):
        connection = begin(routed, CHAT, True)
        up.wait_for(lambda: len(up.requests) > len(up.closed))
        connection.close()
        up.wait_for(lambda: len(up.requests) == len(up.closed))
    assert routed.post(CHAT, {"model": "x", "messages": user("hi")}).status == 200


def test_what_an_abandoned_request_held_is_given_back(start: Start, up: Upstream):
    up.script(hang())
    routed = start(provider("mine", facts="limits = { concurrency = 1 }\n"))
    connection = begin(routed, CHAT, False)
    up.wait_for(lambda: up.requests)
    connection.close()
    up.wait_for(lambda: up.closed)
    response = routed.post(CHAT, {"model": "x", "messages": user("hi")}, x_hermes_max_wait="2")
    assert response.status == 200


def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error(start: Start, up: Upstream, caplog: Any):
    routed = start(provider("mine"))
    with socket.create_connection(("127.0.0.1", routed.port)) as raw:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-router-1\r\n"
        raw.sendall(f"{head}content-length: 1000\r\n\r\n{{".encode())
    assert routed.raw("GET", "/health").status == 200
    assert up.requests == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_body_that_comes_slowly_is_read_whole(start: Start, up: Upstream):
    routed = start(provider("mine"))
    body = orjson.dumps({"model": "x", "messages": user("word " * 400)})
    connection = routed.connect()
    connection.putrequest("POST", CHAT)
    for name, value in {**HEADERS, "content-length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    pieces = [body[at : at + 500] for at in range(0, len(body), 500)]
    turn = threading.Event()
    for piece in pieces:
        connection.send(piece)
        turn.wait(0.05)  # longer than the router takes to begin to watch for a caller who leaves
    assert connection.getresponse().status == 200
    connection.close()


async def test_the_async_sdk_leaving_a_stream_ends_the_upstream(start: Start, up: Upstream):
    up.script(sse(text_stream("one ")[:2], then="stall"))
    async with start(provider("mine")).async_openai() as client:
        stream = await client.chat.completions.create(
            model="x", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        async for _ in stream:
            break
        await stream.close()
    await asyncio.to_thread(up.wait_for, lambda: up.closed)


# --- a process of its own


@pytest.fixture
def served(up: Upstream, tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    """Runs ``hermes-router serve`` and gives the process and its port."""
    running: list[subprocess.Popen[bytes]] = []

    def run(toml: str, **env: str) -> tuple[subprocess.Popen[bytes], int]:
        (tmp_path / "hermes-router.toml").write_text(toml.replace("{up}", up.url))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        found = os.pathsep.join(sys.path)
        process = subprocess.Popen(
            [sys.executable, "-c", "from hermes_router.cli.app import main; main()", "serve", "--port", str(port)],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HERMES_HOME": str(tmp_path),
                "STARTUP_DETECTION": "0",
                "PYTHONPATH": found,
                **env,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        _until_it_listens(process, port)
        return process, port

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    pause = threading.Event()
    for _ in range(1000):
        assert process.poll() is None, "it did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.01)
    raise TimeoutError("it does not listen")


@contextmanager
def _open_stream(port: int) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = {"model": "x", "messages": user("hi"), "stream": True}
    connection.request("POST", CHAT, orjson.dumps(body), HEADERS)
    with closing(connection), connection.getresponse() as response:
        yield response


def test_sigterm_finishes_open_streams_and_takes_no_new_ones(
    served: Callable[..., tuple[subprocess.Popen[bytes], int]], up: Upstream
):
    pieces = [f"word{number} " for number in range(20)]
    up.script(sse(text_stream(*pieces), gap=0.05))
    process, port = served(provider("mine"))
    with _open_stream(port) as response:
        first = response.read(100)
        process.send_signal(signal.SIGTERM)
        rest = response.read()
    chunks = check_openai_stream(first + rest)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
    assert text == "".join(pieces)
    assert process.wait(5) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_while_draining_ready_is_a_503_and_new_requests_are_told_so(
    served: Callable[..., tuple[subprocess.Popen[bytes], int]], up: Upstream
):
    up.script(sse(text_stream(*["word "] * 2000), gap=0.05))
    process, port = served(provider("mine"))
    with _open_stream(port) as response:
        response.read(100)
        process.send_signal(signal.SIGTERM)
        assert _becomes_503(port)
        reasons, asked = _asked(port, "GET", "/ready")[1], _asked(port, "POST", CHAT, {"model": "x"})
        assert _asked(port, "GET", "/health")[0] == 200
    assert "shutting down" in reasons["reasons"][0]
    assert asked[0] == 503
    assert asked[1]["error"]["code"] == "shutting_down"
    assert process.wait(5) == 0


def _becomes_503(port: int) -> bool:
    pause = threading.Event()
    for _ in range(200):
        if _asked(port, "GET", "/ready")[0] == 503:
            return True
        pause.wait(0.01)
    return False


def _asked(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, orjson.dumps(body) if body else None, HEADERS)
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())


def test_streams_that_outlast_the_drain_end_in_an_error_event(
    served: Callable[..., tuple[subprocess.Popen[bytes], int]], up: Upstream
):
    up.script(sse(text_stream(*["word "] * 2000), gap=0.05))
    process, port = served(provider("mine"), DRAIN_SECONDS="1")
    with _open_stream(port) as response:
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        said = response.read()
    assert orjson.loads(said.split(b"data: ")[-1])["error"]["code"] == "shutting_down"
    assert process.wait(10) == 0
    assert time.monotonic() - told < 4
    up.wait_for(lambda: up.closed)


def test_who_waits_for_quota_when_the_drain_is_over_gets_an_error_of_the_api(
    served: Callable[..., tuple[subprocess.Popen[bytes], int]], up: Upstream
):
    up.script(error(429, headers={"retry-after": "50"}), for_ever=True)
    process, port = served(provider("mine"), DRAIN_SECONDS="1")
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", CHAT, orjson.dumps({"model": "x", "messages": user("hi")}), HEADERS)
        up.wait_for(lambda: up.requests)
        process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        assert orjson.loads(response.read())["error"]["code"] == "shutting_down"
    assert process.wait(10) == 0
