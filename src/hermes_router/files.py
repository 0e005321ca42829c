"""Files that hold secrets or state: atomic writes, modes, locks, the home folder. Knows no file format.

POSIX modes mean nothing on Windows: there the user's own folder keeps others out, and ``secure`` does nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PRIVATE = 0o600


def write_atomic(path: Path, data: bytes | str, mode: int = PRIVATE) -> None:
    """Replace the file in one step: readers see the old content or the new, and after a crash one of the two is there.

    A link is followed, its target replaced. The folder must exist. Raises OSError.
    """
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def secure(path: Path) -> bool:
    """Take the file away from group and others. True where it had been open to them; raises OSError."""
    if sys.platform != "win32":
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)
            return True
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process (and thread) at a time between reading ``path`` and writing it back.

    The lock is a file beside it, which stays: removing it would let two in. The folder must exist.
    """
    path = path.resolve()
    with path.with_name(f"{path.name}.lock").open("a+b") as file:
        with contextlib.suppress(OSError):
            secure(Path(file.name))
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


def make_folder(path: Path) -> None:
    """Make a folder for the user alone, parents too. One that exists is left as it is."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


if sys.platform == "win32":

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError:  # LK_LOCK gives up after ten tries of a second each
                continue
            return

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
