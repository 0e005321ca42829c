"""Recorded Responses and Completions: every request is taken, or refused for a reason that stands here; every stream of
the API keeps the grammar that ours is held to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from fakes.recordings import Record, answer_bytes, everything, needs_recordings
from fakes.responses_grammar import BadStream, check_responses_stream
from hermes_router.core.errors import BadRequest
from hermes_router.dialects.base import Dialect
from hermes_router.dialects.completions import OpenAICompletions
from hermes_router.dialects.responses import OpenAIResponses

pytestmark = needs_recordings

REASONS = {
    "Previous response with id": "a response kept at OpenAI",
    "is a tool that OpenAI's own servers run": "hosted tools and nothing else",
    "background must be false": "a background response",
    "prompt is kept at OpenAI": "a prompt stored at OpenAI",
    "cannot hold audio/mpeg": "sound as a file, which the API refused as well",
    "tools[0].name is required": "a nameless tool, which the API refused as well",
}
COMPLETION_REASONS = {
    "n must be 1": "several choices",
    "prompt must be one text": "several prompts",
    "prompt must be text": "tokens",
}
NOT_THE_API = {
    "openai-responses-603aae97-77cdfc": "another API's events",
    "openai-responses-938b4cf3-251034": "a hosted program's items are rewritten at the end",
    "azure_openai-responses-d9095e88-2824e8": "two streams in one record",
}
PLATFORM = ("openai", "azure_openai", "azure_ai", "bedrock_mantle", "github_copilot", "pydantic_gateway")
"""Who serves OpenAI's own streams. ChatGPT's backend leaves the output out of its last event, others have ids of
their own."""


def responses() -> list[Record]:
    return [record for record in everything("responses") if record["request"]["body"]]


def completions() -> list[Record]:
    records = everything("other")
    return [one for one in records if one["request"]["url"].endswith("/v1/completions") and one["request"]["body"]]


def outcome(record: Record, dialect: Dialect, reasons: Mapping[str, str]) -> str:
    """``taken``, the known reason, or the unknown one."""
    try:
        dialect.read(record["request"]["body"].encode(), {})
    except BadRequest as error:
        known = (reason for words, reason in reasons.items() if words in error.message)
        return next(known, f"{record['id']}: {error.message}")
    return "taken"


def test_recorded_responses_requests_are_taken_or_refused_for_a_known_reason():
    counts = Counter(outcome(record, OpenAIResponses(), REASONS) for record in responses())
    assert set(counts) == {"taken", *REASONS.values()}
    assert counts["taken"] > 450


@pytest.mark.parametrize("reason", [word for word in REASONS.values() if "as well" in word])
def test_what_the_api_refused_is_refused_here(reason: str):
    refused = [record for record in responses() if outcome(record, OpenAIResponses(), REASONS) == reason]
    assert {record["response"]["status"] for record in refused} == {400}


def test_recorded_completions_requests_are_taken_or_refused_for_a_known_reason():
    counts = Counter(outcome(record, OpenAICompletions(), COMPLETION_REASONS) for record in completions())
    assert set(counts) == {"taken", *COMPLETION_REASONS.values()}


def test_recorded_streams_of_the_api_keep_the_grammar():
    checked = 0
    for record in everything("responses"):
        raw = answer_bytes(record).replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n\n"
        is_stream = record["provider"] in PLATFORM and b"event: response.created" in raw[:200]
        if is_stream and record["id"] not in NOT_THE_API:
            check_responses_stream(raw)
            checked += 1
    assert checked > 70


def test_recorded_streams_that_are_not_the_apis_are_found_out():
    for record in everything("responses"):
        if record["id"] in NOT_THE_API:
            with pytest.raises(BadStream):
                check_responses_stream(answer_bytes(record).rstrip(b"\n") + b"\n\n")
