"""``hr models``: every model that can be asked, and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .output import Json, Misused, console, number, plain_errors, print_json, show
from .tables import clip, table

if TYPE_CHECKING:
    from rich.table import Table

    from ..pool.world import World

_ABILITIES = ("tools", "vision", "documents", "audio", "reasoning", "json_schema", "embeddings")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One model. ``can``: what it is known to do; ``maybe``: what nobody has seen it try. Numbers 0: unknown."""

    name: str
    tier: int
    context: int
    max_output: int
    keys: int
    can: list[str]
    maybe: list[str]


@plain_errors()
def models(
    capable: Annotated[str, typer.Option(help=f"Only those known to do all of these: {', '.join(_ABILITIES)}.")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider.")] = "",
    as_json: Json = False,
) -> None:
    """Show every model that can be asked, the strongest first, and what it can do.

    Example: hr models --capable tools,vision
    """
    from ..catalogue.mistakes import nearest, sentence
    from .loading import build_here, load_here

    wanted = [word.strip().replace("-", "_") for word in capable.split(",") if word.strip()]
    for word in wanted:
        if word not in _ABILITIES:
            wrong = sentence(f"'{word}' is no ability{nearest(word, _ABILITIES)}")
            raise Misused(f"{wrong} There are: {', '.join(_ABILITIES)}")
    rows = [
        row
        for row in listed(build_here(load_here(), sandbox=True))
        if set(wanted) <= set(row.can) and provider in ("", row.name.partition("/")[0])
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        show(
            f"No model that is configured is known to do: {', '.join(wanted)}." if wanted else "No model is configured."
        )
    else:
        show(draw(rows, console().width))


def listed(world: World) -> list[Row]:
    """By tier, then in the order of the configuration."""
    rows: dict[str, Row] = {}
    keys: dict[str, set[str]] = {}
    for one in (*world.deployments, *world.embedders):
        spec = one.target.model
        keys.setdefault(one.name, set()).add(one.credential.id)
        embeds = one.target.embed is not None
        facts = {name: getattr(spec, name) for name in _ABILITIES if name != "embeddings"} | {"embeddings": embeds}
        rows[one.name] = Row(
            name=one.name,
            tier=spec.tier or 0,
            context=spec.context,
            max_output=spec.max_output,
            keys=len(keys[one.name]),
            can=[name for name, fact in facts.items() if fact],
            maybe=[] if embeds else [name for name, fact in facts.items() if fact is None],
        )
    return sorted(rows.values(), key=lambda row: ("embeddings" in row.can, row.tier or 9))


def draw(rows: list[Row], width: int) -> Table:
    """The table; what a model is not known to do or not to do has a question mark."""
    drawn = table("model", "tier", "context", "output", "keys", "can", right=("tier", "context", "output", "keys"))
    for row in rows:
        can = " ".join([*row.can, *(f"[dim]{name}?[/]" for name in row.maybe)])
        drawn.add_row(
            clip(row.name, max(28, width - 76)),
            str(row.tier) if row.tier else "-",
            number(row.context) if row.context else "?",
            number(row.max_output) if row.max_output else "?",
            str(row.keys),
            can,
        )
    drawn.columns[-1].no_wrap = False
    drawn.columns[-1].overflow = "fold"
    return drawn
