from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.inside import ADMIN, KEY, GatedTransport, Inside, running, until
from hermes_router.telemetry.status import DeploymentRow, Status

TWO = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111", "k-test-2222"]
[[providers.mine.models]]
id = "m1"
tier = 2
context = 100000
limits = { rpm = 30, rpd = 10 }
[[providers.mine.models]]
id = "m2"
tier = 4
context = 100000
"""


async def status(inside: Inside, query: str = "") -> Status:
    answer = await inside.ask("GET", f"/v1/status{query}")
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=Status, strict=True)


def row(said: Status, model: str, tail: str = "1111") -> DeploymentRow:
    return next(one for one in said.deployments if one.model == model and one.tail == tail)


async def test_every_deployment_is_listed_with_its_windows_and_only_the_end_of_its_key(tmp_path: Path):
    async with running(tmp_path, toml=TWO) as inside:
        answer = await inside.ask("GET", "/v1/status")
        said = await status(inside)
    assert [(one.model, one.tail) for one in said.deployments] == [
        ("m1", "1111"),
        ("m1", "2222"),
        ("m2", "1111"),
        ("m2", "2222"),
    ]
    assert {(one.window, one.limit, one.used) for one in row(said, "m1").windows} == {("rpm", 30, 0), ("rpd", 10, 0)}
    for secret in ("k-test-1", "k-test-2", KEY, ADMIN):
        assert secret not in answer.body.decode()


async def test_what_was_spent_shows_in_the_windows_the_counters_and_the_forecast(tmp_path: Path):
    async with running(tmp_path, toml=TWO) as inside:
        for _ in range(4):
            assert (await inside.chat()).status == 200
        said = await status(inside)
    used = sum(one.used for which in said.deployments for one in which.windows if one.window == "rpd")
    assert said.counters.requests == 4
    assert said.counters.errors == 0
    assert said.counters.input == 44
    tiers = {one.tier: one for one in said.tiers}
    assert tiers[2].calls_left == 20 - used
    assert (tiers[4].calls_left, tiers[4].unlimited, tiers[4].free) == (0, 2, 2)
    assert len(said.recent) == 4
    assert said.recent[0].provider == "mine"


async def test_a_spent_window_says_so_and_when_it_is_back(tmp_path: Path):
    toml = TWO.replace("rpm = 30, rpd = 10", "rpm = 1").replace('"k-test-1111", "k-test-2222"', '"k-test-1111"')
    async with running(tmp_path, toml=toml + "[aliases]\nonly = ['mine/m1']\n") as inside:
        assert (await inside.chat(model="only")).status == 200
        one = row(await status(inside), "m1")
    assert (one.state, one.why) == ("quota", "rpm")
    assert one.free_in is not None
    assert 50 < one.free_in <= 61


async def test_a_refused_key_rests_and_the_reason_is_told(tmp_path: Path):
    transport = GatedTransport()
    transport.refuse["k-test-1111"] = (401, {"error": {"message": "no such key"}})
    async with running(tmp_path, toml=TWO, transport=transport) as inside:
        for _ in range(2):
            assert (await inside.chat()).status == 200
        said = await status(inside)
    assert row(said, "m1").state == "resting"
    assert row(said, "m1").why.startswith("auth")
    assert row(said, "m1", "2222").state == "ok"
    assert said.counters.failed_attempts >= 1


async def test_latency_is_known_after_an_answer(tmp_path: Path):
    async with running(tmp_path, toml=TWO) as inside:
        await inside.chat()
        said = await status(inside)
    served = next(one for one in said.deployments if one.samples)
    assert served.p50 is not None
    assert served.p95 is not None


async def test_brief_leaves_out_windows_and_the_latest_requests(tmp_path: Path):
    async with running(tmp_path, toml=TWO) as inside:
        await inside.chat()
        said = await status(inside, "?brief=1")
    assert all(not one.windows for one in said.deployments)
    assert said.recent == []
    assert said.counters.requests == 1


async def test_those_who_wait_are_listed_with_what_they_wait_for(tmp_path: Path):
    toml = TWO.replace("rpm = 30, rpd = 10", "rpm = 1").replace('"k-test-1111", "k-test-2222"', '"k-test-1111"')
    async with running(
        tmp_path, toml=toml + "[aliases]\nonly = ['mine/m1']\n", env={"MAX_WAIT_SECONDS": "300"}
    ) as inside:
        await inside.chat(model="only")
        body = {"model": "only", "messages": [{"role": "user", "content": "Hello"}]}
        waits = inside.begin("POST", "/v1/chat/completions", body)
        await until(lambda: inside.app.runtime.engine.room.waiting)
        said = await status(inside)
        waits.left.set()
        assert waits.task is not None
        await waits.task
        after = await status(inside)
    (one,) = said.waiting
    assert (one.caller, one.waits_for, one.reason) == ("...er-1", "mine/m1", "rpm")
    assert one.free_in is not None
    assert 200 < one.gives_up_in <= 300
    assert after.waiting == []
    assert after.recent[0].status == 499


@pytest.mark.parametrize("key", [KEY, ADMIN], ids=["caller", "admin"])
async def test_caller_and_administrator_may_look(tmp_path: Path, key: str):
    async with running(tmp_path, toml=TWO) as inside:
        assert (await inside.ask("GET", "/v1/status", key=key)).status == 200


@pytest.mark.parametrize("path", ["/v1/status", "/v1/usage", "/v1/logs", "/v1/logs/req_1", "/admin/api/config"])
async def test_without_a_key_nothing_is_told(tmp_path: Path, path: str):
    async with running(tmp_path, toml=TWO) as inside:
        assert (await inside.ask("GET", path, key=None)).status == 401
        assert (await inside.ask("GET", path, key="sk-wrong")).status == 401


async def test_a_503_says_what_the_pool_has_left_per_tier(tmp_path: Path):
    toml = TWO.replace("rpm = 30, rpd = 10", "rpm = 1").replace('"k-test-1111", "k-test-2222"', '"k-test-1111"')
    async with running(
        tmp_path, toml=toml + "[aliases]\nonly = ['mine/m1']\n", env={"MAX_WAIT_SECONDS": "0"}
    ) as inside:
        await inside.chat(model="only")
        answer = await inside.chat(model="only")
    assert answer.status == 503
    tiers = {one["tier"]: one for one in _details(answer.json)["tiers"]}
    assert tiers[2]["free"] == 0
    assert 50 < tiers[2]["next_in"] <= 61
    assert tiers[4]["free"] == 1


def _details(body: Any) -> Any:
    return body["error"].get("details") or body["error"]
