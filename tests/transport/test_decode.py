"""Decompression piece by piece."""

from __future__ import annotations

import gzip
import zlib

import pytest

from hermes_router.transport.decode import Decoder

TEXT = b"data: hello\n\n" * 50


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT)),
    "gzip of two members": ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "deflate, wrapped": ("deflate", zlib.compress(TEXT)),
    "deflate, bare": ("deflate", bare(TEXT)),
}


def decoded(decoder: Decoder, *pieces: bytes) -> bytes:
    out = b""
    for piece in pieces:
        out += decoder.decode(piece)
        while decoder.pending:
            out += decoder.decode(b"")
    return out


@pytest.mark.parametrize("case", PACKED)
def test_compressed_data_cut_anywhere_decodes_to_the_same(case: str) -> None:
    encoding, packed = PACKED[case]
    for position in range(len(packed) + 1):
        decoder = Decoder(encoding)
        assert decoded(decoder, packed[:position], packed[position:]) == TEXT
        assert decoder.ended


@pytest.mark.parametrize("case", PACKED)
def test_data_that_stops_early_has_not_ended(case: str) -> None:
    encoding, packed = PACKED[case]
    decoder = Decoder(encoding)
    decoded(decoder, packed[:-1])
    assert not decoder.ended


def test_a_flushed_piece_comes_out_at_once() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    decoder = Decoder("gzip")
    for _ in range(3):
        assert decoded(decoder, packer.compress(b"tick") + packer.flush(zlib.Z_SYNC_FLUSH)) == b"tick"


def test_nothing_at_all_is_a_whole_body() -> None:
    assert Decoder("gzip").ended


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_compressed_or_goes_on_after_the_end_is_refused(encoding: str) -> None:
    packed = gzip.compress(TEXT) if encoding == "gzip" else zlib.compress(TEXT)
    with pytest.raises(zlib.error):
        decoded(Decoder(encoding), packed + b"trailing")
    with pytest.raises(zlib.error):
        decoded(Decoder(encoding), b"\xff not compressed")


def test_a_bomb_comes_out_in_bounded_pieces() -> None:
    size = 50_000_000
    decoder = Decoder("gzip")
    largest = total = len(decoder.decode(gzip.compress(b"\0" * size)))
    while decoder.pending:
        piece = decoder.decode(b"")
        largest, total = max(largest, len(piece)), total + len(piece)
    assert total == size
    assert largest <= 256 * 1024
