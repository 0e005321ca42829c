"""Reads secrets from a terminal without showing them; a paste of several lines comes as one."""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import Iterator

_QUIET_SECONDS = 0.15


def lines(prompt: str) -> str:
    """What was typed or pasted, several lines together where they came at once. Raises EOFError at its end."""
    if not sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")
    if sys.platform == "win32":
        return _windows(prompt)
    return _posix(prompt)


def shown(prompt: str) -> str:
    """A line that may be seen; pasted lines together. Raises EOFError at the end."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n") + _pasted_too()


if sys.platform == "win32":

    def _pasted_too() -> str:
        return ""

    def _windows(prompt: str) -> str:
        import msvcrt
        import time

        text = getpass.getpass(prompt)
        while True:
            time.sleep(_QUIET_SECONDS)
            if not msvcrt.kbhit():
                return text
            text += "\n" + getpass.getpass("")

else:

    def _pasted_too() -> str:
        """The lines that came with the first; on a terminal only, since a pipe holds the next answers."""
        import select

        text = ""
        while sys.stdin.isatty() and select.select([sys.stdin], [], [], _QUIET_SECONDS)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            text += "\n" + line.rstrip("\r\n")
        return text

    def _posix(prompt: str) -> str:
        import select

        with _silent(sys.stdin.fileno()):
            print(prompt, end="", file=sys.stderr, flush=True)
            line = sys.stdin.readline()
            text = line
            while line and select.select([sys.stdin], [], [], _QUIET_SECONDS)[0]:
                line = sys.stdin.readline()
                text += line
        print(file=sys.stderr)
        if not text:
            raise EOFError
        return text.rstrip("\r\n")

    @contextlib.contextmanager
    def _silent(handle: int) -> Iterator[None]:
        """No echo meanwhile. TCSADRAIN, not FLUSH: what was pasted ahead must not be thrown away."""
        import termios

        before = termios.tcgetattr(handle)
        quiet = termios.tcgetattr(handle)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(handle, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)
