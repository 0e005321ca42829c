"""The pool of idle connections; time is a number."""

from __future__ import annotations

from collections.abc import Hashable

from hermes_router.transport.pool import Pool


class Idle:
    def __init__(self, key: Hashable = "a") -> None:
        self.key = key
        self.idle_since = 0.0
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


def filled(*connections: Idle) -> Pool[Idle]:
    """One put at each second: 0, 1, 2..."""
    pool: Pool[Idle] = Pool(30)
    for second, connection in enumerate(connections):
        pool.put(connection, second)
    return pool


def test_the_newest_is_taken_first() -> None:
    old, new = Idle(), Idle()
    pool = filled(old, new)
    assert [pool.take("a", 2), pool.take("a", 2), pool.take("a", 2)] == [new, old, None]


def test_another_key_is_not_taken() -> None:
    assert filled(Idle("a")).take("b", 0) is None


def test_one_that_is_closing_is_passed_over() -> None:
    old, new = Idle(), Idle()
    pool = filled(old, new)
    new.abort()
    assert pool.take("a", 2) is old
    assert len(pool) == 0


def test_one_that_was_idle_too_long_is_closed_instead_of_taken() -> None:
    connection = Idle()
    pool = filled(connection)
    assert pool.take("a", 30.1) is None
    assert connection.closed
    assert len(pool) == 0


def test_one_at_the_limit_is_taken() -> None:
    connection = Idle()
    assert filled(connection).take("a", 30) is connection


def test_a_sweep_closes_what_is_too_old_and_only_that() -> None:
    old, new = Idle("a"), Idle("b")
    pool = filled(old, new)
    pool.sweep(30.5)
    assert (old.closed, new.closed, len(pool)) == (True, False, 1)


def test_a_lost_connection_is_forgotten() -> None:
    lost, other = Idle(), Idle()
    pool = filled(lost, other)
    pool.discard(lost)
    pool.discard(lost)
    assert (pool.take("a", 2), pool.take("a", 2), len(pool)) == (other, None, 0)
