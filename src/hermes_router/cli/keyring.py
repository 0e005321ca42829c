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
