"""Server-sent events without I/O: bytes in, frames out; and frames back into bytes.

The rule: how the bytes are cut never changes the frames. Lines end in LF, CR or CRLF, a byte-order mark may lead, a
line that starts with a colon is a comment, several ``data`` lines are joined by LF (WHATWG HTML, "Server-sent
events", 9.2.6). ``id`` and ``retry`` are ignored: nobody here reconnects. Frames are bytes; decoding them is the
reader's matter, and so is what an ``event`` name means.
"""

from __future__ import annotations

import msgspec

_BOM = b"\xef\xbb\xbf"
_COLON, _CR, LF = 0x3A, 0x0D, 0x0A
"""Single bytes are looked for as numbers: ``b"x" in data`` first fails to read b"x" as one, at half a microsecond."""


class Frame(msgspec.Struct, frozen=True):
    """One event. ``event`` is "" where none was named."""

    event: str
    data: bytes


class SseParser:
    """Give ``feed`` what arrives; each call returns the frames that became complete."""

    __slots__ = ("_after_cr", "_bom_due", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._bom_due = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by ``data``."""
        return [frame for block in self.blocks(data) if (frame := read_block(block))]

    def blocks(self, data: bytes) -> list[bytes]:
        """What ``feed`` makes its frames of: the lines of each event, with LF between them, for ``read_block``."""
        if self._after_cr or _CR in data:
            data = self._as_lf(data)
        if self._rest:
            data = self._rest + data
        if self._bom_due:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._rest = data
                return []
            data = data.removeprefix(_BOM)
            self._bom_due = False
        blocks = data.split(b"\n\n")
        self._rest = blocks.pop()
        return blocks

    def end(self) -> list[Frame]:
        """The frame whose closing blank line never came, if any. The standard drops it; providers forget the line."""
        rest, self._rest = self._rest, b""
        frame = read_block(rest)
        return [frame] if frame else []

    def _as_lf(self, data: bytes) -> bytes:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def read_block(block: bytes) -> Frame | None:
    """The frame of one event's lines; None where it has no data."""
    if block.startswith(b"data: ") and LF not in block:
        return Frame("", block[6:])
    event = ""
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        if not line or line[0] == _COLON:
            continue
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ").decode("utf-8", "replace")
    return Frame(event, b"\n".join(lines)) if lines else None


def data_frame(data: bytes) -> bytes:
    """A frame without a name."""
    if LF in data or _CR in data:
        data = b"\ndata: ".join(data.splitlines())
    return b"data: " + data + b"\n\n"


def event_frame(name: str, data: bytes) -> bytes:
    """A frame with a name; ``name`` holds no line break."""
    return b"event: " + name.encode() + b"\n" + data_frame(data)


def comment(text: str) -> bytes:
    """A line every client ignores. A keep-alive is ``comment("")``."""
    return b": " + " ".join(text.splitlines()).encode() + b"\n\n"
