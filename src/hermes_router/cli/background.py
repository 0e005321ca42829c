"""A router in the background: started as a process of its own, told to stop, waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .. import files
from ..settings import Loaded
from . import runfile
from .client import Router, find
from .output import CONFIG_ERROR, FAILED, Failed, say, working

START_SECONDS = 30.0
_STEP = 0.05
T = TypeVar("T")


def start(loaded: Loaded, *, host: str | None = None, port: int | None = None, cwd: Path | None = None) -> Router:
    """Start one, say where it is, and return it. Raises Failed where one runs already or it does not come up."""
    there = find(loaded)
    if there is not None:
        raise Failed(f"A router runs already at {there.url}. To start it anew: hr restart")
    router = launch(loaded, host=host, port=port, cwd=cwd)
    say(f"hermes-router runs in the background at {router.url} (process {router.pid}).")
    say(f"Its log: {log_path(loaded)}\nTo stop it: hr stop")
    return router


def launch(loaded: Loaded, *, host: str | None = None, port: int | None = None, cwd: Path | None = None) -> Router:
    """The process, once it takes requests. Raises Failed with the end of its log."""
    home = loaded.settings.hermes_home
    files.make_folder(home)
    command = [sys.executable, "-m", "hermes_router", "serve"]
    command += ["--host", host] if host is not None else []
    command += ["--port", str(port)] if port is not None else []
    log = log_path(loaded)
    with working("Starting the router ..."), log.open("ab") as sink:
        files.secure(log)
        before = sink.tell()
        child = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, **_detached()
        )
        wait_for(lambda: _up(loaded, child) or (True if child.poll() is not None else None), START_SECONDS)
    router = _up(loaded, child)
    if router is None:
        code = child.poll()
        if code is None:
            child.terminate()
        raise Failed(
            f"The router did not start. The end of {log}:\n{_end(log, before)}",
            CONFIG_ERROR if code == CONFIG_ERROR else FAILED,
        )
    return router


def stop(loaded: Loaded, *, now: bool = False) -> int | None:
    """Tell the router to stop and wait; open streams may end first unless ``now``. Its pid, None where none runs.

    Raises Failed where it cannot be told.
    """
    home = loaded.settings.hermes_home
    said = runfile.read(home)
    router = find(loaded)
    if router is None:
        if said is not None and not runfile.alive(said.pid):
            runfile.remove(home, said.pid)
        return None
    if router.pid is None:
        raise Failed(
            f"The router at {router.url} was not started with this HERMES_HOME ({home}): stop it where it was started."
        )
    patience = loaded.settings.drain_seconds + 10
    with working("Waiting for open streams to end (hr stop --now does not) ..."):
        _tell(router.pid)
        if now:
            _tell(router.pid)
        gone = wait_for(lambda: not runfile.alive(router.pid or 0) or not router.answers() or None, patience)
        gone = gone and wait_for(lambda: not runfile.alive(router.pid or 0) or None, patience)
    if not gone:
        raise Failed(f"Process {router.pid} has not stopped within {patience:.0f} s. Try: hr stop --now")
    runfile.remove(home, router.pid)
    return router.pid


def log_path(loaded: Loaded) -> Path:
    return loaded.settings.hermes_home / "router.log"


def wait_for(look: Callable[[], T | None], seconds: float) -> T | None:
    """What ``look`` gives as soon as it is something, or None when the time is over."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() > end:
            return found
        time.sleep(_STEP)


def _up(loaded: Loaded, child: subprocess.Popen[bytes]) -> Router | None:
    said = runfile.read(loaded.settings.hermes_home)
    if said is None or said.pid != child.pid:
        return None
    router = Router(loaded, said.host, said.port, said.pid)
    return router if router.answers() else None


def _detached() -> dict[str, Any]:
    """So that it outlives the terminal it was started from."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


def _tell(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Failed(f"Process {pid} belongs to another user: stop it as that user.") from None


def _end(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-8:]) or "  (nothing)"
