from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_router.sse import Frame, SseParser, comment, data_frame, event_frame


def parse(*pieces: bytes) -> list[Frame]:
    parser = SseParser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    return frames + parser.end()


STREAMS = {
    "one frame": (b"data: {}\n\n", [Frame("", b"{}")]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Frame("", b"a"), Frame("", b"b")]),
    "CR": (b"data: a\r\rdata: b\r\r", [Frame("", b"a"), Frame("", b"b")]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\r\ndata:\r\r\n", [Frame("", b"a"), Frame("", b"b"), Frame("", b"")]),
    "byte-order mark": (b"\xef\xbb\xbfdata: a\n\n", [Frame("", b"a")]),
    "comments": (b": OPENROUTER PROCESSING\n\n:\n\n: x\ndata: a\n: y\n\n", [Frame("", b"a")]),
    "several data lines": (b"data: a\ndata: b\ndata\n\n", [Frame("", b"a\nb\n")]),
    "named": (b"event: error\ndata: {}\n\n", [Frame("error", b"{}")]),
    "name after data": (b"data: 1\nevent: ping\n\n", [Frame("ping", b"1")]),
    "a name lasts one frame": (b"event: a\ndata: 1\n\ndata: 2\n\n", [Frame("a", b"1"), Frame("", b"2")]),
    "a name without data": (b"event: ping\n\ndata: 1\n\n", [Frame("", b"1")]),
    "no space after the colon": (b"data:a\n\n", [Frame("", b"a")]),
    "only one space is dropped": (b"data:  a\n\n", [Frame("", b" a")]),
    "ids and unknown fields": (b"id: 1\nretry: 3\nfoo: bar\ndata: a\n\n", [Frame("", b"a")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [Frame("", b"a"), Frame("", b"b")]),
    "last blank line missing": (b"data: a\n\ndata: [DONE]", [Frame("", b"a"), Frame("", b"[DONE]")]),
    "text of several bytes": ("data: Grüß dich 👋\n\n".encode(), [Frame("", "Grüß dich 👋".encode())]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("stream, frames", STREAMS.values(), ids=STREAMS)
def test_a_stream_parses_to_its_frames(stream: bytes, frames: list[Frame]):
    assert parse(stream) == frames


@pytest.mark.parametrize("stream, frames", STREAMS.values(), ids=STREAMS)
def test_byte_by_byte_gives_the_same_frames(stream: bytes, frames: list[Frame]):
    assert parse(*[stream[i : i + 1] for i in range(len(stream))]) == frames


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b"event: e", b":c", b"\n", b"\r", b"\r\n", b"x", b"\xef\xbb\xbf"])),
    st.lists(st.integers(0, 200)),
)
def test_any_cut_gives_the_same_frames(pieces: list[bytes], cuts: list[int]):
    stream = b"".join(pieces)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parts = [stream[start:stop] for start, stop in pairwise(places)]
    assert parse(*parts, b"") == parse(stream)


def test_a_frame_is_given_as_soon_as_it_is_complete():
    parser = SseParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\n") == [Frame("", b"a")]
    assert parser.feed(b"data: b\r\n\r") == [Frame("", b"b")]
    assert parser.feed(b"\ndata: c\n\n") == [Frame("", b"c")]


WRITTEN = {
    "data": (data_frame(b'{"a":1}'), b'data: {"a":1}\n\n'),
    "data over lines": (data_frame(b"a\nb\r\nc"), b"data: a\ndata: b\ndata: c\n\n"),
    "named": (event_frame("message_stop", b"{}"), b"event: message_stop\ndata: {}\n\n"),
    "comment": (comment("seam"), b": seam\n\n"),
    "a comment stays on its line": (comment("a\ndata: b"), b": a data: b\n\n"),
}


@pytest.mark.parametrize("written, expected", WRITTEN.values(), ids=WRITTEN)
def test_frames_are_written_as_the_standard_says(written: bytes, expected: bytes):
    assert written == expected


@given(st.text(alphabet="ab\n", max_size=9))
def test_what_is_written_is_read_back(text: str):
    data = text.strip("\n").encode()
    assert parse(event_frame("e", data)) == [Frame("e", data)]
