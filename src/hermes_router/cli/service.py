"""``hr service``: starts the router at every login: systemd user unit, launchd agent or Windows task.

The texts are made by functions without I/O, so that each can be looked at on any system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Failed, Json, plain_errors, print_json, say, working

if TYPE_CHECKING:
    from ..settings import Loaded

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Start the router at every login.\n\nExample: hr service install"
)
NAME = "hermes-router"
LABEL = "io.github.hermes-router"


# --- the texts


def systemd_unit(python: str, home: Path, folder: Path) -> str:
    """For ``~/.config/systemd/user``. ``folder`` is the working folder, whose ``.env`` is read."""
    return (
        "[Unit]\n"
        "Description=hermes-router: one endpoint in front of every LLM quota\n"
        "After=network-online.target\n"
        "Wants=network-online.target\n\n"
        "[Service]\n"
        f"ExecStart={_systemd(python)} -m hermes_router serve\n"
        f"WorkingDirectory={str(folder).replace('%', '%%')}\n"
        f"Environment={_systemd(f'HERMES_HOME={home}')}\n"
        "ExecReload=/bin/kill -HUP $MAINPID\n"
        "Restart=on-failure\n"
        "RestartSec=2\n"
        "TimeoutStopSec=45\n"
        "NoNewPrivileges=true\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def _systemd(text: str) -> str:
    """One argument as unit files quote it (systemd.syntax(7)); ``%`` and ``$`` mean themselves."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def launchd_plist(python: str, home: Path, folder: Path) -> str:
    """For ``~/Library/LaunchAgents``."""
    arguments = "".join(f"    <string>{escape(one)}</string>\n" for one in (python, "-m", "hermes_router", "serve"))
    log = escape(str(home / "router.log"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        '<plist version="1.0">\n<dict>\n'
        f"  <key>Label</key>\n  <string>{LABEL}</string>\n"
        f"  <key>ProgramArguments</key>\n  <array>\n{arguments}  </array>\n"
        f"  <key>WorkingDirectory</key>\n  <string>{escape(str(folder))}</string>\n"
        "  <key>EnvironmentVariables</key>\n  <dict>\n"
        f"    <key>HERMES_HOME</key>\n    <string>{escape(str(home))}</string>\n  </dict>\n"
        "  <key>RunAtLoad</key>\n  <true/>\n"
        "  <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>\n"
        f"  <key>StandardOutPath</key>\n  <string>{log}</string>\n"
        f"  <key>StandardErrorPath</key>\n  <string>{log}</string>\n"
        "</dict>\n</plist>\n"
    )


def windows_task(python: str, home: Path, folder: Path) -> str:
    """For ``schtasks /Create /XML``. A task has no environment of its own: cmd sets HERMES_HOME first."""
    command = f'/c "set "HERMES_HOME={home}" && "{python}" -m hermes_router serve"'
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        "  <RegistrationInfo>\n    <Description>hermes-router</Description>\n  </RegistrationInfo>\n"
        "  <Triggers>\n    <LogonTrigger>\n      <Enabled>true</Enabled>\n    </LogonTrigger>\n  </Triggers>\n"
        "  <Settings>\n"
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n"
        "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n"
        "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n"
        "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n"
        "    <RestartOnFailure>\n      <Interval>PT1M</Interval>\n      <Count>10</Count>\n    </RestartOnFailure>\n"
        "  </Settings>\n"
        "  <Actions>\n    <Exec>\n      <Command>cmd.exe</Command>\n"
        f"      <Arguments>{escape(command)}</Arguments>\n"
        f"      <WorkingDirectory>{escape(str(folder))}</WorkingDirectory>\n"
        "    </Exec>\n  </Actions>\n</Task>\n"
    )


# --- one kind for each system


