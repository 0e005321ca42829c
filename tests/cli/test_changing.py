"""mode, model, features and limit: in the files where no router runs, through it where one does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.program import process, router, run


def facts(folder: Path, *arguments: str) -> object:
    return json.loads(run(folder, *arguments, "--json").stdout)


def test_the_mode_is_shown_and_set(tmp_path: Path):
    assert facts(tmp_path, "mode") == {"mode": "round-robin", "origin": "default"}
    (tmp_path / ".env").write_text("# mine\n#ROTATION_MODE=round-robin\nPIN=0\n")
    assert run(tmp_path, "mode", "sequential").exit_code == 0
    assert (tmp_path / ".env").read_text() == "# mine\n#ROTATION_MODE=round-robin\nROTATION_MODE=sequential\nPIN=0\n"
    assert facts(tmp_path, "mode") == {"mode": "sequential", "origin": ".env"}


def test_a_mode_that_there_is_not_is_exit_code_2(tmp_path: Path):
    assert run(tmp_path, "mode", "random").exit_code == 2


def test_what_the_environment_sets_is_said_and_not_written(tmp_path: Path):
    result = run(tmp_path, "mode", "sequential", env={"ROTATION_MODE": "round-robin"})
    assert result.exit_code == 2
    assert "set in the environment" in result.stderr
    assert (tmp_path / ".env").read_text() == ""


def test_models_of_a_provider_are_set_listed_and_reset(tmp_path: Path):
    (tmp_path / ".env").write_text("GROQ_API_KEY=k-test-1 # mine\n")
    done = run(tmp_path, "model", "set", "groq", "qwen/qwen3.8-27b,my-own", "qwen/qwen3.8-27b")
    assert done.exit_code == 0
    assert "Not in the catalogue" in done.stdout
    assert "GROQ_MODEL=qwen/qwen3.8-27b,my-own\n" in (tmp_path / ".env").read_text()
    listed = json.loads(run(tmp_path, "model", "list", "--json").stdout)
    assert [(row["provider"], row["chosen_by"]) for row in listed] == [("groq", "GROQ_MODEL")]
    assert [model["id"] for model in listed[0]["models"]] == ["qwen/qwen3.8-27b", "my-own"]
    assert run(tmp_path, "model", "reset", "groq").exit_code == 0
    assert (tmp_path / ".env").read_text() == "GROQ_API_KEY=k-test-1 # mine\n"
    assert "already serves" in run(tmp_path, "model", "reset", "groq").stdout


def test_a_provider_without_a_key_says_why_it_has_no_models(tmp_path: Path):
    assert "hr auth add groq" in run(tmp_path, "model", "list", "groq").stdout
    assert "GitHub closed" in run(tmp_path, "model", "list", "github-models", env={"GITHUB_MODELS_TOKEN": "k"}).stdout


@pytest.mark.parametrize("name", ["response_cache", "semantic_cache", "persistent_cache", "fast_routing",
    "model_discovery", "metrics_auth", "cost_currency", "key_budgets", "local_model"])  # fmt: skip
def test_the_features_of_the_original_are_listed(tmp_path: Path, name: str):
    assert name in {row["name"] for row in json.loads(run(tmp_path, "features", "list", "--json").stdout)}


def test_a_feature_is_switched_and_its_line_keeps_its_comment(tmp_path: Path):
    (tmp_path / ".env").write_text("PIN=0 # no\nPORT=1\n")
    assert run(tmp_path, "features", "enable", "pin").exit_code == 0
    assert (tmp_path / ".env").read_text() == "PIN=1 # no\nPORT=1\n"
    assert run(tmp_path, "features", "disable", "pin").exit_code == 0
    assert (tmp_path / ".env").read_text() == "PIN=0 # no\nPORT=1\n"


def test_a_feature_without_a_switch_says_what_to_set(tmp_path: Path):
    result = run(tmp_path, "features", "enable", "local-model")
    assert result.exit_code == 2
    assert "LOCAL_BASE_URL" in result.stderr


def test_a_feature_that_there_is_not_is_exit_code_2(tmp_path: Path):
    result = run(tmp_path, "features", "enable", "pins")
    assert result.exit_code == 2
    assert "did you mean pin" in result.stderr


def test_limits_are_set_listed_and_cleared_in_the_file(tmp_path: Path):
    key = "k-test-team-1111"
    assert run(tmp_path, "limit", "set", key, "--rpm", "60", "--cost-day", "0.5").exit_code == 0
    assert run(tmp_path, "limit", "set", "1111", "--req-day", "500").exit_code == 0
    kept = json.loads((tmp_path / "auth.json").read_text())["proxy_keys"]
    assert kept == {key: {"rpm": 60, "cost_per_day": 0.5, "req_per_day": 500}}
    listed = run(tmp_path, "limit", "list")
    assert ["...1111", "60", "500", "-", "0.5"] in [line.split() for line in listed.stdout.splitlines()]
    assert run(tmp_path, "limit", "clear", "1111").exit_code == 0
    assert json.loads((tmp_path / "auth.json").read_text())["proxy_keys"] == {key: {}}
    assert run(tmp_path, "limit", "clear", key, "--remove").exit_code == 0
    assert "proxy_keys" not in json.loads((tmp_path / "auth.json").read_text())
    assert key not in listed.output


@pytest.mark.parametrize("arguments,message", [
    (("limit", "set", "k-test-team-1111"), "Which limit?"),
    (("limit", "set", "zzzz", "--rpm", "1"), "No caller key ends so"),
    (("limit", "clear", "er-1", "--remove"), "PROXY_API_KEYS"),
])  # fmt: skip
def test_a_limit_that_cannot_be_meant_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str):
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


# --- with a router running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One in which the sandbox runs."""
    if sys.platform == "win32":
        pytest.skip("ends with SIGTERM")
    folder = tmp_path_factory.mktemp("home")
    with router(folder):
        yield folder


