"""Bodies that came compressed although nobody asked: gzip and deflate, piece by piece. No I/O."""

from __future__ import annotations

import zlib
from typing import Protocol

_PIECE = 256 * 1024  # what one step may yield, however well the input is compressed
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
KNOWN = frozenset(("gzip", "x-gzip", "deflate"))


class Decoder:
    """Feed with ``decode``; while ``pending``, call ``decode(b"")`` for more. ``ended`` at the end of the input says
    whether the data was whole. Raises zlib.error."""

    def __init__(self, encoding: str) -> None:
        self.pending = False
        self._deflate = encoding == "deflate"
        self._inflate: _Inflate | None = None
        self._rest = b""

    def decode(self, data: bytes) -> bytes:
        data = self._rest + data
        if not data:
            return b""
        if self._inflate is None or (self._inflate.eof and not self._deflate):
            self._inflate = zlib.decompressobj(self._format(data[0]))  # gzip may be several members, one after another
        elif self._inflate.eof:
            raise zlib.error("data after the end")
        out = self._inflate.decompress(data, _PIECE)
        self._rest = self._inflate.unconsumed_tail or self._inflate.unused_data
        self.pending = bool(self._rest)
        return out

    @property
    def ended(self) -> bool:
        """True too where nothing came at all: an empty body is sent with any content-encoding."""
        return self._inflate is None or (self._inflate.eof and not self._rest)

    def _format(self, first: int) -> int:
        if not self._deflate:
            return _GZIP
        # "deflate" means zlib's wrapping (RFC 9110, 8.4.1.2), but some send it bare. The low half of zlib's first
        # byte is 8 (RFC 1950, 2.2); a bare block would begin so only with a non-zero padding bit.
        return _ZLIB if first & 0x0F == 8 else _RAW


class _Inflate(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...
