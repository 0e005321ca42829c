"""Taking a body and being told of it: the same for the connection's answer and for bodies that are iterators."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping

import pytest

from fakes.connection import Line
from fakes.scripted_socket import CHUNKED, failure
from hermes_router.transport.base import HttpResponse, TransportError, arrival, chunks
from hermes_router.transport.connection import BUFFER_LIMIT
from hermes_router.transport.pulled import Pulled


class Wired:
    """A chunked answer on a connection."""

    def __init__(self) -> None:
        self._line = Line()
        self.response: HttpResponse = self._line.ask()
        self._line.feed(CHUNKED)

    def say(self, data: bytes) -> None:
        self._line.feed(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self._line.feed(b"0\r\n\r\n")

    def cut(self) -> None:
        self._line.connection.connection_lost(None)

    @property
    def closed(self) -> bool:
        return self._line.wire.closed


class Iterated:
    """An iterator that gives what it is told to."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[bytes | TransportError | None] = asyncio.Queue()
        self.response: HttpResponse = _Response(self._pieces())
        self.closed = False
        self.asked = 0

    def say(self, data: bytes) -> None:
        self._steps.put_nowait(data)

    def end(self) -> None:
        self._steps.put_nowait(None)

    def cut(self) -> None:
        self._steps.put_nowait(TransportError("cut", "scripted"))

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.asked += 1
                step = await self._steps.get()
                if step is None:
                    return
                if isinstance(step, TransportError):
                    raise step
                yield step
        except asyncio.CancelledError:
            self.closed = True
            raise


class _Response(Pulled):
    status = 200
    headers: Mapping[str, str] = {}


Source = Wired | Iterated


@pytest.fixture(params=[Wired, Iterated], ids=["connection", "iterator"])
async def source(request: pytest.FixtureRequest) -> Source:
    made: Source = request.param()
    return made


async def turn() -> None:
    """Lets the loop turn until everything that can happen has."""
    for _ in range(5):
        await asyncio.sleep(0)


class Listener:
    """Takes whatever there is each time it is told; ``took`` ends with None or an error."""

    def __init__(self, response: HttpResponse) -> None:
        self.took: list[bytes | str | None] = []
        self._response = response
        self.look()
        response.notify(self.look)

    def look(self) -> None:
        try:
            while data := self._response.take():
                self.took.append(data)
        except TransportError as error:
            self.took.append(error.kind)
        else:
            if data is None:
                self.took.append(None)


async def test_what_arrives_is_taken_once_and_then_the_end(source: Source) -> None:
    response = source.response
    assert response.take() == b""
    source.say(b"one")
    await turn()
    assert (response.take(), response.take()) == (b"one", b"")
    source.end()
    await turn()
    assert (response.take(), response.take()) == (None, None)


async def test_a_listener_is_told_of_bytes_and_of_the_end(source: Source) -> None:
    listener = Listener(source.response)
    for data in (b"one", b"two"):
        source.say(data)
        await turn()
    source.end()
    await turn()
    assert listener.took == [b"one", b"two", None]


async def test_a_listener_is_told_of_a_failure_after_what_was_good(source: Source) -> None:
    listener = Listener(source.response)
    source.say(b"one")
    await turn()
    source.cut()
    await turn()
    assert listener.took == [b"one", "cut"]
    with pytest.raises(TransportError):
        source.response.take()


async def test_bytes_and_end_at_once_are_both_heard(source: Source) -> None:
    listener = Listener(source.response)
    source.say(b"one")
    source.end()
    await turn()
    assert listener.took == [b"one", None]


async def test_who_stops_listening_is_told_no_more(source: Source) -> None:
    listener = Listener(source.response)
    source.response.notify(None)
    source.say(b"one")
    await turn()
    assert listener.took == []
    assert source.response.take() == b"one"


async def test_one_listens_at_a_time(source: Source) -> None:
    listener = Listener(source.response)
    with pytest.raises(RuntimeError):
        source.response.notify(listener.look)
    source.response.notify(None)
    source.response.notify(listener.look)
    source.say(b"one")
    await turn()
    assert listener.took == [b"one"]