def test_a_running_router_takes_the_mode_at_once(home: Path):
    done = process(home, "mode", "sequential")
    assert "in use now" in done.stdout, done.stderr
    assert "ROTATION_MODE=sequential" in (home / ".env").read_text()


def test_a_running_router_takes_a_feature_at_once(home: Path):
    assert "has taken it up" in process(home, "features", "enable", "pin").stdout


def test_a_running_router_counts_against_new_limits(home: Path):
    set_ = process(home, "limit", "set", "k-test-team-1111", "--rpm", "2")
    assert set_.returncode == 0, set_.stderr
    assert "...1111  0 of 2" in process(home, "limit", "list").stdout
    assert process(home, "limit", "clear", "1111", "--remove").returncode == 0


def test_what_the_router_refuses_is_said(home: Path):
    result = process(home, "limit", "set", "zz", "--rpm", "1")
    assert result.returncode == 1
    assert "no such caller key" in result.stderr


def test_a_file_that_cannot_be_used_changes_nothing_and_the_status_says_why(home: Path):
    (home / "hermes-router.toml").write_text("[router]\nprot = 1\n")
    try:
        refused = process(home, "features", "disable", "pin")
        assert (refused.returncode, "line 2" in refused.stderr) == (2, True)
        end = time.monotonic() + 10
        while "cannot be used" not in (status := process(home, "status")).stdout and time.monotonic() < end:
            assert status.returncode == 0, status.stderr
        assert "did you mean port" in " ".join(status.stdout.split())
        assert process(home, "doctor", "--offline").returncode == 1
    finally:
        (home / "hermes-router.toml").unlink()


def test_a_router_whose_files_are_broken_can_be_stopped(tmp_path: Path):
    with router(tmp_path):
        (tmp_path / ".env").write_text("PORT=abc\n")
        assert process(tmp_path, "stop").stdout.startswith("Stopped")


BLOCKED = {
    "setup": ("setup", "--yes", "--no-start"),
    "mode": ("mode", "sequential"),
    "features": ("features", "enable", "pin"),
    "start in the background": ("start", "--daemon"),
    "auth add": ("auth", "add", "groq", "--key-stdin", "--no-check"),
}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that nobody can write to, root neither")
@pytest.mark.parametrize("arguments", BLOCKED.values(), ids=BLOCKED)
def test_a_disk_that_cannot_be_written_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...]):
    done = process(tmp_path, *arguments, env={"HERMES_HOME": "/proc/nothing-here"}, said="k-test-1111\n")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("hermes-router: ")
    assert "/proc/nothing-here" in done.stderr


def test_the_mode_is_that_of_the_running_router(tmp_path: Path):
    with router(tmp_path, env={"ROTATION_MODE": "sequential"}):
        assert process(tmp_path, "mode").stdout.startswith("sequential (from: environment)")


def test_the_new_key_of_apps_closes_a_file_that_others_could_read(tmp_path: Path):
    (tmp_path / ".env").write_text("PIN=0\n")
    (tmp_path / ".env").chmod(0o644)
    assert run(tmp_path, "setup", "--yes", "--no-start").exit_code == 0
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_check_that_finds_a_fault_says_so_in_json_too(tmp_path: Path):
    result = run(tmp_path, "config", "check", "--json", env={"MAX_WAIT_SECONDS": "-1"})
    said = json.loads(result.stdout)
    assert (result.exit_code, said["ok"], "MAX_WAIT_SECONDS" in said["problem"]) == (2, False, True)


def test_a_new_caller_key_that_is_too_short_is_told_so(home: Path):
    done = process(home, "limit", "set", "sk-t-1", "--rpm", "3")
    assert (done.returncode, "at least 8 characters" in done.stderr) == (1, True)
