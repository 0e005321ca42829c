"""A connection to a provider that is fed by hand, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hermes_router.transport.connection import Answer, Connection
from hermes_router.transport.outbox import LateTransport, Outbox


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False
        self.reading = True
        self.unsent = 0

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.sent += [bytes(data) for data in list_of_data]

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class _Sent(list[LateTransport]):
    def append(self, transport: LateTransport) -> None:
        transport.flush()


class AtOnce(Outbox):
    """Nothing waits for the end of the turn."""

    def __init__(self) -> None:
        self.waiting = _Sent()

    def due(self) -> None:
        return None


class Line:
    """A connection, its wire and what it told its owner."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.told: list[str] = []
        self.connection = Connection(
            "key",
            AtOnce(),
            lambda _: self.told.append("free"),
            lambda _: self.told.append("lost"),
        )
        self.connection.connection_made(self.wire)

    def ask(self, method: str = "POST", body: bytes = b"") -> Answer:
        return self.connection.ask(b"HEAD\r\n\r\n", body, "host", method)

    def feed(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.data_received(part)

    @property
    def reusable(self) -> bool:
        return "free" in self.told and not self.wire.closed
