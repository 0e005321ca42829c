"""Heads and bodies that leave together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hermes_router.server.protocol import JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed_after = len(self.written)

    def is_closing(self) -> bool:
        return self.closed_after is not None

    def get_extra_info(self, name: str) -> str:
        return name


def joining(wire: Wire) -> JoiningTransport:
    transport: Any = wire
    return JoiningTransport(transport, asyncio.get_running_loop())


@pytest.mark.parametrize(
    "writes, expected",
    [
        pytest.param([HEAD, b"{}"], [HEAD + b"{}"], id="a head and its body"),
        pytest.param([HEAD, b"2\r\n{}\r\n", b"0\r\n\r\n"], [HEAD + b"2\r\n{}\r\n", b"0\r\n\r\n"], id="only the first"),
        pytest.param([HEAD, b"{}", HEAD, b"{}"], [HEAD + b"{}", HEAD + b"{}"], id="one response after the other"),
        pytest.param([b"{}", b"{}"], [b"{}", b"{}"], id="no head"),
    ],
)
async def test_a_head_leaves_with_what_follows_it(writes: list[bytes], expected: list[bytes]):
    wire = Wire()
    transport = joining(wire)
    for data in writes:
        transport.write(data)
    assert wire.written == expected


async def test_a_head_alone_leaves_with_the_next_turn_of_the_loop():
    wire = Wire()
    joining(wire).write(HEAD)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [HEAD]


async def test_closing_sends_what_was_held():
    wire = Wire()
    transport = joining(wire)
    transport.write(HEAD)
    transport.close()
    assert wire.written == [HEAD]
    assert wire.closed_after == 1


async def test_nothing_is_written_to_a_connection_that_is_gone():
    wire = Wire()
    joining(wire).write(HEAD)
    wire.close()
    await asyncio.sleep(0)
    assert wire.written == []


async def test_everything_else_is_the_transports_own():
    assert joining(Wire()).get_extra_info("peername") == "peername"
