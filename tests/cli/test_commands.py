"""The program as it is run: its output, its exit codes, how quickly it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from hermes_router import __version__
from hermes_router.cli.commands import app
from hermes_router.settings import Settings

_OF_PROVIDERS = ("_KEY", "_KEYS", "_TOKEN", "_TOKENS", "_URL", "_MODEL", "_ENABLED")


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
    # What whoever runs the tests has set, in variables and in a .env, stays out of it.
    own = [name for name in os.environ if name.lower() in Settings.__struct_fields__ or name.endswith(_OF_PROVIDERS)]
    (folder / ".env").touch()
    fixed = {"HERMES_HOME": str(folder), "HR_ENV_FILE": str(folder / ".env")}
    return CliRunner().invoke(app, list(arguments), env={**dict.fromkeys(own, ""), **fixed, **(env or {})})


@pytest.mark.parametrize("arguments", [("--version",), ("version",)])
def test_the_version_is_printed(tmp_path: Path, arguments: tuple[str, ...]):
    result = run(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (0, f"hermes-router {__version__}\n")


@pytest.mark.parametrize("arguments", [(), ("serve",), ("start",), ("config",), ("config", "check"), ("version",)])
def test_every_command_explains_itself(tmp_path: Path, arguments: tuple[str, ...]):
    result = run(tmp_path, *arguments, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_asking_for_the_version_loads_none_of_the_router():
    heavy = ("rich", "msgspec", "uvicorn", "pyreqwest", "orjson", "asyncio", "hermes_router.settings")
    code = f"import sys, hermes_router.cli.app; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_config_shows_values_origins_and_only_the_ends_of_keys(tmp_path: Path):
    env = {"PORT": "9000", "GROQ_API_KEY": "k-test-12345"}
    env |= {"PROXY_API_KEYS": "k-test-67890", "ADMIN_API_KEY": "k-test-abcde"}
    result = run(tmp_path, "config", env=env)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["PORT", "9000", "environment"] in lines
    assert ["PROXY_API_KEYS", "...7890", "environment"] in lines
    assert ["ADMIN_API_KEY", "...bcde", "environment"] in lines
    assert ["LOG_LEVEL", "INFO", "default"] in lines
    assert ["groq", "...2345", "GROQ_API_KEY"] in lines
    assert "k-test" not in result.output


def test_config_prints_json_for_programs(tmp_path: Path):
    (tmp_path / "hermes-router.toml").write_text("[router]\npin = true\n")
    facts = orjson.loads(run(tmp_path, "config", "--json").stdout)
    assert facts["settings"]["PIN"] == {"value": True, "origin": "hermes-router.toml"}
    assert facts["settings"]["PROXY_API_KEYS"] == {"value": ["sk-router-1"], "origin": "default"}
    assert {"path": str(tmp_path / "hermes-router.toml"), "exists": True} in facts["files"]


def test_keys_that_serve_nothing_are_shown_too(tmp_path: Path):
    facts = orjson.loads(run(tmp_path, "config", "--json", env={"GITHUB_MODELS_TOKEN": "k-test-12345"}).stdout)
    assert {"provider": "github_models", "key": "...2345", "origin": "GITHUB_MODELS_TOKEN"} in facts["keys"]


def test_check_says_what_serves_and_what_does_not(tmp_path: Path):
    env = {"LOCAL_MODEL": "llama", "GITHUB_MODELS_TOKEN": "k-test-12345"}
    result = run(tmp_path, "config", "check", env=env)
    assert result.exit_code == 0
    assert "The configuration can be used: 1 provider, 1 model." in result.stdout
    assert "! github_models: " in result.stdout


@pytest.mark.parametrize(
    "arguments,env,message",
    [
        (("config", "check"), {"PORT": "abc"}, "PORT in the environment is 'abc'"),
        (("config",), {"HERMES_CONFIG": "/nowhere.toml"}, "which does not exist"),
        (("serve", "--host", "0.0.0.0"), {}, "set PROXY_API_KEYS"),
        (("start", "--port", "99999"), {}, "--port is 99999"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], message: str
):
    result = run(tmp_path, *arguments, env=env)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("hermes-router: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_broken_auth_file_is_named(tmp_path: Path):
    (tmp_path / "auth.json").write_text("{")
    result = run(tmp_path, "config", "check")
    assert result.exit_code == 2
    assert f"{tmp_path / 'auth.json'}, line 1" in result.stderr
