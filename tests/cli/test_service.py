"""What is generated for systemd, launchd and Windows, read back by the parsers of these formats."""

from __future__ import annotations

import configparser
import plistlib
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path, PurePosixPath

import pytest

from fakes.program import run
from hermes_router.cli.service import Kind, launchd_plist, systemd_unit, windows_task

PYTHON = "/opt/a b/100%/python"
HOME = Path("/home/ann/my & data")
FOLDER = Path("/home/ann/work")


def test_the_systemd_unit_starts_it_with_its_home_and_folder():
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(systemd_unit(PYTHON, HOME, FOLDER))
    service = unit["Service"]
    assert shlex.split(service["ExecStart"].replace("%%", "%")) == [PYTHON, "-m", "hermes_router", "serve"]
    assert shlex.split(service["Environment"]) == [f"HERMES_HOME={HOME}"]
    assert service["WorkingDirectory"] == str(FOLDER)
    assert service["Restart"] == "on-failure"
    assert unit["Install"]["WantedBy"] == "default.target"


def test_the_launchd_agent_starts_it_with_its_home_and_folder():
    agent = plistlib.loads(launchd_plist(PYTHON, HOME, FOLDER).encode())
    assert agent["ProgramArguments"] == [PYTHON, "-m", "hermes_router", "serve"]
    assert agent["EnvironmentVariables"] == {"HERMES_HOME": str(HOME)}
    assert agent["WorkingDirectory"] == str(FOLDER)
    assert (agent["RunAtLoad"], agent["KeepAlive"]) == (True, {"SuccessfulExit": False})


def test_the_windows_task_starts_it_with_its_home_and_folder():
    text = windows_task(PYTHON, HOME, FOLDER).replace('encoding="UTF-16"', 'encoding="UTF-8"')
    task = ElementTree.fromstring(text)
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    said = {one.tag.partition("}")[2]: one.text for one in task.findall("t:Actions/t:Exec/*", space)}
    assert said["Command"] == "cmd.exe"
    assert f'set "HERMES_HOME={HOME}"' in str(said["Arguments"])
    assert f'"{PYTHON}" -m hermes_router serve' in str(said["Arguments"])
    assert said["WorkingDirectory"] == str(FOLDER)
    assert task.find("t:Triggers/t:LogonTrigger", space) is not None


SYSTEMS = {
    "linux": (".config/systemd/user/hermes-router.service", "systemctl --user enable --now hermes-router"),
    "darwin": ("Library/LaunchAgents/io.github.hermes-router.plist", "launchctl bootstrap"),
    "win32": ("service.xml", "schtasks /Create /TN hermes-router"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_has_its_file_and_its_tool(system: str):
    kind = Kind(system, Path("/home/ann"), Path("/home/ann/data"), FOLDER)
    place, command = SYSTEMS[system]
    assert str(PurePosixPath(kind.path)).endswith(place)
    assert any(" ".join(words).startswith(command) for words in kind.install)


@pytest.mark.skipif(sys.platform != "linux", reason="systemd")
def test_the_unit_can_be_looked_at_without_being_installed(tmp_path: Path):
    result = run(tmp_path, "service", "install", "--print", env={"HOME": str(tmp_path)})
    assert f"HERMES_HOME={tmp_path}" in result.stdout
    assert list(tmp_path.glob(".config/**/*.service")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="systemd")
def test_a_system_without_services_says_what_else_to_do(tmp_path: Path):
    result = run(tmp_path, "service", "install", env={"HOME": str(tmp_path), "PATH": str(tmp_path)})
    assert result.exit_code == 1
    assert "hr start --daemon" in result.stderr
    assert run(tmp_path, "service", "status", env={"HOME": str(tmp_path)}).exit_code == 1
    assert "not installed" in run(tmp_path, "service", "uninstall", env={"HOME": str(tmp_path)}).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="systemd")
def test_installing_runs_the_tool_and_uninstalling_takes_all_away(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "systemctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/bin:/usr/bin", "PORT": "1"}
    assert run(tmp_path, "service", "install", env=env).exit_code == 0
    unit = tmp_path / ".config/systemd/user/hermes-router.service"
    assert "ExecStart=" in unit.read_text()
    assert run(tmp_path, "service", "status", env=env).exit_code == 0
    assert run(tmp_path, "service", "uninstall", env=env).exit_code == 0
    assert not unit.exists()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:2] == ["--user daemon-reload", "--user enable --now hermes-router"]
    assert asked[-1] == "--user disable --now hermes-router"
