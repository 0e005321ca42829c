"""Requests that mean ill, or could be read in two ways: refused, and nothing behind them is read; and nothing a caller
sends takes memory or time without end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import orjson
import pytest

from fakes.line import LIMIT, Answer, Line, echo, read_answers, settle, shared
from fakes.router import KEY, Router, router
from fakes.served import Start, ask_anthropic, ask_openai, provider, user
from fakes.upstream import Step, Upstream, completion, hang, reply, sse, text_stream
from fakes.virtual_time import run
from hermes_router.server.http import Call
from hermes_router.server.protocol import HEAD_LIMIT, Connection, Shared

GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
P = b"POST /broken HTTP/1.1\r\nHost: x\r\n"
CHUNKED = P + b"Transfer-Encoding: chunked\r\n\r\n"


class Served:
    """A line and the calls that reached the application."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.shared = shared(self._answer)
        self.line = Line(self.shared)

    async def _answer(self, call: Call) -> None:
        self.paths.append(call.path)
        await echo(call)


def heard(*packets: bytes, before: bytes = b"") -> tuple[list[Answer], list[str], bool]:
    """(the answers, the paths that were asked for, whether it says no more)."""

    async def main() -> tuple[list[Answer], list[str], bool]:
        served = Served()
        served.line.say(before + packets[0], *packets[1:])
        await settle()
        served.line.say(GET)
        await settle()
        ended = served.line.half_closed or served.line.closing
        answers = served.line.answers()
        served.line.leave()
        await settle()
        assert not served.shared.connections
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return answers, served.paths, ended

    return run(main)


SMUGGLING: dict[str, bytes] = {
    "length and chunked": P + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": P + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": P + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
    "two equal lengths": P + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": P + b"Content-Length: 5,5\r\n\r\nhello",
    "a length with a plus": P + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": P + b"Content-Length: -5\r\n\r\nhello",
    "a length in hex": P + b"Content-Length: 0x5\r\n\r\nhello",
    "a length with a space": P + b"Content-Length: 1 0\r\n\r\nhello",
    "a length with an underscore": P + b"Content-Length: 1_0\r\n\r\nhello",
    "no length": P + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": P + b"Content-Length: 18446744073709551616\r\n\r\n",
    "a length of other digits": P + "Content-Length: \u0665\r\n\r\nhello".encode(),
    "identity": P + b"Transfer-Encoding: identity\r\n\r\n",
    "gzip": P + b"Transfer-Encoding: gzip\r\n\r\n",
    "gzip, chunked": P + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": P + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked, chunked": P + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an empty one, chunked": P + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunked,": P + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "xchunked": P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": P + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "quoted chunked": P + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked after a vertical tab": P + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "no coding": P + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "two codings": P + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two codings, the other way": P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked twice": P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
    "chunked GET with identity": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
    "identity with an upgrade": P + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: identity\r\n\r\n",
    "a folded header": P + b"X: a\r\n b\r\n\r\n",
    "a header folded by a tab": P + b"X: a\r\n\tb\r\n\r\n",
    "a folded coding": P + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded length": P + b"Content-Length: 1\r\n 0\r\n\r\n0123456789",
    "a space before the first header": b"POST / HTTP/1.1\r\n Host: x\r\n\r\n",
    "LF only": b"POST / HTTP/1.1\nHost: x\n\n",
    "LF after the request line": b"POST / HTTP/1.1\nHost: x\r\n\r\n",
    "LF after a header": P + b"X: a\nY: b\r\n\r\n",
    "LF at the end": P + b"X: a\r\n\n",
    "CR in a header": P + b"X: a\rY: b\r\n\r\n",
    "CR CR LF": P + b"X: a\r\r\n\r\n",
    "NUL in a value": P + b"X: a\0b\r\n\r\n",
    "NUL in a name": P + b"X\0: a\r\n\r\n",
    "a control character in a value": P + b"X: a\x01b\r\n\r\n",
    "DEL in a value": P + b"X: a\x7fb\r\n\r\n",
    "a space before the colon": P + b"Content-Length : 5\r\n\r\nhello",
    "a tab before the colon": P + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a space in a name": P + b"a b: c\r\n\r\n",
    "an empty name": P + b": c\r\n\r\n",
    "no colon": P + b"abc\r\n\r\n",
    "brackets in a name": P + b"a(b): c\r\n\r\n",
    "a quote in a name": P + b'a"b: c\r\n\r\n',
    "a name that is no ASCII": P + b"\xe9: c\r\n\r\n",
    "no host": b"POST / HTTP/1.1\r\nX: a\r\n\r\n",
    "no header at all": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": P + b"Host: y\r\n\r\n",
    "two equal hosts": P + b"host: x\r\n\r\n",
    "two hosts in HTTP/1.0": b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
    "an unknown method": b"HACK / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space before the method": b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab behind the method": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is no ASCII": b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a relative target": b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space behind the version": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    "a version of another kind": b"GET / http/1.1\r\nHost: x\r\n\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "version 1.10": b"GET / HTTP/1.10\r\nHost: x\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a chunk size that is none": CHUNKED + b"x\r\nhello\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"10000000000000000\r\nhello\r\n",
    "a space behind the chunk size": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "LF behind the chunk size": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "LF behind a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "LF in a chunk extension": CHUNKED + b"5;a\nhello\r\n0\r\n\r\n",
    "CR in a chunk extension": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a length among the trailers": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "a coding among the trailers": CHUNKED + b"0\r\nTransfer-Encoding: identity\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n",
    "LF behind a trailer": CHUNKED + b"0\r\nX: a\n\r\n",
}


