"""``hr mode``: how several keys of one provider take turns."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from .output import Json, plain_errors, print_json, say


class Mode(StrEnum):
    """The values of ROTATION_MODE."""

    round_robin = "round-robin"
    sequential = "sequential"


@plain_errors()
def mode(
    wanted: Annotated[Mode | None, typer.Argument(help="The mode to set; left out, the present one is shown.")] = None,
    as_json: Json = False,
) -> None:
    """Show or set how the keys of one provider take turns: round-robin, or sequential (one until it is spent).

    Example: hr mode sequential
    """
    from .. import envfile
    from .client import find
    from .loading import load_here

    loaded = load_here()
    router = find(loaded)
    if wanted is None:
        facts = {"mode": loaded.settings.rotation_mode, "origin": loaded.origins["rotation_mode"]}
        if router is not None:
            said = router.get("/admin/api/config")["settings"]["ROTATION_MODE"]
            facts = {"mode": said["value"], "origin": said["origin"]}
        print_json(facts) if as_json else say(f"{facts['mode']} (from: {facts['origin']})")
        return
    if router is not None:
        router.admin("PUT", "/admin/api/mode", {"mode": wanted.value})
    else:
        envfile.change(envfile.place(loaded, "ROTATION_MODE"), {"ROTATION_MODE": wanted.value})
    if as_json:
        print_json({"mode": wanted.value, "in_use": router is not None})
    else:
        counts = "in use now" if router is not None else "no router is running, so it counts from the next start"
        say(f"Keys of one provider take turns {wanted.value} ({counts}).")
