"""What is kept, and in which portions."""

from __future__ import annotations

from hermes_router.catalogue.schema import Limits
from hermes_router.limits.callers import Budgets
from hermes_router.pool.ledger import ROW, Lane, Ledger
from hermes_router.pool.pool import Pool
from hermes_router.server.keeper import PART_ROWS, Keeper
from hermes_router.storage.memory import MemoryStore
from hermes_router.telemetry.telemetry import Telemetry

NOW = 1_764_000_000.0


def make() -> tuple[Ledger, MemoryStore, Keeper]:
    ledger, store = Ledger(), MemoryStore()
    return ledger, store, Keeper(Pool(ledger), Budgets(), Telemetry(), store, lambda: NOW)


def lane(ledger: Ledger, account: int) -> Lane:
    return ledger.lane(
        provider="p",
        account=f"a{account}",
        model="m",
        limits=Limits(rpm=10),
        pool_limits=None,
        reset=None,
        failed_calls_count=False,
    )


def spend(ledger: Ledger, accounts: range) -> None:
    for account in accounts:
        assert ledger.lease(lane(ledger, account), 1, NOW) is not None


def kept(store: MemoryStore) -> int:
    return sum(row.kind == ROW for row in store.load())


def test_many_changes_are_handed_over_in_parts():
    ledger, store, keeper = make()
    spend(ledger, range(2 * PART_ROWS + 1))
    assert keeper.save_part()
    assert kept(store) == PART_ROWS
    assert keeper.save_part()
    assert not keeper.save_part()
    assert kept(store) == 2 * PART_ROWS + 1


def test_what_changes_during_a_round_does_not_make_it_longer():
    ledger, store, keeper = make()
    spend(ledger, range(PART_ROWS + 1))
    assert keeper.save_part()
    spend(ledger, range(100, 200))
    assert not keeper.save_part()
    assert kept(store) == PART_ROWS + 1


def test_a_save_hands_over_everything_whatever_the_round():
    ledger, store, keeper = make()
    spend(ledger, range(3 * PART_ROWS))
    keeper.save_part()
    keeper.save()
    assert kept(store) == 3 * PART_ROWS
    assert ledger.unkept == 0
