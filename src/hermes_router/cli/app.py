"""The console script. The commands are in ``commands.py``, which is read only where more than the version is asked."""

from __future__ import annotations

import sys


def main() -> None:
    """``hermes-router`` and ``hr``."""
    if sys.argv[1:] in (["--version"], ["version"]):
        from .version import version

        version()
        return
    from .commands import app

    app()
