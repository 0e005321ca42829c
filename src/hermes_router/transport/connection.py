"""One HTTP/1.1 connection and the answer that arrives on it (RFC 9112). Opening, pooling and retries are others' work.

The connection is an asyncio protocol around httptools' parser. It fills an ``Answer`` with what the network brings and
tells the answer's reader, who empties it. Neither owns a task or a timer.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Hashable, Mapping

import httptools

from .base import FailureKind, TransportError, arrival
from .decode import KNOWN, Decoder
from .outbox import LateTransport, Outbox

BUFFER_LIMIT = 256 * 1024  # unread bytes of one answer at which reading from the network pauses
HEAD_LIMIT = 64 * 1024  # bytes of one answer's head, its 1xx heads included
_JOIN_LIMIT = 64 * 1024  # up to here one copy is cheaper than a write of two buffers
_CLOSED = "the response was closed before its body was read"


class Answer:
    """The answer to one request; the HttpResponse of this transport.

    ``stale``: it failed in the way of a pooled connection that its server had already closed. ``arrived`` is its
    listener, see ``notify``.
    """

    __slots__ = (
        "_connection",
        "_decoder",
        "arrived",
        "buffered",
        "complete",
        "failure",
        "has_head",
        "headers",
        "host",
        "parts",
        "stale",
        "status",
        "without_body",
    )

    def __init__(self, connection: Connection, host: str, method: str) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.host = host
        self.without_body = method == "HEAD"
        self.has_head = False
        self.complete = False
        self.failure: tuple[FailureKind, str] | None = None
        self.stale = False
        self.parts: list[bytes] = []
        self.buffered = 0
        self.arrived: Callable[[], None] | None = None
        self._connection: Connection | None = connection
        self._decoder: Decoder | None = None

    # For whoever reads

    async def head(self) -> Answer:
        """Wait for the status and the headers. Raises TransportError."""
        if not self.has_head and self.failure is None:
            await arrival(self)
        if not self.has_head and self.failure is not None:
            raise TransportError(*self.failure)
        return self

    def take(self) -> bytes | None:
        data, parts, decoder = b"", self.parts, self._decoder
        if parts:
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            self.parts = []
            self.buffered = 0
            if self._connection is not None and self._connection.paused:
                self._connection.resume()
        if decoder is not None:
            data = self._decoded(decoder, data)
        if data:
            return data
        if self.complete and decoder is not None and not decoder.ended and self.failure is None:
            self.failure = ("protocol", f"the compressed body of {self.host}'s answer ends early")
        if self.failure is not None:
            raise TransportError(*self.failure)
        return None if self.complete else b""

    def notify(self, arrived: Callable[[], None] | None) -> None:
        if arrived is not None and self.arrived is not None:
            raise RuntimeError("another task reads this response")
        self.arrived = arrived

    async def aclose(self) -> None:
        if self.complete and not self.parts:
            return
        self.parts = []
        self._decoder = None
        self._hang_up("cut", _CLOSED)
        self.wake()

    def _decoded(self, decoder: Decoder, data: bytes) -> bytes:
        """The next piece; empty where there is none yet, or never will be."""
        try:
            out = decoder.decode(data)
            while not out and decoder.pending:
                out = decoder.decode(b"")
            return out
        except zlib.error:
            self._decoder = None
            self._hang_up("protocol", f"the body of {self.host}'s answer is not compressed as its head says")
        return b""

    def _hang_up(self, kind: FailureKind, reason: str) -> None:
        """Fail, and close the connection at once if it is still ours: a complete answer has given it back."""
        connection, self._connection = self._connection, None
        if self.failure is None:
            self.failure = (kind, reason)
        if connection is not None:
            connection.abort()

    # For the connection

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.has_head = True
        self.without_body = self.without_body or status in (204, 304)  # RFC 9112, 6.3
        encoding = headers.get("content-encoding", "").strip().lower()
        if not encoding or encoding == "identity" or self.without_body:
            return
        if encoding in KNOWN:
            self._decoder = Decoder(encoding)
            del headers["content-encoding"]
            headers.pop("content-length", None)
        else:
            self._hang_up("protocol", f"the body of {self.host}'s answer is compressed in a way that was not asked for")
            self.wake()

    def finish(self) -> None:
        self.complete = True
        self._connection = None

    def fail(self, kind: FailureKind, reason: str) -> None:
        """The first failure stays."""
        self._connection = None
        if self.failure is None:
            self.failure = (kind, reason)
        self.wake()

    def wake(self) -> None:
        if self.arrived is not None:
            self.arrived()


class Connection(asyncio.Protocol):
    """``on_free`` is called when an answer is complete and the connection may carry another request; ``on_lost`` once,
    when it is closed for good, if it was ever open. ``paused``: it does not read from the network for now."""

    __slots__ = (
        "_answer",
        "_fields_size",
        "_head_bytes",
        "_names",
        "_on_free",
        "_on_lost",
        "_outbox",
        "_parser",
        "_reusable",
        "_to_end_of_file",
        "_transport",
        "_values",
        "idle_since",
        "key",
        "paused",
    )

    def __init__(
        self,
        key: Hashable,
        outbox: Outbox,
        on_free: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.key = key
        self.idle_since = 0.0
        self.paused = False
        self._outbox = outbox
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: LateTransport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: Answer | None = None
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._fields_size = 0
        self._head_bytes = 0
        self._to_end_of_file = False
        self._reusable = False

    def ask(self, head: bytes, body: bytes, host: str, method: str) -> Answer:
        """Send a request. The caller owns the answer, and must have seen the one before complete."""
        answer = Answer(self, host, method)
        transport = self._transport
        if transport is None or transport.is_closing():
            answer.fail("connect", f"{host} closed the connection before anything was sent")
            return answer
        self._answer = answer
        self._head_bytes = 0
        if len(body) <= _JOIN_LIMIT:
            transport.write(head + body)
        else:
            transport.write_now((head, body))
        return answer

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Close at once, without a word to the peer; an answer that is still coming is no longer filled."""
        self._answer = None
        if self._transport is not None:
            self._transport.abort()

    def close(self, reason: str) -> None:
        """Close at once, and fail the answer that is still coming."""
        answer = self._answer
        self.abort()
        if answer is not None:
            answer.fail("cut" if answer.has_head else "closed", reason)

    def resume(self) -> None:
        """The reader has taken what was buffered."""
        if self.paused:
            self.paused = False
            if not self.is_closing():
                assert self._transport is not None
                self._transport.resume_reading()

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = LateTransport(transport, self._outbox)  # type: ignore[arg-type]  # always a stream
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or self._parser is None:
            self.abort()  # bytes that answer no request: a server's parting word, or nonsense
            return
        had_head = answer.has_head
        if not had_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not answer.complete:
                self._refuse(answer, f"what {answer.host} answered is not valid HTTP: {str(error)[:80]}")
                return
        if answer.complete:
            self._release(answer)
            answer.wake()
        elif not answer.has_head:
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(answer, f"the head of {answer.host}'s answer is too large")
        elif self._answer is not None:
            answer.buffered += len(data)
            if answer.arrived is not None and (answer.parts or not had_head):
                answer.arrived()
            if answer.buffered > BUFFER_LIMIT and not self.paused:
                self._pause()

    def eof_received(self) -> bool:
        self._end(None)
        self.abort()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error)
        self._parser = None  # it holds bound methods of ours: a cycle
        if self._transport is not None:
            self._on_lost(self)

    # From the parser

    def on_message_begin(self) -> None:
        self._names, self._values = [], []
        self._fields_size = 0
        if self._answer is None or self._answer.complete:
            self._reusable = False  # more than one answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._names.append(name)
        self._values.append(value)
        self._fields_size += len(name) + len(value) + 4

    def on_headers_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or answer.has_head:
            return
        status = parser.get_status_code()
        if status < 200:  # informational (RFC 9110, 15.2); llhttp reports 101 as an upgrade, which nobody asked for
            return
        if self._fields_size > HEAD_LIMIT:
            self._refuse(answer, f"the head of {answer.host}'s answer is too large")
            return
        headers = _read(self._names, self._values)
        self._to_end_of_file = _is_close_delimited(headers)
        answer.begin(status, headers)
        if answer.without_body:
            answer.complete = True
            self._reusable = parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        answer = self._answer
        if answer is not None and not answer.complete:
            answer.parts.append(data)

    def on_message_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is not None and parser is not None and answer.has_head and not answer.complete:
            answer.complete = True
            self._reusable = parser.should_keep_alive()

    # Ends

    def _release(self, answer: Answer) -> None:
        """The answer is whole: the connection is free, or done with."""
        self._answer = None
        answer.finish()
        transport = self._transport
        assert transport is not None
        # An answer that came before all of the request was sent: what is left to send would precede the next one.
        if not self._reusable or transport.is_closing() or transport.get_write_buffer_size():
            self.abort()
            return
        if self.paused:
            self.resume()
        if answer.without_body:
            self._parser = httptools.HttpResponseParser(self)  # the old one may still wait for the body it was told of
        self._on_free(self)

    def _end(self, error: Exception | None) -> None:
        """The connection ended. That is the end of a body without a length, and otherwise a failure of the answer."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if answer.has_head and self._to_end_of_file and error is None:
            answer.finish()
            answer.wake()
        elif answer.has_head or self._head_bytes:
            answer.fail("cut", f"the answer of {answer.host} ended early{_reason(error)}")
        else:
            answer.stale = error is None or isinstance(error, ConnectionError)
            answer.fail("closed", f"{answer.host} closed the connection before it answered{_reason(error)}")

    def _refuse(self, answer: Answer, reason: str) -> None:
        answer.fail("protocol", reason)
        self.abort()

    def _pause(self) -> None:
        if not self.is_closing():
            assert self._transport is not None
            self._transport.pause_reading()
            self.paused = True


def _read(raw_names: list[bytes], raw_values: list[bytes]) -> dict[str, str]:
    """The headers, repeated ones joined. All are decoded at once: neither names nor values hold a line end."""
    names = b"\n".join(raw_names).decode("latin-1").lower().split("\n")
    values = [value.strip() for value in b"\n".join(raw_values).decode("latin-1").split("\n")]
    headers = dict(zip(names, values, strict=True))
    if len(headers) == len(names):
        return headers if raw_names else {}
    headers = {}
    for name, value in zip(names, values, strict=True):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _is_close_delimited(headers: Mapping[str, str]) -> bool:
    """RFC 9112, 6.3: neither chunked last nor, without any transfer coding, a length."""
    codings = headers.get("transfer-encoding")
    if codings is None:
        return "content-length" not in headers
    return codings.rpartition(",")[2].strip().lower() != "chunked"


def _reason(error: Exception | None) -> str:
    if error is None:
        return ""
    return f": {(getattr(error, 'strerror', None) or type(error).__name__)[:80]}"
