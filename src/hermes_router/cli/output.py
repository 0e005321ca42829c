"""How commands speak: text on stdout, with colour only on a terminal (and not under NO_COLOR), errors as a sentence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

FAILED = 1
"""Exit code where a command could not do what it was asked to."""
CONFIG_ERROR = 2
"""Exit code where the configuration or the command line is at fault."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_PIPED_WIDTH = 160
_STYLES = (
    (r"https?://[^\s\"']+", "cyan"),
    (r"(?m)^\S.*:$", "bold"),
    (r"(?m)^! .*$", "yellow"),
)


class Failed(Exception):
    """A command cannot go on. The message says why and what to do; it holds no secret."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Misused(Failed):
    """What was asked for cannot be meant."""

    def __init__(self, message: str) -> None:
        super().__init__(message, CONFIG_ERROR)


def say(text: str) -> None:
    """Print text as it is; on a terminal, headings, addresses and notices stand out."""
    if not sys.stdout.isatty():
        print(text, flush=True)
        return
    from rich.text import Text

    shown = Text(text)
    for pattern, style in _STYLES:
        shown.highlight_regex(pattern, style)
    console().print(shown, overflow="fold")


def show(*renderables: Any) -> None:
    """Print what rich can draw, as wide as the terminal."""
    screen = console()
    for one in renderables:
        screen.print(one)


def console(*, stderr: bool = False) -> Console:
    """A console that never guesses at highlights; NO_COLOR is respected by rich itself. What is piped is not folded to
    80 columns, unless COLUMNS asks for that."""
    from rich.console import Console

    from ..settings import environment

    stream = sys.stderr if stderr else sys.stdout
    free = not stream.isatty() and not environment().get("COLUMNS")
    return Console(highlight=False, stderr=stderr, width=_PIPED_WIDTH if free else None)


def print_json(value: Any) -> None:
    """Structs, mappings and lists as indented JSON."""
    import msgspec
    import orjson

    plain = msgspec.to_builtins(value, enc_hook=str)
    print(orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode(), flush=True)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """A SettingsError becomes one sentence on stderr and exit code 2; Failed says its own code; so does
    what the system says of a file, with exit code 1. Also a decorator."""
    from ..settings import SettingsError

    try:
        yield
    except SettingsError as error:
        complain(str(error))
        raise typer.Exit(CONFIG_ERROR) from None
    except Failed as error:
        complain(str(error))
        raise typer.Exit(error.code) from None
    except OSError as error:
        if error.filename is None:  # not about a file: a fault of ours, to be seen whole
            raise
        complain(f"{error.filename}: {error.strerror}. Is there room, and may you write there?")
        raise typer.Exit(FAILED) from None


def complain(message: str) -> None:
    """A sentence on stderr."""
    if not sys.stderr.isatty():
        print(f"hermes-router: {message}", file=sys.stderr, flush=True)
        return
    from rich.text import Text

    console(stderr=True).print(Text(f"hermes-router: {message}"), overflow="fold")


@contextlib.contextmanager
def working(text: str) -> Iterator[None]:
    """A sign of life on stderr while something takes its time; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with console(stderr=True).status(text):
        yield


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


def span(seconds: float) -> str:
    """A length of time in seven characters at most: ``40 ms``, ``1.4 s``, ``12 s``, ``3 min``, ``2h 05m``, ``18 h``,
    ``4 d``."""
    if seconds < 0.9995:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 600:
        return f"{minutes // 60}h {minutes % 60:02}m"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} d"


def number(value: float) -> str:
    """A count in few characters: ``950``, ``12.4k``, ``3M``."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            scale = 1e3 if mark == "k" else size
            return f"{value / scale:.1f}".removesuffix(".0") + mark
    return f"{value:.0f}"
