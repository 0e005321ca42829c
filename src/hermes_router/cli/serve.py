"""``hr serve``, ``hr start``: runs the router until it is told to stop, here or (``--daemon``) in the background."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Failed, complain, plain_errors

if TYPE_CHECKING:
    from ..pool.world import World

Host = Annotated[str | None, typer.Option(help="Address to listen on; instead of HOST.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for any free one; instead of PORT.")]
Daemon = Annotated[bool, typer.Option("--daemon", help="In the background; says where once it can serve.")]


@plain_errors()
def serve(host: Host = None, port: Port = None, daemon: Daemon = False) -> None:
    """Run the router until Ctrl-C, SIGTERM or hr stop.

    Example: hr serve --port 9000
    """
    from .loading import load_here

    loaded = load_here({"host": host, "port": port})
    if daemon:
        from .background import start

        start(loaded, host=host, port=port)
        return
    from ..server.run import serve as run
    from . import runfile
    from .client import at_home
    from .welcome import announce

    home = loaded.settings.hermes_home
    other = at_home(loaded)
    if other is not None:  # the two would write over each other's run.json and state
        raise Failed(
            f"A router runs already at {other.url} (process {other.pid}). To start it anew: hr restart. A second one "
            "needs a HERMES_HOME of its own."
        )

    def started(world: World, bound_host: str, bound_port: int) -> None:
        running = runfile.Running(
            pid=os.getpid(),
            host=bound_host,
            port=bound_port,
            cwd=str(Path.cwd()),
            started=time.time(),
            flag_host=host,
            flag_port=port,
        )
        try:
            runfile.write(home, running)
        except OSError as error:  # a container's file system may be read-only
            complain(
                f"{runfile.path_in(home)} cannot be written ({error.strerror}): hr finds this router by HOST and PORT"
            )
        announce(world, bound_host, bound_port)
        sys.stdout.flush()

    try:
        run(loaded, started)
    finally:
        runfile.remove(home, os.getpid())
