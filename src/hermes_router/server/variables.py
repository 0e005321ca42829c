"""Sets one plain variable in a ``.env``, for the settings that the admin API changes. Every other line stays."""

from __future__ import annotations

import re
from pathlib import Path

from .. import files
from ..core.errors import CallerError
from ..settings import Loaded

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=*~-]*")


class Conflict(CallerError):
    """What is asked for is ruled out by something that wins over it."""

    status = 409
    code = "conflict"


def set_variable(loaded: Loaded, name: str, value: str) -> Path:
    """Write ``NAME=value`` to the ``.env`` that sets it already, else to the one in HERMES_HOME. Raises Conflict where
    the command line or the environment sets it, which win over files; OSError."""
    path = _place(loaded, name)
    assert _PLAIN.fullmatch(value)
    files.make_folder(path.parent)
    with files.locked(path):
        text = path.read_text("utf-8") if path.exists() else ""
        files.write_atomic(path, _edited(text, name, value))
    return path


def _place(loaded: Loaded, name: str) -> Path:
    if loaded.origins.get(name.lower()) == "flag":
        raise Conflict(f"{name} is set on the command line, which wins over every file.")
    for layer in loaded.layers:
        if layer.values.get(name, "").strip():
            if layer.origin == "environment":
                raise Conflict(f"{name} is set in the environment, which wins over every file: change it there.")
            return next((path for path in loaded.env_files if str(path) == layer.where), loaded.env_files[0])
    return loaded.env_files[-1]


def _edited(text: str, name: str, value: str) -> str:
    line = re.compile(rf"(?m)^([ \t]*(?:export[ \t]+)?){re.escape(name)}[ \t]*=.*$")
    places = list(line.finditer(text))
    if not places:
        return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{name}={value}\n"
    last = places[-1]  # the last one is the one that counts
    return f"{text[: last.start()]}{last[1]}{name}={value}{text[last.end() :]}"
