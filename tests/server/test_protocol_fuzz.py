"""Bytes at random: good requests in any packing are answered alike, broken ones never pass for good, and nothing is
ever raised, kept waiting or left behind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import h11
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.line import Answer, Line, echo, settle, shared
from fakes.virtual_time import run
from hermes_router.server.http import Call
from hermes_router.server.protocol import SLOW_SECONDS

quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FRAMING = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"}


class Request(msgspec.Struct, frozen=True):
    """A good request: what it says, and one way to say it."""

    method: str
    target: bytes
    headers: tuple[tuple[str, bytes], ...]
    body: bytes
    chunks: tuple[int, ...] | None
    trailers: bool

    @property
    def raw(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.method.encode(), self.target), b"Host: x"]
        lines += [b"%b: %b" % (name.encode(), value) for name, value in self.headers]
        if self.chunks is None:
            return b"\r\n".join([*lines, b"Content-Length: %d" % len(self.body), b"", self.body])
        return b"\r\n".join([*lines, b"transfer-encoding: chunked", b"", self._chunked(self.chunks)])

    def _chunked(self, sizes: tuple[int, ...]) -> bytes:
        parts, at = [], 0
        for size in (*sizes, len(self.body)):
            piece = self.body[at : at + size]
            at += size
            if piece:
                parts.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        return b"".join(parts) + (b"0;e=1\r\nX-End: 1\r\n\r\n" if self.trailers else b"0\r\n\r\n")


names = st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name.lower() not in FRAMING)
values = st.binary(max_size=20).filter(lambda value: not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value))
targets = st.one_of(
    st.sampled_from([b"/", b"/stream", b"/refuse", b"*", b"http://a/b?c", b"/%41%zz%ff?a=%20"]),
    st.text("/abc?=&%.~-_1", max_size=30).map(lambda text: b"/" + text.encode()),
)


def requests(*methods: str) -> st.SearchStrategy[Request]:
    return st.builds(
        Request,
        st.sampled_from(methods),
        targets,
        st.lists(st.tuples(names, values), max_size=4).map(tuple),
        st.one_of(st.binary(max_size=200), st.just(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")),
        st.none() | st.lists(st.integers(1, 20), max_size=8).map(tuple),
        st.booleans(),
    )


METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")  # and HEAD, where it is known which answer is its
cuts = st.lists(st.integers(0, 4000), max_size=30)


def packets(data: bytes, at: Sequence[int]) -> list[bytes]:
    """``data`` cut at these places, as far as they lie in it."""
    places = [0, *sorted({place for place in at if 0 < place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


class Outcome(msgspec.Struct):
    answers: list[Answer]
    calls: list[str]
    ended: bool


def talk(pieces: Sequence[bytes], methods: Sequence[str] = (), turns: int = 1) -> Outcome:
    """What comes of these packets. Fails where anything is raised or left behind, or where silence is not ended."""

    async def main() -> Outcome:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        calls: list[str] = []

        async def answer(call: Call) -> None:
            calls.append(call.method)
            await echo(call)

        common = shared(answer)
        line = Line(common)
        for piece in pieces:
            line.say(piece)
            await settle(turns)
        await settle(200)
        outcome = Outcome(line.answers(*methods), calls, line.closing or line.half_closed)
        for _ in range(4):
            await asyncio.sleep(SLOW_SECONDS)
            common.look()
            await settle(5)
        assert line.closed, "nobody said anything for minutes"
        assert not common.connections
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not failures
        return outcome

    return run(main)


def same(one: Answer) -> tuple[int, bytes, bool, dict[str, str]]:
    return one.status, one.body, one.whole, {name: value for name, value in one.headers.items() if name != "date"}


@quick
@given(st.lists(requests(*METHODS, "HEAD"), min_size=1, max_size=6), cuts, st.integers(0, 3))
def test_packing_changes_no_answer(asked: list[Request], at: list[int], turns: int):
    methods = [one.method for one in asked]
    alone = [talk([one.raw], [one.method]).answers[0] for one in asked]
    together = talk(packets(b"".join(one.raw for one in asked), at), methods, turns)
    assert [same(one) for one in together.answers] == [same(one) for one in alone]
    assert together.calls == methods


mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "drop", "insert", "double", "cut"]),
        st.integers(0, 2000),
        st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b"0", b"f", b"\xff", b";"])
        | st.sampled_from([b"Content-Length: 3\r\n", b"Transfer-Encoding: x\r\n", b"Host: y\r\n", b"0\r\n\r\n"])
        | st.binary(min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, changes: Sequence[tuple[str, int, bytes]]) -> bytes:
    for kind, place, extra in changes:
        at = place % (len(data) or 1)
        match kind:
            case "flip":
                data = data[:at] + extra[:1] + data[at + 1 :]
            case "drop":
                data = data[:at] + data[at + 1 :]
            case "insert":
                data = data[:at] + extra + data[at:]
            case "double":
                data = data[: at + 20] + data[at:]
            case _:
                data = data[:at] + data[at + 20 :]
    return data


@quick
@given(st.lists(requests(*METHODS), min_size=1, max_size=3), mutations, cuts)
def test_broken_requests_end_in_an_answer_or_a_refusal(asked: list[Request], changes: Any, at: list[int]):
    data = mutate(b"".join(one.raw for one in asked), changes)
    one = talk([data])
    other = talk(packets(data, at))
    refused = [answer for answer in one.answers if b"invalid_http" in answer.body]
    assert one.answers[len(one.answers) - len(refused) :] == refused, "nothing comes after a refusal"
    assert len(refused) <= 1
    assert not refused or one.ended
    assert [answer.status for answer in other.answers] == [answer.status for answer in one.answers]


Read = list[tuple[str, bytes]]
"""The method and the body of each request."""


def by_h11(data: bytes) -> Read:
    """Empty lines between requests, which it does not skip, are taken away."""
    read: Read = []
    with suppress(h11.RemoteProtocolError):
        while data := data.lstrip(b"\r\n"):
            reader = h11.Connection(h11.SERVER)
            reader.receive_data(data)
            asked, body = reader.next_event(), b""
            if not isinstance(asked, h11.Request):
                break
            while isinstance(event := reader.next_event(), h11.Data):
                body += bytes(event.data)
            if not isinstance(event, h11.EndOfMessage):
                break
            read.append((asked.method.decode(), body))
            if reader.their_state is not h11.DONE:
                break
            data = reader.trailing_data[0]
    return read


def by_us(data: bytes) -> Read:
    async def main() -> Read:
        read: Read = []

        async def answer(call: Call) -> None:
            body = await call.body(100_000)
            read.append((call.method, body))
            call.reply(200, b"{}")

        line = Line(shared(answer))
        line.say(data)
        await settle(100)
        line.leave()
        await settle(5)
        return read

    return run(main)


@settings(quick, max_examples=400)
@given(st.lists(requests(*METHODS), min_size=1, max_size=2), mutations)
def test_we_read_no_request_that_h11_reads_otherwise(asked: list[Request], changes: Any):
    data = mutate(b"".join(one.raw for one in asked), changes)
    ours = by_us(data)
    assert ours == by_h11(data)[: len(ours)]


@quick
@given(st.binary(max_size=300), cuts)
def test_noise_is_refused_or_waited_for(data: bytes, at: list[int]):
    outcome = talk(packets(data, at))
    assert not outcome.calls or b"HTTP/1." in data
    assert len(outcome.answers) <= 1 or outcome.calls
