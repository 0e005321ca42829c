"""``hr why``: the story of one request: what it needed, who was considered, what was tried, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, console, count, number, plain_errors, print_json, show, span
from .tables import bar, clip, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..engine.records import AttemptRecord, RequestRecord
    from ..telemetry.story import Story

_WIDE = 110
_MOST = 15


@plain_errors()
def why(
    request_id: Annotated[
        str, typer.Argument(help="The x-hermes-request-id of the response; left out, the last request.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Tell why a request was answered as it was: the plan, who was left out and why, each attempt with its timing.

    Example: hr why req_0a1b2c3d4e000007
    """
    from ..telemetry.story import Story
    from .client import part, running
    from .loading import load_leniently
    from .logs import latest_id

    router = running(load_leniently())
    wanted = request_id or latest_id(router)
    story = router.typed(Story, f"/v1/logs/{part(wanted)}")
    if as_json:
        print_json(story)
    else:
        show(*draw(story, console().width))


def draw(story: Story, width: int) -> list[RenderableType]:
    """The screen, for a terminal ``width`` columns wide."""
    record = story.request
    parts: list[RenderableType] = [_summary(story, width)]
    if record.attempts:
        parts += ["", f"[bold]{count(len(record.attempts), 'attempt')}[/]", _attempts(record, width)]
    if story.planned is not None:
        parts += ["", "[bold]The plan[/] (in this order)", *_planned(story, width)]
    if story.dropped:
        parts += ["", "[bold]Left out[/]", *_dropped(story, width)]
    if story.planned is None and story.dropped is None and story.failure is None:
        parts += ["", "The plan is not kept any more: the first that was asked answered at once."]
    if story.failure is not None:
        parts += ["", *_failure(story, width)]
    return parts


def _summary(story: Story, width: int) -> RenderableType:
    from rich.text import Text

    record = story.request
    text = Text()
    text.append(record.id, "bold")
    at = datetime.fromtimestamp(record.at).astimezone()
    text.append(f"  {at:%Y-%m-%d %H:%M:%S}  {record.endpoint}{', streamed' if record.stream else ''}\n")
    tokens = f", about {number(story.input_estimate)} tokens" if story.input_estimate else ""
    text.append(f"asked for '{clip(record.asked, width - 40)}' by {record.caller}{tokens}\n")
    needs = ", ".join(record.needs) if record.needs else "nothing special"
    text.append(f"needs {needs}" + (f"; tier {record.tier} or stronger is enough\n" if record.tier else "\n"))
    if record.provider and not record.error:
        text.append(f"served by {record.provider}/{record.model}", "green")
    elif record.provider:
        text.append(f"begun by {record.provider}/{record.model}, then {record.error}", "red")
    else:
        text.append(f"not served: {record.status} {record.error}".rstrip(), "red")
    text.append(f" in {span(record.took)}")
    if record.first_event is not None:
        text.append(f" (first word after {span(record.first_event)})")
    if record.waited >= 0.001:
        text.append(f", waited {span(record.waited)} for quota")
    if record.resumes:
        text.append(f", {count(record.resumes, 'resume')}")
    text.append(f"\ntokens: {number(record.input)} in")
    text.append(f" ({number(record.cache_read)} cached)" if record.cache_read else "")
    text.append(f", {number(record.output)} out")
    text.append(f" ({number(record.reasoning)} thinking)" if record.reasoning else "")
    return text


def _attempts(record: RequestRecord, width: int) -> RenderableType:
    wide = width >= _WIDE
    total = max([record.took, *(one.started + one.took for one in record.attempts), 0.001])
    drawn = table(
        "#", "who", "key", "at", "took", "outcome", *(["first word", "when"] if wide else []), right=("at", "took")
    )
    for at, one in enumerate(record.attempts, 1):
        colour = "green" if one.outcome == "ok" else "dim" if one.outcome == "abandoned" else "red"
        cells = [
            str(at),
            clip(f"{one.provider}/{one.model}", 42 if wide else 28),
            f"…{one.tail}" if one.tail else "-",
            span(one.started),
            span(one.took),
            f"[{colour}]{clip(_outcome(one), 40 if wide else 22)}[/]",
        ]
        if wide:
            cells += [span(one.first_event) if one.first_event is not None else "-", _when(one, total)]
        drawn.add_row(*cells)
    from rich.console import Group
    from rich.text import Text

    words: dict[str, list[str]] = {}
    for at, one in enumerate(record.attempts, 1):
        if one.message:
            words.setdefault(one.message, []).append(str(at))
    return Group(drawn, *(Text(f"  {', '.join(numbers)}: {message}", "dim") for message, numbers in words.items()))


def _outcome(one: AttemptRecord) -> str:
    marks = "".join(f", {word}" for word, on in (("resume", one.resumed), ("hedge", one.hedge)) if on)
    status = f" {one.status}" if one.status and one.outcome != "ok" else ""
    return f"{one.outcome}{status}{marks}"


def _when(one: AttemptRecord, total: float) -> str:
    """Where in the whole request this attempt lies."""
    room = 16
    start = min(room - 1, round(one.started / total * room))
    return " " * start + (bar(one.took / total, room - start) or "▏")


def _planned(story: Story, width: int) -> list[RenderableType]:
    drawn = table("#", "model", "tier", "keys", "known to fit", right=("tier",))
    rows = story.planned or []
    for at, row in enumerate(rows[:_MOST], 1):
        drawn.add_row(str(at), clip(row.name, min(60, width - 40)), str(row.tier), _tails(row.tails), _yes(row.known))
    return [drawn, *_more(len(rows))]


def _dropped(story: Story, width: int) -> list[RenderableType]:
    drawn = table("model", "keys", "reason")
    rows = story.dropped or []
    for row in rows[:_MOST]:
        drawn.add_row(clip(row.name, min(60, width - 46)), _tails(row.tails), clip(row.reason, max(24, width - 82)))
    return [drawn, *_more(len(rows))]


def _failure(story: Story, width: int) -> list[RenderableType]:
    from rich.text import Text

    failure = story.failure
    assert failure is not None
    # The candidates follow one by one; the message counts them up once more.
    message = failure.message.partition(" s. ")[0] + " s." if failure.candidates else failure.message
    got = f"The caller got {failure.status} {failure.code}"
    lines: list[RenderableType] = [Text(f"{got}: {message}" if message else got, "red")]
    if failure.candidates:
        drawn = table("model", "key", "free in", "reason", right=("free in",))
        for one in failure.candidates[:_MOST]:
            free = one.get("free_in")
            drawn.add_row(
                clip(f"{one.get('provider', '')}/{one.get('model', '')}", min(60, width - 46)),
                f"…{one['key']}" if one.get("key") else "-",
                span(free) if isinstance(free, int | float) else "-",
                clip(str(one.get("reason") or "not tried any more"), max(24, width - 82)),
            )
        lines += [drawn, *_more(len(failure.candidates))]
    return lines


def _more(rows: int) -> list[RenderableType]:
    return [f"... and {rows - _MOST} more (--json has all)"] if rows > _MOST else []


def _tails(tails: list[str]) -> str:
    return clip(" ".join(f"…{tail}" for tail in tails if tail) or "-", 11)


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
