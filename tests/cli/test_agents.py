"""launch and connect: agents pointed at the router, by their environment or by their files."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.program import process, router, run
from hermes_router.cli.agents import KEY_VARIABLE, launches
from hermes_router.cli.connect import merged, piece
from hermes_router.cli.output import Failed

URL, KEY = "http://127.0.0.1:8319", "k-test-caller-1111"


def test_claude_speaks_to_the_router_and_not_with_another_key():
    claude = launches(URL, KEY, "hermes-router")["claude"]
    assert claude.set == {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": KEY}
    assert "ANTHROPIC_API_KEY" in claude.unset


def test_codex_is_told_by_flags_that_are_toml():
    codex = launches(URL, KEY, "hermes-router")["codex"]
    said = tomllib.loads("\n".join(codex.arguments[1::2]))
    assert said["model_provider"] == "hermes"
    assert said["model_providers"]["hermes"] == {
        "name": "hermes-router", "base_url": f"{URL}/v1", "env_key": KEY_VARIABLE, "wire_api": "responses",
    }  # fmt: skip
    assert codex.set == {KEY_VARIABLE: KEY}
    assert KEY not in str(codex.arguments)


def test_opencode_is_told_by_a_variable():
    opencode = launches(URL, KEY, "hermes-router")["opencode"]
    said = json.loads(opencode.set["OPENCODE_CONFIG_CONTENT"])
    assert said["model"] == "hermes/hermes-router"
    assert said["provider"]["hermes"]["options"] == {"baseURL": f"{URL}/v1", "apiKey": f"{{env:{KEY_VARIABLE}}}"}


def test_aider_is_told_by_variables():
    assert launches(URL, KEY, "m")["aider"].set["AIDER_MODEL"] == "openai/m"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A router, and a ``claude`` that says what it was given."""
    if sys.platform == "win32":
        pytest.skip("a shell script stands for the agent")
    folder = tmp_path_factory.mktemp("home")
    (folder / "bin").mkdir()
    fake = folder / "bin" / "claude"
    fake.write_text('#!/bin/sh\necho "$ANTHROPIC_BASE_URL|$ANTHROPIC_AUTH_TOKEN|$ANTHROPIC_API_KEY|$*"\nexit 7\n')
    fake.chmod(0o755)
    with router(folder):
        yield folder


def test_an_agent_gets_its_environment_and_arguments_and_gives_its_exit_code(home: Path):
    env = {"PATH": f"{home}/bin:/bin:/usr/bin", "ANTHROPIC_API_KEY": "k-test-mine"}
    done = process(home, "launch", "claude", "--continue", "-p", "hi", env=env)
    url, token, key, arguments = done.stdout.strip().split("|")
    assert url.startswith("http://127.0.0.1:")
    assert (token, key, arguments) == ("sk-router-1", "", "--continue -p hi")
    assert done.returncode == 7


def test_an_agent_that_is_not_there_is_told_how_to_install(home: Path):
    done = process(home, "launch", "aider", env={"PATH": "/nowhere"})
    assert done.returncode == 1
    assert "aider-install" in done.stderr


def test_an_agent_nobody_knows_is_exit_code_2(home: Path):
    assert process(home, "launch", "emacs").returncode == 2


# --- connect

WITH_COMMENTS = '// mine\n{"theme": "x"}\n'


@pytest.mark.parametrize("tool", ["opencode", "zed", "continue", "codex"])
def test_what_is_printed_is_a_file_of_its_own(tool: str):
    text = piece(tool, URL, KEY, "hermes-router")
    assert f"{URL}/v1" in text
    assert text == merged(tool, "", URL, KEY, "hermes-router")


@pytest.mark.parametrize("tool", ["opencode", "zed"])
def test_what_a_json_file_holds_besides_stays(tool: str):
    before: dict[str, Any] = {
        "theme": "x", "provider": {"other": {"a": 1}}, "language_models": {"openai_compatible": {"o": {}}},
    }  # fmt: skip
    once = merged(tool, json.dumps(before), URL, KEY, "hermes-router")
    assert merged(tool, once, URL, KEY, "hermes-router") == once
    after = json.loads(once)
    assert after["theme"] == "x"
    assert after["provider"]["other"] == {"a": 1}
    assert "o" in after["language_models"]["openai_compatible"]
    assert KEY not in once


@pytest.mark.parametrize("tool", ["opencode", "zed"])
def test_comments_are_not_lost_but_the_write_refused(tool: str):
    with pytest.raises(Failed, match="by hand"):
        merged(tool, WITH_COMMENTS, URL, KEY, "hermes-router")


def test_codex_keeps_its_other_settings_and_comments():
    before = '# mine\nmodel = "gpt-6"\napproval_policy = "never"\n\n[mcp_servers.x]\ncommand = "y" # z\n'
    once = merged("codex", before, URL, KEY, "hermes-router")
    assert merged("codex", once, URL, KEY, "hermes-router") == once
    said = tomllib.loads(once)
    assert (said["model"], said["model_provider"]) == ("hermes-router", "hermes")
    assert (said["approval_policy"], said["mcp_servers"]["x"]["command"]) == ("never", "y")
    assert "# mine" in once
    assert "# z" in once


def test_continue_gets_a_model_before_those_it_has():
    before = "name: A\nversion: 1.0.0\nschema: v1\nmodels:\n- name: other\n  provider: openai\n"
    after = merged("continue", before, URL, KEY, "hermes-router")
    assert "models:\n- name: hermes-router\n  provider: openai\n" in after
    assert after.endswith("- name: other\n  provider: openai\n")
    with pytest.raises(Failed, match="by hand"):
        merged("continue", after, URL, KEY, "another-model")


def test_a_file_is_written_after_a_copy_was_kept(tmp_path: Path):
    path = tmp_path / ".config/opencode/opencode.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"theme": "x"}')
    result = run(tmp_path, "connect", "opencode", "--write", env={"HOME": str(tmp_path), "PORT": "1"})
    assert result.exit_code == 0, result.output
    assert json.loads(path.read_text())["theme"] == "x"
    (copy,) = path.parent.glob("opencode.json.before-hermes-*")
    assert copy.read_text() == '{"theme": "x"}'


@pytest.mark.parametrize("tool", ["cline", "cursor"])
def test_a_tool_without_a_file_is_told_what_to_enter(tmp_path: Path, tool: str):
    env = {"PROXY_API_KEYS": KEY, "PORT": "8319"}
    result = run(tmp_path, "connect", tool, env=env)
    assert "http://127.0.0.1:8319/v1" in result.stdout
    assert KEY not in result.stdout
    assert KEY in run(tmp_path, "connect", tool, "--show-key", env=env).stdout
    assert run(tmp_path, "connect", tool, "--write", env=env).exit_code == 2


def test_claude_is_not_led_past_the_router_by_a_cloud_and_sends_the_model_that_was_asked_for():
    claude = launches(URL, KEY, "hermes-router:best", chosen=True)["claude"]
    assert claude.set["ANTHROPIC_MODEL"] == "hermes-router:best"
    assert {"CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"} <= set(claude.unset)


def test_aider_is_not_led_past_the_router_by_its_own_variables():
    assert set(launches(URL, KEY, "hermes-router")["aider"].unset) == {"AIDER_OPENAI_API_BASE", "AIDER_OPENAI_API_KEY"}


def test_continue_that_has_the_router_already_is_left_as_it_is():
    before = merged("continue", "name: a\nmodels:\n  - name: z\n    provider: openai\n", URL, KEY, "m")
    assert merged("continue", before, URL, KEY, "m") == before