class Kind:
    """How a system keeps services. ``write``: the file's text; the commands are run in order."""

    def __init__(self, system: str, user: Path, home: Path, folder: Path) -> None:
        python = sys.executable
        self.install: list[list[str]]
        self.uninstall: list[list[str]]
        self.encoding = "utf-8"
        if system == "darwin":
            self.path = user / "Library" / "LaunchAgents" / f"{LABEL}.plist"
            self.text = launchd_plist(python, home, folder)
            domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"
            self.install = [["launchctl", "bootstrap", domain, str(self.path)]]
            self.uninstall = [["launchctl", "bootout", f"{domain}/{LABEL}"]]
            self.state = ["launchctl", "print", f"{domain}/{LABEL}"]
        elif system == "win32":
            self.path = home / "service.xml"
            self.text = windows_task(python, home, folder)
            self.encoding = "utf-16"
            create = ["schtasks", "/Create", "/TN", NAME, "/XML", str(self.path), "/F"]
            self.install = [create, ["schtasks", "/Run", "/TN", NAME]]
            self.uninstall = [["schtasks", "/End", "/TN", NAME], ["schtasks", "/Delete", "/TN", NAME, "/F"]]
            self.state = ["schtasks", "/Query", "/TN", NAME]
        else:
            self.path = user / ".config" / "systemd" / "user" / f"{NAME}.service"
            self.text = systemd_unit(python, home, folder)
            control = ["systemctl", "--user"]
            self.install = [[*control, "daemon-reload"], [*control, "enable", "--now", NAME]]
            self.uninstall = [[*control, "disable", "--now", NAME]]
            self.state = [*control, "is-active", NAME]


@app.command()
@plain_errors()
def install(
    show_only: Annotated[bool, typer.Option("--print", help="Only print what would be written.")] = False,
) -> None:
    """Start the router now and at every login. Changes nothing outside your own account.

    Example: hr service install
    """
    from .. import files
    from .client import find
    from .loading import load_here

    loaded = load_here()
    kind = _kind(loaded)
    if show_only:
        print(kind.text, end="")
        return
    tool = kind.install[0][0]
    if shutil.which(tool) is None:
        raise Failed(f"{tool} is not there, so this system keeps no services. Instead: hr start --daemon")
    running = find(loaded)
    if running is not None:
        raise Failed(f"A router runs at {running.url} already. First: hr stop")
    files.make_folder(loaded.settings.hermes_home)
    kind.path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(kind.path, kind.text.encode(kind.encoding), 0o644)
    say(f"Written: {kind.path}")
    for command in kind.install:
        _run(command)
    say("The router runs now, and starts at every login.")
    if tool == "systemctl":
        say("To have it run without a login too: loginctl enable-linger\nIts log: journalctl --user -u hermes-router")


@app.command()
@plain_errors()
def status(as_json: Json = False) -> None:
    """Say whether the service is installed and runs. Exit code 1 where it does not run.

    Example: hr service status
    """
    from .loading import load_here

    kind = _kind(load_here())
    installed = kind.path.exists()
    active = installed and _succeeds(kind.state)
    if as_json:
        print_json({"installed": installed, "running": active, "file": str(kind.path)})
    elif not installed:
        say("Not installed. To install it: hr service install")
    else:
        say(f"Installed ({kind.path}), {'running' if active else 'not running; start it again: hr service install'}.")
    if not active:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def uninstall() -> None:
    """Stop the service and take it away. Keys and settings stay.

    Example: hr service uninstall
    """
    from .loading import load_here

    kind = _kind(load_here())
    if not kind.path.exists():
        say("It is not installed.")
        return
    for command in kind.uninstall:
        if not _succeeds(command):
            say(f"! {' '.join(command)} failed; going on.")
    kind.path.unlink()
    say(f"Taken away: {kind.path}")


def restarted() -> bool:
    """Restart by way of systemd where that keeps the router; False where it does not."""
    from .loading import load_here

    if sys.platform in ("win32", "darwin"):
        return False
    kind = _kind(load_here())
    if not kind.path.exists() or not _succeeds(kind.state):
        return False
    _run(["systemctl", "--user", "restart", NAME])
    say("Restarted (the systemd service hermes-router).")
    return True


def _kind(loaded: Loaded) -> Kind:
    return Kind(sys.platform, Path.home(), loaded.settings.hermes_home, Path.cwd())


def _run(command: list[str]) -> None:
    with working(f"{' '.join(command)} ..."):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise Failed(f"{' '.join(command)} failed: {said}\nInstead of a service: hr start --daemon")


def _succeeds(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed commands
