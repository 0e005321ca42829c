"""Screens fit their terminal: drawn for a width, no line is wider, so that nothing is squeezed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from hermes_router.catalogue.load import load_builtin
from hermes_router.cli import doctor, logs, quota, setup, status, usage, why
from hermes_router.cli.offers import offers
from hermes_router.cli.output import number, span
from hermes_router.cli.tables import bar, clip
from hermes_router.telemetry.status import Status
from hermes_router.telemetry.story import Story
from hermes_router.telemetry.usage import UsageRow

SAMPLES = Path(__file__).parent / "samples"
Draw = Callable[[int], list[Any]]


def sample(name: str, kind: Any) -> Any:
    return msgspec.json.decode((SAMPLES / f"{name}.json").read_bytes(), type=kind)


def rows() -> list[UsageRow]:
    return msgspec.convert(msgspec.json.decode((SAMPLES / "usage.json").read_bytes())["rows"], list[UsageRow])


def text(renderables: list[Any], width: int = 400) -> str:
    screen = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    for one in renderables:
        screen.print(one)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


STATUS: Status = sample("status", Status)
DRAWN: dict[str, Draw] = {
    "status": lambda width: status.draw(STATUS, "http://127.0.0.1:8319", width)[-5:],
    "quota": lambda width: [quota.draw(quota.gathered(STATUS.deployments), width)],
    "logs": lambda width: [logs.draw(STATUS.recent, width)],
    "usage": lambda width: [usage.draw(rows(), "model", width)],
    "setup": lambda width: [setup.draw(offers(load_builtin()), width)],
    "why": lambda width: why.draw(sample("why", Story), width)[2:],
}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_screen_fits_without_being_squeezed(draw: Draw, width: int):
    assert max(len(line.rstrip()) for line in text(draw(width)).splitlines()) <= width


def test_a_configuration_that_is_not_in_use_is_the_first_thing_said():
    config = msgspec.structs.replace(STATUS.config, problem=".env, line 3", needs_restart=["PORT"])
    shown = text(status.draw(msgspec.structs.replace(STATUS, config=config), "http://x", 80))
    assert ".env, line 3" in shown
    assert "PORT (hr restart)" in shown


def test_keys_of_one_model_are_one_line():
    quiet = msgspec.structs.replace(STATUS, recent=[], waiting=[])
    shown = text(status.draw(quiet, "http://x", 120))
    assert shown.count("openai/gpt-oss-120b") == 1
    assert "1 of 2 ok" in shown


def test_who_could_not_answer_is_listed_with_reason_and_time():
    shown = text(why.draw(sample("why_failed", Story), 120))
    assert "The caller got 503" in shown
    assert "…a1b2" in shown
    assert "quota_exhausted 429" in shown


def test_what_a_name_says_is_not_taken_for_markup():
    wild = msgspec.structs.replace(STATUS.deployments[0], model="[bold]x[/nothing]")
    assert "[bold]x[/nothing]" in text(status.draw(msgspec.structs.replace(STATUS, deployments=[wild]), "http://x", 80))


def test_a_verdict_counts_what_was_found():
    found = [
        doctor.Finding(about="a", state="fail", found="[x]", fix="do [y]"),
        doctor.Finding(about="b", state="ok", found=""),
    ]
    shown = text(doctor.draw(found, 80))
    assert "-> do [y]" in shown
    assert "1 failure, 0 warnings." in shown


SPANS = {
    0: "0 ms",
    0.04: "40 ms",
    1.42: "1.4 s",
    12: "12 s",
    200: "3 min",
    7500: "2h 05m",
    64000: "18 h",
    400000: "5 d",
}


@pytest.mark.parametrize("seconds,said", SPANS.items())
def test_lengths_of_time_are_short(seconds: float, said: str):
    assert span(seconds) == said


@pytest.mark.parametrize("value,said", [(7, "7"), (9999, "9999"), (14400, "14.4k"), (250_000, "250k"), (3e6, "3M")])
def test_numbers_are_short(value: float, said: str):
    assert number(value) == said


def test_a_bar_is_never_empty_for_something_and_never_too_long():
    assert (bar(0, 4), bar(0.001, 4), bar(0.5, 4), bar(7, 4)) == ("", "▏", "██", "████")


def test_clipped_text_has_the_width_it_was_given():
    assert (clip("abc", 3), clip("abcd", 3), clip("a\n b", 9)) == ("abc", "ab…", "a b")
