"""Every provider of the catalogue in a nutshell, from ``tests/transcripts/<provider>``: what it streams, however it is
cut, what it answers whole, and what its refusals mean.

The files are written by hand from what is documented of a provider or was seen of it (``docs/providers.md``, sources
in the catalogue's files); each says the same words, so that only the shape differs.
"""

from __future__ import annotations

import random
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import ModelSpec
from hermes_router.core.events import Event, Finish, FinishReason
from hermes_router.core.faults import Fault
from hermes_router.core.fold import fold_all
from hermes_router.wires.base import Target
from hermes_router.wires.classify import classify
from hermes_router.wires.registry import WIRES

FOLDER = Path(__file__).parent.parent / "transcripts"
NOW = 1_790_000_000.0
CATALOGUE = {name: spec for name, spec in load_builtin().items() if spec.status == "live"}
TEXT = "Grüße aus Oslo 🚢."
MAIN = {"minute", "auth", "gone", "context"}
MISSING = {
    "cloudflare": {"minute"},  # neurons a day are its only limit
    "local": {"minute", "auth"},
    "ollama_cloud": {"minute"},  # one at a time, five hours, a week
    "opencode_go": {"minute"},  # hours, a week, a month
}
"""Refusals that a provider is not known to give."""


def target(provider: str) -> Target:
    spec = CATALOGUE[provider]
    model = (spec.models or (ModelSpec(id="m"),))[0]
    quirks = model.quirks.over(spec.quirks)
    return Target(name=provider, provider=spec, model=model, quirks=quirks, base_url="http://127.0.0.1:9")


def read(provider: str, *pieces: bytes) -> list[Event]:
    wire = WIRES[CATALOGUE[provider].wire or ""]
    reader = wire.chat_reader(target(provider), content_type="", now=NOW)
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.end()


def refusals(provider: str) -> list[dict[str, Any]]:
    text = (FOLDER / provider / "errors.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["refused"]
    return rows


def streams() -> list[str]:
    names = (path.relative_to(FOLDER).with_suffix("").as_posix() for path in sorted(FOLDER.glob("*/*.sse")))
    return [name for name in names if name.partition("/")[0] in CATALOGUE]


@pytest.mark.parametrize("provider", CATALOGUE)
@pytest.mark.parametrize("name", ["plain.sse", "answer.json"])
def test_plain_answer_of_every_provider(provider: str, name: str):
    events = read(provider, (FOLDER / provider / name).read_bytes())
    answer = fold_all(events)
    assert (answer.text, list(answer.calls)) == (TEXT, [])
    assert isinstance(events[-1], Finish)
    assert events[-1].reason is FinishReason.STOP
    assert answer.usage is not None
    # Gemini leaves its thinking out of the output, though not out of the total.
    assert (answer.usage.input, answer.usage.output) == (21, 54 if provider == "gemini" else 9)


@pytest.mark.parametrize("provider", CATALOGUE)
def test_tool_call_of_every_provider(provider: str):
    events = read(provider, (FOLDER / provider / "tools.sse").read_bytes())
    calls = fold_all(events).calls
    assert [(call.name, call.arguments) for call in calls.values()] == [("get_weather", '{"city":"Oslo"}')]
    assert isinstance(events[-1], Finish)
    assert events[-1].reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("name", streams())
def test_any_split_of_a_stream_gives_the_same_events(name: str):
    provider = name.partition("/")[0]
    stream = (FOLDER / f"{name}.sse").read_bytes()
    whole = read(provider, stream)
    draw = random.Random(name)
    plans = [range(1, len(stream)), *(sorted(draw.sample(range(len(stream)), k)) for k in (1, 2, 3, 5, 8, 13, 21, 34))]
    for cuts in plans:
        places = [0, *cuts, len(stream)]
        assert read(provider, *(stream[start:end] for start, end in pairwise(places))) == whole


@pytest.mark.parametrize(
    "provider, row",
    [pytest.param(name, row, id=f"{name}: {row['what']}") for name in CATALOGUE for row in refusals(name)],
)
def test_refusal_means_what_the_provider_means_by_it(provider: str, row: dict[str, Any]):
    fault = classify(target(provider), row["status"], row.get("headers", {}), row["body"].encode(), NOW)
    facts = {name: value for name, value in row.items() if name in Fault.__struct_fields__}
    assert {name: getattr(fault, name) for name in facts} == facts


@pytest.mark.parametrize("provider", CATALOGUE)
def test_every_live_provider_has_its_main_refusals(provider: str):
    assert MAIN - {row["what"] for row in refusals(provider)} == MISSING.get(provider, set())
