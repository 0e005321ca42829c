"""Golden transcripts of every dialect with every wire; ``fakes/golden.py`` says what they are and how to renew them."""

from __future__ import annotations

import json

import pytest

from fakes.golden import DIALECTS, FOLDER, MADE, cases, make
from fakes.grammar import check_anthropic_stream
from fakes.openai_grammar import check_openai_stream
from fakes.strict import check_anthropic, check_openai
from hermes_router.wires.registry import WIRES

GRAMMARS = {"openai": check_openai_stream, "anthropic": check_anthropic_stream}
SCENES = {
    "text", "tools", "tool_results", "parallel_tools", "thinking", "image", "error", "length", "json_schema",
}  # fmt: skip


def golden(case: str) -> dict[str, str]:
    paths = [FOLDER / case / name for name in MADE]
    return {path.name: path.read_bytes().decode() for path in paths if path.exists()}


@pytest.mark.parametrize("case", cases())
def test_golden_transcript_is_made_byte_for_byte(case: str):
    assert make(case) == golden(case), "python tests/golden/rewrite.py makes it anew"


@pytest.mark.parametrize("case", cases())
def test_golden_transcript_is_what_strict_clients_and_providers_take(case: str):
    files = golden(case)
    dialect, wire = case.partition("/")[0].split("-")
    if dialect in GRAMMARS:
        GRAMMARS[dialect](files["client.sse"].encode())
    sent = json.loads(files["upstream.json"])
    if wire == "anthropic":
        check_anthropic(sent["body"], sent["headers"])
    else:
        check_openai(sent["body"])


def test_every_pair_of_dialect_and_wire_has_every_scene():
    expected = {f"{dialect}-{wire}/{scene}" for dialect in DIALECTS for wire in WIRES for scene in SCENES}
    assert set(cases()) == expected
