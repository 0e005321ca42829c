"""POST /v1/messages/count_tokens, through the official SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from fakes.served import Start, anthropic_tool, provider, user
from fakes.upstream import Upstream

LONG = "The quick brown fox jumps over the lazy dog. " * 40
TOOL: Any = anthropic_tool("get_weather", city="string")
ASKED: Any = user(LONG)


def test_tokens_are_counted_without_asking_anybody(up: Upstream, start: Start):
    routed = start(provider("mine", "m1"))
    count = routed.anthropic().messages.count_tokens(model="claude-sonnet-4-5", messages=ASKED)
    assert 350 <= count.input_tokens <= 500
    assert up.requests == []


def test_system_and_tools_count(start: Start):
    client = start(provider("mine", "m1")).anthropic()
    plain = client.messages.count_tokens(model="x", messages=[{"role": "user", "content": "hi"}]).input_tokens
    more = client.messages.count_tokens(
        model="x",
        system="Be brief.",
        tools=[TOOL],
        messages=[{"role": "user", "content": "hi"}],
    )
    assert more.input_tokens > plain + 300


def test_it_answers_where_no_provider_is_configured(start: Start):
    client = start("", env={"SANDBOX": "0"}).anthropic()
    assert client.messages.count_tokens(model="x", messages=[{"role": "user", "content": "hi"}]).input_tokens > 0


def test_what_cannot_be_read_is_refused_by_field(start: Start):
    wrong: Any = {"role": "bishop", "content": "hi"}
    client = start(provider("mine", "m1")).anthropic()
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.role"):
        client.messages.count_tokens(model="x", messages=[wrong])


def test_the_same_estimate_opens_a_stream(start: Start):
    client = start(provider("mine", "m1")).anthropic()
    count = client.messages.count_tokens(model="x", messages=[{"role": "user", "content": LONG}]).input_tokens
    with client.messages.create(
        model="x", max_tokens=50, messages=[{"role": "user", "content": LONG}], stream=True
    ) as stream:
        opened = next(event for event in stream if event.type == "message_start")
        assert opened.message.usage.input_tokens == count