def is_refused(answer: Answer, status: int = 400) -> bool:
    """By what is said to those who speak no HTTP: OpenAI's shape, and the end of the connection."""
    error = answer.json["error"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_http")
    return answer.status == status and answer.whole and bool(error["message"])


@pytest.mark.parametrize("shape", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(shape: bytes):
    answers, paths, ended = heard(shape + GET)
    assert [is_refused(one) for one in answers] == [True]
    assert ended
    assert set(paths) <= {"/broken"}, "the one that broke in its body may have begun"


@pytest.mark.parametrize("shape", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_it_is_refused_however_it_is_cut(shape: bytes):
    for at in range(1, len(shape) + 1):
        answers, paths, ended = heard(shape[:at], shape[at:] + GET)
        assert [is_refused(one) for one in answers] == [True], at
        assert ended
        assert "/next" not in paths


@pytest.mark.parametrize("shape", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_what_came_before_it_is_answered_first(shape: bytes):
    stream = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    answers, paths, ended = heard(shape + GET, before=stream + GET + GET)
    assert [one.status for one in answers] == [200, 200, 200, 400]
    assert is_refused(answers[-1])
    assert ended
    assert paths[:3] == ["/stream", "/next", "/next"]
    assert set(paths[3:]) <= {"/broken"}


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/2.0", b""], ids=["0.9", "2.0", "none"])
def test_another_version_is_refused(version: bytes):
    answers, paths, ended = heard(b"GET / %b\r\nHost: x\r\n\r\n" % version + GET)
    assert is_refused(answers[0])
    assert (len(answers), paths, ended) == (1, [], True)


def test_a_body_that_breaks_after_its_answer_gets_no_second_one():
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for packets in ((head + b"5\r\nhello\r\n", b"nonsense\r\n" + GET), (head, b"5\r\nhel", b"lonono\r\n" + GET)):

        async def main(packets: tuple[bytes, ...] = packets) -> None:
            served = Served()
            for packet in packets:
                served.line.say(packet)
                await settle()
            assert [one.status for one in served.line.answers()] == [401]
            assert served.line.half_closed
            assert served.paths == ["/refuse"]

        run(main)


def test_a_bug_of_ours_in_a_callback_is_no_bad_request():
    async def main() -> None:
        def answer(call: Call) -> None:
            raise ZeroDivisionError

        line = Line(Shared(answer, lambda status, message: b"{}", asyncio.get_running_loop()))  # type: ignore[arg-type]
        with pytest.raises(ZeroDivisionError):
            line.say(GET)
        line.leave()

    run(main)


# --- heads without end


def _long(kind: str, size: int) -> bytes:
    match kind:
        case "target":
            return b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        case "value":
            return b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * size + b"\r\n\r\n"
        case "name":
            return b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * size + b": b\r\n\r\n"
        case _:
            lines = b"".join(b"X%d: a\r\n" % number for number in range(size // 8))
            return b"GET / HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"


@pytest.mark.parametrize("packet", [16, 1000, 65536, 1_000_000])
@pytest.mark.parametrize("kind", ["target", "value", "name", "headers"])
def test_a_head_over_the_limit_is_refused(kind: str, packet: int):
    head = _long(kind, HEAD_LIMIT * 2)
    packets = [head[at : at + packet] for at in range(0, len(head), packet)]
    answers, paths, ended = heard(*packets)
    assert [is_refused(one, 431) for one in answers] == [True]
    assert (paths, ended) == ([], True)


@pytest.mark.parametrize("kind", ["target", "value", "name", "headers"])
def test_a_head_without_end_is_not_kept(kind: str):
    head = _long(kind, HEAD_LIMIT * 2)[:-4]
    answers, paths, _ = heard(*[head[at : at + 5000] for at in range(0, HEAD_LIMIT + 5000, 5000)])
    assert [is_refused(one, 431) for one in answers] == [True]
    assert paths == []


@pytest.mark.parametrize("packet", [1000, 65536, 1_000_000])
@pytest.mark.parametrize("kind", ["target", "value", "headers"])
def test_a_long_head_below_the_limit_is_read_whatever_stands_around_it(kind: str, packet: int):
    head = _long(kind, HEAD_LIMIT * 3 // 4)
    body = b"x" * (LIMIT - 1)
    post = P + b"Content-Length: %d\r\n\r\n" % len(body) + body
    data = post + head + post + head
    answers, _, ended = heard(*[data[at : at + packet] for at in range(0, len(data), packet)])
    assert [one.status for one in answers] == [200] * 5
    assert not ended


@pytest.mark.parametrize("path", [b"/p", b"/refuse"])
def test_trailers_and_chunk_extensions_without_end_are_refused(path: bytes):
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" % path
    for start, more in ((b"0\r\n", b"X: a\r\n" * 1000), (b"0\r\nX: ", b"a" * 6000), (b"5;", b"a" * 6000)):

        async def main(start: bytes = start, more: bytes = more) -> None:
            served = Served()
            served.line.say(head + start)
            await settle()
            for _ in range(20):
                served.line.say(more)
            await settle()
            assert [one.status for one in served.line.answers()] == [431 if path == b"/p" else 401]
            assert served.line.half_closed

        run(main)


def test_requests_without_number_in_one_packet_are_refused():
    async def main() -> None:
        served = Served()
        smallest = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
        served.line.say(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n" + smallest * 10_000)
        assert len(served.line.protocol._queue) <= 1000
        served.line.leave()

    run(main)


def test_upgrades_without_number_in_one_packet_are_no_recursion():
    upgrade = b"GET / HTTP/1.1\r\nHost:\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    answers, _, ended = heard(upgrade * 900)
    assert len(answers) >= 50
    assert not ended


# --- bodies without end


def test_a_body_over_the_limit_is_refused_by_its_length_before_it_comes():
    answers, _, ended = heard(P + b"Content-Length: %d\r\n\r\n" % (LIMIT + 1))
    assert [one.status for one in answers] == [413]
    assert not ended


def test_a_body_over_the_limit_is_refused_while_it_comes_and_the_rest_is_not_kept():
    async def main() -> None:
        served = Served()
        line = served.line
        line.say(CHUNKED)
        tracemalloc.start()
        for _ in range(400):
            line.say(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            await settle(2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * LIMIT
        assert [one.status for one in line.answers()] == [413]
        line.say(b"0\r\n\r\n" + GET)
        await settle()
        assert [one.status for one in line.answers()] == [413, 200]

    run(main)


def test_a_body_of_tiny_chunks_takes_no_more_memory_than_it_is_long():
    async def main() -> None:
        line = Served().line
        line.say(CHUNKED)
        await settle()
        packet = b"2\r\nab\r\n" * 1000
        tracemalloc.start()
        for _ in range(LIMIT // 2000):
            line.say(packet)
            await settle(1)
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert now < 2 * LIMIT
        line.say(b"0\r\n\r\n")
        await settle()
        assert len(line.answers()[0].json["body"]) == LIMIT

    run(main)


def test_a_body_nobody_asked_for_is_not_read_on():
    async def main() -> None:
        line = Served().line
        line.say(b"POST /hang HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            line.say(b"x" * 10_000)
        await settle()
        assert not line.reading
        assert line.protocol._reading is not None
        assert line.protocol._reading.size < 100_000
        line.leave()
        await settle()

    run(main)


# --- on real sockets


@contextlib.contextmanager
def dial(routed: Router) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", routed.port), timeout=20) as raw:
        yield raw


def everything(raw: socket.socket) -> bytes:
    """Until the server closes."""
    data = b""
    while more := raw.recv(65536):
        data += more
    return data


def ask(path: str = "/v1/chat/completions", body: object = None, *lines: str) -> bytes:
    """A POST; ``lines`` are more headers."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    head = [f"POST {path} HTTP/1.1", "host: x", f"authorization: Bearer {KEY}", *lines]
    return "\r\n".join([*head, f"content-length: {len(data)}", "", ""]).encode() + data


def chat(**more: object) -> dict[str, object]:
    return {"model": "x", "messages": user("hi"), "max_tokens": 9} | more


def connections(routed: Router) -> set[Connection]:
    """Those the router has, found through the collector: nobody else knows them all."""
    del routed
    return {one for one in gc.get_objects() if isinstance(one, Connection) and one in one._shared.connections}


@pytest.fixture
def leakless(up: Upstream, tmp_path: Path) -> Iterator[Router]:
    """A router with one provider; in the end no connection and no task of a request may be left."""
    with router(tmp_path, toml=provider("mine"), upstream=up) as routed:
        yield routed
        routed.close()
        routed.wait_for(lambda: not connections(routed))
        routed.wait_for(lambda: not routed.app.busy)
        names: list[str] = []

        def look() -> None:
            names.extend(str(one.get_coro()) for one in asyncio.all_tasks(routed._loop))

        routed.call(look)
        assert not [name for name in names if "Keeping" in name or "__call__" in name]


def test_pipelined_requests_over_a_socket(leakless: Router):
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = health.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with dial(leakless) as raw:
        raw.sendall(ask(body=chat()) + health + ask(body=chat(stream=True)) + ask(body=b"{") + last)
        answers = read_answers(everything(raw), ended=True)
    assert [one.status for one in answers] == [200, 200, 200, 400, 200]
    assert all(one.whole for one in answers)
    assert all(one.headers["x-hermes-request-id"].startswith("req_") for one in answers)
    assert len({one.headers["x-hermes-request-id"] for one in answers}) == 5


def test_byte_by_byte_over_a_socket(leakless: Router):
    with dial(leakless) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in ask("/v1/messages", chat(), "connection: close"):
            raw.sendall(bytes([byte]))
        (answer,) = read_answers(everything(raw), ended=True)
    assert (answer.status, answer.json["type"]) == (200, "message")


@pytest.mark.parametrize("name", ["length and chunked", "two lengths", "no host", "LF only", "a folded header"])
def test_smuggled_requests_over_a_socket(leakless: Router, up: Upstream, name: str):
    with dial(leakless) as raw:
        raw.sendall(SMUGGLING[name] + ask(body=chat()))
        (answer,) = read_answers(everything(raw), ended=True)
    assert is_refused(answer)
    assert up.requests == []


def test_a_refusal_reaches_who_is_still_sending_a_head(leakless: Router):
    with dial(leakless) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(200):
            raw.sendall(b"a" * 50_000)
        (answer,) = read_answers(everything(raw), ended=True)
    assert is_refused(answer, 431)


SENDING: dict[str, tuple[str, ...]] = {
    "kept": (),
    "close": ("connection: close",),
    "expecting": ("expect: 100-continue",),
}


@pytest.mark.parametrize("lines", SENDING.values(), ids=SENDING.keys())
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_413_reaches_who_is_still_sending_a_body(start: Start, path: str, lines: tuple[str, ...]):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "100000"})
    with dial(routed) as raw:
        raw.sendall(ask(path, b"x" * 20_000_000, *lines))
        if lines != SENDING["close"]:
            raw.sendall(ask(path, chat(), "connection: close"))
        answers = read_answers(everything(raw), ended=True)
    assert [one.status for one in answers] == ([413] if "connection" in answers[0].headers else [413, 200])
    assert (answers[0].json.get("type") == "error") == (path == "/v1/messages")


def test_a_413_reaches_who_is_still_sending_chunks(start: Start):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "100000"})
    head = ask("/v1/messages", b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    with dial(routed) as raw:
        raw.sendall(head)
        for _ in range(300):
            raw.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        raw.sendall(b"0\r\n\r\n" + ask("/v1/messages", chat(), "connection: close"))
        answers = read_answers(everything(raw), ended=True)
    assert [one.status for one in answers] == [413, 200]
    assert answers[0].json["type"] == "error"


def test_a_wrong_key_is_told_before_the_body_and_asks_for_none(leakless: Router):
    request = ask("/v1/messages", chat(), "expect: 100-continue").replace(KEY.encode(), b"k-wrong")
    with dial(leakless) as raw:
        raw.sendall(request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        (answer,) = read_answers(everything(raw), ended=True)
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    assert answer.json["type"] == "error"


def test_a_body_is_asked_for_over_a_socket(leakless: Router):
    request = ask("/v1/chat/completions", chat(), "expect: 100-continue", "connection: close")
    head, _, body = request.partition(b"\r\n\r\n")
    with dial(leakless) as raw:
        raw.sendall(head + b"\r\n\r\n")
        go_ahead = raw.recv(100)
        raw.sendall(body)
        (answer,) = read_answers(everything(raw), ended=True)
    assert go_ahead == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 200


def test_java_style_upgrades_over_a_socket(leakless: Router):
    h2c = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk")
    with dial(leakless) as raw:
        raw.sendall(ask("/v1/chat/completions", chat(), *h2c))
        first = raw.recv(65536)
        raw.sendall(
            ask("/v1/chat/completions", chat(stream=True), *h2c)
            + ask("/v1/chat/completions", chat(), "connection: close")
        )
        answers = read_answers(first + everything(raw), ended=True)
    assert [one.status for one in answers] == [200, 200, 200]


def test_a_large_answer_nobody_reads_is_kept_once_and_read_later(start: Start, up: Upstream):
    text = "word " * 3_000_000
    up.script(reply(completion(text)))
    routed = start(provider("mine"))
    with dial(routed) as raw:
        raw.sendall(ask("/v1/chat/completions", chat(), "connection: close"))
        routed.wait_for(lambda: not routed.app.busy and up.requests, 20)
        threading.Event().wait(0.2)
        (answer,) = read_answers(everything(raw), ended=True)
    assert answer.json["choices"][0]["message"]["content"] == text


def test_a_stream_nobody_reads_holds_up_its_provider_and_goes_on(start: Start, up: Upstream):
    pieces = [f"{number} " + "x" * 4000 for number in range(4000)]
    up.script(sse(text_stream(*pieces)))
    routed = start(provider("mine"))
    with dial(routed) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.sendall(ask("/v1/chat/completions", chat(stream=True), "connection: close"))
        routed.wait_for(lambda: any(one.full for one in connections(routed)), 20)
        (one,) = connections(routed)
        threading.Event().wait(0.5)
        assert one._transport.get_write_buffer_size() < 2_000_000
        (answer,) = read_answers(everything(raw), ended=True)
    assert answer.whole
    assert answer.body.count(b'xxxx"') == len(pieces)


GONE: dict[str, Callable[[], bytes]] = {
    "in the head": lambda: ask(body=chat())[:30],
    "in the body": lambda: ask(body=chat())[:-5],
    "while it waits": lambda: ask(body=chat()),
    "in the stream": lambda: ask(body=chat(stream=True)),
    "with others queued": lambda: ask(body=chat()) * 3,
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("said", GONE.values(), ids=GONE.keys())
def test_callers_who_leave_are_forgotten(leakless: Router, up: Upstream, said: Callable[[], bytes], how: str):
    up.script(sse(text_stream("a")[:2], then="stall") if b'"stream":true' in said() else hang(), for_ever=True)
    with dial(leakless) as raw:
        raw.sendall(said())
        leakless.wait_for(lambda: connections(leakless))
        if len(said()) > 30 and said().endswith(b"}"):
            up.wait_for(lambda: up.requests)
        if how == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    up.wait_for(lambda: len(up.closed) == len(up.requests))
    leakless.wait_for(lambda: leakless.runtime.engine.open == 0)


ODD = {"m\r\nx-evil": "1", "model": "mine/m1\r\nx-evil: 1", "max_tokens": 9, "messages": user("hi"), "input": "hi"}
ECHOED: dict[str, bytes] = {
    "a path": b"GET /v1/models/%0d%0ax-evil:%201 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-router-1\r\n\r\n",
    "a path that is unknown": b"GET /%0d%0ax-evil:%201 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a model": ask(body=ODD),
    "a model for messages": ask("/v1/messages", ODD),
    "a field for responses": ask("/v1/responses", ODD),
    "a profile": ask("/v1/chat/completions", chat(), "x-hermes-profile: \x85x-evil\xff"),
    "a patience": ask("/v1/chat/completions", chat(), "x-hermes-max-wait: \x85"),
    "what the provider says": ask(body=chat()),
}


@pytest.mark.parametrize("said", ECHOED.values(), ids=ECHOED.keys())
def test_nothing_said_becomes_a_header(start: Start, up: Upstream, said: bytes):
    up.script(reply({"error": {"message": "a\r\nx-evil: 1"}}, 429, {"retry-after": "1; \x0bx-evil"}), for_ever=True)
    routed = start(provider("mine", "m1\\r\\nx-evil: 1"), env={"MAX_WAIT_SECONDS": "0"})
    with dial(routed) as raw:
        raw.sendall(said + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answers = read_answers(everything(raw), ended=True)
    assert len(answers) == 2
    assert all("x-evil" not in one.headers for one in answers)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_model_with_a_line_end_in_its_name_is_served_without_one(start: Start, stream: bool):
    routed = start(provider("mine", "m1\\r\\nx-evil: 1"))
    with dial(routed) as raw:
        raw.sendall(ask("/v1/chat/completions", chat(stream=stream), "connection: close"))
        (answer,) = read_answers(everything(raw), ended=True)
    assert (answer.status, answer.headers["x-hermes-model"]) == (200, "m1  x-evil: 1")
    assert "x-evil" not in answer.headers


LIVES: dict[str, tuple[Callable[[], bytes], Step | None]] = {
    "health": (lambda: b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "a wrong path": (lambda: b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "no HTTP": (lambda: b"nonsense\r\n\r\n", None),
    "a wrong body": (lambda: ask(body=b"{"), None),
    "whole": (lambda: ask(body=chat()), None),
    "a stream": (lambda: ask(body=chat(stream=True)), None),
    "a message": (lambda: ask("/v1/messages", chat(stream=True)), None),
    "a response": (lambda: ask("/v1/responses", {"model": "x", "input": "hi", "stream": True}), None),
    "two": (lambda: ask(body=chat(stream=True)) + ask(body=chat()), None),
    "left in a stream": (lambda: ask(body=chat(stream=True)), sse(text_stream("one ")[:2], then="stall")),
    "a stream that breaks": (lambda: ask(body=chat(stream=True)), sse(text_stream("one ")[:2], then="cut")),
    "nobody": (lambda: ask(body=chat()), reply({"error": {"message": "no"}}, 401)),
}


@pytest.mark.parametrize("said, step", LIVES.values(), ids=LIVES.keys())
def test_a_dead_connection_is_freed_without_the_collector(
    leakless: Router, up: Upstream, said: Callable[[], bytes], step: Step | None
):
    if step is not None:
        up.script(step, for_ever=True)
    gc.collect()
    gc.disable()
    try:
        with dial(leakless) as raw:
            leakless.wait_for(lambda: connections(leakless))
            gone = [weakref.ref(one) for one in connections(leakless)]
            raw.sendall(said())
            assert raw.recv(1000)
        leakless.wait_for(lambda: not [one for one in gone if one() is not None])
    finally:
        gc.enable()
    assert gone


# --- the end


def test_the_end_waits_for_nobody_who_only_holds_a_connection(up: Upstream, tmp_path: Path):
    began = 0.0
    with contextlib.ExitStack() as stack:
        with router(tmp_path, toml=provider("mine"), upstream=up, env={"DRAIN_SECONDS": "0"}) as routed:
            said = (b"", b"GET / HTTP", ask("/v1/messages", chat())[:-5], b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            lines = [stack.enter_context(dial(routed)) for _ in said]
            for raw, data in zip(lines, said, strict=True):
                raw.sendall(data)
            lines[3].recv(1000)
            routed.wait_for(lambda: routed.app.busy)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        heard_ = [everything(raw) for raw in lines]
    assert heard_[0] == heard_[1] == heard_[3] == b""
    (told,) = read_answers(heard_[2], ended=True)
    assert (told.status, told.json["type"], told.headers["connection"]) == (503, "error", "close")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_what_is_under_way_when_the_drain_is_over_is_told_so(up: Upstream, tmp_path: Path, path: str):
    up.script(hang(), sse(text_stream("one ")[:2], then="stall"))
    with contextlib.ExitStack() as stack:
        with router(tmp_path, toml=provider("mine"), upstream=up, env={"DRAIN_SECONDS": "0.2"}) as routed:
            whole, stream = stack.enter_context(dial(routed)), stack.enter_context(dial(routed))
            whole.sendall(ask(path, chat()))
            up.wait_for(lambda: up.requests)
            stream.sendall(ask(path, chat(stream=True)))
            first = stream.recv(1000)
            began = time.monotonic()
        assert time.monotonic() - began < 0.2 + 0.7, "nobody is waited for any more"
        (told,) = read_answers(everything(whole), ended=True)
        (streamed,) = read_answers(first + everything(stream), ended=True)
    assert told.status == 503
    assert streamed.whole
    assert b"shutting down" in streamed.body
    assert (b"event: error" in streamed.body) == (path == "/v1/messages")


def test_a_second_signal_ends_it_at_once_and_that_is_no_error(up: Upstream, tmp_path: Path):
    up.script(hang())
    (tmp_path / "hermes-router.toml").write_text(provider("mine").replace("{up}", up.url))
    env = {"PATH": os.environ["PATH"], "HERMES_HOME": str(tmp_path), "STARTUP_DETECTION": "0", "DRAIN_SECONDS": "60"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from hermes_router.cli.app import main; main()", "serve", "--port", str(port)]
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=quiet, stderr=quiet)
    try:
        raw = _connected(process, port)
        with raw:
            raw.sendall(ask("/v1/messages", chat()))
            up.wait_for(lambda: up.requests)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            threading.Event().wait(0.3)
            assert process.poll() is None, "it drains"
            process.send_signal(signal.SIGTERM)
            (told,) = read_answers(everything(raw), ended=True)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5
    finally:
        process.kill()
        process.wait(10)
    assert (told.status, told.json["type"]) == (503, "error")


def _connected(process: subprocess.Popen[bytes], port: int) -> socket.socket:
    pause = threading.Event()
    for _ in range(1000):
        assert process.poll() is None, "it did not start"
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        pause.wait(0.01)
    raise TimeoutError("it does not listen")


# --- clients


def test_http_client_keeps_one_connection(leakless: Router):
    connection = leakless.connect()
    key = {"authorization": f"Bearer {KEY}"}
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", iter([orjson.dumps(chat())]), key, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, orjson.loads(response.read())["object"]) == (200, "chat.completion")
        assert connection.sock is not None
    connection.close()


def test_http_client_reads_the_413_of_what_it_still_sends(start: Start):
    routed = start(provider("mine"), env={"MAX_REQUEST_BYTES": "1000"})
    connection = http.client.HTTPConnection("127.0.0.1", routed.port, timeout=20)
    connection.request("POST", "/v1/messages", b" " * 5_000_000, {"x-api-key": KEY, "connection": "close"})
    assert connection.getresponse().status == 413
    connection.close()


def test_httpx_and_the_sdks_on_kept_connections(leakless: Router):
    with httpx2.Client(trust_env=False, base_url=leakless.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        assert client.get("/health").status_code == 200
        assert client.head("/health").status_code == 200
        assert client.post("/v1/chat/completions", json=chat()).status_code == 200
        with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as stream:
            assert b"".join(stream.iter_raw()).endswith(b"data: [DONE]\n\n")
        assert client.post("/v1/chat/completions", content=iter([orjson.dumps(chat())])).status_code == 200
    for way in ("sync", "async", "stream", "async stream"):
        assert ask_openai(leakless, way).choices
        assert ask_anthropic(leakless, way).content


CURL: dict[str, tuple[str, ...]] = {
    "1.1": (),
    "1.0": ("--http1.0",),
    "h2c": ("--http2",),
    "chunked": ("-H", "transfer-encoding: chunked"),
    "expecting": ("-H", "expect: 100-continue"),
}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("options", CURL.values(), ids=CURL.keys())
def test_curl(leakless: Router, options: tuple[str, ...], stream: bool):
    url = f"{leakless.url}/v1/chat/completions"
    head = ["-H", f"authorization: Bearer {KEY}", "-H", "content-type: application/json"]
    data = orjson.dumps(chat(stream=stream)).decode()
    said = ["curl", "-sS", "--noproxy", "*", "-m", "20", *options, *head, "-d", data, "-w", "\n%{http_code}", url]
    done = subprocess.run([*said, "--next", *said[1:]], capture_output=True, check=False, timeout=60)
    if b"unsupported" in done.stderr.lower() or b"does not support" in done.stderr.lower():
        pytest.skip("this curl does not speak it")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n200") == 2
