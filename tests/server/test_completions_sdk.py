"""Legacy Completions through the official SDK."""

from __future__ import annotations

import pytest
from openai import BadRequestError

from fakes.router import Router
from fakes.served import Start, provider
from fakes.strict import Strict
from fakes.upstream import Upstream, completion, reply, sse, text_stream


@pytest.fixture(params=["openai", "anthropic"])
def routed(request: pytest.FixtureRequest, start: Start) -> Router:
    return start(provider("mine", "m1", wire=request.param))


def test_a_continuation(routed: Router, up: Upstream):
    answer = routed.openai().completions.create(model="auto", prompt="Once upon", max_tokens=50)
    assert answer.choices[0].text == "Echo: Once upon"
    assert (answer.object, answer.model) == ("text_completion", "m1")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert isinstance(up.default, Strict)
    assert up.default.refused == []


def test_a_streamed_continuation(routed: Router):
    stream = routed.openai().completions.create(
        model="auto", prompt="Once upon", max_tokens=50, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "Echo: Once upon"
    assert chunks[-1].usage is not None


def test_a_gap_is_filled(start: Start, up: Upstream):
    router = start(provider("mine", "m1"))
    up.script(reply(completion("x = 1")))
    answer = router.openai().completions.create(model="auto", prompt="def f():\n    ", suffix="\n    return x")
    assert answer.choices[0].text == "x = 1"
    assert up.requests[-1].body["messages"][-1]["content"] == "def f():\n    <GAP/>\n    return x"


def test_a_broken_stream_moves_on_before_anything_was_said(start: Start, up: Upstream):
    router = start(provider("one", "m1") + provider("two", "m2"))
    up.script(sse([], then="cut"))
    up.script(sse(text_stream("fine")))
    stream = router.openai().completions.create(model="auto", prompt="a", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "fine"


def test_several_prompts_are_refused(start: Start):
    router = start(provider("mine", "m1"))
    with pytest.raises(BadRequestError, match="one text"):
        router.openai().completions.create(model="auto", prompt=["a", "b"])
