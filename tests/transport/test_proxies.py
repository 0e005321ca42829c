"""Proxies of the environment: which are used, what they are told, and that their credentials stay with them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from fakes.scripted_socket import (
    OK,
    PROMPT,
    Peer,
    answers,
    answers_for_ever,
    cancelled,
    failure,
    fetch,
    post,
    send,
    serve,
    until,
)
from hermes_router.transport.http1 import Http1Transport

CREDENTIAL = b"Basic " + base64.b64encode(b"user:secret-word")


class Tunnel:
    """A proxy that grants every CONNECT, once ``may_answer`` is set, and relays to one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heads: list[bytes] = []
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, peer: Peer) -> None:
        self.heads.append(await peer.request())
        self.asked.set()
        await self.may_answer.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(relay(peer.reader, writer)),
                    asyncio.ensure_future(relay(reader, peer.writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            writer.close()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_variables(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


async def test_https_through_a_tunnel_speaks_tls_with_the_origin_and_keeps_the_tunnel(
    tls_client: Http1Transport, server_tls: ssl.SSLContext, environment: Callable[..., None]
) -> None:
    async with serve(answers_for_ever, tls=server_tls) as upstream:
        tunnel = Tunnel(upstream.port)
        async with serve(tunnel) as proxy:
            environment(HTTPS_PROXY=f"http://user:secret%2Dword@127.0.0.1:{proxy.port}")
            for _ in range(3):
                assert await fetch(tls_client, "https://provider.invalid/v1") == (200, b"hi")
            await tls_client.aclose()
    assert len(tunnel.heads) == 1
    head = tunnel.heads[0]
    assert head.startswith(b"CONNECT provider.invalid:443 HTTP/1.1\r\nhost: provider.invalid:443\r\n")
    assert b"proxy-authorization: " + CREDENTIAL + b"\r\n" in head


async def test_the_origin_never_sees_the_proxys_credential(
    tls_client: Http1Transport, server_tls: ssl.SSLContext, environment: Callable[..., None]
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(OK)

    async with serve(script, tls=server_tls) as upstream, serve(Tunnel(upstream.port)) as proxy:
        environment(https_proxy=f"http://user:secret-word@127.0.0.1:{proxy.port}")
        await fetch(tls_client, "https://provider.invalid/v1")
        await tls_client.aclose()
    assert b"proxy" not in seen[0]
    assert seen[0].startswith(b"POST /v1 HTTP/1.1\r\nhost: provider.invalid\r\n")


async def test_a_certificate_is_checked_inside_the_tunnel(
    tls_client: Http1Transport, server_tls: ssl.SSLContext, environment: Callable[..., None]
) -> None:
    async with serve(answers(OK), tls=server_tls) as upstream, serve(Tunnel(upstream.port)) as proxy:
        environment(HTTPS_PROXY=proxy.url(""))
        error = await failure(tls_client.send(post("https://other.invalid/v1")))
    assert error.kind == "connect"
    assert "other.invalid" in str(error)


async def test_a_proxy_may_itself_speak_tls(
    tls_client: Http1Transport, server_tls: ssl.SSLContext, environment: Callable[..., None]
) -> None:
    async with (
        serve(answers_for_ever, tls=server_tls) as upstream,
        serve(Tunnel(upstream.port), tls=server_tls) as proxy,
    ):
        environment(HTTPS_PROXY=f"https://localhost:{proxy.port}")
        assert await fetch(tls_client, "https://provider.invalid/v1") == (200, b"hi")
        await tls_client.aclose()


async def test_plain_http_asks_the_proxy_for_the_whole_url_with_its_credential(
    http1: Http1Transport, environment: Callable[..., None]
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        for _ in range(2):
            seen.append(await peer.request())
            await peer.send(OK)

    async with serve(script) as proxy:
        environment(http_proxy=f"user:secret-word@127.0.0.1:{proxy.port}")
        await fetch(http1, "http://provider.invalid:81/v1?a=b")
        await fetch(http1, "http://provider.invalid:81/v1?a=b")
        assert proxy.connections == 1
    assert seen[0].startswith(b"POST http://provider.invalid:81/v1?a=b HTTP/1.1\r\nhost: provider.invalid:81\r\n")
    assert b"proxy-authorization: " + CREDENTIAL + b"\r\n" in seen[0]


NO_PROXY = {
    "provider.invalid": True,
    ".invalid": True,
    "other.example, invalid": True,
    "*": True,
    "provider.invalid:443": True,
    "provider.invalid:444": False,
    "vider.invalid": False,
    "": False,
}


@pytest.mark.parametrize("rule", NO_PROXY)
async def test_no_proxy_decides_by_suffix(
    tls_client: Http1Transport, environment: Callable[..., None], rule: str
) -> None:
    async with serve(answers(b"HTTP/1.1 403 No\r\n\r\n")) as proxy:
        environment(HTTPS_PROXY=proxy.url(""), NO_PROXY=rule)
        await failure(tls_client.send(post("https://provider.invalid/")))
        assert proxy.connections == (0 if NO_PROXY[rule] else 1)


REFUSALS = {
    "no": b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 Conn",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "bytes before TLS": b"HTTP/1.1 200 OK\r\n\r\nearly",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_proxy_that_gives_no_tunnel_is_connect_without_its_credential(
    tls_client: Http1Transport, environment: Callable[..., None], case: str
) -> None:
    async with serve(answers(REFUSALS[case])) as proxy:
        environment(HTTPS_PROXY=f"http://user:secret-word@127.0.0.1:{proxy.port}")
        error = await failure(tls_client.send(post("https://provider.invalid/")))
    assert error.kind == "connect"
    assert f"127.0.0.1:{proxy.port}" in str(error)
    assert "secret" not in repr(error)
    assert "user" not in str(error)


@pytest.mark.parametrize(
    "url", ["socks5://user:secret-word@127.0.0.1:1", "http://user:secret-word@[bad", "http://user:secret-word@h:port"]
)
async def test_a_proxy_that_cannot_be_used_is_connect_without_its_credential(
    http1: Http1Transport, environment: Callable[..., None], url: str
) -> None:
    environment(HTTP_PROXY=url)
    error = await failure(http1.send(post("http://provider.invalid/")))
    assert error.kind == "connect"
    assert "secret" not in repr(error)
    assert error.__context__ is None


async def test_cancelling_while_the_proxy_is_silent_closes_it(
    tls_client: Http1Transport, environment: Callable[..., None]
) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()
        gone.set()

    async with serve(script) as proxy:
        environment(HTTPS_PROXY=proxy.url(""))
        task = asyncio.create_task(send(tls_client, "https://provider.invalid/"))
        await arrived.wait()
        await cancelled(task)
        async with asyncio.timeout(PROMPT):
            await gone.wait()


async def test_a_connection_that_opens_after_the_transport_was_closed_is_not_used(
    tls_client: Http1Transport, server_tls: ssl.SSLContext, environment: Callable[..., None]
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.reader.read())

    async with serve(script, tls=server_tls) as upstream:
        tunnel = Tunnel(upstream.port)
        tunnel.may_answer.clear()
        async with serve(tunnel) as proxy:
            environment(HTTPS_PROXY=proxy.url(""))
            task = asyncio.create_task(send(tls_client, "https://provider.invalid/"))
            await tunnel.asked.wait()
            await tls_client.aclose()
            tunnel.may_answer.set()
            assert (await failure(task)).kind == "closed"
            await until(lambda: tls_client.open_connections == 0)
    assert seen in ([], [b""])
