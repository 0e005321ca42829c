"""Every recorded request is accepted, or refused for a listed reason; what is accepted, no strict upstream refuses.

``expected_requests.toml`` lists the reasons with how often each occurs.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.recordings import Record, everything, needs_recordings
from fakes.strict import Wrong
from fakes.strict_styles import EMBED_FIELDS, STYLES, check_body, check_embedding
from hermes_router.catalogue.abilities import abilities
from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec
from hermes_router.core.errors import BadRequest
from hermes_router.core.request import EmbeddingRequest, Request
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.embeddings import read as read_embeddings
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.dialects.responses import OpenAIResponses
from hermes_router.routing.needs import needs_of
from hermes_router.wires.base import Target
from hermes_router.wires.registry import WIRES

pytestmark = needs_recordings

READERS: dict[str, Callable[..., Any]] = {
    "chat": OpenAIChat().read,
    "messages": AnthropicMessages().read,
    "embeddings": read_embeddings,
    "responses": OpenAIResponses().read,
}
EXPECTED: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("expected_requests.toml").read_text(encoding="utf-8")
)
CATALOGUE = load_builtin(("anthropic", *STYLES, *EMBED_FIELDS))
UPSTREAMS = ("anthropic", *STYLES)


def bodies(endpoint: str) -> Iterator[Record]:
    """The records that hold a request; some sources keep only answers."""
    return (record for record in everything(endpoint) if record["request"]["body"])


def outcome(record: Record) -> Request | EmbeddingRequest | str:
    """The request, or why it is refused."""
    request = record["request"]
    try:
        read: Request | EmbeddingRequest = READERS[record["endpoint"]](request["body"].encode(), request["headers"])
    except BadRequest as error:
        return error.message
    return read


@cache
def accepted() -> list[tuple[str, Request]]:
    """Every chat request that is taken in, of any dialect, with its record's id."""
    records = (record for endpoint in ("chat", "messages", "responses") for record in bodies(endpoint))
    read = ((record["id"], outcome(record)) for record in records)
    return [(id_, request) for id_, request in read if isinstance(request, Request)]


def row_of(table: str, said: str) -> int | None:
    """Which expectation covers a refusal."""
    return next((at for at, row in enumerate(EXPECTED.get(table, [])) if re.search(row["says"], said)), None)


def compare(table: str, refusals: list[tuple[str, str]], tally: Counter[str], label: str) -> None:
    """``refusals``: (where, what was said). Fails on one that is not listed, and on a count that is not the listed."""
    found = [(row_of(table, said), where, said) for where, said in refusals]
    assert [(where, said) for at, where, said in found if at is None] == []
    counts = Counter(at for at, _, _ in found)
    rows = list(enumerate(EXPECTED.get(table, [])))
    assert [(row["says"], counts[at]) for at, row in rows] == [(row["says"], row["count"]) for _, row in rows]
    for at, row in rows:
        tally[f"{label}: {row['why']}"] += counts[at]


@pytest.mark.parametrize("endpoint", READERS)
def test_recorded_request_is_accepted_or_refused_for_a_listed_reason(endpoint, tally):
    refusals = []
    for record in bodies(endpoint):
        read = outcome(record)
        if isinstance(read, str):
            refusals.append((record["id"], read))
        else:
            tally[f"requests, {endpoint}: accepted"] += 1
    tally[f"requests, {endpoint}: refused"] = len(refusals)
    compare(endpoint, refusals, tally, f"requests, {endpoint}: refused")


@pytest.mark.parametrize("provider", UPSTREAMS)
def test_accepted_request_is_written_as_a_strict_upstream_takes_it(provider, tally):
    refusals = []
    for id_, request in accepted():
        if (target := able(provider, request)) is not None:
            tally[f"requests written for {provider}: chat"] += 1
            refusals += [(id_, said) for said in refused_by(provider, request, target)]
    compare(f"upstream_{provider}", refusals, tally, f"requests written for {provider}: it would refuse")


def able(provider: str, request: Request) -> Target | None:
    """The first model that routing would not drop."""
    spec = CATALOGUE[provider]
    wanted = needs_of(request)
    needs = wanted.abilities | wanted.soft
    for model in spec.models or ():
        quirks = model.quirks.over(spec.quirks)
        _, cannot = abilities(model, quirks, WIRES[spec.wire or ""].carries)
        if not needs & cannot:
            return target_of(provider, spec, model)
    return None


def target_of(provider: str, spec: ProviderSpec, model: ModelSpec, embed: EmbedSpec | None = None) -> Target:
    quirks = (embed or model).quirks.over(spec.quirks)
    return Target(
        name=provider,
        provider=spec,
        model=model,
        quirks=quirks,
        base_url="http://127.0.0.1:9",
        secret="k-test-1",
        headers=dict(quirks.headers or {}),
        embed=embed,
    )


def refused_by(provider: str, request: Request, target: Target) -> list[str]:
    sent = WIRES[target.provider.wire or ""].chat(request, target, max_output=request.max_output)
    try:
        check_body(provider, orjson.loads(sent.body), sent.headers)
    except Wrong as wrong:
        return [str(wrong)]
    return []


@pytest.mark.parametrize("provider", EMBED_FIELDS)
def test_accepted_embedding_request_is_written_as_a_strict_upstream_takes_it(provider, tally):
    spec = CATALOGUE[provider]
    refusals = []
    for record in bodies("embeddings"):
        request = outcome(record)
        if not isinstance(request, EmbeddingRequest) or not all(isinstance(one, str) for one in request.inputs):
            continue
        for embed in spec.embeddings:
            if request.dimensions in (None, embed.dimensions, *embed.sizes):
                target = target_of(provider, spec, ModelSpec(id=embed.id), embed)
                body = orjson.loads(WIRES[spec.wire or ""].embed(request, target).body)
                tally[f"requests written for {provider}: embeddings"] += 1
                try:
                    check_embedding(provider, body)
                except Wrong as wrong:
                    refusals.append((record["id"], str(wrong)))
    compare(f"embed_{provider}", refusals, tally, f"requests written for {provider}: it would refuse")
