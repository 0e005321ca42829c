"""Keys: added, shown by their ends, checked, taken out; in the files and through a running router."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.program import PROGRAM, Terminal, process, router, run, variables
from fakes.upstream import Upstream, error, reply

GOOD = "k-test-good-1111"
BAD = "k-test-bad-2222"


def saved(folder: Path) -> Any:
    return json.loads((folder / "auth.json").read_text())


@pytest.fixture
def groq() -> Iterator[dict[str, str]]:
    """The variables that move groq to a provider which knows one key."""
    with Upstream() as up:
        up.script(reply({"data": [{"id": "m1"}]}), path="/models", key=GOOD, for_ever=True)
        up.script(error(401, f"Invalid API Key: {BAD}"), path="/models", for_ever=True)
        yield {"GROQ_BASE_URL": up.at("groq"), "GROQ_MODEL": "m1"}


def test_keys_from_stdin_are_checked_and_saved(tmp_path: Path, groq: dict[str, str]):
    result = run(tmp_path, "auth", "add", "groq", "--key-stdin", env=groq, said=f"{GOOD}\n")
    assert result.exit_code == 0, result.output
    assert saved(tmp_path) == {"providers": {"groq": [GOOD]}}
    assert "1 models listed" in result.stdout
    assert "counts from the next start" in result.stdout
    assert GOOD not in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_keys_asked_for_are_not_shown(tmp_path: Path):
    with Terminal(tmp_path, "auth", "add", "groq", "--no-check", env={"PORT": "1"}) as screen:
        screen.expect("hidden")
        screen.type(GOOD)
        assert screen.end() == 0
        assert GOOD not in screen.text
    assert saved(tmp_path)["providers"] == {"groq": [GOOD]}


def test_a_refused_key_changes_nothing(tmp_path: Path, groq: dict[str, str]):
    result = run(tmp_path, "auth", "add", "groq", env=groq, said=BAD)
    assert result.exit_code == 1
    assert not (tmp_path / "auth.json").exists()
    assert BAD not in result.output


def test_a_refused_key_can_be_forced(tmp_path: Path, groq: dict[str, str]):
    assert run(tmp_path, "auth", "add", "groq", "--force", env=groq, said=BAD).exit_code == 0
    assert saved(tmp_path) == {"providers": {"groq": [BAD]}}


def test_lines_of_a_dotenv_go_where_they_say(tmp_path: Path):
    said = "k-test-aaaa\nGEMINI_API_KEY=k-test-bbbb\n"
    run(tmp_path, "auth", "add", "groq", "--no-check", said=said)
    assert saved(tmp_path)["providers"] == {"groq": ["k-test-aaaa"], "gemini": ["k-test-bbbb"]}


@pytest.mark.parametrize("arguments,said,message", [
    (("auth", "add", "grok"), "k", "did you mean groq"),
    (("auth", "add", "groq", "--no-check"), "", "No key was given"),
    (("auth", "remove", "groq"), "", "Which key?"),
    (("auth", "remove", "groq", "abcd", "--all"), "", "Which key?"),
])  # fmt: skip
def test_what_cannot_be_meant_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], said: str, message: str):
    result = run(tmp_path, *arguments, said=said)
    assert result.exit_code == 2
    assert message in result.stderr


def test_keys_are_listed_by_their_ends_with_their_origin(tmp_path: Path):
    run(tmp_path, "auth", "add", "groq", "--no-check", said="k-test-aaaa")
    result = run(tmp_path, "auth", "list", env={"GEMINI_API_KEY": "k-test-bbbb"})
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["gemini", "1", "key", "...bbbb", "(GEMINI_API_KEY)"],
        ["groq", "1", "key", "...aaaa", "(auth.json)"],
    ]


def test_all_providers_can_be_listed_with_where_to_sign_up(tmp_path: Path):
    assert "sign up: console.groq.com" in run(tmp_path, "auth", "list", "--all").stdout


def test_a_key_is_taken_out_by_its_end(tmp_path: Path):
    run(tmp_path, "auth", "add", "groq", "--no-check", said="k-test-aaaa k-test-bbbb")
    assert run(tmp_path, "auth", "remove", "groq", "aaaa").exit_code == 0
    assert saved(tmp_path)["providers"] == {"groq": ["k-test-bbbb"]}


def test_an_end_that_two_keys_have_is_not_enough(tmp_path: Path):
    run(tmp_path, "auth", "add", "groq", "--no-check", said="k-test-1-aaaa k-test-2-aaaa")
    assert run(tmp_path, "auth", "remove", "groq", "aaaa").exit_code == 2
    assert run(tmp_path, "auth", "remove", "groq", "1-aaaa").exit_code == 0
    assert run(tmp_path, "auth", "remove", "groq", "--all").exit_code == 0
    assert saved(tmp_path)["providers"] == {}


def test_a_key_from_elsewhere_is_not_ours_to_take(tmp_path: Path):
    result = run(tmp_path, "auth", "remove", "groq", "aaaa", env={"GROQ_API_KEY": "k-test-aaaa"})
    assert result.exit_code == 1
    assert "It comes from GROQ_API_KEY" in result.stderr


def test_a_check_fails_where_one_key_is_refused(tmp_path: Path, groq: dict[str, str]):
    assert run(tmp_path, "auth", "check", env={**groq, "GROQ_API_KEY": GOOD}).exit_code == 0
    result = run(tmp_path, "auth", "check", env={**groq, "GROQ_API_KEYS": f"{GOOD},{BAD}"})
    assert result.exit_code == 1
    assert "auth (HTTP 401)" in result.stdout
    assert BAD not in result.output


def test_a_list_that_is_open_to_all_proves_nothing(tmp_path: Path):
    with Upstream() as up:
        up.script(reply({"data": [{"id": "m1"}]}), path="/models", for_ever=True)
        env = {"GROQ_BASE_URL": up.at("groq"), "GROQ_API_KEY": GOOD}
        facts = json.loads(run(tmp_path, "auth", "check", "--json", env=env).stdout)
    assert [(one["state"], one["models"]) for one in facts] == [("open", ["m1"])]


def test_keys_of_the_environment_are_copied_once(tmp_path: Path):
    env = {"GROQ_API_KEY": "k-test-aaaa", "GOOGLE_API_KEY": "k-test-bbbb"}
    assert run(tmp_path, "auth", "import-env", env=env).exit_code == 0
    run(tmp_path, "auth", "import-env", env=env)
    assert saved(tmp_path)["providers"] == {"gemini": ["k-test-bbbb"], "groq": ["k-test-aaaa"]}


def test_a_codex_login_is_kept_once_and_said_to_have_no_effect(tmp_path: Path):
    tokens = {"refresh_token": "k-test-refresh", "account_id": "acc-1"}
    (tmp_path / "codex").mkdir()
    (tmp_path / "codex" / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens}))
    env = {"CODEX_HOME": str(tmp_path / "codex")}
    first, again = (run(tmp_path, "auth", "import-codex", env=env) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert [one["tokens"] for one in saved(tmp_path)["codex_accounts"]] == [tokens]
    assert "no effect in this version" in first.stdout
    assert "k-test" not in first.output


def test_without_a_codex_login_it_says_how_to_log_in(tmp_path: Path):
    result = run(tmp_path, "auth", "import-codex", "--folder", str(tmp_path))
    assert result.exit_code == 1
    assert "codex login" in result.stderr


def test_two_that_add_at_once_lose_nothing(tmp_path: Path):
    def add(name: str) -> subprocess.Popen[str]:
        command = [*PROGRAM, "auth", "add", "groq", "--no-check", "--key-stdin"]
        started = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=variables(tmp_path), cwd=tmp_path)
        assert started.stdin is not None
        started.stdin.write("".join(f"k-test-{name}-{number:04}\n" for number in range(20)))
        started.stdin.close()
        return started

    both = [add("a"), add("b")]
    assert [one.wait(60) for one in both] == [0, 0]
    assert len(set(saved(tmp_path)["providers"]["groq"])) == 40


@pytest.mark.skipif(sys.platform == "win32", reason="ends with SIGTERM")
def test_a_running_router_serves_with_a_key_as_soon_as_it_is_added(tmp_path: Path, groq: dict[str, str]):
    with router(tmp_path, groq):
        added = process(tmp_path, "auth", "add", "groq", env=groq, said=GOOD)
        assert "has taken it up" in added.stdout, added.stderr
        answered = process(tmp_path, "chat", "hello", env=groq)
        assert "-- groq/m1" in answered.stdout, answered.stderr
        assert process(tmp_path, "auth", "remove", "groq", "1111", env=groq).returncode == 0
        assert "-- sandbox-" in process(tmp_path, "chat", "hello", env=groq).stdout
    assert saved(tmp_path)["providers"] == {}


def test_a_running_router_checks_the_keys_itself(tmp_path: Path, groq: dict[str, str]):
    (tmp_path / "auth.json").write_text(json.dumps({"providers": {"groq": [GOOD, BAD]}}))
    with router(tmp_path, env=groq):  # only the router knows where groq is
        done = process(tmp_path, "auth", "check", "--json", env={"PORT": "1"})
    said = {one["tail"]: (one["provider"], one["state"], one["origin"]) for one in json.loads(done.stdout)}
    assert said == {"1111": ("groq", "good", "auth.json"), "2222": ("groq", "refused", "auth.json")}
    assert done.returncode == 1


def test_keys_of_the_toml_stay_there(tmp_path: Path):
    (tmp_path / "hermes-router.toml").write_text('[providers.groq]\nkeys = ["k-test-aaaa"]\n')
    result = run(tmp_path, "auth", "import-env", env={"MISTRAL_API_KEY": "k-test-bbbb"})
    assert result.exit_code == 0, result.output
    assert saved(tmp_path)["providers"] == {"mistral": ["k-test-bbbb"]}
