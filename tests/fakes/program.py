"""``hr`` as people run it: in a pseudo-terminal, as a process, through the CLI runner; with nothing of theirs in it."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from hermes_router.cli.commands import app
from hermes_router.settings import Settings

PATIENCE = 40.0
_OF_PROVIDERS = ("_KEY", "_KEYS", "_TOKEN", "_TOKENS", "_URL", "_MODEL", "_ENABLED")
PROGRAM = (sys.executable, "-m", "hermes_router")


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, said: str | None = None) -> Result:
    """One command; ``said`` on stdin. HERMES_HOME and ``.env`` are ``folder``'s."""
    # What whoever runs the tests has set, in variables and in a .env, stays out of it.
    own = [name for name in os.environ if name.lower() in Settings.__struct_fields__ or name.endswith(_OF_PROVIDERS)]
    return CliRunner().invoke(
        app, list(arguments), input=said, env={**dict.fromkeys(own, ""), **variables(folder), **(env or {})}
    )


def variables(folder: Path) -> dict[str, str]:
    """For a process that is to know nothing but ``folder``."""
    if not (folder / ".env").exists():  # a touch would be a change, which a running router looks into
        (folder / ".env").touch()
    return {"HERMES_HOME": str(folder), "HR_ENV_FILE": str(folder / ".env"), "PATH": os.environ["PATH"], "PORT": "0"}


def process(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, said: str = "") -> Any:
    """The real program, to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=said,
        env={**variables(folder), **(env or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextlib.contextmanager
def router(folder: Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """A router in the background, started by ``hr start --daemon``; its URL."""
    started = process(folder, "start", "--daemon", env=env)
    try:
        assert started.returncode == 0, started.stderr
        said = orjson.loads((folder / "run.json").read_bytes())
        yield f"http://127.0.0.1:{said['port']}"
    finally:
        process(folder, "stop", "--now", env=env)


class Terminal:
    """The real program on a pseudo-terminal: ``expect`` what it says, ``type`` what it asks for."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None, width: int = 80) -> None:
        import fcntl
        import pty
        import termios

        self.text = ""
        self._at = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
        self._child = subprocess.Popen(
            [*PROGRAM, *arguments],
            env={**variables(folder), "TERM": "xterm", **(env or {})},
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._master)

    def expect(self, wanted: str) -> str:
        """What it says up to and with ``wanted``, from where the last call ended."""
        end = time.monotonic() + PATIENCE
        while (found := self.text.find(wanted, self._at)) < 0:
            if time.monotonic() > end or not self._read(end):
                raise AssertionError(f"{wanted!r} did not come; so far: {self.text[self._at :]!r}")
        before, self._at = self._at, found + len(wanted)
        return self.text[before : self._at]

    def type(self, text: str) -> None:
        """A line, and Enter."""
        os.write(self._master, f"{text}\n".encode())

    def end(self) -> int:
        """Read to its end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self._child.wait(PATIENCE)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # Linux says EIO once nobody has the other side open
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)
