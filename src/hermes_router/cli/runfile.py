"""``HERMES_HOME/run.json``: which process is the running router, and where it listens. Written by ``serve``."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec

from .. import files


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """``host`` and ``port`` as bound; ``cwd`` is the folder whose ``.env`` it reads; ``started`` wall-clock seconds.
    ``flag_host`` and ``flag_port``: what the command line said, which a restart says again."""

    pid: int
    host: str
    port: int
    cwd: str = ""
    started: float = 0.0
    flag_host: str | None = None
    flag_port: int | None = None


def path_in(home: Path) -> Path:
    return home / "run.json"


def write(home: Path, running: Running) -> None:
    """Say that this router runs. Raises OSError."""
    files.make_folder(home)
    files.write_atomic(path_in(home), msgspec.json.encode(running) + b"\n")


def remove(home: Path, pid: int) -> None:
    """Take the file away, unless another router has put its own there meanwhile."""
    found = read(home)
    if found is not None and found.pid == pid:
        with contextlib.suppress(OSError):
            path_in(home).unlink(missing_ok=True)


def read(home: Path) -> Running | None:
    """What the file says; None where there is none, or where it cannot be made out."""
    try:
        return msgspec.json.decode(path_in(home).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


def alive(pid: int) -> bool:
    """Whether there is such a process. On Windows always True: there only asking the port tells."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Ended, but its parent has not asked how. Linux only; elsewhere it counts as alive."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[:1] == ["Z"]
