"""Recorded Messages traffic: requests accepted or refused for a listed reason, answers read, folded and written."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.grammar import check_anthropic_stream
from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.core.errors import BadRequest
from hermes_router.core.events import Event, Failed, Finish
from hermes_router.core.fold import fold_all
from hermes_router.core.request import Request
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.base import Served
from hermes_router.wires.anthropic import AnthropicWire
from hermes_router.wires.base import Target

FOLDER = os.environ.get("RECORDINGS_DIR", "")
pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not FOLDER, reason="RECORDINGS_DIR is not set"),
]
PROVIDERS = ("anthropic", "azure_ai", "moonshot", "vertex", "zai")
TARGET = Target(
    name="anthropic", provider=ProviderSpec(), model=ModelSpec(id="m"), quirks=Quirks(), base_url="http://127.0.0.1:9"
)
# Why a recorded request that the real API answered is refused here.
REASONS = re.compile(
    r"a tool that runs on Anthropic's servers|only Anthropic's models know|MCP connectors run on Anthropic's servers"
    r"|only Anthropic's servers can act on|names an uploaded file"
)


def records() -> Iterator[dict[str, Any]]:
    for provider in PROVIDERS:
        path = Path(FOLDER) / f"{provider}.messages.jsonl"
        for line in path.read_bytes().splitlines() if path.exists() else ():
            record = orjson.loads(line)
            if "count_tokens" not in record["request"]["url"]:
                yield record


def read(body: bytes, content_type: str, cuts: list[int]) -> list[Event]:
    reader = AnthropicWire().chat_reader(TARGET, content_type=content_type, now=0.0)
    events: list[Event] = []
    begin = 0
    for cut in [*cuts, len(body)]:
        events += reader.feed(body[begin:cut])
        begin = cut
    return events + reader.end()


def test_every_request_that_was_answered_is_accepted_or_refused_for_a_listed_reason():
    accepted = refused = 0
    for record in records():
        body = record["request"]["body"].encode()
        if not body:
            continue
        outcome = outcome_of(body, record["request"]["headers"])
        if isinstance(outcome, Request):
            accepted += 1
            check_upstream_body(outcome, record["id"])
        else:
            refused += 1
            assert record["response"]["status"] >= 400 or REASONS.search(outcome), (record["id"], outcome)
    print(f"requests: {accepted} accepted, {refused} refused")
    assert accepted > refused > 0


def outcome_of(body: bytes, headers: dict[str, str]) -> Request | str:
    """The request, or why it is refused."""
    try:
        return AnthropicMessages().read(body, headers)
    except BadRequest as error:
        return error.message


def check_upstream_body(request: Request, name: str) -> None:
    """What the API would refuse in the turns we send on."""
    body = orjson.loads(AnthropicWire().chat(request, TARGET, max_output=request.max_output).body)
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))], name
    for turn in body["messages"]:
        kinds = [block["type"] == "tool_result" for block in turn["content"]]
        assert kinds == sorted(kinds, reverse=True), name
        assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text"), name
    assert not body.get("thinking", {}).get("budget_tokens", 0) >= body["max_tokens"], name


def test_every_answer_is_read_alike_however_it_is_cut_and_survives_being_written_again():
    draw = random.Random(1)
    whole = failed = 0
    for record in records():
        if record["response"]["status"] != 200:
            continue
        body = record["response"]["body"].encode()
        content_type = record["response"]["headers"].get("content-type", "")
        events = read(body, content_type, [])
        for pieces in (1, 3, 40):
            cuts = sorted(draw.choices(range(len(body)), k=pieces))
            assert read(body, content_type, cuts) == events, record["id"]
        if isinstance(events[-1], Failed):
            assert '"type":"error"' in record["response"]["body"], record["id"]
            failed += 1
            continue
        assert isinstance(events[-1], Finish), record["id"]
        check_written_again(events, record["id"])
        whole += 1
    print(f"answers: {whole} whole, {failed} failed as recorded")
    assert whole > failed


def check_written_again(events: list[Event], name: str) -> None:
    request = Request(dialect="anthropic", model="m", messages=())
    writer = AnthropicMessages().stream(request, Served(id="1", provider="p", model="m", created=0, input_estimate=1))
    raw = b"".join(writer.write(event) for event in events) + writer.end()
    check_anthropic_stream(raw)
    first, again = fold_all(events), fold_all(read(raw, "text/event-stream", []))
    assert (again.text, again.reasoning, again.usage) == (first.text, first.reasoning, first.usage), name
    calls = [
        [(call.id, call.name, call.arguments or "{}") for call in answer.calls.values()] for answer in (first, again)
    ]
    assert calls[0] == calls[1], name
