"""One connection, fed by hand: what bytes make which answer, and when the connection may be used again."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from fakes.connection import Line, Wire
from fakes.scripted_socket import CHUNKED, OK, failure, read
from hermes_router.transport.base import FailureKind, chunks
from hermes_router.transport.connection import BUFFER_LIMIT, HEAD_LIMIT, Connection
from hermes_router.transport.outbox import Outbox

EVENTS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
EVENTS += b"4;ext=1\r\ndata\r\nD\r\n: 1\n\ndata: 2\n\r\n0\r\nX-Trailer: t\r\n\r\n"


async def test_a_chunked_answer_cut_anywhere_is_the_same() -> None:
    for position in range(1, len(EVENTS)):
        line = Line()
        answer = line.ask()
        line.feed(EVENTS[:position], EVENTS[position:])
        assert (await answer.head()).status == 200
        assert await read(answer) == b"data: 1\n\ndata: 2\n", position
        assert line.reusable
        assert "x-trailer" not in answer.headers


async def test_a_chunked_answer_byte_by_byte_is_the_same() -> None:
    line = Line()
    answer = line.ask()
    line.feed(*(EVENTS[i : i + 1] for i in range(len(EVENTS))))
    assert await read(answer) == b"data: 1\n\ndata: 2\n"
    assert line.reusable


async def test_everything_that_has_arrived_is_one_chunk() -> None:
    line = Line()
    answer = line.ask()
    line.feed(CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n1\r\nc\r\n")
    assert await anext(chunks(answer)) == b"abc"


async def test_a_waiting_reader_is_woken_once_for_a_burst() -> None:
    line = Line()
    answer = line.ask()
    line.feed(CHUNKED)
    reading = asyncio.ensure_future(anext(chunks(answer)))
    await asyncio.sleep(0)
    line.feed(b"1\r\na\r\n", b"1\r\nb\r\n")
    assert await reading == b"ab"


async def test_informational_answers_are_skipped() -> None:
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK)
    assert (await answer.head()).status == 200
    assert "link" not in answer.headers
    assert await read(answer) == b"hi"
    assert line.reusable


WITHOUT_BODY = {
    "HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
    "HEAD, chunked": ("HEAD", CHUNKED),
    "204": ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304 with a length": ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
}


@pytest.mark.parametrize("case", WITHOUT_BODY)
async def test_an_answer_without_a_body_is_complete_at_its_head(case: str) -> None:
    method, data = WITHOUT_BODY[case]
    line = Line()
    answer = line.ask(method)
    line.feed(data)
    assert await read(answer) == b""
    assert line.reusable
    following = line.ask()
    line.feed(OK)
    assert await read(following) == b"hi"


NOT_REUSABLE = {
    "connection: close": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a second answer": OK + b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
    "bytes after the answer": OK + b"more",
}


@pytest.mark.parametrize("case", NOT_REUSABLE)
async def test_an_answer_after_which_the_connection_is_closed(case: str) -> None:
    line = Line()
    answer = line.ask()
    line.feed(NOT_REUSABLE[case])
    assert (answer.status, await read(answer)) == (200, b"hi")
    assert line.wire.closed
    assert not line.reusable


async def test_an_answer_that_came_before_the_request_was_sent_ends_the_connection() -> None:
    line = Line()
    answer = line.ask()
    line.wire.unsent = 1
    line.feed(OK)
    assert await read(answer) == b"hi"
    assert line.wire.closed


async def test_http_1_0_with_keep_alive_may_be_used_again() -> None:
    line = Line()
    line.ask()
    line.feed(b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi")
    assert line.reusable


async def test_bytes_that_answer_nothing_close_an_idle_connection() -> None:
    line = Line()
    line.ask()
    line.feed(OK, b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert line.wire.closed


CLOSE_DELIMITED = {
    "no length": b"HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n",
    "a coding that is not chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: x-other\r\n\r\n",
}


@pytest.mark.parametrize("case", CLOSE_DELIMITED)
async def test_the_end_of_file_ends_a_body_without_a_length(case: str) -> None:
    line = Line()
    answer = line.ask()
    line.feed(CLOSE_DELIMITED[case], b"all ", b"of it")
    line.connection.eof_received()
    assert await read(answer) == b"all of it"
    assert line.wire.closed


async def test_a_reset_does_not_end_a_body_without_a_length_cleanly() -> None:
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 200 OK\r\n\r\n", b"some of it")
    line.connection.connection_lost(ConnectionResetError())
    assert await anext(chunks(answer)) == b"some of it"
    assert (await failure(read(answer))).kind == "cut"


EARLY_ENDS: dict[str, tuple[FailureKind, bool, bytes, Exception | None]] = {
    "nothing, end of file": ("closed", True, b"", None),
    "nothing, reset": ("closed", True, b"", ConnectionResetError()),
    "nothing, another error": ("closed", False, b"", TimeoutError()),
    "inside the head": ("cut", False, b"HTTP/1.1 2", None),
    "after a 100": ("cut", False, b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "after the head": ("cut", False, CHUNKED, None),
    "short of the length": ("cut", False, OK[:-1], None),
}


@pytest.mark.parametrize("case", EARLY_ENDS)
async def test_how_far_an_answer_came_decides_what_its_end_is_called(case: str) -> None:
    kind, stale, data, error = EARLY_ENDS[case]
    line = Line()
    answer = line.ask()
    if data:
        line.feed(data)
    line.connection.connection_lost(error)
    assert (await failure(read(answer))).kind == kind
    assert answer.stale is stale
    assert line.told == ["lost"]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "without an end"])
async def test_a_head_that_is_too_large_is_refused(whole: bool) -> None:
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 200 OK\r\nx-large: " + b"x" * HEAD_LIMIT + (b"\r\n\r\n" if whole else b"x"))
    assert (await failure(answer.head())).kind == "protocol"
    assert line.wire.closed


async def test_endless_informational_answers_are_refused() -> None:
    line = Line()
    answer = line.ask()
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    line.feed(*([hint] * (HEAD_LIMIT // len(hint) + 1)))
    assert (await failure(answer.head())).kind == "protocol"


MALFORMED = {
    "an upgrade nobody asked for": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "a length and a coding": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "HTML": b"<html>Bad Gateway</html>\r\n",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_answer_is_refused(case: str) -> None:
    line = Line()
    answer = line.ask()
    line.feed(MALFORMED[case])
    assert (await failure(answer.head())).kind == "protocol"
    assert line.wire.closed


async def test_an_unread_answer_pauses_the_network_until_it_is_read() -> None:
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * BUFFER_LIMIT), b"x" * BUFFER_LIMIT)
    paused = not line.wire.reading
    size = len(await anext(chunks(answer)))
    assert (paused, size, line.wire.reading) == (True, BUFFER_LIMIT, True)


async def test_a_connection_that_was_paused_goes_back_to_the_pool_reading() -> None:
    line = Line()
    answer = line.ask()
    size = BUFFER_LIMIT + 2
    line.feed(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * (size - 1))
    paused = not line.wire.reading
    line.feed(b"x")
    assert (paused, line.wire.reading, line.reusable) == (True, True, True)
    assert len(await read(answer)) == size


async def test_closing_a_complete_answer_leaves_its_connection_alone() -> None:
    line = Line()
    answer = line.ask()
    line.feed(OK)
    following = line.ask()
    await answer.aclose()
    assert not line.wire.closed
    line.feed(OK)
    assert await read(following) == b"hi"
    assert (await failure(read(answer))).kind == "cut"


async def test_a_reader_cancelled_after_its_answer_came_leaves_the_connection_alone() -> None:
    line = Line()
    answer = line.ask()
    waiting = asyncio.ensure_future(answer.head())
    await asyncio.sleep(0)
    line.feed(OK)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert line.reusable


async def test_a_second_reader_is_refused() -> None:
    line = Line()
    answer = line.ask()
    waiting = asyncio.ensure_future(answer.head())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await answer.head()
    line.feed(OK)
    assert (await waiting).status == 200


async def test_a_connection_closed_before_it_was_asked_is_connect() -> None:
    line = Line()
    line.wire.abort()
    error = await failure(line.ask().head())
    assert error.kind == "connect"
    assert not line.wire.sent


@pytest.mark.parametrize("size, writes", [(0, 1), (1000, 1), (1_000_000, 2)])
async def test_head_and_body_are_written_together_and_a_large_body_is_not_copied(size: int, writes: int) -> None:
    line = Line()
    line.ask(body=b"x" * size)
    assert b"".join(line.wire.sent) == b"HEAD\r\n\r\n" + b"x" * size
    assert len(line.wire.sent) == writes


async def test_a_gzip_body_is_decoded_as_it_arrives() -> None:
    packed = gzip.compress(b"hello")
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 200 OK\r\ncontent-encoding: GZIP\r\ncontent-length: %d\r\n\r\n" % len(packed))
    line.feed(*(packed[i : i + 1] for i in range(len(packed))))
    assert await read(answer) == b"hello"
    assert not {"content-encoding", "content-length"} & set(answer.headers)


UNREADABLE = {
    "br": (b"br", b"\x0b\x02\x80hi"),
    "zstd": (b"zstd", b"\x28\xb5\x2f\xfd"),
    "two codings": (b"gzip, br", b"\x1f\x8b"),
    "a gzip body that stops early": (b"gzip", gzip.compress(b"hello")[:-4]),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_body_that_cannot_be_decoded_is_protocol_but_its_head_is_returned(case: str) -> None:
    coding, body = UNREADABLE[case]
    line = Line()
    answer = line.ask()
    head = b"HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n"
    line.feed(head % (coding, len(body)) + body)
    assert (await answer.head()).headers["retry-after"] == "7"
    assert (await failure(read(answer))).kind == "protocol"


async def test_an_identity_coding_is_no_coding() -> None:
    line = Line()
    answer = line.ask()
    line.feed(b"HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\nhi")
    assert await read(answer) == b"hi"


async def test_an_answer_that_comes_before_its_request_has_left_ends_the_connection() -> None:
    wire = Wire()
    told: list[str] = []
    connection = Connection(
        "key", Outbox(asyncio.get_running_loop()), lambda _: told.append("free"), lambda _: told.append("lost")
    )
    connection.connection_made(wire)
    answer = connection.ask(b"HEAD\r\n\r\n", b"", "host", "POST")
    connection.data_received(OK)
    assert await read(answer) == b"hi"
    assert wire.closed
    assert told == []
