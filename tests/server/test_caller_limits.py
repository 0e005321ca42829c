from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.inside import Inside, running
from hermes_router.storage.memory import MemoryStore

NOON = 1_790_000_000 // 86400 * 86400 + 43200.0
TOML = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111"]
[[providers.mine.models]]
id = "m1"
tier = 3
context = 100000
price = [100000.0, 200000.0]
"""
TEAM = "sk-team-1234"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def limit(folder: Path, **limits: float) -> None:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "auth.json").write_bytes(orjson.dumps({"proxy_keys": {TEAM: limits}}))
    (home / "auth.json").chmod(0o600)


async def statuses(inside: Inside, count: int) -> list[int]:
    return [(await inside.chat(key=TEAM)).status for _ in range(count)]


@pytest.mark.parametrize(
    "limits, admitted",
    [
        ({"rpm": 2}, 2),
        ({"req_per_day": 3}, 3),
        ({"tokens_per_day": 17}, 2),
        ({"cost_per_day": 2.2}, 2),
        ({}, 5),
    ],
    ids=["rpm", "requests", "tokens", "cost", "none"],
)
async def test_a_limited_key_is_refused_when_its_limit_is_reached(
    tmp_path: Path, limits: dict[str, float], admitted: int
):
    limit(tmp_path, **limits)
    async with running(tmp_path, toml=TOML, clock=Clock()) as inside:
        assert await statuses(inside, 5) == [200] * admitted + [429] * (5 - admitted)
        assert (await inside.chat()).status == 200


@pytest.mark.parametrize("limits, seconds", [({"rpm": 1}, 60), ({"req_per_day": 1}, 43200)], ids=["minute", "day"])
async def test_retry_after_is_the_moment_the_limit_is_back(tmp_path: Path, limits: dict[str, float], seconds: int):
    clock = Clock()
    limit(tmp_path, **limits)
    async with running(tmp_path, toml=TOML, clock=clock) as inside:
        await inside.chat(key=TEAM)
        refused = await inside.chat(key=TEAM)
        assert refused.headers["retry-after"] == str(seconds)
        clock.now += seconds - 1
        assert (await inside.chat(key=TEAM)).status == 429
        clock.now += 1
        assert (await inside.chat(key=TEAM)).status == 200


async def test_the_refusal_comes_in_the_callers_dialect(tmp_path: Path):
    limit(tmp_path, rpm=1)
    async with running(tmp_path, toml=TOML, clock=Clock()) as inside:
        await inside.chat(key=TEAM)
        openai = await inside.chat(key=TEAM)
        body = {"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        anthropic = await inside.ask("POST", "/v1/messages", body, key=TEAM)
    assert openai.json["error"]["code"] == "caller_limit_reached"
    assert (anthropic.status, anthropic.json["type"]) == (429, "error")
    assert anthropic.json["error"]["type"] == "rate_limit_error"


async def test_looking_costs_a_caller_nothing(tmp_path: Path):
    limit(tmp_path, rpm=1)
    async with running(tmp_path, toml=TOML, clock=Clock()) as inside:
        for path in ("/v1/models", "/v1/status", "/v1/usage", "/v1/logs"):
            assert (await inside.ask("GET", path, key=TEAM)).status == 200
        body = {"model": "x", "messages": [{"role": "user", "content": "Hello"}]}
        assert (await inside.ask("POST", "/v1/messages/count_tokens", body, key=TEAM)).status == 200
        assert (await inside.chat(key=TEAM)).status == 200


async def test_what_a_caller_spent_today_is_spent_after_a_restart(tmp_path: Path):
    limit(tmp_path, req_per_day=2)
    store, clock = MemoryStore(), Clock()
    for expected in (200, 200, 429):
        async with running(tmp_path, toml=TOML, clock=clock, store=store) as inside:
            assert (await inside.chat(key=TEAM)).status == expected
    clock.now += 86400
    async with running(tmp_path, toml=TOML, clock=clock, store=store) as inside:
        assert (await inside.chat(key=TEAM)).status == 200


async def ask(inside: Inside, method: str, path: str, body: object = None) -> Any:
    answer = await inside.admin(method, path, body)
    assert answer.status == 200, answer.body
    return answer.json


async def test_limits_are_set_changed_and_cleared_over_the_admin_api(tmp_path: Path):
    async with running(tmp_path, toml=TOML, clock=Clock()) as inside:
        assert (await inside.chat(key=TEAM)).status == 401
        await ask(inside, "PUT", "limits", {"key": TEAM, "rpm": 1, "req_per_day": 9})
        assert await statuses(inside, 2) == [200, 429]
        await ask(inside, "PUT", "limits", {"key": "1234", "rpm": 3})
        (row,) = [one for one in await ask(inside, "GET", "limits") if one["caller"] == "...1234"]
        assert row["limits"] == {"rpm": 3, "req_per_day": 9, "tokens_per_day": 0, "cost_per_day": 0.0}
        assert (row["used"]["requests"], row["used"]["tokens"], row["own"]) == (1, 16, True)
        await ask(inside, "DELETE", "limits?key=...1234")
        assert await statuses(inside, 4) == [200] * 4
        await ask(inside, "DELETE", "limits?key=1234&remove=1")
        assert (await inside.chat(key=TEAM)).status == 401


async def test_a_key_of_the_environment_gets_limits_and_loses_only_them(tmp_path: Path):
    async with running(tmp_path, toml=TOML, clock=Clock()) as inside:
        await ask(inside, "PUT", "limits", {"key": "sk-router-1", "rpm": 1})
        assert [(await inside.chat()).status for _ in range(2)] == [200, 429]
        assert (await inside.admin("DELETE", "limits?key=er-1&remove=1")).status == 409
        await ask(inside, "DELETE", "limits?key=er-1")
        assert (await inside.chat()).status == 200


async def test_keys_of_providers_in_the_same_file_are_kept(tmp_path: Path):
    async with running(tmp_path, auth={"groq": ["k-test-4444"]}) as inside:
        await ask(inside, "PUT", "limits", {"key": TEAM, "rpm": 1})
    assert orjson.loads((tmp_path / "home" / "auth.json").read_bytes())["providers"] == {"groq": ["k-test-4444"]}


async def test_two_keys_that_end_alike_are_two_callers(tmp_path: Path):
    async with running(tmp_path, toml=TOML, env={"PROXY_API_KEYS": "sk-one-1234,sk-two-1234"}) as inside:
        await inside.chat(key="sk-one-1234")
        await inside.chat(key="sk-two-1234")
        rows = (await inside.ask("GET", "/v1/usage?by=caller", key="sk-one-1234")).json["rows"]
        vague = await inside.admin("PUT", "limits", {"key": "1234", "rpm": 1})
    assert len(rows) == 2
    assert vague.status == 409
