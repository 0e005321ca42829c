#!/usr/bin/env python3
"""Real coding agents through the router: each reads a file, runs a command, writes a file, and goes on after a
second prompt, told so by a script.

    .venv/bin/python scripts/agents/run.py [claude codex opencode aider] [--keep FOLDER] [--timeout 180] [--show]

Everything is installed into a temporary folder (``--keep``: this one, and what it holds is used again): Claude Code,
Codex CLI and opencode from npm, aider from PyPI. Each agent gets a home of its own and the variables ``hr launch``
gives it. The model is ``model.py``; nothing leaves this machine but the installation. Prints agent -> done, failed or
missing, and why; the exit code counts the failures. Not part of CI: the packages are large and change daily.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from model import MORE, SOURCE, TARGET, Model

from fakes.router import KEY, router
from fakes.served import provider
from fakes.upstream import Upstream
from hermes_router.cli.agents import Launch, launches

PROMPT = f"Read {SOURCE}, count its characters with a shell command, then write the secret in it to {TARGET}."
SECOND = f"Now add a line {MORE} at the end of {TARGET}."
INSTALL_SECONDS = 600
NPM = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex", "opencode": "opencode-ai"}
SCRIPTS = {"claude": "install.cjs", "opencode": "postinstall.mjs"}
"""Install scripts that fetch the program itself, run by name: npm may be set to run none."""
PYPI = {"aider": "aider-chat"}
ARGUMENTS = {
    "claude": ("-p", PROMPT, "--allowedTools", "Read,Write,Bash", "--permission-mode", "acceptEdits"),
    "codex": ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT),
    "opencode": ("run", PROMPT),
    "aider": (
        *("--message", PROMPT, "--yes-always", "--no-git", "--edit-format", "whole", "--no-check-update"),
        *("--no-show-model-warnings", "--no-analytics", "--no-gitignore", "--no-show-release-notes", SOURCE, TARGET),
    ),
}
CONTINUED = {
    "claude": ("--continue", "-p", SECOND, "--allowedTools", "Read,Write,Bash", "--permission-mode", "acceptEdits"),
    "codex": (
        "exec",
        "resume",
        "--last",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        SECOND,
    ),
    "opencode": ("run", "--continue", SECOND),
}
"""How each goes on with its last conversation in a second process; aider has no such way with tools."""
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "AIDER_ANALYTICS": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CI": "1",
    "TERM": "dumb",
}


class Outcome(msgspec.Struct, frozen=True):
    """A row of the table."""

    agent: str
    result: str
    seconds: float
    why: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", nargs="*", metavar="agent", help="which ones; default: all")
    parser.add_argument("--keep", type=Path, help="install into this folder and leave it there")
    parser.add_argument("--timeout", type=float, default=180, help="seconds an agent may take")
    parser.add_argument("--show", action="store_true", help="print what the agents say")
    args = parser.parse_args()
    unknown = set(args.agents) - ARGUMENTS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ARGUMENTS)}")
    with tempfile.TemporaryDirectory(prefix="hermes-agents-") as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        rows = [_one(name, folder, args.timeout, args.show) for name in args.agents or ARGUMENTS]
    for row in rows:
        print(f"{row.agent:10} {row.result:8} {row.seconds:6.1f} s  {row.why}")
    sys.exit(sum(row.result == "failed" for row in rows))


def _one(name: str, folder: Path, timeout: float, show: bool) -> Outcome:
    began = time.monotonic()
    try:
        program = _install(name, folder)
    except (OSError, subprocess.SubprocessError) as error:
        return Outcome(name, "missing", time.monotonic() - began, f"cannot be installed: {_said(error)}")
    with tempfile.TemporaryDirectory(prefix=f"hermes-{name}-") as work:
        began = time.monotonic()
        result, why = _task(name, program, Path(work).resolve(), timeout, show)
        return Outcome(name, result, time.monotonic() - began, why)


def _install(name: str, folder: Path) -> Path:
    if name in PYPI:
        program = folder / "python" / "bin" / name
        if not program.exists():
            _run([sys.executable, "-m", "venv", str(folder / "python")])
            _run([str(folder / "python" / "bin" / "pip"), "install", "--quiet", PYPI[name]])
        return program
    program = folder / "node" / "node_modules" / ".bin" / name
    if not program.exists():
        (folder / "node").mkdir(exist_ok=True)
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder / "node"), NPM[name]])
        if name in SCRIPTS:
            package = folder / "node" / "node_modules" / NPM[name]
            _run(["node", str(package / SCRIPTS[name])], cwd=package)
    return program


def _run(command: list[str], cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)


def _task(name: str, program: Path, work: Path, timeout: float, show: bool) -> tuple[str, str]:
    here, home = work / "project", work / "home"
    here.mkdir()
    home.mkdir()
    (work / "router").mkdir()
    secret = f"SECRET-{secrets.token_hex(4)}"
    (here / SOURCE).write_text(f"Nothing to see in this line.\nThe secret is {secret}.\n", "utf-8")
    model = Model(here)
    with Upstream(model) as upstream, router(work / "router", toml=provider("scripted"), upstream=upstream) as routed:
        launch = launches(routed.url, KEY, "hermes-router")[name]
        due = [secret]
        for arguments in (ARGUMENTS[name], CONTINUED.get(name)):
            if arguments is None:
                continue
            ended = _let([str(program), *launch.arguments, *arguments], launch, here, home, timeout)
            if show:
                print(f"--- {name}\n{ended}\n--- steps: {model.steps}")
            why = _wrong(here, due, model, ended)
            if why:
                return "failed", why
            due.append(MORE)
        return "done", f"{' > '.join(model.steps)}; {len(routed.streams)} streams"


def _let(command: list[str], launch: Launch, here: Path, home: Path, timeout: float) -> str:
    """Let it work; what it said."""
    env: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1,localhost",
        **QUIET,
        **launch.set,
    }
    try:
        done = subprocess.run(
            command,
            cwd=here,
            env=env,
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        return f"(stopped after {timeout:g} s) {_words(error.stdout)} {_words(error.stderr)}"
    return f"{done.stdout}\n{done.stderr}\n(exit code {done.returncode})"


def _wrong(here: Path, due: list[str], model: Model, ended: str) -> str:
    """Why this is no success; nothing where it is one."""
    if model.refused:
        return f"a strict provider refuses what was sent: {model.refused[0]}"
    written = (here / TARGET).read_text("utf-8") if (here / TARGET).exists() else ""
    if not all(text in written for text in due):
        return f"{TARGET} holds {written!r}; steps {model.steps}; it said: {' '.join(ended.split())[-300:]}"
    return ""


def _said(error: BaseException) -> str:
    text = _words(getattr(error, "stderr", None)) or str(error)
    return " ".join(text.split())[-200:]


def _words(text: str | bytes | None) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text or ""


if __name__ == "__main__":
    main()
