"""``hr logs``: the latest requests, one line each; metadata only."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Failed, Json, console, number, plain_errors, print_json, show, span
from .tables import clip, table

if TYPE_CHECKING:
    from rich.table import Table

    from ..telemetry.status import RecentRow
    from .client import Router

_WIDE = 110
_STEP = 1.0


@plain_errors()
def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and print new requests as they end.")] = False,
    status: Annotated[str, typer.Option(help="Only these: a number, 4xx, 5xx, ok or error.")] = "",
    provider: Annotated[str, typer.Option(help="Only requests that this provider served or was tried for.")] = "",
    endpoint: Annotated[str, typer.Option(help="Only this surface, such as chat/completions or messages.")] = "",
    caller: Annotated[str, typer.Option(help="Only this caller: the last four characters of its key.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the latest requests, newest last. hr why tells the whole of one.

    Example: hr logs --follow --status error
    """
    from .client import running
    from .loading import load_leniently

    router = running(load_leniently())
    query = {"status": status, "provider": provider, "endpoint": endpoint, "caller": _caller(caller)}
    rows = fetch(router, limit=limit, **query)
    if as_json and not follow:
        print_json(rows)
        return
    if not rows and not follow:
        show("No request yet." if not any(query.values()) else "No such request.")
        return
    _print(rows, as_json=as_json, head=True)
    if follow:
        _follow(router, rows, query, as_json=as_json)


def fetch(router: Router, **query: Any) -> list[RecentRow]:
    """The newest last. Raises Failed."""
    from ..telemetry.status import RecentRow

    return list(reversed(router.rows(RecentRow, "requests", "/v1/logs", **query)))


def latest_id(router: Router) -> str:
    """The last request that ended. Raises Failed where there was none."""
    rows = fetch(router, limit=1)
    if not rows:
        raise Failed("There was no request yet. Make one with: hr chat Hello")
    return rows[-1].id


def _caller(text: str) -> str:
    return text if not text or text.startswith("...") else f"...{text[-4:]}"


def _follow(router: Router, rows: list[RecentRow], query: dict[str, str], *, as_json: bool) -> None:
    seen = {row.id for row in rows}
    since = rows[-1].at if rows else time.time()
    try:
        while True:
            time.sleep(_STEP)
            # A long request ends after shorter ones that began later: look back by as much as one may take.
            back = since - router.loaded.settings.request_timeout
            fresh = [row for row in fetch(router, limit=200, since=f"{back:.3f}", **query) if row.id not in seen]
            fresh = [row for row in fresh if row.at + row.took >= since]
            _print(fresh, as_json=as_json, head=False)
            seen |= {row.id for row in fresh}
    except KeyboardInterrupt:
        return


def _print(rows: list[RecentRow], *, as_json: bool, head: bool) -> None:
    if as_json:
        import msgspec

        for row in rows:
            print(msgspec.json.encode(row).decode(), flush=True)
    elif rows:
        show(draw(rows, console().width, head=head))


def draw(rows: list[RecentRow], width: int, *, head: bool = True) -> Table:
    """The table, for a terminal ``width`` columns wide; without its headings where it goes on with another."""
    wide = width >= _WIDE
    widths = {"time": 8, "request": 20, "status": 14, "served by": 32 if wide else 19, "tries": 5, "took": 7}
    widths |= {"first": 7, "tokens": 10, "caller": 8} if wide else {}
    drawn = table(*widths, right=("tries", "took", "first"), gap=1)
    drawn.show_header = head
    for column, least in zip(drawn.columns, widths.values(), strict=True):
        column.width = least  # the same for every piece of a log that is followed
    for row in rows:
        bad = row.status >= 400 or bool(row.error)
        shown = f"{row.status} {row.error}".strip()
        served = f"{row.provider}/{row.model}" if row.provider else "nobody"
        cells = [
            f"{datetime.fromtimestamp(row.at).astimezone():%H:%M:%S}",
            row.id,
            f"[{'red' if bad else 'green'}]{clip(shown, widths['status'])}[/]",
            clip(served, widths["served by"]),
            str(row.attempts) + (f"+{row.resumes}" if row.resumes else ""),
            span(row.took),
        ]
        if wide:
            first = span(row.first_event) if row.first_event is not None else "-"
            cells += [first, f"{number(row.input)}+{number(row.output)}", row.caller]
        drawn.add_row(*cells)
    return drawn
