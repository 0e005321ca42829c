"""What ``hr doctor`` finds, each with what to do."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from fakes.program import run
from fakes.upstream import Upstream, error, reply
from hermes_router.cli.doctor import Finding, clock, disk, home, key, mode, port, python_version
from hermes_router.cli.probe import Finding as Probed
from hermes_router.cli.probe import State


@pytest.mark.parametrize("version,state", [((3, 11, 0), "ok"), ((3, 14, 2), "ok"), ((3, 10, 9), "fail")])
def test_an_old_python_fails(version: tuple[int, ...], state: str):
    assert python_version(version).state == state


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
@pytest.mark.parametrize("bits,state", [(0o600, "ok"), (0o644, "warn"), (0o660, "warn")])
def test_a_file_that_others_can_read_is_named_with_the_command(tmp_path: Path, bits: int, state: str):
    path = tmp_path / "auth.json"
    path.touch()
    path.chmod(bits)
    found = mode(path)
    assert found is not None
    assert (found.state, found.fix) == (state, "" if state == "ok" else f"chmod 600 {path}")


def test_a_file_that_is_not_there_is_no_finding(tmp_path: Path):
    assert mode(tmp_path / "auth.json") is None


@pytest.mark.parametrize("free,state", [(10**9, "ok"), (10**7, "warn")])
def test_little_room_on_the_disk_is_a_warning(tmp_path: Path, free: int, state: str):
    assert disk(tmp_path / "not" / "there", lambda _: (0, 0, free)).state == state


@pytest.mark.parametrize("skews,state", [([], "ok"), ([0.4, -1.0], "ok"), ([300.0, 299.0, 0.0], "warn")])
def test_a_clock_is_compared_with_most_of_the_providers(skews: list[float], state: str):
    assert clock(skews).state == state


def test_a_taken_port_fails():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert port("127.0.0.1", taken.getsockname()[1]).state == "fail"
    assert port("127.0.0.1", 0).state == "ok"


def test_a_home_that_is_a_file_fails(tmp_path: Path):
    (tmp_path / "home").touch()
    assert home(tmp_path / "home").state == "fail"
    assert home(tmp_path / "new" / "home").state == "ok"


@pytest.mark.parametrize("said,origin,state,fix", [
    ("good", "auth.json", "ok", ""),
    ("open", "auth.json", "ok", ""),
    ("refused", "auth.json", "fail", "hr auth remove groq abcd"),
    ("refused", "GROQ_API_KEY", "fail", "remove it in GROQ_API_KEY"),
    ("unreachable", "auth.json", "warn", "network"),
])  # fmt: skip
def test_a_key_is_judged_and_the_fix_names_its_place(said: State, origin: str, state: str, fix: str):
    found = key(Probed(provider="groq", tail="abcd", origin=origin, state=said, message="m"))
    assert found.state == state
    assert fix in found.fix


def test_the_whole_examination(tmp_path: Path):
    with Upstream() as up:
        up.script(reply({"data": []}), path="/groq/", key="k-test-good-1111", for_ever=True)
        up.script(error(401), path="/", for_ever=True)
        env = {"GROQ_BASE_URL": up.at("groq"), "GROQ_API_KEYS": "k-test-good-1111,k-test-bad-2222", "PORT": "0"}
        result = run(tmp_path, "doctor", "--json", env=env)
    found = {one.about: one.state for one in (Finding(**raw) for raw in json.loads(result.stdout))}
    assert result.exit_code == 1
    assert found["Python"] == "ok"
    assert found["router"] == "warn"
    assert (found["groq ...1111"], found["groq ...2222"]) == ("ok", "fail")
    assert "k-test" not in result.output


def test_settings_that_cannot_be_used_are_the_finding(tmp_path: Path):
    result = run(tmp_path, "doctor", env={"PORT": "abc"})
    assert result.exit_code == 1
    assert "PORT in the environment" in result.stdout


def test_nobody_is_asked_offline(tmp_path: Path):
    with Upstream() as up:
        env = {"GROQ_BASE_URL": up.at("groq"), "GROQ_API_KEY": "k-test-1111", "PORT": "0"}
        run(tmp_path, "doctor", "--offline", env=env)
        assert up.requests == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that nobody can write to, root neither")
def test_a_home_where_nothing_can_be_written_fails():
    assert home(Path("/proc/nothing-here")).state == "fail"
