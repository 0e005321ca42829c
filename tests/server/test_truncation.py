"""`truncation: "auto"` of the Responses API: a conversation that is too long for everybody loses its oldest turns."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError

from fakes.served import Start, provider
from fakes.upstream import Upstream

SMALL = "context = 1200\ntools = true"
OLD: list[Any] = [
    {"role": "user", "content": "first " * 600},
    {"role": "assistant", "content": "aye"},
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "old " * 600},
]
NEW: list[Any] = [{"role": "user", "content": "What now?"}]


def ask(start: Start, **more: Any) -> Any:
    router = start(provider("mine", "m1", facts=SMALL))
    return router.openai().responses.create(model="any", instructions="Be brief.", input=[*OLD, *NEW], **more)


def test_auto_leaves_out_the_oldest_turns_with_their_calls(start: Start, up: Upstream):
    ask(start, truncation="auto")
    sent = up.requests[-1].body["messages"]
    assert [one["role"] for one in sent] == ["system", "user"]
    assert sent[-1]["content"] == "What now?"


def test_disabled_refuses_and_names_the_largest_window(start: Start):
    with pytest.raises(BadRequestError, match="1200"):
        ask(start, truncation="disabled")


def test_a_last_turn_that_is_too_long_itself_is_refused(start: Start):
    router = start(provider("mine", "m1", facts=SMALL))
    with pytest.raises(BadRequestError, match="1200"):
        router.openai().responses.create(model="any", input="word " * 3000, truncation="auto")
