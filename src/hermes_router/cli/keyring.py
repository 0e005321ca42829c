"""Puts keys into auth.json and takes them out, through the running router where there is one, else in the file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..pool.credentials import add_keys, credential, read_auth, remove_keys
from ..settings import Loaded
from .client import Router
from .output import Failed, Misused, working
from .tables import table

if TYPE_CHECKING:
    from rich.table import Table

    from .probe import Finding

_AT_ONCE = 8
MARKS = {"good": "ok", "open": "ok?", "unknown": "ok?", "refused": "no", "unreachable": "?"}
_COLOURS = {"good": "green", "open": "green", "unknown": "yellow", "refused": "red", "unreachable": "yellow"}


def read_keys(prompt: str, *, from_stdin: bool) -> str:
    """What was given: hidden from a terminal, else all of stdin."""
    from . import hidden

    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.read()
    try:
        return hidden.lines(prompt)
    except EOFError:
        return ""


def probe(loaded: Loaded, keys: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Ask each provider about its keys, before anything is written. Raises SettingsError."""
    from .loading import build_here
    from .probe import check

    world = build_here(loaded)
    pairs = [(name, credential(name, key, "")) for name, some in keys.items() for key in some]
    with working("Asking the providers (their lists of models, which is free) ..."):
        return check(world, loaded, pairs)


def directly(only: str) -> tuple[list[Finding], list[str]]:
    """Each configured key, asked about from here: findings, and what does not serve. Raises SettingsError."""
    from .loading import build_here, load_here
    from .probe import check

    loaded = load_here()
    world = build_here(loaded)
    everybody = (*world.deployments, *world.embedders)
    pairs = {one.credential.id: (one.provider, one.credential) for one in everybody if only in ("", one.provider)}
    notices = [f"{one.subject}: {one.message}" for one in world.notices if only in ("", one.subject)]
    return check(world, loaded, pairs.values()), notices


def through(router: Router, only: str) -> tuple[list[Finding], list[str]]:
    """The same by the running router, with the keys and addresses that it uses. Raises Failed."""
    from concurrent.futures import ThreadPoolExecutor

    rows = {str(row["provider"]): row for row in router.get("/admin/api/credentials", provider=only)}
    serving = (str(one["provider"]) for one in router.get("/v1/status", brief=1)["deployments"])
    keyed = (name for name, row in rows.items() if row["credentials"])
    names = [name for name in dict.fromkeys((*keyed, *serving)) if only in ("", name)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda name: _asked(router, name, rows.get(name, {}).get("credentials", [])), names)
        findings = [one for some in found for one in some]
    return findings, [f"{name}: {said}" for name, row in rows.items() for said in row["notices"]]


def _asked(router: Router, provider: str, held: Sequence[Mapping[str, str]]) -> list[Finding]:
    """One provider's keys, by the router."""
    import time

    import msgspec

    from ..server.probe import Checked
    from .probe import Finding, judged

    origins = {one["tail"]: one["origin"] for one in held}
    began = time.monotonic()
    said = router.admin("POST", "/admin/api/credentials/check", {"provider": provider})
    took = time.monotonic() - began
    findings = []
    for one in msgspec.convert(said["results"], list[Checked]):
        state, message = judged(one)
        findings.append(
            Finding(
                provider=provider,
                tail=one.tail,
                origin=origins.get(one.tail, ""),
                state=state,
                message=message,
                models=one.models,
                took=took,
            )
        )
    return findings


def report(findings: Sequence[Finding]) -> Table:
    """A line for each."""
    from rich.markup import escape

    drawn = table("", "provider", "key", "what it says")
    drawn.show_header = False
    drawn.columns[3].no_wrap = False
    drawn.columns[3].overflow = "fold"
    for one in findings:
        mark = f"[{_COLOURS[one.state]}]{MARKS[one.state]}[/]"
        drawn.add_row(mark, one.provider, f"...{one.tail}" if one.tail else "-", escape(one.message))
    return drawn


def refused(findings: Sequence[Finding]) -> list[Finding]:
    """Those that the provider does not take."""
    return [one for one in findings if one.state == "refused"]


def store(loaded: Loaded, router: Router | None, provider: str, keys: Sequence[str]) -> int:
    """Add keys; how many were new. Raises SettingsError, Failed."""
    for key in keys:
        if not key.isascii() or not key.isprintable() or any(mark.isspace() for mark in key):
            raise Misused("One of the keys holds a sign that no key has; was something else pasted?")
    if router is not None:
        said = router.admin("POST", "/admin/api/credentials", {"provider": provider, "keys": list(keys)})
        return int(said["changed"])
    path = loaded.settings.router_auth_file
    try:
        return add_keys(path, provider, keys)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror or error}") from error


def take_out(loaded: Loaded, router: Router | None, provider: str, tail: str) -> int:
    """Remove the key that ends in ``tail``, or all where that is empty; how many. Raises SettingsError, Failed."""
    path = loaded.settings.router_auth_file
    known = read_auth(path).providers.get(provider, ())
    wanted = [key for key in known if key.endswith(tail)]
    if len(wanted) > 1 and tail:
        raise Misused(f"{len(wanted)} keys of {provider} end so; give more of its last characters, or --all.")
    if router is None:
        return remove_keys(path, provider, wanted)
    if wanted:
        ids = [credential(provider, key, "").id for key in wanted]
    else:  # its files may be others than ours
        held = router.get("/admin/api/credentials", provider=provider)[0]["credentials"]
        ids = [one["id"] for one in held if one["removable"] and one["tail"].endswith(tail[-4:])]
    return sum(
        int(router.admin("DELETE", router.path("/admin/api/credentials", provider=provider, id=one))["changed"])
        for one in ids
    )
