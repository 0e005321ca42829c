"""``hr status``: who serves, how each is doing, what is left, who waits, what was asked last."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Failed, Json, Misused, console, count, number, plain_errors, print_json, show, span
from .tables import clip, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ..telemetry.status import DeploymentRow, QuotaRow, Status
    from .client import Router

_WIDE = 110
_RECENT = 6
_COLOURS = {"ok": "green", "quota": "yellow", "resting": "yellow", "breaker": "red"}


@plain_errors()
def status(
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and draw it again every second.")] = False,
) -> None:
    """Show who serves, how each is doing, and what is left. Exit code 1 where no router runs.

    Example: hr status --watch
    """
    from .client import running
    from .loading import load_leniently

    router = running(load_leniently())
    if as_json:
        print_json(fetch(router))
    elif watch:
        _watch()
    else:
        screen = console()
        show(*draw(fetch(router), router.url, screen.width))


def fetch(router: Router) -> Status:
    """What the router says of itself. Raises Failed."""
    from ..telemetry.status import Status

    return router.typed(Status, "/v1/status")


def _watch() -> None:
    from rich.console import Group
    from rich.live import Live

    screen = console()
    if not screen.is_terminal:
        raise Misused("--watch needs a terminal; without it hr status prints once.")
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(Group(*_drawn(screen.width)), refresh=True)
                time.sleep(1)
        except KeyboardInterrupt:
            return


def _drawn(width: int) -> list[RenderableType]:
    """The screen now; while the router is away, for instance during a restart, that it is."""
    from rich.text import Text

    from .client import running
    from .loading import load_leniently

    try:
        router = running(load_leniently())
        return draw(fetch(router), router.url, width)
    except Failed as error:
        return [Text(str(error)), Text("Looking again every second; Ctrl-C ends.")]


def draw(status: Status, url: str, width: int) -> list[RenderableType]:
    """The screen, for a terminal ``width`` columns wide."""
    parts: list[RenderableType] = [_heading(status, url), *_problems(status), "", _deployments(status, width)]
    if status.waiting:
        parts += ["", _waiting(status, width)]
    if status.recent:
        parts += ["", _recent(status, width)]
    return parts


def _heading(status: Status, url: str) -> RenderableType:
    from rich.text import Text

    counters = status.counters
    word = "draining" if status.draining else "ready" if status.ready else "not ready"
    text = Text(f"hermes-router {status.version} at ")
    text.append(url, "cyan")
    text.append(f", up {span(status.uptime)}, ")
    text.append(word, "green" if word == "ready" else "red")
    text.append(
        f"\n{count(counters.requests, 'request')}, {count(counters.errors, 'error')}, "
        f"{count(counters.failed_attempts, 'failed attempt')}, {counters.resumed} resumed"
        f"\n{number(counters.input)} tokens in, {number(counters.output)} out; "
        f"{status.open} open, {len(status.waiting)} waiting"
    )
    return text


def _problems(status: Status) -> Iterator[RenderableType]:
    from rich.text import Text

    config = status.config
    if config.problem:
        yield Text(f"! The files cannot be used, so the last good configuration serves on: {config.problem}", "red")
    if config.needs_restart:
        yield Text(
            f"! Changed, and counts from the next start: {', '.join(config.needs_restart)} (hr restart)", "yellow"
        )
    for reason in status.reasons:
        yield Text(f"! {reason}", "red")
    if status.sandbox:
        yield Text("! The sandbox answers: simulated providers, no real model. First key: hr setup", "yellow")
    for notice in config.notices:
        yield Text(f"! {notice.get('subject', '')}: {notice.get('message', '')}", "yellow")


# --- deployments, one line per model


def _deployments(status: Status, width: int) -> Table:
    wide = width >= _WIDE
    headings = ["model", "health", "keys", "left", "resets", "first", "err", *(["tok/s", "why"] if wide else [])]
    drawn = table(*headings, right=("keys", "left", "first", "err", "tok/s"), gap=1)
    before = ""
    for rows in _by_model(status.deployments):
        if rows[0].provider != before:
            before = rows[0].provider
            drawn.add_row(f"[bold]{clip(before, 24)}[/]")
        drawn.add_row(*_cells(rows, wide=wide))
    return drawn


def _cells(rows: list[DeploymentRow], *, wide: bool) -> list[str]:
    first = rows[0]
    word, colour = _health(rows)
    embeds = " (emb)" if first.embeddings else ""
    left, resets = _quota(_tightest(rows))
    cells = [
        f"  {clip(first.model, (34 if wide else 22) - len(embeds))}{embeds}",
        f"[{colour}]{word}[/]",
        str(len({row.tail for row in rows})) if any(row.tail for row in rows) else "-",
        left,
        resets,
        span(first.p50) if first.p50 is not None else "-",
        f"{first.errors:.0%}" if first.samples or first.errors else "-",
    ]
    if wide:
        speed = f"{first.tokens_per_second:.0f}" if first.tokens_per_second else "-"
        cells += [speed, clip(next((row.why for row in rows if row.why), ""), 22)]
    return cells


def _by_model(rows: Iterable[DeploymentRow]) -> Iterator[list[DeploymentRow]]:
    """The keys of each model together, the models of each provider behind one another."""
    groups: dict[tuple[str, str, bool], list[DeploymentRow]] = {}
    for row in rows:
        groups.setdefault((row.provider, row.model, row.embeddings), []).append(row)
    order = list(dict.fromkeys(provider for provider, _, _ in groups))
    return iter(sorted(groups.values(), key=lambda rows: order.index(rows[0].provider)))


def _health(rows: list[DeploymentRow]) -> tuple[str, str]:
    fine = sum(row.state == "ok" for row in rows)
    if fine == len(rows):
        return "ok", "green"
    if fine:
        return f"{fine} of {len(rows)} ok", "yellow"
    soonest = min(rows, key=lambda row: float("inf") if row.free_in is None else row.free_in)
    when = f" {span(math.ceil(soonest.free_in))}" if soonest.free_in is not None else ""
    return f"{soonest.state}{when}", _COLOURS[soonest.state]


def _tightest(rows: list[DeploymentRow]) -> list[tuple[DeploymentRow, QuotaRow]]:
    """The window with the smallest share left, of each account."""
    accounts = {row.account: row for row in rows}
    kinds: dict[str, list[tuple[DeploymentRow, QuotaRow]]] = {}
    for row in accounts.values():
        for window in row.windows:
            if window.limit:
                kinds.setdefault(window.window, []).append((row, window))
    return min(kinds.values(), key=_share_left, default=[])


def _share_left(pairs: list[tuple[DeploymentRow, QuotaRow]]) -> tuple[float, int]:
    limit = sum(window.limit for _, window in pairs)
    used = sum(window.used for _, window in pairs)
    # Of equals the longest window: a minute comes back by itself.
    return (1 - used / limit, ("month", "rpd", "tpd", "rpm", "tpm", "concurrency").index(pairs[0][1].window))


def _quota(pairs: list[tuple[DeploymentRow, QuotaRow]]) -> tuple[str, str]:
    """What is left of what, and when it resets."""
    if not pairs:
        return "-", "-"
    used = sum(window.used for _, window in pairs)
    limit = sum(window.limit for _, window in pairs)
    resets = min((window.resets_in for _, window in pairs if window.resets_in is not None), default=None)
    left = f"{number(max(0, limit - used))}/{number(limit)} {pairs[0][1].window}"
    return left, span(resets) if resets is not None else "-"


# --- who waits, what was asked


def _waiting(status: Status, width: int) -> Table:
    drawn = table("waiting", "waited", "gives up in", "tokens", "for", "free in", right=("tokens",))
    for row in status.waiting[:_RECENT]:
        drawn.add_row(
            row.caller,
            span(row.waited),
            span(row.gives_up_in),
            number(row.input),
            clip(f"{row.waits_for} {row.reason}".strip() or "-", max(20, width - 60)),
            span(row.free_in) if row.free_in is not None else "-",
        )
    return drawn


def _recent(status: Status, width: int) -> Table:
    wide = width >= _WIDE
    headings = ["request", "ago", "status", "served by", "tries", "took"]
    more = ["tokens", "surface", "caller"] if wide else []
    drawn = table(*headings, *more, right=("tries", "took"), gap=2 if wide else 1)
    for row in status.recent[:_RECENT]:
        bad = row.status >= 400 or bool(row.error)
        word = f"{row.status} {row.error}".strip() if bad else str(row.status)
        cells = [
            row.id,
            span(status.now - row.at),
            f"[{'red' if bad else 'green'}]{clip(word, 14 if wide else 11)}[/]",
            clip(f"{row.provider}/{row.model}" if row.provider else "nobody", 28 if wide else 25),
            str(row.attempts) + (f"+{row.resumes}" if row.resumes else ""),
            span(row.took),
        ]
        cells += [f"{number(row.input)}+{number(row.output)}", clip(row.endpoint, 16), row.caller] if wide else []
        drawn.add_row(*cells)
    return drawn
