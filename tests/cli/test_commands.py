"""The program as it is run: its output, its exit codes, how quickly it is there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer

from fakes.program import run
from hermes_router import __version__
from hermes_router.cli.commands import app


@pytest.mark.parametrize("arguments", [("--version",), ("version",)])
def test_the_version_is_printed(tmp_path: Path, arguments: tuple[str, ...]):
    result = run(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (0, f"hermes-router {__version__}\n")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command; a group that does something by itself is one too."""
    inner = getattr(command, "commands", {})
    if not inner or (command.invoke_without_command and path):
        yield path
    for name, one in inner.items():
        yield from leaves(one, (*path, name))


COMMANDS = list(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(tmp_path: Path, command: tuple[str, ...]):
    result = run(tmp_path, *command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert f"Example: hr {' '.join(command)}" in " ".join(result.stdout.split()), result.stdout


def test_help_explains_one_command_as_its_option_does(tmp_path: Path):
    asked = run(tmp_path, "help", "auth", "add")
    assert asked.exit_code == 0
    assert "Add one or several keys of a provider" in asked.stdout
    assert run(tmp_path, "help", "nothing").exit_code == 2


ORIGINAL = """setup|auth add|auth list|auth import-codex|model list|model set|model reset|mode|limit list|limit set
limit clear|features list|features enable|features disable|start|service install|service status|service uninstall
status|restart|doctor|update|version|help"""


@pytest.mark.parametrize("name", ORIGINAL.replace("\n", "|").split("|"))
def test_the_commands_of_the_original_are_there(name: str):
    assert tuple(name.split()) in COMMANDS


def test_asking_for_the_version_loads_nothing_of_the_router():
    heavy = ("typer", "rich", "msgspec", "httptools", "orjson", "asyncio", "hermes_router.settings")
    code = (
        "import sys; sys.argv = ['hr', '--version']; from hermes_router.cli.app import main; main(); "
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"hermes-router {__version__}", ""]


def test_asking_for_help_loads_no_server():
    heavy = ("rich", "httptools", "asyncio", "http.client", "hermes_router.settings", "hermes_router.server")
    code = f"import sys, hermes_router.cli.commands; print(*(name for name in {heavy} if name in sys.modules))"
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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_shell_is_given_its_script(tmp_path: Path, shell: str):
    result = run(tmp_path, "completion", shell)
    assert result.exit_code == 0
    assert "_HR_COMPLETE" in result.stdout


def test_the_script_completes_commands():
    code = "import sys; sys.argv = ['hr']; from hermes_router.cli.app import main; main()"
    asked = {"_HR_COMPLETE": "complete_bash", "COMP_WORDS": "hr auth im", "COMP_CWORD": "2", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=asked, check=False)
    assert set(done.stdout.split()) == {"import-codex", "import-env"}
