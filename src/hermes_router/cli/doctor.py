"""``hr doctor``: looks at the installation and names what is wrong, each with what to do about it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from .output import FAILED, Json, console, count, plain_errors, print_json, show, span, working
from .tables import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..pool.world import World
    from ..settings import Loaded
    from .client import Router
    from .probe import Finding as Probed

OLDEST = (3, 11)
_SKEW_SECONDS = 60.0
_FREE_BYTES = 200_000_000
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. ``fix``: what to do; empty where nothing is."""

    about: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


@plain_errors()
def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider.")] = False,
    as_json: Json = False,
) -> None:
    """Examine Python, the install, files, the port, providers and keys, clock and disk. Exit code 1 where one fails.

    Example: hr doctor
    """
    findings = list(examine(offline=offline))
    if as_json:
        print_json(findings)
    else:
        show(*draw(findings, console().width))
    if any(one.state == "fail" for one in findings):
        raise typer.Exit(FAILED)


def examine(*, offline: bool) -> Iterator[Finding]:
    """Everything, in the order in which it matters."""
    from ..settings import SettingsError
    from .loading import load_here, load_leniently

    yield python_version(sys.version_info[:3])
    yield install()
    try:
        loaded = load_here()
    except SettingsError as error:
        yield Finding(about="settings", state="fail", found=str(error), fix="correct the place that is named")
        with contextlib.suppress(SettingsError):
            yield from _router(load_leniently())
        return
    yield Finding(about="settings", state="ok", found=f"read; {_read(loaded)}")
    yield home(loaded.settings.hermes_home)
    yield from (found for path in _private(loaded) if (found := mode(path)))
    yield disk(loaded.settings.hermes_home, shutil.disk_usage)
    yield from _router(loaded)
    yield from _configuration(loaded, offline=offline)


def draw(findings: list[Finding], width: int) -> list[RenderableType]:
    """The list, and a verdict."""
    from rich.markup import escape

    drawn = table("", "", "")
    drawn.show_header = False
    drawn.columns[2].no_wrap = False
    drawn.columns[2].overflow = "fold"
    for one in findings:
        fix = f"\n[bold]-> {escape(one.fix)}[/]" if one.fix else ""
        drawn.add_row(f"[{_COLOURS[one.state]}]{one.state}[/]", one.about, escape(one.found) + fix)
    bad = sum(one.state == "fail" for one in findings)
    odd = sum(one.state == "warn" for one in findings)
    verdict = "[green]All is well.[/]"
    if bad or odd:
        verdict = f"[{'red' if bad else 'yellow'}]{count(bad, 'failure')}, {count(odd, 'warning')}.[/]"
    return [drawn, "", verdict]


# --- one examination each


def python_version(version: tuple[int, ...]) -> Finding:
    said = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return Finding(
            about="Python", state="fail", found=said, fix="install Python 3.11 or newer, then run make run again"
        )
    return Finding(about="Python", state="ok", found=f"{said} ({sys.executable})")


def install() -> Finding:
    """Whether the parts that are compiled can be loaded, and whether ``hr`` can be found."""
    from importlib import import_module

    from .. import __version__

    missing = []
    for name in ("httptools", "msgspec", "orjson", *(() if sys.platform == "win32" else ("uvloop",))):
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        fix = f"{sys.executable} -m pip install --force-reinstall hermes-router"
        return Finding(about="install", state="fail", found=f"cannot be loaded: {', '.join(missing)}", fix=fix)
    where = shutil.which("hr")
    if where is None:
        folder = Path(sys.executable).parent
        fix = f"put {folder} on your PATH, or call it {folder / 'hr'}"
        return Finding(about="install", state="warn", found=f"{__version__}; hr is not on the PATH", fix=fix)
    return Finding(about="install", state="ok", found=f"{__version__} ({where})")


def home(path: Path) -> Finding:
    """The folder of settings, keys and state."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not _writable(there):
        fix = "give yourself the right to write there, or set HERMES_HOME to another folder"
        return Finding(about="HERMES_HOME", state="fail", found=f"{path} cannot be written", fix=fix)
    return Finding(about="HERMES_HOME", state="ok", found=str(path) if path.exists() else f"{path} (made at the start)")


def _writable(folder: Path) -> bool:
    """By trying: what the modes allow, a read-only or a full disk may not."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


def mode(path: Path) -> Finding | None:
    """Whether a file with secrets is for its owner alone; None where there is none."""
    try:
        bits = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if sys.platform != "win32" and bits & 0o077:
        found = f"{path} can be read by others (mode {bits:04o})"
        return Finding(about=path.name, state="warn", found=found, fix=f"chmod 600 {path}")
    return Finding(about=path.name, state="ok", found=f"{path}")


def disk(path: Path, usage: Callable[[Path], tuple[int, int, int]]) -> Finding:
    """Room for state and the log."""
    there = path
    while not there.exists():
        there = there.parent
    free = usage(there)[2]
    if free < _FREE_BYTES:
        fix = f"make room, or set HERMES_HOME to another disk than that of {there}"
        return Finding(about="disk", state="warn", found=f"{free / 1e6:.0f} MB free", fix=fix)
    return Finding(about="disk", state="ok", found=f"{free / 1e9:.1f} GB free")


