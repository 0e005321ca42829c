"""``hr usage``: requests and tokens by provider, model, caller or day, with bars."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, console, count, number, plain_errors, print_json, show
from .tables import bar, clip, table

if TYPE_CHECKING:
    from rich.table import Table

    from ..telemetry.usage import UsageRow


class By(StrEnum):
    """What is added up."""

    provider = "provider"
    model = "model"
    caller = "caller"
    day = "day"


@plain_errors()
def usage(
    by: Annotated[By, typer.Option(help="What to add up by.")] = By.provider,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days back, today among them (UTC).")] = 30,
    as_json: Json = False,
) -> None:
    """Show requests and tokens of the last days.

    Example: hr usage --by day --days 7
    """
    from ..telemetry.usage import UsageRow
    from .client import running
    from .loading import load_leniently

    router = running(load_leniently())
    rows = router.rows(UsageRow, "rows", "/v1/usage", by=by.value, days=days)
    if as_json:
        print_json(rows)
    elif not rows:
        show(f"Nothing was asked in the last {count(days, 'day')}.")
    else:
        show(draw(rows, by.value, console().width))


def draw(rows: list[UsageRow], by: str, width: int) -> Table:
    """The table, its bars as long as the terminal allows."""
    name_room = min(max(len(row.name) for row in rows), 40, max(12, width - 56))
    bar_room = max(6, min(40, width - name_room - 46))
    drawn = table(by, "requests", "", "errors", "tokens in", "out", right=("requests", "errors", "tokens in", "out"))
    most = max(row.requests for row in rows) or 1
    for row in rows:
        drawn.add_row(
            clip(row.name, name_room),
            number(row.requests),
            f"[cyan]{bar(row.requests / most, bar_room)}[/]",
            f"[red]{number(row.errors)}[/]" if row.errors else "0",
            number(row.input),
            number(row.output),
        )
    if len(rows) > 1:
        drawn.add_row(
            "in all",
            number(sum(row.requests for row in rows)),
            "",
            number(sum(row.errors for row in rows)),
            number(sum(row.input for row in rows)),
            number(sum(row.output for row in rows)),
            style="bold",
        )
    return drawn
