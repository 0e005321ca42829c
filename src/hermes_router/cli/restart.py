"""``hr restart``: ends the running router and starts it again where it was."""

from __future__ import annotations

from pathlib import Path

from .output import plain_errors
from .serve import Host, Port


@plain_errors()
def restart(host: Host = None, port: Port = None) -> None:
    """Stop the running router and start it in the background, at the same address and from the same folder.

    A change of keys or settings needs no restart: it takes effect by itself.

    Example: hr restart
    """
    from . import runfile
    from .background import start, stop
    from .loading import load_here
    from .service import restarted

    loaded = load_here({"host": host, "port": port})
    if host is None and port is None and restarted():
        return
    said = runfile.read(loaded.settings.hermes_home)
    pid = stop(loaded)
    before = said if said is not None and said.pid == pid else None
    if before is not None:
        host = before.flag_host if host is None else host
        port = before.flag_port if port is None else port
        if not (port or loaded.settings.port):
            port = before.port  # any free one was asked for: the one that apps know by now is as good
    folder = Path(before.cwd) if before is not None and before.cwd and Path(before.cwd).is_dir() else None
    start(loaded, host=host, port=port, cwd=folder)
