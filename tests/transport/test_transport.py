"""What every transport must do. The upstream is a bare socket that a script feeds with bytes.

Another client joins by adding its class to TRANSPORTS. Every wait is for an event; `serve` bounds the test.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

import hermes_router
from fakes.scripted_socket import (
    CHUNKED,
    LIMIT,
    OK,
    PROMPT,
    Peer,
    Script,
    answers,
    answers_for_ever,
    cancelled,
    closed_port,
    failure,
    fetch,
    post,
    read,
    send,
    serve,
)
from hermes_router.transport.base import (
    FailureKind,
    FixedHeaders,
    HttpRequest,
    HttpResponse,
    Transport,
    TransportError,
    chunks,
)
from hermes_router.transport.http1 import Http1Transport

KEY = "Bearer sk-secret-key"
QUERY = "key=secret-query"
SRC = str(Path(hermes_router.__file__).parent.parent)
TRANSPORTS = [Http1Transport]

MakeTransport = Callable[..., Transport]


@pytest.fixture(params=TRANSPORTS, ids=lambda kind: kind.__name__)
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    made: list[Transport] = []

    def make(**options: float) -> Transport:
        made.append(request.param(**options))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()


async def fetch_for_ever(transport: Transport, url: str, answered: list[int]) -> None:
    while True:
        status, _ = await fetch(transport, url)
        answered.append(status)


# What is sent


async def test_the_request_arrives_as_given(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(OK)

    async with serve(script) as upstream:
        request = HttpRequest("POST", upstream.url("/v1/chat?a=b%20c"), {"authorization": KEY, "x-two": "2"}, b"body")
        assert await read(await transport.send(request)) == b"hi"
    head, body = seen[0].split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat?a=b%20c HTTP/1.1"
    headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines[1:])}
    assert headers[b"authorization"] == KEY.encode()
    assert headers[b"x-two"] == b"2"
    assert headers[b"user-agent"] == b"hermes-router"
    assert headers[b"content-length"] == b"4"
    assert body == b"body"


async def test_headers_that_are_sent_again_go_where_each_request_says(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen.append(await peer.request())
                await peer.send(OK)

    headers = FixedHeaders({"authorization": KEY})
    async with serve(script) as one, serve(script) as other:
        sent = [("POST", one.url("/a"), b"1"), ("POST", one.url("/b"), b"22"), ("PUT", one.url("/b"), b"333")]
        sent += [("PUT", other.url("/b"), b""), ("POST", one.url("/a"), b"4444")]
        for method, url, body in sent:
            await read(await transport.send(HttpRequest(method, url, headers, body)))
    for (method, url, body), got in zip(sent, seen, strict=True):
        host, _, path = url.removeprefix("http://").partition("/")
        assert got.startswith(f"{method} /{path} HTTP/1.1\r\nhost: {host}\r\n".encode())
        assert f"\r\nauthorization: {KEY}\r\n".encode() in got
        assert got.endswith(b"\r\n\r\n" + body)


def test_headers_that_are_sent_again_show_only_their_names() -> None:
    assert repr(FixedHeaders({"authorization": KEY})) == "FixedHeaders(authorization)"


async def test_the_callers_user_agent_replaces_ours(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.request()).lower())
        await peer.send(OK)

    async with serve(script) as upstream:
        await read(await transport.send(HttpRequest("GET", upstream.url(), {"user-agent": "mine/1"})))
    assert seen[0].count(b"user-agent:") == 1
    assert b"user-agent: mine/1\r\n" in seen[0]


async def test_a_cookie_is_not_sent_back(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        for _ in range(2):
            seen.append((await peer.request()).lower())
            await peer.send(b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\ncontent-length: 2\r\n\r\nhi")

    async with serve(script) as upstream:
        await fetch(transport, upstream.url())
        await fetch(transport, upstream.url())
    assert not any(b"cookie" in request for request in seen)


# What comes back


async def test_status_and_headers_are_returned_with_lower_case_names_and_repeats_joined(transport: Transport) -> None:
    head = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nX-Two: a\r\nx-two: b\r\nContent-Length: 2\r\n\r\nno"
    async with serve(answers(head)) as upstream:
        response = await transport.send(post(upstream.url()))
        assert response.status == 429
        assert response.headers["retry-after"] == "7"
        assert response.headers["x-two"] == "a, b"
        assert await read(response) == b"no"


async def test_a_header_that_is_not_ascii_does_not_lose_the_others(transport: Transport) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nx-name: caf\xc3\xa9\r\nretry-after: 7\r\nx-two: a\r\nx-two: b\r\ncontent-length: 0\r\n\r\n"
    )
    async with serve(answers(head)) as upstream:
        response = await transport.send(post(upstream.url()))
        assert response.headers["retry-after"] == "7"
        assert response.headers["x-two"] == "a, b"
        assert await read(response) == b""


async def test_a_chunk_is_delivered_before_the_next_is_written(transport: Transport) -> None:
    received = asyncio.Queue[bytes]()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for number in range(20):
            await peer.chunk(b"data: %d\n\n" % number)
            assert await received.get() == b"data: %d\n\n" % number
        await peer.send(b"0\r\n\r\n")

    async with serve(script) as upstream:
        async for chunk in chunks(await transport.send(post(upstream.url()))):
            assert type(chunk) is bytes
            received.put_nowait(chunk)
    assert received.empty()


async def test_the_head_is_returned_before_the_body_is_written(transport: Transport) -> None:
    head_seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        await head_seen.wait()
        await peer.send(b"hi")

    async with serve(script) as upstream:
        response = await transport.send(post(upstream.url()))
        head_seen.set()
        assert await read(response) == b"hi"


async def test_a_body_without_length_ends_with_the_connection(transport: Transport) -> None:
    async with serve(answers(b"HTTP/1.1 200 OK\r\n\r\n", b"all of it")) as upstream:
        assert await fetch(transport, upstream.url()) == (200, b"all of it")


async def test_a_compressed_body_is_decoded(transport: Transport) -> None:
    packed = gzip.compress(b"hello " * 1000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with serve(answers(head + packed)) as upstream:
        response = await transport.send(post(upstream.url()))
        assert await read(response) == b"hello " * 1000
        assert "content-encoding" not in response.headers


async def test_compression_is_not_asked_for(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.request()).lower())
        await peer.send(OK)

    async with serve(script) as upstream:
        await fetch(transport, upstream.url())
    assert b"accept-encoding: identity\r\n" in seen[0]


async def test_a_redirect_is_returned_not_followed(transport: Transport) -> None:
    async with serve(answers(b"HTTP/1.1 307 T\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n")) as upstream:
        response = await transport.send(post(upstream.url()))
        assert (response.status, response.headers["location"]) == (307, "/other")
        assert await read(response) == b""
        assert upstream.connections == 1


async def test_a_hundred_streams_progress_together(transport: Transport) -> None:
    count = 100
    everybody_has_it = asyncio.Barrier(2 * count)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(5):
            await peer.chunk(b"tick")
            await everybody_has_it.wait()
        await peer.send(b"0\r\n\r\n")

    async def consume(url: str) -> int:
        taken = 0
        async for _ in chunks(await transport.send(post(url))):
            await everybody_has_it.wait()
            taken += 1
        return taken

    async with serve(script) as upstream:
        assert await asyncio.gather(*(consume(upstream.url()) for _ in range(count))) == [5] * count


# Failures


BODY_FAILURES: dict[str, tuple[FailureKind, bytes]] = {
    "chunked, cut": ("cut", CHUNKED + b"2\r\nhi\r\n"),
    "chunked, cut inside a chunk": ("cut", CHUNKED + b"9\r\nhi"),
    "content-length, short": ("cut", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi"),
    "chunk size is no number": ("protocol", CHUNKED + b"2\r\nhi\r\nzz\r\n"),
    "gzip is no gzip": ("protocol", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nabcde"),
}


@pytest.mark.parametrize("case", BODY_FAILURES)
async def test_a_broken_body_raises_after_what_was_good(transport: Transport, case: str) -> None:
    kind, data = BODY_FAILURES[case]
    async with serve(answers(data)) as upstream:
        response = await transport.send(post(upstream.url()))
        assert response.status == 200
        assert (await failure(read(response))).kind == kind
        await response.aclose()


async def test_a_reset_inside_the_body_is_a_cut(transport: Transport) -> None:
    received = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.chunk(b"hi")
        await received.wait()
        peer.reset()

    async with serve(script) as upstream:
        pieces = chunks(await transport.send(post(upstream.url())))
        assert await anext(pieces) == b"hi"
        received.set()
        assert (await failure(anext(pieces))).kind == "cut"


HEAD_FAILURES: dict[str, tuple[FailureKind, bytes]] = {
    "nothing": ("closed", b""),
    "another protocol": ("protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "content-length is no number": ("protocol", b"HTTP/1.1 200 OK\r\ncontent-length: zz\r\n\r\nhi"),
}


@pytest.mark.parametrize("case", HEAD_FAILURES)
async def test_a_head_that_does_not_come_or_is_no_head(transport: Transport, case: str) -> None:
    kind, data = HEAD_FAILURES[case]
    async with serve(answers(data)) as upstream:
        assert (await failure(transport.send(post(upstream.url())))).kind == kind


async def test_a_refused_connection_is_connect(transport: Transport) -> None:
    async with asyncio.timeout(LIMIT):
        error = await failure(transport.send(post(f"http://127.0.0.1:{closed_port()}/")))
    assert error.kind == "connect"


async def test_a_tls_handshake_answered_in_clear_is_connect(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with serve(script) as upstream:
        error = await failure(transport.send(post(upstream.url().replace("http:", "https:"))))
    assert error.kind == "connect"


async def test_a_tls_handshake_that_stalls_runs_into_the_connect_timeout(make_transport: MakeTransport) -> None:
    transport = make_transport(connect_timeout=0.1)
    async with serve(Peer.gone) as upstream:
        error = await failure(transport.send(post(upstream.url().replace("http:", "https:"))))
    assert error.kind == "connect"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "no-scheme/path", "http://[bad/", "http://127.0.0.1:port/"])
async def test_a_url_that_cannot_be_sent_is_connect(transport: Transport, url: str) -> None:
    assert (await failure(transport.send(post(url)))).kind == "connect"


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0\r\n\r\n", CHUNKED + b"2\r\nhi\r\n", None], ids=repr)
async def test_no_secret_is_in_an_error(transport: Transport, reply: bytes | None) -> None:
    async def attempt(url: str) -> None:
        await read(await transport.send(post(f"{url}?{QUERY}", authorization=KEY)))

    async with serve(answers(reply or b"")) as upstream:
        error = await failure(attempt(upstream.url() if reply is not None else f"http://127.0.0.1:{closed_port()}/"))
    assert_holds_no_secret(error)


@pytest.mark.parametrize("name", ["authorization", "bad name"])
async def test_no_secret_is_in_the_error_of_a_header_that_cannot_be_sent(transport: Transport, name: str) -> None:
    request = HttpRequest("POST", f"http://127.0.0.1/?{QUERY}", {name: KEY + "\nx"})
    error = await failure(transport.send(request))
    assert error.kind == "connect"
    assert_holds_no_secret(error)
    assert "secret" not in repr(request)


def assert_holds_no_secret(error: TransportError) -> None:
    assert str(error)
    assert "\n" not in str(error)
    for text in (str(error), repr(error), "".join(traceback.format_exception(error))):
        assert "secret" not in text.replace("no_secret", "").replace("holds_no_secret", "")


# Stale connections of the pool


def drops_reused(dropped: list[int], fresh_too: bool = False) -> Script:
    """Answers the first request of a connection; drops the connection when it gets a second one, and notes which."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if dropped and fresh_too:
            return
        await peer.send(OK)
        with suppress(asyncio.IncompleteReadError):
            await peer.request()
            dropped.append(peer.number)

    return script