async def test_closing_tells_the_listener_that_it_is_cut(source: Source) -> None:
    listener = Listener(source.response)
    await turn()
    await source.response.aclose()
    await turn()
    assert listener.took == ["cut"]
    assert source.closed


async def test_closing_drops_what_was_not_taken(source: Source) -> None:
    source.response.take()
    source.say(b"one")
    await turn()
    await source.response.aclose()
    with pytest.raises(TransportError, match="closed before its body was read"):
        source.response.take()


async def test_closing_a_body_that_was_taken_to_its_end_changes_nothing(source: Source) -> None:
    listener = Listener(source.response)
    source.end()
    await turn()
    await source.response.aclose()
    assert (listener.took, source.response.take()) == ([None], None)


async def test_who_is_cancelled_while_it_waits_closes_the_response(source: Source) -> None:
    assert source.response.take() == b""
    waiting = asyncio.ensure_future(arrival(source.response))
    await turn()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await turn()
    assert source.closed
    with pytest.raises(TransportError):
        source.response.take()


async def test_chunks_are_what_there_is_to_take(source: Source) -> None:
    pieces = chunks(source.response)
    for data in (b"one", b"two"):
        source.say(data)
        assert await anext(pieces) == data
    source.cut()
    assert (await failure(anext(pieces))).kind == "cut"


# The iterator alone


async def test_the_next_piece_is_asked_for_only_when_it_is_wanted() -> None:
    source = Iterated()
    source.say(b"one")
    source.say(b"two")
    await turn()
    asked = [source.asked]
    for _ in range(2):
        source.response.take()
        await turn()
        asked.append(source.asked)
    assert asked == [0, 1, 1]
    assert source.response.take() == b""
    await turn()
    assert (source.asked, source.response.take()) == (2, b"two")


async def test_an_empty_piece_is_passed_over() -> None:
    source = Iterated()
    listener = Listener(source.response)
    source.say(b"")
    source.say(b"one")
    await turn()
    assert listener.took == [b"one"]


async def test_another_error_of_the_iterator_is_raised_where_it_is_taken() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("a bug")

    response = _Response(pieces())
    reading = chunks(response)
    assert await anext(reading) == b"one"
    with pytest.raises(ValueError, match="a bug"):
        await anext(reading)


# The connection alone


def _asked(*, length: int = 0, coding: str = "identity") -> tuple[Line, HttpResponse]:
    line = Line()
    answer = line.ask()
    line.feed(f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n".encode())
    return line, answer


@pytest.mark.parametrize("listens", [True, False])
async def test_only_an_answer_that_nobody_takes_pauses_the_network(listens: bool) -> None:
    line, answer = _asked(length=10 * BUFFER_LIMIT)
    if listens:
        Listener(answer)
    for _ in range(4):
        line.feed(b"x" * (BUFFER_LIMIT // 2 + 1))
    assert line.wire.reading is listens


async def test_who_listens_no_more_and_takes_later_lets_the_network_go_on() -> None:
    line, answer = _asked(length=10 * BUFFER_LIMIT)
    Listener(answer)
    line.feed(b"x")
    answer.notify(None)
    line.feed(b"x" * (BUFFER_LIMIT + 1))
    paused = not line.wire.reading
    answer.take()
    assert (paused, line.wire.reading) == (True, True)


async def test_a_well_compressed_body_is_taken_in_pieces() -> None:
    packed = gzip.compress(b"x" * (3 * BUFFER_LIMIT))
    line, answer = _asked(length=len(packed), coding="gzip")
    listener = Listener(answer)
    line.feed(packed)
    assert [len(data) for data in listener.took if isinstance(data, bytes)] == [BUFFER_LIMIT] * 3
    assert listener.took[-1] is None


async def test_what_take_itself_finds_wrong_is_raised_and_not_told_on_top() -> None:
    line, answer = _asked(length=5, coding="gzip")
    listener = Listener(answer)
    line.feed(b"abc")
    assert listener.took == ["protocol"]
    assert line.wire.closed


async def test_a_listener_hears_of_the_end_when_the_connection_is_free_again() -> None:
    line = Line()
    answer = line.ask()
    line.feed(CHUNKED)
    told: list[list[str]] = []
    answer.notify(lambda: told.append(list(line.told)))
    line.feed(b"0\r\n\r\n")
    assert told == [["free"]]
