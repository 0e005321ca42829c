"""Writes of one turn of the loop: late, together, in order, and never lost."""

from __future__ import annotations

import asyncio
from typing import Any

from hermes_router.transport.outbox import LateTransport, Outbox


class Wire:
    """A transport that notes what is done to it, in a list that several may share."""

    def __init__(self, done: list[Any]) -> None:
        self.done = done
        self.closing = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.done.append(parts)

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.closing = True
        self.done.append("close")

    def abort(self) -> None:
        self.closing = True
        self.done.append("abort")

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def get_write_buffer_size(self) -> int:
        return self.unsent


def late(done: list[Any], count: int = 1) -> list[LateTransport]:
    outbox = Outbox(asyncio.get_running_loop())
    wires: list[Any] = [Wire(done) for _ in range(count)]
    return [LateTransport(wire, outbox) for wire in wires]


async def test_what_is_written_in_one_turn_leaves_at_its_end_a_write_for_each_connection():
    done: list[Any] = []
    first, second = late(done, 2)
    first.write(b"a")
    second.write(b"b")
    first.write(b"c")
    assert done == []
    await asyncio.sleep(0)
    assert done == [b"ac", b"b"]


async def test_each_turn_has_its_own_writes():
    done: list[Any] = []
    (one,) = late(done)
    for piece in (b"a", b"b"):
        one.write(piece)
        await asyncio.sleep(0)
    assert done == [b"a", b"b"]


async def test_closing_sends_first_what_was_written():
    done: list[Any] = []
    (one,) = late(done)
    one.write(b"a")
    one.close()
    assert done == [b"a", "close"]
    await asyncio.sleep(0)
    assert done == [b"a", "close"]


async def test_the_end_of_what_is_sent_comes_after_it():
    done: list[Any] = []
    (one,) = late(done)
    one.write(b"a")
    one.write_eof()
    assert done == [b"a", "eof"]


async def test_what_is_too_large_to_copy_leaves_at_once_and_in_order():
    done: list[Any] = []
    (one,) = late(done)
    one.write(b"a")
    one.write_now((b"b", b"c"))
    await asyncio.sleep(0)
    assert done == [b"a", (b"b", b"c")]


async def test_aborting_sends_nothing_more():
    done: list[Any] = []
    (one,) = late(done)
    one.write(b"a")
    one.abort()
    await asyncio.sleep(0)
    assert done == ["abort"]


async def test_nothing_is_written_to_a_connection_that_was_lost_meanwhile():
    done: list[Any] = []
    outbox = Outbox(asyncio.get_running_loop())
    wire: Any = Wire(done)
    one = LateTransport(wire, outbox)
    one.write(b"a")
    wire.closing = True
    await asyncio.sleep(0)
    assert done == []


async def test_what_waits_counts_as_unsent():
    (one,) = late([])
    one.write(b"abc")
    assert one.get_write_buffer_size() == 3
    await asyncio.sleep(0)
    assert one.get_write_buffer_size() == 0