def clock(skews: list[float]) -> Finding:
    """Ours against the providers', by their Date headers: quota resets go by it."""
    if not skews:
        return Finding(about="clock", state="ok", found="no provider's clock to compare with")
    skew = sorted(skews)[len(skews) // 2]
    if abs(skew) > _SKEW_SECONDS:
        found = f"{span(abs(skew))} {'behind' if skew > 0 else 'ahead of'} the providers'"
        fix = "set the clock (timedatectl set-ntp true): daily quotas would be thought free too early or too late"
        return Finding(about="clock", state="warn", found=found, fix=fix)
    return Finding(about="clock", state="ok", found=f"within {span(max(1.0, abs(skew)))} of the providers'")


def port(host: str, number: int) -> Finding:
    """Whether it is free, with no router running."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), number))
        except OSError as error:
            fix = "end the other program, or set PORT to a free one"
            found = f"{host}:{number} cannot be had: {error.strerror}"
            return Finding(about="port", state="fail", found=found, fix=fix)
    return Finding(about="port", state="ok", found=f"{host}:{number} is free")


def key(one: Probed) -> Finding:
    """What the provider said."""
    about = f"{one.provider} ...{one.tail}" if one.tail else one.provider
    match one.state:
        case "good" | "open" | "unknown":
            return Finding(about=about, state="ok", found=f"{one.message} ({span(one.took)})")
        case "refused":
            fix = f"hr auth remove {one.provider} {one.tail}, then hr auth add {one.provider}"
            if one.origin and one.origin != "auth.json":
                fix = f"correct or remove it in {one.origin}"
            return Finding(about=about, state="fail", found=one.message, fix=fix)
        case _:
            fix = "check the network or a proxy (HTTPS_PROXY); the others serve meanwhile"
            return Finding(about=about, state="warn", found=one.message, fix=fix)


# --- what takes several steps


def _router(loaded: Loaded) -> Iterator[Finding]:
    from . import client

    with working("Looking for a running router ..."):
        router = client.find(loaded)
    if router is not None:
        yield Finding(about="router", state="ok", found=f"runs at {router.url}")
        yield from _serving(router)
        return
    old = client.stale(loaded.settings.hermes_home)
    if old is not None:
        found = f"not running; process {old.pid} is gone without a goodbye"
        yield Finding(
            about="router", state="warn", found=found, fix=f"hr start --daemon (its end may be told in {_log(loaded)})"
        )
    else:
        yield Finding(about="router", state="warn", found="not running", fix="hr start --daemon")
    yield port(loaded.settings.host, loaded.settings.port)


def _serving(router: Router) -> Iterator[Finding]:
    from .output import Failed
    from .status import fetch

    try:
        status = fetch(router)
    except Failed as error:
        yield Finding(about="router", state="fail", found=str(error), fix="hr restart")
        return
    if status.config.problem:
        fix = "correct the place that is named; the router takes it up by itself"
        yield Finding(about="live config", state="fail", found=status.config.problem, fix=fix)
    if not status.ready:
        yield Finding(about="router", state="fail", found="; ".join(status.reasons) or "not ready", fix="hr setup")
    if status.version != _version():
        found = f"it runs {status.version}, {_version()} is installed"
        yield Finding(about="router", state="warn", found=found, fix="hr restart")


def _configuration(loaded: Loaded, *, offline: bool) -> Iterator[Finding]:
    from ..settings import SettingsError
    from .loading import build_here

    try:
        world = build_here(loaded)
    except SettingsError as error:
        yield Finding(about="configuration", state="fail", found=str(error), fix="correct the place that is named")
        return
    for notice in world.notices:
        yield Finding(about=notice.subject, state="warn", found=notice.message, fix=_fix(notice.message))
    providers = len({one.provider for one in world.deployments})
    if not providers:
        yield Finding(about="providers", state="warn", found="none is configured: the sandbox answers", fix="hr setup")
        return
    models = len({one.name for one in world.deployments})
    yield Finding(about="providers", state="ok", found=f"{count(providers, 'provider')}, {count(models, 'model')}")
    if not offline:
        yield from _keys(world, loaded)


def _keys(world: World, loaded: Loaded) -> Iterator[Finding]:
    from .probe import check

    everybody = (*world.deployments, *world.embedders)
    pairs = {one.credential.id: (one.provider, one.credential) for one in everybody}
    with working("Asking the providers (their model lists, which costs nothing) ..."):
        probed = check(world, loaded, pairs.values())
    yield from (key(one) for one in probed)
    yield clock([one.skew for one in probed if one.skew is not None])


def _fix(message: str) -> str:
    said = ("set ", "list the models", "emove ", "is 0600 now")
    return "" if any(word in message for word in said) else "hr config check tells more"


def _read(loaded: Loaded) -> str:
    there = [
        path.name if path.parent != loaded.settings.hermes_home else f"HERMES_HOME/{path.name}"
        for path in (loaded.config_file, *loaded.env_files)
        if path.exists()
    ]
    return ", ".join(there) if there else "no file yet, all defaults"


def _private(loaded: Loaded) -> list[Path]:
    settings = loaded.settings
    return [settings.router_auth_file, settings.hermes_home / "admin.key", *loaded.env_files]


def _log(loaded: Loaded) -> Path:
    from .background import log_path

    return log_path(loaded)


def _version() -> str:
    from .. import __version__

    return __version__
