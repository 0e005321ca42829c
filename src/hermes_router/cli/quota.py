"""``hr quota``: every window that is counted, what is used of it and when it comes back; ``hr quota reset`` forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .output import Json, console, count, number, plain_errors, print_json, say, show, span
from .tables import bar, clip, table

if TYPE_CHECKING:
    from rich.table import Table

    from ..telemetry.status import DeploymentRow, QuotaRow

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Show what is used of each quota and when it comes back.\n\nExample: hr quota",
)
_WIDE = 110
_NAMES = {
    "rpm": "calls/min",
    "rpd": "calls/day",
    "tpm": "tokens/min",
    "tpd": "tokens/day",
    "month": "calls/month",
    "concurrency": "at a time",
}


class Row(msgspec.Struct, frozen=True):
    """One window of one account; ``model`` ``*``: counted over all its models."""

    provider: str
    model: str
    account: str
    window: QuotaRow


@app.callback()
@plain_errors()
def quota(
    context: typer.Context,
    provider: Annotated[str, typer.Option(help="Only this provider.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Also what nothing is spent of.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is used of each quota, where its limit is known from, and when it comes back.

    Example: hr quota --provider groq
    """
    if context.invoked_subcommand:
        return
    from .client import running
    from .loading import load_leniently
    from .status import fetch

    rows = [row for row in gathered(fetch(running(load_leniently())).deployments) if provider in ("", row.provider)]
    if as_json:
        print_json(
            [
                {
                    "provider": row.provider,
                    "model": row.model,
                    "account": row.account,
                    **msgspec.structs.asdict(row.window),
                }
                for row in rows
            ]
        )
    elif not rows:
        show("No limit is known yet." if not provider else f"No limit of {provider} is known; is it configured?")
    else:
        touched = rows if every else [row for row in rows if row.window.used or row.window.parked_in]
        if touched:
            show(draw(touched, console().width))
        if len(touched) < len(rows):
            show(f"Nothing is spent of {count(len(rows) - len(touched), 'window')}; hr quota --all shows them too.")


@app.command()
@plain_errors()
def reset(
    provider: Annotated[str, typer.Argument(help="A provider, such as groq; or all.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget what was spent and learned about a provider's quota, for instance after the plan was changed.

    Example: hr quota reset groq
    """
    import sys

    from .client import running
    from .loading import load_leniently, provider_named, providers_here
    from .output import Misused
    from .status import fetch

    loaded = load_leniently()
    router = running(loaded)
    if provider != "all":
        serving = {one.provider: None for one in fetch(router).deployments}  # the sandbox's names are in no catalogue
        provider = provider_named(provider, {**providers_here(loaded), **serving})
    if not yes:
        if not sys.stdin.isatty():
            raise Misused("This forgets what was spent; say --yes where nobody can be asked.")
        typer.confirm(f"Forget what was spent of {provider}?", abort=True)
    router.admin("POST", "/admin/api/quota/reset", {} if provider == "all" else {"provider": provider})
    say(f"Forgotten: what was spent and learned of {provider}.")


def gathered(deployments: list[DeploymentRow]) -> list[Row]:
    """Each window once, though several deployments may draw on it; the windows of a provider behind one another."""
    rows: dict[tuple[str, str, str], Row] = {}
    for one in deployments:
        tail = "all" if one.account.endswith(":shared") else f"…{one.tail}" if one.tail else "-"
        for window in one.windows:
            model = "*" if window.shared else one.model
            rows.setdefault((one.account, model, window.window), Row(one.provider, model, tail, window))
    order = list(dict.fromkeys(row.provider for row in rows.values()))
    return sorted(rows.values(), key=lambda row: order.index(row.provider))


def draw(rows: list[Row], width: int) -> Table:
    """The table, for a terminal ``width`` columns wide."""
    wide = width >= _WIDE
    headings = ["model", "key", *([""] if wide else []), "used", "source", "resets", "forecast"]
    drawn = table(*headings, right=("used",), gap=1)
    before = ""
    for row in rows:
        if row.provider != before:
            before = row.provider
            drawn.add_row(f"[bold]{clip(before, 20)}[/]")
        window = row.window
        share = window.used / window.limit if window.limit else 0.0
        colour = "red" if share >= 1 else "yellow" if share >= 0.8 else "green"
        unit = _NAMES[window.window] if wide else window.window
        of = " of " if wide else "/"
        used = f"[{colour}]{number(window.used)}[/]{of}{number(window.limit) if window.limit else '?'} {unit}"
        cells = [f"  {clip('all models' if row.model == '*' else row.model, 34 if wide else 18)}", row.account]
        cells += [f"[{colour}]{bar(share, 10)}[/]"] if wide else []
        resets = span(window.resets_in) if window.resets_in is not None else "-"
        drawn.add_row(*cells, used, _source(window, wide=wide), resets, _forecast(window))
    return drawn


def _source(window: QuotaRow, *, wide: bool) -> str:
    if window.age is None:
        return window.source
    return f"{window.source}, {span(window.age)} ago" if wide else f"{window.source} {span(window.age)}"


def _forecast(window: QuotaRow) -> str:
    if window.parked_in:
        return f"[yellow]again in {span(window.parked_in)}[/]"
    if window.limit and window.used >= window.limit:
        return "[red]spent[/]"
    if window.runs_out_in is not None:
        return f"[yellow]out in {span(window.runs_out_in)}[/]"
    return "[green]lasts[/]"
