"""``hr serve``, ``hr start``: runs the router until it is told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import plain_errors


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; instead of HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any free one; instead of PORT.")] = None,
) -> None:
    """Run the router until Ctrl-C or SIGTERM.

    Example: hermes-router serve --port 9000
    """
    with plain_errors():
        from .loading import load_here

        loaded = load_here({"host": host, "port": port})
        from ..server.run import serve as run
        from .welcome import announce

        run(loaded, announce)
