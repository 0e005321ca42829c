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
    same = said if said is not None and said.pid == pid else None
    folder = Path(same.cwd) if same is not None and Path(same.cwd or "/nowhere").is_dir() else None
    start(
        loaded,
        host=host if host is not None or same is None else same.host,
        port=port if port is not None or same is None else same.port,
        cwd=folder,
    )
