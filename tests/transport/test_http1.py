"""What our own client promises beyond the seam: its pool, its retries, backpressure, TLS, how it lets go."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from fakes.scripted_socket import (
    CHUNKED,
    LIMIT,
    OK,
    PROMPT,
    Peer,
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
    until,
)
from hermes_router.transport.base import chunks
from hermes_router.transport.http1 import Http1Transport

BODY = 64 * 1024 * 1024


async def until_idle(transport: Http1Transport, count: int) -> None:
    await until(lambda: transport.idle_connections == count)


async def until_none_open(transport: Http1Transport) -> None:
    await until(lambda: transport.open_connections == 0)


# The pool


async def test_one_connection_serves_one_request_after_another(http1: Http1Transport) -> None:
    async with serve(answers_for_ever) as upstream:
        for _ in range(5):
            assert await fetch(http1, upstream.url()) == (200, b"hi")
        assert upstream.connections == 1
        assert (http1.idle_connections, http1.open_connections) == (1, 0)


async def test_the_connection_freed_last_is_used_next(http1: Http1Transport) -> None:
    served: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-1])
        await finish[peer.number].wait()
        await peer.send(OK[-1:])
        await peer.request()
        served.append(peer.number)
        await peer.send(OK)

    finish = {number: asyncio.Event() for number in (1, 2, 3)}
    async with serve(script) as upstream:
        responses = {number: await http1.send(post(upstream.url())) for number in (1, 2, 3)}
        assert (http1.open_connections, http1.idle_connections) == (3, 0)
        for number in (1, 3, 2):
            finish[number].set()
            await read(responses[number])
        await fetch(http1, upstream.url())
    assert served == [2]


async def test_an_idle_connection_that_its_server_closes_leaves_the_pool(http1: Http1Transport) -> None:
    close = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await close.wait()

    async with serve(script) as upstream:
        await fetch(http1, upstream.url())
        assert http1.idle_connections == 1
        close.set()
        await until_idle(http1, 0)
        await until_none_open(http1)
        await fetch(http1, upstream.url())
    assert (upstream.connections, http1.stale_retries) == (2, 0)


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()
        gone.set()

    transport = Http1Transport(pool_idle_seconds=0.01)
    async with serve(script) as upstream:
        await fetch(transport, upstream.url())
        await gone.wait()
        await until_idle(transport, 0)
        await transport.aclose()


async def test_a_body_that_has_all_arrived_frees_its_connection_unread(http1: Http1Transport) -> None:
    async with serve(answers_for_ever) as upstream:
        response = await http1.send(post(upstream.url()))
        await until_idle(http1, 1)
        await response.aclose()
        await fetch(http1, upstream.url())
        assert upstream.connections == 1


async def test_two_origins_do_not_share_connections(http1: Http1Transport) -> None:
    async with serve(answers_for_ever) as one, serve(answers_for_ever) as other:
        await fetch(http1, one.url())
        await fetch(http1, other.url())
        assert (one.connections, other.connections, http1.idle_connections) == (1, 1, 2)


async def test_a_reused_connection_that_is_reset_is_replaced(http1: Http1Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await peer.request()
            peer.reset()

    async with serve(script) as upstream:
        await fetch(http1, upstream.url())
        assert await fetch(http1, upstream.url()) == (200, b"hi")
    assert (upstream.connections, http1.stale_retries) == (2, 1)


async def test_after_one_byte_of_an_answer_nothing_is_sent_again(http1: Http1Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"H")

    async with serve(script) as upstream:
        await fetch(http1, upstream.url())
        assert (await failure(http1.send(post(upstream.url())))).kind == "cut"
    assert (upstream.connections, http1.stale_retries) == (1, 0)


# Letting go


async def test_cancelling_inside_the_head_closes_the_upstream(http1: Http1Transport) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        begun.set()
        await peer.gone()
        gone.set()

    async with serve(script) as upstream:
        task = asyncio.create_task(send(http1, upstream.url()))
        await begun.wait()
        await cancelled(task)
        async with asyncio.timeout(PROMPT):
            await gone.wait()
        await until_none_open(http1)


async def test_cancelling_while_connecting_closes_the_socket(tls_client: Http1Transport) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        begun.set()
        await peer.gone()
        gone.set()

    async with serve(script) as upstream:
        task = asyncio.create_task(send(tls_client, upstream.url().replace("http:", "https:")))
        await begun.wait()
        await cancelled(task)
        async with asyncio.timeout(PROMPT):
            await gone.wait()


async def test_closing_the_transport_fails_a_request_that_has_no_answer_yet(http1: Http1Transport) -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()

    async with serve(script) as upstream:
        task = asyncio.create_task(send(http1, upstream.url()))
        await arrived.wait()
        await http1.aclose()
        assert (await failure(task)).kind == "closed"
        assert (http1.open_connections, http1.idle_connections) == (0, 0)
        await http1.aclose()


async def test_nothing_stays_open_after_many_requests_of_every_outcome(http1: Http1Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send([OK, CHUNKED + b"2\r\nhi\r\n", b"nonsense\r\n", b""][peer.number % 4])
        if peer.number % 3 == 0:
            await peer.gone()

    async def attempt(url: str) -> None:
        async with asyncio.timeout(0.2):
            await fetch(http1, url)

    async with serve(script) as upstream:
        await asyncio.gather(*(attempt(upstream.url()) for _ in range(60)), return_exceptions=True)
        await until_none_open(http1)


# Backpressure


async def test_an_upstream_is_paused_while_nobody_reads_and_nothing_is_lost(http1: Http1Transport) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BODY)
        block = bytes(65536)
        while sent < BODY:
            await peer.send(block)
            sent += len(block)

    async with serve(script) as upstream:
        response = await http1.send(post(upstream.url()))
        before = -1
        while sent != before:  # until the upstream gets no further
            before = sent
            for _ in range(100):
                await asyncio.sleep(0)
        assert sent < BODY / 2
        sizes = [len(chunk) async for chunk in chunks(response)]
    assert sum(sizes) == BODY
    assert max(sizes) <= 1024 * 1024


# TLS


async def test_https_requests_share_a_connection(tls_client: Http1Transport, server_tls: ssl.SSLContext) -> None:
    async with serve(answers_for_ever, tls=server_tls) as upstream:
        for _ in range(3):
            assert await fetch(tls_client, f"https://localhost:{upstream.port}/") == (200, b"hi")
        assert upstream.connections == 1


async def test_cancelling_a_silent_https_request_closes_the_upstream(
    tls_client: Http1Transport, server_tls: ssl.SSLContext
) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()
        gone.set()

    async with serve(script, tls=server_tls) as upstream:
        task = asyncio.create_task(send(tls_client, f"https://127.0.0.1:{upstream.port}/"))
        await arrived.wait()
        await cancelled(task)
        async with asyncio.timeout(PROMPT):
            await gone.wait()
        await until_none_open(tls_client)


async def test_a_large_https_answer_is_paused_and_whole(tls_client: Http1Transport, server_tls: ssl.SSLContext) -> None:
    size = 4 * 1024 * 1024

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        await peer.send(bytes(size))
        await peer.gone()

    async with serve(script, tls=server_tls) as upstream:
        response = await tls_client.send(post(f"https://127.0.0.1:{upstream.port}/"))
        assert len(await read(response)) == size


async def test_a_certificate_of_an_unknown_authority_is_connect(
    http1: Http1Transport, server_tls: ssl.SSLContext
) -> None:
    async with serve(answers(OK), tls=server_tls) as upstream:
        error = await failure(http1.send(post(f"https://127.0.0.1:{upstream.port}/")))
    assert error.kind == "connect"
    assert "self-signed certificate" in str(error)


async def test_a_certificate_for_another_name_is_connect(
    tls_client: Http1Transport, server_tls: ssl.SSLContext
) -> None:
    async with serve(answers(OK), tls=server_tls) as upstream:
        error = await failure(tls_client.send(post(f"https://a.localhost:{upstream.port}/")))
    assert error.kind == "connect"


# Reaching the server


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_ipv6_loopback_is_reached(http1: Http1Transport) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback")
    async with serve(answers_for_ever, address="::1") as upstream:
        assert await fetch(http1, f"http://[::1]:{upstream.port}/") == (200, b"hi")


async def test_a_name_with_one_dead_address_is_reached_by_the_other(http1: Http1Transport) -> None:
    async with serve(answers_for_ever) as upstream:  # on 127.0.0.1 only; localhost may be ::1 as well
        assert await fetch(http1, f"http://localhost:{upstream.port}/") == (200, b"hi")


async def test_a_name_that_does_not_resolve_is_connect(http1: Http1Transport) -> None:
    async with asyncio.timeout(LIMIT):
        error = await failure(http1.send(post("http://provider.invalid/?key=secret-query")))
    assert error.kind == "connect"
    assert "provider.invalid" in str(error)
    assert "secret" not in str(error)


async def test_the_error_of_a_refused_connection_names_host_and_port(http1: Http1Transport) -> None:
    port = closed_port()
    error = await failure(http1.send(post(f"http://127.0.0.1:{port}/?key=secret-query")))
    assert f"127.0.0.1:{port}" in str(error)


async def test_a_header_that_would_end_its_line_is_refused_before_connecting(http1: Http1Transport) -> None:
    async with serve(answers(OK)) as upstream:
        request = post(upstream.url(), **{"x-a": "1\r\nx-evil: 1"})
        assert (await failure(http1.send(request))).kind == "connect"
        assert upstream.connections == 0
