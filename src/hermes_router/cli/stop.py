"""``hr stop``: ends the running router."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import plain_errors, say


@plain_errors()
def stop(
    now: Annotated[bool, typer.Option("--now", help="Do not wait for open streams.")] = False,
) -> None:
    """Stop the running router. Open streams may end first, for DRAIN_SECONDS at most.

    Example: hr stop
    """
    from .background import stop as end
    from .loading import load_leniently

    pid = end(load_leniently(), now=now)
    say("No router was running." if pid is None else f"Stopped (process {pid}).")
