"""The seam to the network: one request out, a head and then bytes back. No retries by status, no deadlines, no meaning.

A body is taken, not awaited: ``take`` gives what is there, ``notify`` says when to look again. Who would rather wait
uses ``chunks`` or ``arrival``. Deadlines are the engine's: it cancels the task that waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
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

    def take(self) -> bytes | None:
        """What has arrived since the last call, decompressed: empty where nothing has, None where the body is over and
        all of it was taken. Raises TransportError where the answer failed, once what came before was taken."""
        ...

    def notify(self, arrived: Callable[[], None] | None) -> None:
        """Call ``arrived``, which must not raise, whenever ``take`` may have something new to say: bytes, the end or a
        failure. Of what was there before, and of what ``take`` itself finds, nothing is said. One listener; None ends
        it. Raises RuntimeError where somebody else listens."""
        ...

    async def aclose(self) -> None:
        """Abandon the rest of the body and free or close the connection. May be called again, and by any task: one
        that reads is then told, and ``take`` is a "cut"."""
        ...


async def arrival(response: HttpResponse) -> None:
    """Returns when ``take`` may have something new; to be awaited right after it gave nothing. Who is cancelled here
    will not read on: the response is closed."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    response.notify(partial(_settle, waiter))
    try:
        await waiter
    except BaseException:
        await response.aclose()
        raise
    finally:
        response.notify(None)


async def chunks(response: HttpResponse) -> AsyncIterator[bytes]:
    """The body as it arrives. Ends only where the body does; anything else raises TransportError."""
    while (data := response.take()) is not None:
        if data:
            yield data
        else:
            await arrival(response)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


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
