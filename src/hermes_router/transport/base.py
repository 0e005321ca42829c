"""The seam to the network: one request out, a head and then bytes back. No retries by status, no deadlines, no meaning.

Deadlines are the engine's: it cancels the task that waits in ``send`` or ``chunks``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

import msgspec

FailureKind = Literal["connect", "closed", "cut", "protocol"]


class FixedHeaders(dict[str, str]):
    """Headers that are the same whenever this object is sent again; nobody changes them. ``made`` is for the transport,
    to keep what it made of them."""

    __slots__ = ("made",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self.made: object = None

    def __repr__(self) -> str:
        return f"FixedHeaders({', '.join(self)})"


class HttpRequest(msgspec.Struct, frozen=True):
    """What to send. The body is whole, so that a transport may send it a second time. ``connect_timeout``: seconds, in
    place of the transport's own."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    connect_timeout: float | None = None

    # Headers, query and body hold keys and prompts: none of them may reach a log by way of a repr.
    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self._shown_url()})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("url", self._shown_url())]

    def _shown_url(self) -> str:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return "(invalid URL)"
        return f"{parts.scheme}://{parts.hostname}{parts.path}"


class HttpResponse(Protocol):
    """An answer whose head has arrived. Whoever holds it must read it to the end or call ``aclose``."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; a repeated header's values joined with ", "."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, decompressed. Ends only where the body does; anything else raises TransportError."""
        ...

    async def aclose(self) -> None:
        """Abandon the rest of the body and free or close the connection. May be called again, and by any task: one
        that waits in ``chunks`` then gets a "cut"."""
        ...


class Transport(Protocol):
    """Sends requests; keeps connections between them."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Returns once the response head is here, whatever the status; redirects too are answers.
        Raises TransportError."""
        ...

    async def aclose(self) -> None:
        """Close everything; responses still open are cut."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A transport that knows how many connections are in use: their answer is not complete yet."""

    @property
    def open_connections(self) -> int: ...


class TransportError(Exception):
    """The exchange failed below HTTP. ``kind`` says how far it had come:

    - ``connect``: nothing was sent (DNS, refused, TLS, proxy, connect timeout, a URL or header that cannot be sent);
    - ``closed``: sent, then the connection ended before any byte of the response head;
    - ``cut``: the answer had begun, then it ended early or was reset;
    - ``protocol``: what came is not HTTP, or is framed or compressed wrongly.

    ``str()`` is a short text for people. It never holds a header, a key or a query string.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
