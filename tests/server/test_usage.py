from __future__ import annotations

from pathlib import Path

import pytest

from fakes.inside import GatedTransport, Inside, running
from hermes_router.storage.sqlite import SqliteWriter
from hermes_router.telemetry.database import SCHEMA, VERSION

DAY = 86400.0
NOON = 1_790_000_000 // DAY * DAY + DAY / 2
TOML = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111"]
models = [{ id = "m1", tier = 3, context = 100000 }, { id = "m2", tier = 3, context = 100000 }]
[providers.other]
wire = "openai"
base_url = "http://other.test/v1"
keys = ["k-test-3333"]
models = [{ id = "m3", tier = 3, context = 100000 }]
[aliases]
one = ["mine/m1"]
two = ["mine/m2"]
three = ["other/m3"]
"""


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def table(inside: Inside, query: str) -> dict[str, tuple[int, int, int, int]]:
    answer = await inside.ask("GET", f"/v1/usage{query}")
    assert answer.status == 200, answer.body
    rows = answer.json["rows"]
    total = answer.json["total"]
    for name in ("requests", "errors", "input", "output"):
        assert total[name] == sum(row[name] for row in rows)
    return {row["name"]: (row["requests"], row["errors"], row["input"], row["output"]) for row in rows}


@pytest.mark.parametrize("kept", ["memory", "disk"])
async def test_usage_is_added_up_by_provider_model_caller_and_day(tmp_path: Path, kept: str):
    clock, transport = Clock(NOON), GatedTransport()
    database = SqliteWriter(tmp_path / "log.sqlite", SCHEMA, VERSION) if kept == "disk" else None
    env = {"PROXY_API_KEYS": "sk-router-1,sk-second-2222", "MAX_WAIT_SECONDS": "0"}
    async with running(tmp_path, toml=TOML, transport=transport, env=env, clock=clock, database=database) as inside:
        await inside.chat(model="one")
        await inside.chat(model="two", key="sk-second-2222")
        clock.now += DAY
        await inside.chat(model="three")
        transport.refuse["m3"] = (500, {"error": {"message": "no"}})
        await inside.chat(model="three")
        by_provider = await table(inside, "?by=provider")
        by_model = await table(inside, "?by=model")
        by_caller = await table(inside, "?by=caller")
        by_day = await table(inside, "?by=day")
        today = await table(inside, "?by=provider&days=1")
    assert by_provider == {"mine": (2, 0, 22, 10), "none": (1, 1, 0, 0), "other": (1, 0, 11, 5)}
    assert by_model["mine/m2"] == (1, 0, 11, 5)
    assert by_caller == {"...er-1": (3, 1, 22, 10), "...2222": (1, 0, 11, 5)}
    assert list(by_day.values()) == [(2, 1, 11, 5), (2, 0, 22, 10)]
    assert set(today) == {"none", "other"}


async def test_usage_survives_a_restart_and_goes_on(tmp_path: Path):
    for expected in (1, 2, 3):
        database = SqliteWriter(tmp_path / "log.sqlite", SCHEMA, VERSION)
        async with running(tmp_path, toml=TOML, database=database) as inside:
            await inside.chat(model="one")
            assert await table(inside, "?by=provider") == {"mine": (expected, 0, 11 * expected, 5 * expected)}


@pytest.mark.parametrize("query", ["?by=colour", "?days=0", "?days=401", "?days=x"])
async def test_a_wrong_parameter_of_usage_is_refused(tmp_path: Path, query: str):
    async with running(tmp_path, toml=TOML) as inside:
        assert (await inside.ask("GET", f"/v1/usage{query}")).status == 400
