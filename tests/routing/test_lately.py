from __future__ import annotations

from hermes_router.catalogue.schema import Limits
from hermes_router.pool.ledger import Lane, Ledger
from hermes_router.routing.policy import Lately

NOW = 1_764_000_000.0


def lane(ledger: Ledger, model: str) -> Lane:
    return ledger.lane(
        provider="p",
        account="a",
        model=model,
        limits=Limits(rpd=10),
        pool_limits=None,
        reset="utc",
        failed_calls_count=False,
    )


def spend(ledger: Ledger, one: Lane, calls: int, now: float) -> None:
    for _ in range(calls):
        lease = ledger.lease(one, 100, now)
        assert lease is not None
        ledger.settle(lease, 100, now)


def test_scarcity_is_asked_anew_after_a_second():
    ledger = Ledger()
    one = lane(ledger, "m")
    lately = Lately(ledger)
    before = lately.scarcity(one, NOW)
    spend(ledger, one, 9, NOW + 0.1)
    assert lately.scarcity(one, NOW + 0.9) == before
    assert lately.scarcity(one, NOW + 1.1) == ledger.scarcity(one, NOW + 1.1) > before


def test_scarcity_is_asked_anew_where_the_clock_was_put_back():
    ledger = Ledger()
    one = lane(ledger, "m")
    lately = Lately(ledger)
    before = lately.scarcity(one, NOW)
    spend(ledger, one, 9, NOW)
    assert lately.scarcity(one, NOW - 1.0) > before


def test_every_lane_has_a_scarcity_of_its_own():
    ledger = Ledger()
    fresh, worn = lane(ledger, "m"), lane(ledger, "n")
    spend(ledger, worn, 9, NOW)
    lately = Lately(ledger)
    assert lately.scarcity(worn, NOW) > lately.scarcity(fresh, NOW)
