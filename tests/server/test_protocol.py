"""Requests that mean well, as bytes: however they are cut, queued, framed and timed, they are answered, in order."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from fakes.line import HIGH_WATER, LIMIT, Answer, Line, echo, settle, shared
from fakes.virtual_time import run
from hermes_router.server.http import Call, header
from hermes_router.server.protocol import IDLE_SECONDS, SLOW_SECONDS, UNREAD_SECONDS, Shared

GET = b"GET /a?b=%20c HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: 1\r\n\r\n"
)
STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
HANG = b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


def tell(*packets: bytes, methods: tuple[str, ...] = ()) -> list[Answer]:
    """The answers to packets sent one after the other, the loop turning in between."""

    async def main() -> list[Answer]:
        line = Line(shared())
        for packet in packets:
            line.say(packet)
            await settle(3)
        await settle()
        return line.answers(*methods)

    return run(main)


def asked(answer: Answer) -> tuple[str, str, str, str]:
    said = answer.json
    return said["method"], said["path"], said["query"], said["body"]


# --- how it comes


WHOLE = {"get": GET, "length": POST, "chunked": CHUNKED, "stream": STREAM}


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE.keys())
def test_a_request_may_be_cut_anywhere(request_: bytes):
    (whole,) = tell(request_)
    for at in range(1, len(request_)):
        (cut,) = tell(request_[:at], request_[at:])
        assert (cut.status, cut.whole, cut.json) == (200, True, whole.json), at


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE.keys())
def test_a_request_may_come_byte_by_byte(request_: bytes):
    assert tell(*(bytes([one]) for one in request_))[0].json == tell(request_)[0].json


def test_pipelined_requests_are_answered_in_order_however_they_are_cut():
    everything = STREAM + POST + REFUSED + CHUNKED + GET
    expected = [("GET", "/stream"), ("POST", "/p"), None, ("POST", "/c"), ("GET", "/a")]
    for at in range(len(everything)):
        answers = tell(everything[:at], everything[at:])
        assert [one.status for one in answers] == [200, 200, 401, 200, 200], at
        assert [None if one.status == 401 else asked(one)[:2] for one in answers] == expected
        assert all(one.whole for one in answers)


def test_a_request_refused_before_its_body_leaves_the_connection_usable():
    head, body = REFUSED[:-5], REFUSED[-5:]
    assert [one.status for one in tell(head, body[:2], body[2:] + GET, GET)] == [401, 200, 200]


@pytest.mark.parametrize("between", [b"\r\n", b"\r\n\r\n", b"\n"], ids=["CRLF", "two", "LF"])
def test_empty_lines_before_a_request_are_skipped(between: bytes):
    assert [one.status for one in tell(between + GET, between, between + GET)] == [200, 200]


def test_a_queue_of_requests_stops_the_reading_and_goes_on():
    async def main() -> list[Answer]:
        gate = asyncio.Event()

        async def answer(call: Call) -> None:
            await gate.wait()
            await echo(call)

        line = Line(shared(answer))
        line.say(*[GET] * 100)
        reading = [line.reading]
        assert len(line.protocol._queue) < 20
        gate.set()
        await settle(1000)
        reading.append(line.reading)
        assert reading == [False, True]
        return line.answers()

    assert [one.status for one in run(main)] == [200] * 100


def test_a_caller_who_reads_no_answers_gets_no_more_of_them():
    async def main() -> None:
        big = b"x" * 10_000

        async def answer(call: Call) -> None:
            call.reply(200, big)

        line = Line(shared(answer))
        line.deaf = True
        line.say(*[GET] * 1000)
        await settle(3000)
        assert len(line.unread) < HIGH_WATER + 2 * len(big)
        assert not line.reading
        while line.unread or line._unsaid:
            line.listen()
            line.deaf = len(line.heard) < 5_000_000
            await settle(200)
        assert len(line.answers()) == 1000

    run(main)


# --- bodies


CHUNKS: dict[str, tuple[bytes, str]] = {
    "none": (b"0\r\n\r\n", ""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", "hello"),
    "tiny ones": (b"1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n", "hello"),
    "an extension": (b'5;name=value;other="a b"\r\nhello\r\n0;last\r\n\r\n', "hello"),
    "leading zeros": (b"0005\r\nhello\r\n000\r\n\r\n", "hello"),
    "capitals": (b"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    "trailers": (b"5\r\nhello\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n", "hello"),
}


@pytest.mark.parametrize("chunks, body", CHUNKS.values(), ids=CHUNKS.keys())
def test_a_chunked_body(chunks: bytes, body: str):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    first, second = tell(head + chunks + GET)
    assert asked(first)[3] == body
    assert second.status == 200


def test_trailers_are_no_headers_of_this_request_or_the_next():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Mine: 1\r\n\r\n2\r\nhe\r\n"
    trailers = b"0\r\nAuthorization: Bearer other\r\nX-Mine: 2\r\nHost: y\r\n\r\n"
    for packets in ((head + trailers + GET,), (head, trailers, GET), (head, trailers[:20], trailers[20:] + GET)):
        first, second = tell(*packets)
        assert first.json["headers"] == {"host": "x", "transfer-encoding": "chunked", "x-mine": "1"}
        assert second.json["headers"] == {"host": "x"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_any_method_may_have_a_body(method: str):
    head = f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n".encode()
    first, second = tell(head + b"abc" + GET)
    assert (asked(first)[0], asked(first)[3], second.status) == (method, "abc", 200)


def test_an_empty_body():
    assert asked(tell(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")[0])[3] == ""
    assert asked(tell(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")[0])[3] == ""


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_body_in_many_pieces_is_put_together(size: int):
    body = bytes(range(256)) * 8
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert asked(tell(head, *pieces)[0])[3] == body.decode("latin-1")


def test_a_length_may_have_any_number_of_zeros():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %b5\r\n\r\n" % (b"0" * 5000)
    assert asked(tell(head, b"hello")[0])[3] == "hello"


def test_head_has_the_headers_and_no_body():
    head, get = tell(b"HEAD /a?b=%20c HTTP/1.1\r\nHost: x\r\n\r\n" + GET, methods=("HEAD", "GET"))
    assert head.body == b""
    assert int(head.headers["content-length"]) == len(get.body) + 1
    assert get.status == 200


# --- expectations


EXPECTING = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-Continue \r\n\r\n"


def test_a_body_that_is_waited_for_is_asked_for_and_then_read():
    async def main() -> None:
        line = Line(shared())
        line.say(EXPECTING)
        await settle()
        assert bytes(line.heard) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.say(b"hello" + GET)
        await settle()
        assert [one.status for one in line.answers()] == [100, 200, 200]

    run(main)


def test_a_body_that_is_here_already_is_not_asked_for():
    assert [one.status for one in tell(EXPECTING + b"hello")] == [200]
    assert [one.status for one in tell(EXPECTING + b"h", b"ello")] == [200]


def test_the_go_ahead_comes_after_the_answers_before_it():
    async def main() -> None:
        line = Line(shared())
        line.say(STREAM + EXPECTING)
        await settle()
        assert [one.status for one in line.answers()] == [200, 100]
        line.say(b"hello")
        await settle()
        assert [one.status for one in line.answers()] == [200, 100, 200]

    run(main)


def test_a_body_nobody_wants_is_not_asked_for_and_ends_the_connection():
    for path, length, status in ((b"/refuse", 5, 401), (b"/p", LIMIT + 1, 413)):
        lines = b"POST %b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (path, length)
        (answer,) = tell(lines, GET)
        assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_an_expectation_without_a_body_or_of_http_1_0_is_none():
    assert [one.status for one in tell(GET.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))] == [200]
    old = EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert [one.status for one in tell(old, b"hello")] == [200]


# --- versions and connections


def closes(*packets: bytes) -> tuple[list[Answer], Line]:
    async def main() -> tuple[list[Answer], Line]:
        line = Line(shared())
        line.say(*packets)
        await settle()
        return line.answers(), line

    return run(main)


ENDING: dict[str, tuple[bytes, str | None, bool]] = {
    "1.1": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None, False),
    "1.1 close": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close", True),
    "1.1 Close among others": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n", "close", True),
    "1.0": (b"GET / HTTP/1.0\r\n\r\n", "close", True),
    "1.0 keep-alive": (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive", False),
}


@pytest.mark.parametrize("request_, said, closed", ENDING.values(), ids=ENDING.keys())
def test_who_keeps_the_connection(request_: bytes, said: str | None, closed: bool):
    (answer,), line = closes(request_)
    assert answer.headers.get("connection") == said
    assert "transfer-encoding" not in answer.headers
    assert line.closed == closed


@pytest.mark.parametrize("keep", [b"", b"Connection: keep-alive\r\n"], ids=["plain", "keep-alive"])
def test_a_stream_for_http_1_0_is_not_chunked_and_ends_with_the_connection(keep: bytes):
    (answer,), line = closes(b"GET /stream HTTP/1.0\r\n" + keep + b"\r\n")
    assert (answer.whole, answer.headers["connection"]) == (True, "close")
    assert answer.json["path"] == "/stream"
    assert line.closed


def test_nothing_is_read_after_the_request_that_said_close():
    answers, line = closes(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET)
    assert [one.status for one in answers] == [200]
    assert line.closing or line.half_closed


TARGETS: dict[str, tuple[bytes, str, str]] = {
    "origin": (b"/v1/models", "/v1/models", ""),
    "a query": (b"/a?b=c%20d&e", "/a", "b=c%20d&e"),
    "two question marks": (b"/a?b?c", "/a", "b?c"),
    "percent": (b"/v1/models/a%2Fb%20c%C3%A9", "/v1/models/a/b c\u00e9", ""),
    "percent and no UTF-8": (b"/%ff", "/\ufffd", ""),
    "a lone percent": (b"/%", "/%", ""),
    "line ends": (b"/%0d%0aa", "/\r\na", ""),
    "absolute": (b"http://other:1/v1/models?x=y", "/v1/models", "x=y"),
    "absolute without a path": (b"http://other", "/", ""),
    "absolute and odd": (b"http://[/x", "http://[/x", ""),
    "asterisk": (b"*", "*", ""),
    "two slashes": (b"//a/b", "//a/b", ""),
    "dots": (b"/a/../b", "/a/../b", ""),
}


@pytest.mark.parametrize("target, path, query", TARGETS.values(), ids=TARGETS.keys())
def test_where_a_target_points(target: bytes, path: str, query: str):
    (answer,) = tell(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
    assert asked(answer)[1:3] == (path, query)


def test_header_values_are_latin_1_without_the_white_space_around_them():
    head = b"GET / HTTP/1.1\r\nhOsT: x\r\nX-A:\t \xe9\xff a \t\r\nX-B:\r\nX-C: 1\r\nX-C: 2\r\n\r\n"
    assert tell(head)[0].json["headers"] == {"host": "x", "x-a": "\u00e9\u00ff a", "x-b": "", "x-c": "2"}


# --- what is not spoken here


@pytest.mark.parametrize("upgrade", [H2C, b"Connection: upgrade\r\nUpgrade: websocket\r\n"], ids=["h2c", "websocket"])
def test_an_upgrade_is_answered_as_http_1_1_with_its_body_and_the_connection_goes_on(upgrade: bytes):
    get = GET.replace(b"Host: x\r\n", b"Host: x\r\n" + upgrade)
    post = POST.replace(b"Host: x\r\n", b"Host: x\r\n" + upgrade)
    chunked = CHUNKED.replace(b"Host: x\r\n", b"Host: x\r\n" + upgrade)
    for request_, body in ((get, ""), (post, "hello"), (chunked, "hello")):
        everything = request_ + GET + request_ + POST
        for at in range(len(everything)):
            answers = tell(everything[:at], everything[at:])
            assert [asked(one)[3] for one in answers] == [body, "", body, "hello"], at
            assert "upgrade" in answers[0].json["headers"]


def test_a_body_that_asks_for_an_upgrade_and_is_refused_is_no_request():
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (H2C, len(GET))
    assert [one.status for one in tell(head + GET, GET)] == [401, 200]


def test_connect_is_answered_and_what_follows_is_not_read():
    answers, line = closes(b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n" + GET)
    assert [one.headers["connection"] for one in answers] == ["close"]
    assert line.closed


# --- time


class Minutes:
    """A line whose server looks at its connections every five seconds, as the real one does."""

    def __init__(self, shared_: Shared) -> None:
        self.line = Line(shared_)
        self._shared = shared_

    async def pass_(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while loop.time() < ends:
            await asyncio.sleep(5.0)
            self._shared.look()
            await settle(5)


Story = Callable[[Minutes], Awaitable[None]]


async def _silent(one: Minutes) -> None:
    await one.pass_(IDLE_SECONDS - 5)
    assert not one.line.closing
    await one.pass_(15)
    assert one.line.closed
    assert not one.line.heard


async def _idle_after_an_answer(one: Minutes) -> None:
    await one.pass_(50)
    one.line.say(GET)
    await one.pass_(IDLE_SECONDS - 5)
    assert not one.line.closing
    await one.pass_(15)
    assert one.line.closed
    assert [answer.status for answer in one.line.answers()] == [200]


async def _idle_and_an_empty_line(one: Minutes) -> None:
    one.line.say(GET + b"\r\n")
    await one.pass_(IDLE_SECONDS + 10)
    assert one.line.closed
    assert [answer.status for answer in one.line.answers()] == [200]


async def _half_a_head(one: Minutes) -> None:
    one.line.say(GET[:20])
    await one.pass_(SLOW_SECONDS - 5)
    assert not one.line.heard
    await one.pass_(15)
    assert [answer.status for answer in one.line.answers()] == [408]
    assert one.line.half_closed


async def _a_dripping_head(one: Minutes) -> None:
    for byte in (GET[:-2] + b"X: " + b"y" * 100)[:100]:
        if not one.line.heard:
            one.line.say(bytes([byte]))
        await one.pass_(5)
    assert [answer.status for answer in one.line.answers()] == [408]


async def _a_body_that_stops(one: Minutes) -> None:
    one.line.say(POST[:-2])
    await one.pass_(SLOW_SECONDS - 5)
    assert not one.line.heard
    await one.pass_(15)
    (answer,) = one.line.answers()
    assert (answer.status, answer.json["error"]["code"]) == (408, "invalid_http")


async def _a_body_that_comes_slowly(one: Minutes) -> None:
    one.line.say(POST[:-5])
    for byte in b"hello":
        await one.pass_(SLOW_SECONDS - 10)
        one.line.say(bytes([byte]))
    await settle()
    assert [answer.status for answer in one.line.answers()] == [200]


async def _a_refused_body_that_stops(one: Minutes) -> None:
    one.line.say(REFUSED[:-2])
    await one.pass_(SLOW_SECONDS + 10)
    assert [answer.status for answer in one.line.answers()] == [401]
    assert one.line.aborted


async def _a_refused_body_that_drips(one: Minutes) -> None:
    one.line.say(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
    for _ in range(20):
        one.line.say(b"x")
        await one.pass_(5)
    assert one.line.aborted


async def _an_answer_that_takes_an_hour(one: Minutes) -> None:
    one.line.say(HANG)
    await one.pass_(3600)
    assert not one.line.closing
    assert not one.line.heard


async def _a_second_request_behind_a_slow_answer(one: Minutes) -> None:
    one.line.say(HANG + POST[:-2])
    await one.pass_(3600)
    assert not one.line.closing


async def _refused_and_does_not_leave(one: Minutes) -> None:
    one.line.say(b"nonsense\r\n\r\n")
    await settle()
    assert one.line.half_closed
    await one.pass_(SLOW_SECONDS + 10)
    assert one.line.aborted


async def _leaves_a_whole_answer_unread(one: Minutes) -> None:
    one.line.deaf = True
    one.line.say(GET)
    await one.pass_(SLOW_SECONDS - 10)
    assert not one.line.closing
    await one.pass_(30)
    assert one.line.aborted


async def _reads_a_last_answer_slowly(one: Minutes) -> None:
    one.line.deaf = True
    one.line.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    await settle()
    assert one.line.closing
    for _ in range(5):
        await one.pass_(SLOW_SECONDS - 10)
        one.line.heard.append(one.line.unread.pop(0))
    assert not one.line.aborted
    one.line.listen()
    assert [answer.whole for answer in one.line.answers()] == [True]


async def _closed_and_never_read(one: Minutes) -> None:
    one.line.deaf = True
    one.line.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    await one.pass_(SLOW_SECONDS + 15)
    assert one.line.closed
    assert one.line.aborted


STORIES: dict[str, Story] = {
    "says nothing": _silent,
    "an answer, then nothing": _idle_after_an_answer,
    "an answer, an empty line, then nothing": _idle_and_an_empty_line,
    "half a head": _half_a_head,
    "a head byte by byte": _a_dripping_head,
    "a body that stops": _a_body_that_stops,
    "a body that comes slowly": _a_body_that_comes_slowly,
    "a refused body that stops": _a_refused_body_that_stops,
    "a refused body that drips": _a_refused_body_that_drips,
    "an answer that takes an hour": _an_answer_that_takes_an_hour,
    "half a request behind a slow answer": _a_second_request_behind_a_slow_answer,
    "refused, and stays": _refused_and_does_not_leave,
    "a whole answer left unread": _leaves_a_whole_answer_unread,
    "a last answer read slowly": _reads_a_last_answer_slowly,
    "a last answer never read": _closed_and_never_read,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_how_long_a_caller_is_waited_for(story: Story):
    async def main() -> None:
        common = shared()
        one = Minutes(common)
        await story(one)
        one.line.leave()
        await settle()
        assert not common.connections
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


PIECES = [b"%d " % number + b"x" * 8192 for number in range(200)]


async def pieces(call: Call) -> None:
    call.start(200)
    for piece in PIECES:
        call.write(piece)
        if call.full:
            await call.drained()
    call.end()
    call.done()


def test_a_caller_who_takes_nothing_of_a_stream_is_left_in_the_end():
    async def main() -> None:
        common = shared(pieces)
        one = Minutes(common)
        one.line.deaf = True
        one.line.say(GET)
        for _ in range(3):
            await one.pass_(UNREAD_SECONDS - 50)
            one.line.listen()
            one.line.deaf = True
            await settle(5)
            assert one.line.unread
        assert not one.line.closing
        await one.pass_(UNREAD_SECONDS + 50)
        assert one.line.aborted
        assert not common.connections
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_a_caller_who_does_not_read_a_stream_is_waited_for_and_comes_back():
    async def main() -> None:
        common = shared(pieces)
        one = Minutes(common)
        one.line.deaf = True
        one.line.say(GET)
        await one.pass_(UNREAD_SECONDS - 50)
        assert HIGH_WATER < len(one.line.unread) < 4 * HIGH_WATER
        for _ in range(200):
            one.line.listen()
            one.line.deaf = len(one.line.heard) < 500_000
            await settle(5)
        (got,) = one.line.answers()
        assert (got.body, got.whole) == (b"".join(PIECES), True)

    run(main)


# --- the end of the server


def test_when_the_server_ends_idle_connections_do_and_others_with_their_answer():
    async def main() -> None:
        gate = asyncio.Event()

        async def answer(call: Call) -> None:
            if call.path == "/stream":
                call.start(200)
                call.write(b"a")
            await gate.wait()
            await (echo(call) if call.path != "/stream" else _end(call))

        async def _end(call: Call) -> None:
            call.end(b"b")

        common = shared(answer)
        lines = [Line(common) for _ in range(6)]
        _idle, head, body, whole, stream, two = lines
        head.say(GET[:30])
        body.say(POST[:-2])
        whole.say(GET)
        stream.say(STREAM)
        two.say(GET + GET)
        await settle()
        common.close_idle()
        await settle()
        assert [line.closed for line in lines] == [True, True, False, False, False, False]
        gate.set()
        await settle()
        assert [line.closed for line in lines] == [True, True, False, True, True, True]
        assert [one.headers.get("connection") for one in whole.answers() + two.answers()] == ["close", "close"]
        assert [(one.body, one.whole) for one in stream.answers()] == [(b"ab", True)]
        assert common.connections == {body.protocol}
        body.leave()
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


# --- who leaves


LEAVING: dict[str, bytes] = {
    "at once": b"",
    "in the head": GET[:20],
    "before the body": POST[:-5],
    "in the body": POST[:-2],
    "in a chunk": CHUNKED[:-20],
    "in the trailers": CHUNKED[:-4],
    "in a refused body": REFUSED[:-2],
    "while it waits": HANG,
    "while one waits and one is queued": HANG + POST,
    "while one waits and one half came": HANG + POST[:-2],
    "while it waits with an upgrade": HANG.replace(b"\r\n\r\n", b"\r\n" + H2C + b"\r\n"),
    "in the body of an upgrade": POST.replace(b"\r\n\r\n", b"\r\n" + H2C + b"\r\n")[:-2],
    "after an answer": GET,
    "after a refusal": b"GET / HTTP/1.1\r\n\r\n",
    "after a refusal behind one that waits": HANG + b"nonsense\r\n\r\n",
    "after a refusal in a body": CHUNKED[:-20] + b"nonsense\r\n",
}


@pytest.mark.parametrize("turns", [0, 1, 5])
@pytest.mark.parametrize("said", LEAVING.values(), ids=LEAVING.keys())
def test_who_leaves_leaves_nothing_behind(said: bytes, turns: int):
    async def main() -> None:
        common = shared()
        line = Line(common)
        gone = weakref.ref(line.protocol)
        line.say(said)
        await settle(turns)
        line.leave()
        await settle()
        assert not common.connections
        assert asyncio.all_tasks() == {asyncio.current_task()}
        del line
        assert gone() is None, "only the collector would find it"

    gc.collect()
    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()


def test_who_leaves_in_the_middle_of_a_stream_leaves_nothing_behind():
    async def main() -> None:
        seen: list[BaseException] = []

        async def answer(call: Call) -> None:
            call.start(200)
            try:
                while True:
                    call.write(b"x" * 1000)
                    await call.drained()
                    await asyncio.sleep(1)
            except asyncio.CancelledError as gone:
                seen.append(gone)
            call.done()

        for deaf in (False, True):
            line = Line(shared(answer))
            line.deaf = deaf
            line.say(STREAM + GET)
            await asyncio.sleep(100)
            line.leave()
            await settle()
        assert len(seen) == 2
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


# --- what is sent


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "\x00", "\x0b\x0c\x1c\x85", "\u2028\u20ac"])
def test_no_header_value_makes_a_second_line(value: str):
    line = header("x-a", value)
    assert line.startswith(b"x-a: ")
    assert len(line.decode("latin-1").replace("\x85", " ").splitlines()) == 1


def test_an_answer_whose_end_never_comes_does_not_look_whole():
    async def answer(call: Call) -> None:
        call.start(200)
        call.write(b"half")
        await asyncio.sleep(0)
        call.done()

    async def main() -> None:
        line = Line(shared(answer))
        line.say(GET)
        await settle()
        assert line.aborted
        assert [(one.body, one.whole) for one in line.answers()] == [(b"half", False)]

    run(main)
