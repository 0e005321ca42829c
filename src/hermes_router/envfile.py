"""Changes single variables in a ``.env`` and leaves every other line, comment and line ending as it is.

For ``hr`` and the admin API alike. Knows where a variable belongs, not what it means.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import files
from .settings import Loaded, SettingsError

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=*~-]*")
_COMMENT = re.compile(r"[ \t]+#[^'\"\r\n]*$")
_BOM = "\ufeff"


class Overruled(SettingsError):
    """What is to be changed in a file is said by something that wins over every file."""


def change(path: Path, values: Mapping[str, str | None]) -> bool:
    """Set variables, or take them out where the value is None. Whether anything changed; raises SettingsError."""
    try:
        files.make_folder(path.parent)
        with files.locked(path):
            before, mode = _read(path)
            after = edited(before, values)
            if after == before:
                return False
            files.write_atomic(path, after, mode)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
    return True


def edited(text: str, values: Mapping[str, str | None]) -> str:
    """The text of a ``.env`` after the change."""
    from dotenv.parser import parse_stream

    mark = _BOM if text.startswith(_BOM) else ""
    # Read without translating newlines: what is not changed must come out byte by byte.
    bindings = list(parse_stream(io.StringIO(text.removeprefix(_BOM), newline="")))
    pieces = [_Piece(None if one.error else one.key, one.original.string) for one in bindings]
    newline = "\r\n" if "\r\n" in text else "\n"
    for name, value in values.items():
        ours = [piece for piece in pieces if piece.key == name]
        if value is None:
            for piece in ours:
                piece.text = _without(piece.text)
        elif ours:
            ours[-1].text = _with(ours[-1].text, name, value, newline)
        else:
            at = _place_for(name, pieces)
            before = "".join(piece.text for piece in pieces[:at])
            start = newline if before and not before.endswith("\n") else ""
            pieces.insert(at, _Piece(name, f"{start}{name}={_written(value)}{newline}"))
    return mark + "".join(piece.text for piece in pieces)


@dataclass
class _Piece:
    """What one binding takes up in the file, the empty lines before it too. ``key`` None: a comment, or no binding."""

    key: str | None
    text: str


def place(loaded: Loaded, name: str) -> Path:
    """The ``.env`` in which ``name`` is to be changed: where it is set already, else the one in HERMES_HOME.

    Raises Overruled where the command line or the environment sets it.
    """
    if loaded.origins.get(name.lower()) == "flag":
        raise Overruled(f"{name} is set on the command line, which wins over every file.")
    for layer in loaded.layers:
        if layer.values.get(name, "").strip():
            if layer.origin == "environment":
                raise Overruled(
                    f"{name} is set in the environment, which wins over every file: change or unset it there."
                )
            if layer.origin == ".env" and layer.where != str(loaded.env_files[-1]):
                return loaded.env_files[0]
            break
    return loaded.env_files[-1]


def _read(path: Path) -> tuple[str, int]:
    """The text, newlines as they are, and the mode to write it back with."""
    try:
        return path.read_bytes().decode("utf-8"), stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return "", files.PRIVATE
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SettingsError(f"{path} cannot be read: {reason}") from error


def _with(piece: str, name: str, value: str, newline: str) -> str:
    """An assignment with another value; what stands before it, ``export`` and a comment behind it stay."""
    before = re.match(
        rf"(?s)(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:export[ \t]+)?'?{re.escape(name)}'?[ \t]*=?[ \t]*", piece
    )
    head = before[0] if before else f"{name}="
    if "=" not in head.rpartition("\n")[2]:
        head = f"{head.rstrip()}="
    body = piece[len(head) :].rstrip("\r\n")
    comment = _COMMENT.search(body) if "\n" not in body else None
    end = newline if piece.endswith("\n") else ""
    return f"{head}{_written(value)}{comment[0] if comment else ''}{end}"


def _without(piece: str) -> str:
    """A piece without its assignment; empty lines and comments before it stay."""
    kept = re.match(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*", piece)
    return kept[0] if kept else ""


def _place_for(name: str, pieces: list[_Piece]) -> int:
    """Behind a commented-out line of the same name, else at the end."""
    commented = re.compile(rf"(?m)^[ \t]*#[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=[^\n]*\n")
    for at, piece in enumerate(pieces):
        match = commented.search(piece.text) if piece.key is None else None
        if match:
            pieces[at : at + 1] = [_Piece(None, piece.text[: match.end()]), _Piece(None, piece.text[match.end() :])]
            return at + 1
    return len(pieces)


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