async def test_a_connection_dropped_on_reuse_is_replaced_without_the_caller_noticing(transport: Transport) -> None:
    dropped: list[int] = []
    async with serve(drops_reused(dropped)) as upstream:
        sent = 0
        while len(dropped) < 3:  # the pool may take a moment to see that a connection is free again
            assert await fetch(transport, upstream.url()) == (200, b"hi")
            sent += 1
        assert upstream.connections == sent  # so the replacements were fresh, too


async def test_the_replacement_is_tried_once(transport: Transport) -> None:
    dropped: list[int] = []
    async with serve(drops_reused(dropped, fresh_too=True)) as upstream:
        answered: list[int] = []
        assert (await failure(fetch_for_ever(transport, upstream.url(), answered))).kind == "closed"
        assert len(dropped) == 1
        assert upstream.connections == len(answered) + 1


async def test_a_fresh_connection_that_is_reset_is_not_replaced(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with serve(script) as upstream:
        assert (await failure(transport.send(post(upstream.url())))).kind == "closed"
        assert upstream.connections == 1


async def test_after_connection_close_nothing_is_replaced(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with serve(script) as upstream:
        await fetch(transport, upstream.url())
        assert (await failure(transport.send(post(upstream.url())))).kind == "closed"
        assert upstream.connections == 2


async def test_a_broken_answer_on_a_reused_connection_is_not_replaced(transport: Transport) -> None:
    broken = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        with suppress(asyncio.IncompleteReadError):
            await peer.request()
            broken.set()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi")

    async with serve(script) as upstream:
        answered: list[int] = []
        assert (await failure(fetch_for_ever(transport, upstream.url(), answered))).kind == "cut"
        assert broken.is_set()
        assert upstream.connections == len(answered)


async def test_connections_are_reused(transport: Transport) -> None:
    async with serve(answers_for_ever) as upstream:
        for _ in range(50):
            await fetch(transport, upstream.url())
        assert upstream.connections < 50


# Giving up


class Streamer:
    """Sends a chunk and then more of them, or nothing more; notes when the client has gone."""

    def __init__(self, *, active: bool) -> None:
        self.active = active
        self.client_gone = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        with suppress(ConnectionError):
            await peer.chunk(b"first")
            while self.active and not peer.reader.at_eof():
                await peer.chunk(b"x" * 4096)
        await peer.gone()
        self.client_gone.set()

    async def seen_gone(self) -> None:
        async with asyncio.timeout(PROMPT):
            await self.client_gone.wait()


ACTIVE = pytest.mark.parametrize("active", [True, False], ids=["active", "silent"])


@ACTIVE
async def test_cancelling_the_reader_closes_the_upstream(transport: Transport, active: bool) -> None:
    upstream_script = Streamer(active=active)
    started = asyncio.Event()

    async def consume(url: str) -> object:
        async for _ in chunks(await transport.send(post(url))):
            started.set()
        return None

    async with serve(upstream_script) as upstream:
        task = asyncio.create_task(consume(upstream.url()))
        await started.wait()
        await cancelled(task)
        await upstream_script.seen_gone()


@ACTIVE
async def test_closing_the_response_closes_the_upstream(transport: Transport, active: bool) -> None:
    upstream_script = Streamer(active=active)
    async with serve(upstream_script) as upstream:
        response = await transport.send(post(upstream.url()))
        await anext(chunks(response))
        await response.aclose()
        await response.aclose()
        await upstream_script.seen_gone()


@ACTIVE
async def test_closing_an_unread_response_closes_the_upstream_and_leaves_the_pool_sound(
    transport: Transport, active: bool
) -> None:
    streamer = Streamer(active=active)

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await streamer(peer)
        else:
            await answers(OK)(peer)

    async with serve(script) as upstream:
        await (await transport.send(post(upstream.url()))).aclose()
        await streamer.seen_gone()
        assert await fetch(transport, upstream.url()) == (200, b"hi")


async def test_closing_the_response_from_another_task_cuts_its_reader(transport: Transport) -> None:
    upstream_script = Streamer(active=False)
    started = asyncio.Event()

    async def consume(response: HttpResponse) -> None:
        async for _ in chunks(response):
            started.set()

    async with serve(upstream_script) as upstream:
        response = await transport.send(post(upstream.url()))
        task = asyncio.create_task(consume(response))
        await started.wait()
        await response.aclose()
        assert (await failure(task)).kind == "cut"
        await upstream_script.seen_gone()


async def test_a_cancel_is_not_lost_when_the_response_is_closed_as_well(transport: Transport) -> None:
    started = asyncio.Event()

    async def consume(response: HttpResponse) -> object:
        async for _ in chunks(response):
            started.set()
        return None

    async with serve(Streamer(active=False)) as upstream:
        response = await transport.send(post(upstream.url()))
        task = asyncio.create_task(consume(response))
        await started.wait()
        await response.aclose()
        await cancelled(task)


async def test_a_closed_response_does_not_look_finished(transport: Transport) -> None:
    async with serve(Streamer(active=False)) as upstream:
        response = await transport.send(post(upstream.url()))
        pieces = chunks(response)
        await anext(pieces)
        await response.aclose()
        assert (await failure(anext(pieces))).kind == "cut"


async def test_a_finished_response_may_be_closed(transport: Transport) -> None:
    async with serve(answers(OK)) as upstream:
        response = await transport.send(post(upstream.url()))
        assert await read(response) == b"hi"
        await response.aclose()
        assert await read(response) == b""


async def test_cancelling_a_send_that_has_no_answer_yet_closes_the_upstream(transport: Transport) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()
        gone.set()

    async with serve(script) as upstream:
        task = asyncio.create_task(send(transport, upstream.url()))
        await arrived.wait()
        await cancelled(task)
        async with asyncio.timeout(0.1):
            await gone.wait()


async def test_an_answer_that_comes_after_its_send_was_cancelled_is_closed_at_its_head(transport: Transport) -> None:
    arrived, answer, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await answer.wait()
        with suppress(ConnectionError):
            await peer.send(CHUNKED)
        await peer.gone()
        gone.set()

    async with serve(script) as upstream:
        task = asyncio.create_task(send(transport, upstream.url()))
        await arrived.wait()
        await cancelled(task)
        answer.set()
        async with asyncio.timeout(PROMPT):
            await gone.wait()


async def test_closing_the_transport_cuts_open_responses_and_ends_sending(transport: Transport) -> None:
    upstream_script = Streamer(active=False)
    async with serve(upstream_script) as upstream:
        pieces = chunks(await transport.send(post(upstream.url())))
        await anext(pieces)
        await transport.aclose()
        await upstream_script.seen_gone()
        assert (await failure(anext(pieces))).kind == "cut"
        assert (await failure(transport.send(post(upstream.url())))).kind == "closed"


# Proxies


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_used(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(OK)

    async with serve(script) as proxy:
        monkeypatch.setenv(variable, proxy.url(""))
        assert await fetch(make_transport(), "http://provider.invalid/v1") == (200, b"hi")
    assert seen[0].startswith(b"POST http://provider.invalid/v1 HTTP/1.1\r\n")


async def test_https_goes_through_a_tunnel_and_its_refusal_is_connect(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    async with serve(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        error = await failure(make_transport().send(post(f"https://provider.invalid/v1?{QUERY}", authorization=KEY)))
    assert error.kind == "connect"
    assert seen[0].startswith(b"CONNECT provider.invalid:443 HTTP/1.1\r\n")
    assert b"sk-secret-key" not in seen[0]
    assert_holds_no_secret(error)


async def test_no_proxy_is_honoured(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(answers(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        monkeypatch.setenv("NO_PROXY", "provider.invalid")
        error = await failure(make_transport().send(post("http://provider.invalid/v1")))
        assert error.kind == "connect"
        assert proxy.connections == 0


async def test_loopback_never_goes_through_a_proxy(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(answers(b"")) as proxy, serve(answers(OK)) as upstream:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        transport = make_transport()
        assert await fetch(transport, upstream.url()) == (200, b"hi")
        assert await fetch(transport, f"http://LOCALHOST:{upstream.port}/") == (200, b"hi")
        assert proxy.connections == 0


@pytest.mark.parametrize("host", ["[::1]", "127.8.9.10", "localhost."])
async def test_every_spelling_of_loopback_is_direct(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    async with serve(answers(b"")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        transport = make_transport(connect_timeout=1.0)
        assert (await failure(transport.send(post(f"http://{host}:{closed_port()}/")))).kind == "connect"
        assert proxy.connections == 0


# Http1Transport alone


async def test_a_stale_retry_is_counted_once() -> None:
    transport = Http1Transport()
    dropped: list[int] = []
    async with serve(drops_reused(dropped)) as upstream:
        while not dropped:
            assert transport.stale_retries == 0
            await fetch(transport, upstream.url())
        assert transport.stale_retries == 1
        await transport.aclose()


ONE_REQUEST = """
import asyncio
from hermes_router.transport.base import HttpRequest, TransportError
from hermes_router.transport.http1 import Http1Transport

async def main():
    transport = Http1Transport()
    try:
        await transport.send(HttpRequest("GET", "http://127.0.0.1:%d/", {}))
    except TransportError:
        await transport.aclose()

asyncio.run(main())
"""


async def test_a_process_may_end_right_after_closing_the_transport() -> None:
    async def run() -> int:
        program = ONE_REQUEST % closed_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=os.environ | {"PYTHONPATH": SRC}
        )
        return await process.wait()

    async with asyncio.timeout(60):
        assert set(await asyncio.gather(*(run() for _ in range(8)))) == {0}
