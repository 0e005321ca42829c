"""Bodies that are async iterators, for transports without a network: take and notify on top, no socket beneath."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from .base import TransportError

_CLOSED = "the response was closed before its body was read"


class Pulled:
    """``take``, ``notify`` and ``aclose`` of an HttpResponse whose body is ``pieces``.

    The next piece is fetched when ``take`` finds none, never earlier: what the iterator waits for passes while somebody
    waits for it.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._over = False
        self._error: Exception | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._arrived: Callable[[], None] | None = None

    def take(self) -> bytes | None:
        piece, self._piece = self._piece, b""
        if piece:
            return piece
        if self._error is not None:
            raise self._error
        if self._over:
            return None
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        return b""

    def notify(self, arrived: Callable[[], None] | None) -> None:
        if arrived is not None and self._arrived is not None:
            raise RuntimeError("another task reads this response")
        self._arrived = arrived

    async def aclose(self) -> None:
        if self._over:
            return
        self._piece = b""
        self._error = self._error or TransportError("cut", _CLOSED)
        if self._fetching is not None:
            self._fetching.cancel()
        self._tell()

    async def _fetch(self) -> None:
        try:
            while not self._piece:
                self._piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._over = True
        except Exception as error:  # noqa: BLE001 - raised by take
            self._error = self._error or error
        self._fetching = None
        self._tell()

    def _tell(self) -> None:
        if self._arrived is not None:
            self._arrived()
