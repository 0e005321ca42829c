"""Every stream we have, cut and stalled after each of its events: the caller gets all of it once, or an error."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fakes.breaking import HOWS, MODES, Broken, Stream, cases, problem, stream_of
from fakes.lab import DIALECTS
from fakes.recordings import answer_bytes, catalogue_name, everything, is_answer, needs_recordings
from hermes_router.catalogue.load import load_builtin

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
SAMPLE = 200
SEED = 4
CALLS: dict[str, list[tuple[str, object]]] = {
    "gemini/thought_signature": [("get_weather", {"city": "Kyiv"}), ("get_time", {})],
}
"""What the plain reader does not see: a second call with the number of the first and no id."""
KNOWN = frozenset(load_builtin())


def transcripts() -> Iterator[Stream]:
    for path in sorted(TRANSCRIPTS.glob("*/*.sse")):
        provider = path.parent.name
        wire = "anthropic" if provider == "anthropic" else "openai"
        stream = stream_of(f"{provider}/{path.stem}", provider, wire, path.read_bytes(), known=provider in KNOWN)
        if stream is not None:
            stream.said.calls = CALLS.get(stream.name, stream.said.calls)
            yield stream


def recorded() -> list[Stream]:
    """A fixed sample of the recorded streams."""
    found: list[Stream] = []
    for wire, endpoint in (("openai", "chat"), ("anthropic", "messages")):
        for number, record in enumerate(everything(endpoint)):
            body = answer_bytes(record)
            if not is_answer(record) or not body.lstrip().startswith((b"data:", b"event:", b":")):
                continue
            name = catalogue_name(record)
            stream = stream_of(f"{name}.{endpoint} {number}", name, wire, body, known=name in KNOWN)
            if stream is not None:
                found.append(stream)
    return random.Random(SEED).sample(found, min(SAMPLE, len(found)))


def check(what: str, many: Iterable[Broken], tally: Counter[str]) -> None:
    """Runs them all; fails with the first few that are wrong."""
    wrong: list[str] = []
    for case in many:
        tally[f"{what}: cases"] += 1
        found = problem(case)
        if found is not None:
            wrong.append(f"{case}: {found}")
    tally[f"{what}: failures"] += len(wrong)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("stream", list(transcripts()), ids=lambda stream: stream.name)
def test_stream_of_ours_is_whole_wherever_it_breaks(stream: Stream, tally: Counter[str]):
    check("our streams", cases(stream), tally)
    check("our streams, asked for whole", cases(stream, streamed=False), tally)


@needs_recordings[0]
@needs_recordings[1]
def test_recorded_stream_is_whole_wherever_it_breaks(tally: Counter[str]):
    streams = recorded()
    tally["recorded streams"] += len(streams)
    check("recorded streams", (case for stream in streams for case in turns(stream)), tally)


def turns(stream: Stream) -> Iterator[Broken]:
    """Every place cut and stalled; dialects and what the other does take turns, or it would be hours."""
    for number, how in enumerate(HOWS):
        for after in range(len(stream.frames) + 1):
            at = after + number
            yield Broken(stream, after, how, DIALECTS[at % 2], MODES[at // 2 % 3])
