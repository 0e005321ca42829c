"""``hr version``."""

from __future__ import annotations

from .. import __version__


def version() -> None:
    """Print the version.

    Example: hr version
    """
    print(f"hermes-router {__version__}")
