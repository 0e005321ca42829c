"""Idle connections, newest first. Time is passed in; opening and asking are others' work."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Idle(Protocol):
    """What the pool asks of a connection."""

    key: Hashable
    idle_since: float

    def is_closing(self) -> bool: ...
    def abort(self) -> None: ...


C = TypeVar("C", bound=Idle)


class Pool(Generic[C]):
    """Connections that nobody uses, by key. One idle for longer than ``max_idle`` seconds is closed, not handed out."""

    def __init__(self, max_idle: float) -> None:
        self._max_idle = max_idle
        self._stacks: dict[Hashable, dict[C, None]] = {}  # a dict is a stack that also removes from its middle
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, connection: C, now: float) -> None:
        connection.idle_since = now
        self._stacks.setdefault(connection.key, {})[connection] = None
        self._count += 1

    def take(self, key: Hashable, now: float) -> C | None:
        stack = self._stacks.get(key)
        while stack:
            connection, _ = stack.popitem()
            self._count -= 1
            if now - connection.idle_since <= self._max_idle and not connection.is_closing():
                return connection
            connection.abort()
        return None

    def discard(self, connection: C) -> None:
        """The connection is gone. One that is not idle here is left alone."""
        stack = self._stacks.get(connection.key)
        if stack is None or connection not in stack:
            return
        del stack[connection]
        self._count -= 1
        if not stack:
            del self._stacks[connection.key]

    def sweep(self, now: float) -> None:
        """Close what has been idle too long."""
        expired = [c for stack in self._stacks.values() for c in stack if now - c.idle_since > self._max_idle]
        for connection in expired:
            self.discard(connection)
            connection.abort()
