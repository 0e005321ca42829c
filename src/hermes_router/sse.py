"""Server-sent events without I/O: bytes in, frames out; and frames back into bytes.

The rule: how the bytes are cut never changes the frames. Lines end in LF, CR or CRLF, a byte-order mark may lead, a
line that starts with a colon is a comment, several ``data`` lines are joined by LF (WHATWG HTML, "Server-sent
events", 9.2.6). ``id`` and ``retry`` are ignored: nobody here reconnects. Frames are bytes; decoding them is the
reader's matter, and so is what an ``event`` name means.
"""

from __future__ import annotations

import msgspec

_BOM = b"\xef\xbb\xbf"
_COLON = 0x3A


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
        if not self._rest and not self._bom_due and not self._after_cr and _is_one_line(data):
            return [Frame("", data[6:-2])]
        if self._after_cr or b"\r" in data:
            data = self._as_lf(data)
        data = self._rest + data
        if self._bom_due:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._rest = data
                return []
            data = data.removeprefix(_BOM)
            self._bom_due = False
        *blocks, self._rest = data.split(b"\n\n")
        frames: list[Frame] = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                frames.append(Frame("", block[6:]))
            elif frame := _read(block):
                frames.append(frame)
        return frames

    def end(self) -> list[Frame]:
        """The frame whose closing blank line never came, if any. The standard drops it; providers forget the line."""
        rest, self._rest = self._rest, b""
        frame = _read(rest)
        return [frame] if frame else []

    def _as_lf(self, data: bytes) -> bytes:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_one_line(data: bytes) -> bool:
    """The common case: one whole event, alone."""
    return data[:6] == b"data: " and data[-2:] == b"\n\n" and data.find(b"\n") == len(data) - 2 and b"\r" not in data


def _read(block: bytes) -> Frame | None:
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
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.splitlines())
    return b"data: " + data + b"\n\n"


def event_frame(name: str, data: bytes) -> bytes:
    """A frame with a name; ``name`` holds no line break."""
    return b"event: " + name.encode() + b"\n" + data_frame(data)


def comment(text: str) -> bytes:
    """A line every client ignores. A keep-alive is ``comment("")``."""
    return b": " + " ".join(text.splitlines()).encode() + b"\n\n"
