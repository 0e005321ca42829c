"""Every recorded error response means what a person who read it says it means (``expected_errors.toml``)."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakes.recordings import Record, catalogue_name, everything, needs_recordings
from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.core.faults import Fault
from hermes_router.wires.base import Target
from hermes_router.wires.classify import classify

pytestmark = needs_recordings

NOW = 1_790_000_000.0
EXPECTED: dict[str, list[list[Any]]] = tomllib.loads(
    Path(__file__).with_name("expected_errors.toml").read_text(encoding="utf-8")
)


def recorded_errors() -> Iterator[Record]:
    return (record for record in everything() if record["response"]["status"] >= 400)


def expectation(record: Record) -> list[Any] | None:
    response = record["response"]
    rows = EXPECTED.get(record["provider"], [])
    return next((row for row in rows if row[0] == response["status"] and row[1] in response["body"]), None)


def read(record: Record, spec: ProviderSpec) -> Fault:
    target = Target(
        name=record["provider"], provider=spec, model=ModelSpec(id="m"), quirks=Quirks(), base_url="http://127.0.0.1:1"
    )
    response = record["response"]
    return classify(target, response["status"], response["headers"], response["body"].encode(), NOW)


def wrong(record: Record, fault: Fault, *, own: bool) -> str | None:
    """What of the expectation the fault misses, None where it meets it."""
    row = expectation(record)
    if row is None:
        response = record["response"]
        return f"no expectation for {record['provider']} {response['status']}: {response['body'][:200]}"
    more = dict(row[4]) if len(row) > 4 else {}
    kind_and_scope = more.pop("own", row[2:4])
    expected = dict(zip(("kind", "scope"), kind_and_scope if own else row[2:4], strict=True)) | ({} if own else more)
    found = {name: getattr(fault, name) for name in expected}
    return None if found == expected else f"{record['id']}: {found} for {expected}"


def test_recorded_error_means_the_same_without_any_row_of_its_provider(tally):
    records = list(recorded_errors())
    tally["error responses classified"] = len(records)
    mistakes = [why for record in records if (why := wrong(record, read(record, ProviderSpec()), own=False))]
    assert records
    assert mistakes == []


def test_recorded_error_means_the_same_with_the_catalogue_s_rows(tally):
    catalogue = load_builtin()
    mistakes = []
    for record in recorded_errors():
        spec = catalogue.get(catalogue_name(record))
        if spec is None:
            continue
        tally["error responses classified with the rows of a catalogue provider"] += 1
        if (why := wrong(record, read(record, spec), own=True)) is not None:
            mistakes.append(why)
    assert mistakes == []


def test_every_expectation_is_met_by_a_recording():
    met = Counter(id(row) for record in recorded_errors() if (row := expectation(record)) is not None)
    idle = [(provider, row[:2]) for provider, rows in EXPECTED.items() for row in rows if not met[id(row)]]
    assert idle == []
