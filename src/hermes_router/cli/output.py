"""How commands speak: text on stdout, with colour only on a terminal (and not under NO_COLOR), errors as a sentence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence

import typer

CONFIG_ERROR = 2
"""Exit code where the configuration or the command line is at fault."""

_STYLES = (
    (r"https?://[^\s\"']+", "cyan"),
    (r"(?m)^\S.*:$", "bold"),
    (r"(?m)^! .*$", "yellow"),
)


def say(text: str) -> None:
    """Print text as it is; on a terminal, headings, addresses and notices stand out."""
    if not sys.stdout.isatty():
        print(text, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text(text)
    for pattern, style in _STYLES:
        shown.highlight_regex(pattern, style)
    Console(soft_wrap=True, highlight=False).print(shown)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """A SettingsError becomes one sentence on stderr and exit code 2."""
    from ..settings import SettingsError

    try:
        yield
    except SettingsError as error:
        print(f"hermes-router: {error}", file=sys.stderr)
        raise typer.Exit(CONFIG_ERROR) from None


def masked(secret: str) -> str:
    """A key as it may be shown: the last four characters of a long one."""
    return f"...{secret[-4:]}" if len(secret) >= 8 else "..." if secret else ""


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Rows as aligned text."""
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def count(number: int, word: str) -> str:
    """``1 key``, ``2 keys``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
