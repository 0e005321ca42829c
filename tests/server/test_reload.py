from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.inside import GatedTransport, Inside, running, until

SOON = 2.0
"""Seconds within which a changed file is in use."""
ONE = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111"]
[[providers.mine.models]]
id = "m1"
tier = 3
context = 100000
"""
TWO = ONE.replace("m1", "m2")


def names(inside: Inside) -> list[str]:
    return [one.name for one in inside.app.runtime.roster.world.deployments]


def config_file(folder: Path) -> Path:
    return folder / "home" / "hermes-router.toml"


def write_auth(folder: Path) -> None:
    path = folder / "home" / "auth.json"
    path.write_bytes(orjson.dumps({"providers": {"groq": ["k-test-4444"]}}))
    path.chmod(0o600)


def write_toml(folder: Path) -> None:
    config_file(folder).write_text("[providers.groq]\nkeys = ['k-test-4444']\n")


def write_dotenv(folder: Path) -> None:
    (folder / "work" / ".env").write_text("GROQ_API_KEY=k-test-4444\n")


def write_home_dotenv(folder: Path) -> None:
    (folder / "home" / ".env").write_text("GROQ_API_KEY=k-test-4444\n")


async def problem(inside: Inside) -> Any:
    return (await inside.ask("GET", "/v1/status")).json["config"]["problem"]


@pytest.mark.parametrize("write", [write_auth, write_toml, write_dotenv, write_home_dotenv])
async def test_a_file_changed_by_hand_is_in_use_within_two_seconds(tmp_path: Path, write: Callable[[Path], None]):
    async with running(tmp_path, env={"SANDBOX": "0"}) as inside:
        assert names(inside) == []
        write(tmp_path)
        await until(lambda: names(inside), SOON)
        assert all(name.startswith("groq/") for name in names(inside))
        assert (await inside.chat()).status == 200


async def test_a_file_that_is_removed_counts_no_more(tmp_path: Path):
    async with running(tmp_path, toml=ONE, env={"SANDBOX": "0"}) as inside:
        config_file(tmp_path).unlink()
        await until(lambda: not names(inside), SOON)
        assert (await inside.ask("GET", "/ready", key=None)).status == 503


@pytest.mark.parametrize(
    "name, text",
    [
        ("hermes-router.toml", "[providers.mine\n"),
        ("hermes-router.toml", "colour = 1\n"),
        ("auth.json", "{"),
        (".env", "PORT=many\n"),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing_and_is_reported(tmp_path: Path, name: str, text: str):
    async with running(tmp_path, toml=ONE) as inside:
        path = tmp_path / "home" / name
        path.write_text(text)
        await until(lambda: inside.live.problem, SOON)
        ready = await inside.ask("GET", "/ready", key=None)
        assert ready.status == 200
        assert name in ready.json["problem"]
        assert name in await problem(inside)
        assert (await inside.chat()).status == 200
        assert names(inside) == ["mine/m1"]
        if name == "hermes-router.toml":
            path.write_text(ONE)
        else:
            path.unlink()
        await until(lambda: inside.live.problem is None, SOON)
        assert "problem" not in (await inside.ask("GET", "/ready", key=None)).json


async def test_a_problem_is_logged_once_and_shows_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with running(tmp_path, toml=ONE) as inside:
        (tmp_path / "home" / "auth.json").write_text('{"proxy_keys": {"sk-team-secret": {"rpm": "many"}}}')
        for _ in range(3):
            assert not (await inside.live.reload()).ok
        told = await problem(inside)
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len([one for one in warnings if "proxy_keys" in one]) == 1
    assert "sk-team-secret" not in told + "".join(warnings)


async def test_a_config_change_during_a_hundred_open_streams_drops_none(tmp_path: Path):
    transport = GatedTransport(open_gate=False)
    async with running(tmp_path, toml=ONE, transport=transport) as inside:
        body = {"model": "hermes-router", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        streams = [inside.begin("POST", "/v1/chat/completions", body) for _ in range(100)]
        await asyncio.wait_for(asyncio.gather(*(one.head.wait() for one in streams)), 10)
        config_file(tmp_path).write_text(TWO)
        await until(lambda: names(inside) == ["mine/m2"], SOON)
        later = inside.begin("POST", "/v1/chat/completions", body)
        await asyncio.wait_for(later.head.wait(), 10)
        transport.gate.set()
        answers = [await one.answer() for one in streams]
        new = await later.answer()
    assert {one.status for one in answers} == {200}
    for one in answers:
        assert one.headers["x-hermes-model"] == "m1"
        assert b'"one"' in one.body
        assert b'" two"' in one.body
        assert one.body.rstrip().endswith(b"data: [DONE]")
        assert b"error" not in one.body
    assert new.headers["x-hermes-model"] == "m2"


async def test_changed_limits_are_taken_up_and_what_was_spent_stays_spent(tmp_path: Path):
    toml = ONE + "limits = { rpd = %d }\n"
    async with running(tmp_path, toml=toml % 2, env={"MAX_WAIT_SECONDS": "0"}) as inside:
        for expected in (200, 200, 503):
            assert (await inside.chat()).status == expected
        config_file(tmp_path).write_text(toml % 3)
        assert (await inside.live.reload()).ok
        for expected in (200, 503):
            assert (await inside.chat()).status == expected


async def test_caller_keys_change_with_the_configuration(tmp_path: Path):
    async with running(tmp_path, toml=ONE) as inside:
        (tmp_path / "home" / ".env").write_text("PROXY_API_KEYS=sk-new-1234\n")
        await inside.live.reload()
        assert (await inside.chat()).status == 401
        assert (await inside.chat(key="sk-new-1234")).status == 200


async def test_what_only_a_start_takes_up_is_named(tmp_path: Path):
    async with running(tmp_path, toml=ONE) as inside:
        (tmp_path / "home" / ".env").write_text("PORT=9123\nHOST=127.0.0.2\n")
        outcome = await inside.live.reload()
        assert (outcome.ok, sorted(outcome.needs_restart)) == (True, ["HOST", "PORT"])
        told = (await inside.ask("GET", "/v1/status")).json["config"]["needs_restart"]
        (tmp_path / "home" / ".env").unlink()
        assert (await inside.live.reload()).needs_restart == []
    assert sorted(told) == ["HOST", "PORT"]


async def test_the_default_key_never_opens_a_router_that_others_can_reach(tmp_path: Path):
    env = tmp_path / "home" / ".env"
    env.parent.mkdir()
    env.write_text("HOST=0.0.0.0\nPROXY_API_KEYS=sk-own-1234\n")
    async with running(tmp_path, toml=ONE) as inside:
        env.write_text("HOST=127.0.0.1\n")
        outcome = await inside.live.reload()
        assert not outcome.ok
        assert (await inside.chat()).status == 401
        assert (await inside.chat(key="sk-own-1234")).status == 200


async def test_what_the_command_line_said_stays(tmp_path: Path):
    from fakes.configured import load_from
    from hermes_router.server.reload import read_again

    loaded = load_from(tmp_path, {"GAP_TIMEOUT": "3"}, flags={"port": 9001, "host": None, "pin": True})
    (tmp_path / "home" / ".env").write_text("PORT=9002\nPIN=0\nATTEMPTS_MAX=5\nGAP_TIMEOUT=4\n")
    again = read_again(loaded)
    assert (again.settings.port, again.settings.pin) == (9001, True)
    assert (again.settings.attempts_max, again.settings.gap_timeout) == (5, 3)
    assert again.origins["port"] == "flag"


async def test_an_unchanged_file_is_not_read_again(tmp_path: Path):
    async with running(tmp_path, toml=ONE) as inside:
        before = inside.app.runtime.roster
        ends = time.monotonic() + 1.2
        await until(lambda: time.monotonic() > ends)
        assert inside.app.runtime.roster is before


async def test_a_file_of_the_same_size_that_replaces_another_is_seen(tmp_path: Path):
    async with running(tmp_path, toml=ONE) as inside:
        path = config_file(tmp_path)
        stamp = path.stat()
        new = path.with_name("new")
        new.write_text(TWO)
        os.utime(new, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        new.replace(path)
        await until(lambda: names(inside) == ["mine/m2"], SOON)


async def test_a_request_that_waits_for_quota_is_served_by_a_provider_added_meanwhile(tmp_path: Path):
    async with running(tmp_path, toml=ONE + "limits = { rpm = 1 }\n", env={"MAX_WAIT_SECONDS": "300"}) as inside:
        await inside.chat()
        body = {"model": "hermes-router", "messages": [{"role": "user", "content": "Hello"}]}
        waits = inside.begin("POST", "/v1/chat/completions", body)
        await until(lambda: inside.app.runtime.engine.room.waiting)
        config_file(tmp_path).write_text(ONE + "limits = { rpm = 1 }\n" + ONE.replace("mine", "other"))
        assert (await inside.live.reload()).ok
        answer = await waits.answer()
    assert answer.status == 200
    assert answer.headers["x-hermes-provider"] == "other"


async def test_a_request_goes_on_waiting_where_the_new_configuration_has_nobody_for_it(tmp_path: Path):
    async with running(
        tmp_path, toml=ONE + "limits = { rpm = 1 }\n", env={"MAX_WAIT_SECONDS": "300", "SANDBOX": "0"}
    ) as inside:
        await inside.chat()
        body = {"model": "hermes-router", "messages": [{"role": "user", "content": "Hello"}]}
        waits = inside.begin("POST", "/v1/chat/completions", body)
        await until(lambda: inside.app.runtime.engine.room.waiting)
        config_file(tmp_path).write_text("")
        assert (await inside.live.reload()).ok
        assert len(inside.app.runtime.engine.room.waiting) == 1
        waits.left.set()
        assert waits.task is not None
        await waits.task
