from __future__ import annotations

from pathlib import Path

import pytest

from fakes.configured import load_from
from hermes_router.core.faults import Fault, Kind, Scope
from hermes_router.pool.build import build
from hermes_router.pool.ledger import Ledger
from hermes_router.pool.outlook import TierOutlook, pool_outlook
from hermes_router.pool.pool import Pool, Roster

NOW = 1_790_000_000.0


def provider(name: str, models: list[tuple[str, int, str]], more: str = "") -> str:
    lines = [f"[providers.{name}]", 'wire = "openai"', f'base_url = "http://{name}.test"', more]
    for id_, tier, limits in models:
        lines += [f"[[providers.{name}.models]]", f'id = "{id_}"', f"tier = {tier}", f"limits = {{ {limits} }}"]
    return "\n".join(lines) + "\n"


def pool_of(folder: Path, toml: str) -> tuple[Pool, Roster]:
    from datetime import date

    pool = Pool(Ledger())
    world = build(load_from(folder, toml=toml), {}, today=date(2026, 11, 25))
    return pool, pool.adopt(world)


def outlook(pool: Pool, roster: Roster, now: float = NOW) -> dict[int, TierOutlook]:
    return {row.tier: row for row in pool_outlook(roster.chat, pool.ledger, now)}


@pytest.mark.parametrize(
    "toml, left, unlimited",
    [
        (provider("a", [("m1", 2, "rpd = 10"), ("m2", 2, "rpd = 5")], 'keys = ["k-1"]'), 15, 0),
        (provider("a", [("m1", 2, "rpd = 10")], 'keys = ["k-1", "k-2"]'), 20, 0),
        (provider("a", [("m1", 2, "rpd = 10")], 'keys = ["k-1", "k-2"]\naccount = "shared"'), 10, 0),
        (provider("a", [("m1", 2, ""), ("m2", 2, "")], 'keys = ["k-1"]\nlimits = { rpd = 50 }'), 50, 0),
        (provider("a", [("m1", 2, "rpd = 10"), ("m2", 2, "")], 'keys = ["k-1"]\nlimits = { rpd = 50 }'), 50, 0),
        (provider("a", [("m1", 2, "rpd = 10"), ("m2", 2, "rpd = 90")], 'keys = ["k-1"]\nlimits = { rpd = 50 }'), 50, 0),
        (provider("a", [("m1", 2, "rpd = 10"), ("m2", 2, "rpm = 9")], 'keys = ["k-1"]'), 10, 1),
        (provider("a", [("m1", 2, "tpd = 15000")], 'keys = ["k-1"]'), 10, 0),
    ],
    ids=["sum", "two accounts", "one account", "shared only", "own and shared", "shared less", "unlimited", "tokens"],
)
def test_calls_left_count_each_budget_once(tmp_path: Path, toml: str, left: int, unlimited: int):
    row = outlook(*pool_of(tmp_path, toml))[2]
    assert (row.calls_left, row.unlimited) == (left, unlimited)


def test_what_is_spent_or_held_is_not_left(tmp_path: Path):
    pool, roster = pool_of(tmp_path, provider("a", [("m1", 2, "rpd = 10")], 'keys = ["k-1"]'))
    lease = pool.ledger.lease(roster.chat[0].lane, 100, NOW)
    assert lease is not None
    assert outlook(pool, roster)[2].calls_left == 9
    pool.ledger.settle(lease, 100, NOW)
    assert outlook(pool, roster)[2].calls_left == 9
    assert outlook(pool, roster, NOW + 2 * 86400)[2].calls_left == 10


def test_each_tier_says_who_is_free_and_when_the_next_is(tmp_path: Path):
    toml = provider("a", [("m1", 1, ""), ("m2", 1, ""), ("m3", 4, "")], 'keys = ["k-1"]')
    pool, roster = pool_of(tmp_path, toml)
    fault = Fault(kind=Kind.OVERLOADED, scope=Scope.MODEL)
    pool.rest(roster.chat[0], Scope.MODEL, NOW + 30, fault, NOW)
    rows = outlook(pool, roster)
    assert (rows[1].models, rows[1].free, rows[1].next_in) == (2, 1, 30.0)
    assert (rows[4].free, rows[4].next_at) == (1, None)
    assert outlook(pool, roster, NOW + 31)[1].free == 2
