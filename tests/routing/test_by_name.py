"""Models that only an alias names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fakes.configured import load_from
from hermes_router.catalogue.schema import ModelSpec, ProviderSpec
from hermes_router.pool.build import build
from hermes_router.pool.ledger import Ledger
from hermes_router.pool.pool import Pool
from hermes_router.routing.needs import Needs
from hermes_router.routing.policy import order
from hermes_router.routing.selection import select

CATALOGUE = {
    "groq": ProviderSpec(
        wire="openai",
        base_url="https://groq.invalid",
        models=(ModelSpec(id="usual"), ModelSpec(id="paid", price=(1, 2))),
        defaults=("usual",),
    )
}
TOML = '[aliases]\nonly = ["groq/paid"]\nthen = ["groq/paid", "*"]\nother = ["groq/usual", "*"]\n'


@pytest.mark.parametrize(
    "model,pin,tried",
    [
        ("anything", False, ["groq/usual"]),
        ("hermes-router:cheap", False, ["groq/usual"]),
        ("other", False, ["groq/usual"]),
        ("only", False, ["groq/paid"]),
        ("then", False, ["groq/paid", "groq/usual"]),
        ("groq/paid", True, ["groq/paid"]),
    ],
)
def test_it_serves_where_it_is_named_and_never_as_one_of_the_pool(
    tmp_path: Path, model: str, pin: bool, tried: list[str]
):
    world = build(load_from(tmp_path, {"GROQ_API_KEY": "k-test-1"}, toml=TOML), CATALOGUE, today=date(2026, 11, 25))
    pool = Pool(Ledger())
    needs = Needs(abilities=0, input=10)
    groups = order(pool.adopt(world).chat, needs, select(model, world, pin=pin), pool.ledger, 0.0)
    assert [one.model.key for one in groups] == tried
