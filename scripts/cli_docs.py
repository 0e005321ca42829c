"""Writes docs/cli.md: the help of every command as the program prints it, and screens drawn by the program's own code
from answers of a router that were kept in tests/cli/samples. ``--check`` only says whether the file is stale."""

from __future__ import annotations

import difflib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.console import Console

from hermes_router.cli import chat, doctor, quota, setup, status, usage, why
from hermes_router.cli.asking import Reply
from hermes_router.cli.commands import app
from hermes_router.cli.offers import Offer
from hermes_router.telemetry.status import Status
from hermes_router.telemetry.story import Story
from hermes_router.telemetry.usage import UsageRow

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "cli.md"
SAMPLES = ROOT / "tests" / "cli" / "samples"
WIDTHS = (80, 120)
URL = "http://127.0.0.1:8319"

HEAD = """# The command line

<!-- Written by scripts/cli_docs.py. Change the commands, then run: python scripts/cli_docs.py -->

`hr` and `hermes-router` are the same program. `hr setup` is the place to begin.

- Commands talk to the running router with the administration key of `HERMES_HOME`; they find it by
  `HERMES_HOME/run.json`, else at `HOST` and `PORT`. Where none runs, those that change something change the files
  under a lock. A running router takes a change of its files up by itself, within two seconds and without dropping a
  stream.
- Exit codes: 0 done, 1 failed, 2 the command line or the configuration is at fault.
- `--json` prints JSON for programs. Errors go to stderr, as one sentence that says what to do.
- Colours only on a terminal, and not where `NO_COLOR` is set. Keys are shown by their last four characters.

"""


def page() -> str:
    """The whole file."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    command = typer.main.get_command(app)
    parts = [HEAD, "## Screens\n\n", *_screens(), "## Commands\n\n", *_commands(command, "hr", None)]
    return "".join(parts).rstrip() + "\n"


# --- help


def _commands(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = type(command).context_class(
        command, info_name=name, parent=parent, terminal_width=80, max_content_width=80
    )
    path = name if parent is None else f"{parent.command_path} {name}"
    if parent is not None:
        yield f"### {path}\n\n```\n{command.get_help(context).strip()}\n```\n\n"
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, inner_name, context)


# --- screens


def _screens() -> Iterator[str]:
    kept: Status = _sample("status", Status)
    rows = quota.gathered(kept.deployments)
    drawn: dict[str, Callable[[int], list[Any]]] = {
        "hr status": lambda width: status.draw(kept, URL, width),
        "hr why, of a request that the second attempt answered": lambda width: why.draw(_sample("why", Story), width),
        "hr why, of one that nobody could answer": lambda width: why.draw(_sample("why_failed", Story), width),
        "hr quota": lambda width: [quota.draw([row for row in rows if row.window.used], width)],
        "hr usage": lambda width: [usage.draw(_usage(), "provider", width)],
        "hr setup": _setup,
        "hr doctor": lambda width: doctor.draw(_findings(), width),
        "hr chat": _chat,
    }
    for title, draw in drawn.items():
        yield f"### {title}\n\n"
        for width in WIDTHS:
            yield f"{width} columns:\n\n```\n{_text(draw(width), width)}\n```\n\n"


def _text(renderables: list[Any], width: int) -> str:
    screen = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    for one in renderables:
        screen.print(one)
    assert isinstance(screen.file, io.StringIO)
    lines = [line.rstrip() for line in screen.file.getvalue().rstrip().splitlines()]
    assert all(len(line) <= width for line in lines), max(lines, key=len)
    return "\n".join(lines)


def _sample(name: str, kind: type[Any]) -> Any:
    return msgspec.json.decode((SAMPLES / f"{name}.json").read_bytes(), type=kind)


def _usage() -> list[UsageRow]:
    return msgspec.convert(msgspec.json.decode((SAMPLES / "usage.json").read_bytes())["rows"], list[UsageRow])


def _setup(width: int) -> list[Any]:
    offered = [
        _offer("gemini", "Google Gemini", 11, 17_520, signup="aistudio.google.com", as_of="2026-11"),
        _offer("groq", "Groq", 3, 3000, signup="console.groq.com", as_of="2026-10-17"),
        _offer("openrouter", "OpenRouter", 7, 50, signup="openrouter.ai", as_of="2026-11-03"),
    ]
    return [
        "hermes-router sets itself up in ~/.local/share/hermes-router",
        "",
        setup.OFFERED,
        setup.draw(offered, width),
        "",
        setup.CHOOSE,
        setup.NONE_YET,
        "",
        "Provider: 2",
        "Keys of groq (from console.groq.com), hidden; several at once are fine:",
        "ok  groq  ...k3Yz  18 models listed",
        "Saved: groq, 1 new key in ~/.local/share/hermes-router/auth.json",
    ]


def _offer(name: str, title: str, models: int, calls: int, *, signup: str, as_of: str) -> Offer:
    return Offer(
        name=name, title=title, models=models, calls=calls, rpm=0, best=2, signup=signup, as_of=as_of, worth=0.0
    )


def _findings() -> list[doctor.Finding]:
    return [
        doctor.Finding(about="Python", state="ok", found="3.13.1 (/home/you/hermes-router/.venv/bin/python)"),
        doctor.Finding(about="settings", state="ok", found="read; .env"),
        doctor.Finding(about="disk", state="ok", found="84.2 GB free"),
        doctor.Finding(about="router", state="ok", found=f"runs at {URL}"),
        doctor.Finding(
            about=".env",
            state="warn",
            found="/home/you/.env can be read by others (mode 0644)",
            fix="chmod 600 /home/you/.env",
        ),
        doctor.Finding(about="groq ...k3Yz", state="ok", found="18 models listed (210 ms)"),
        doctor.Finding(
            about="mistral ...7777",
            state="fail",
            found="auth (HTTP 401): Invalid API Key",
            fix="hr auth remove mistral 7777, then hr auth add mistral",
        ),
        doctor.clock([0.4]),
    ]


def _chat(width: int) -> list[Any]:
    reply = Reply(
        provider="groq",
        model="openai/gpt-oss-20b",
        attempts=1,
        request_id="req_0a1b2c3d4e000007",
        took=0.84,
        first_word=0.31,
        input=74,
        output=22,
    )
    return ["$ hr chat Name three rivers.", "The Douro, the Tagus and the Minho.", chat.footer(reply)]


def main() -> int:
    """The exit code: 1 where ``--check`` finds the file stale."""
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, "utf-8")
        return 0
    there = PAGE.read_text("utf-8") if PAGE.exists() else ""
    sys.stdout.writelines(
        difflib.unified_diff(there.splitlines(True), wanted.splitlines(True), "docs/cli.md", "wanted")
    )
    return int(there != wanted)


if __name__ == "__main__":
    raise SystemExit(main())
