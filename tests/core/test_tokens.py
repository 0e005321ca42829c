"""The estimate of input tokens: what it must notice. How good it is: tests/recordings/test_token_counts.py."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_router.core.request import (
    Image,
    KeptTools,
    Message,
    Request,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from hermes_router.core.tokens import count_request

LOREM = "The quick brown fox jumps over the lazy dog. "
TOOL = Tool(name="read_file", description="Reads a file.", schema={"type": "object", "properties": {}})


def asked(text: str = "hi", dialect: str = "openai", model: str = "auto", **more: Any) -> int:
    said: dict[str, Any] = {"messages": (Message(role=Role.USER, parts=(Text(text=text),)),)} | more
    return count_request(Request(dialect=dialect, model=model, **said))


@pytest.mark.parametrize(
    "text, least, most",
    [
        ("", 1, 8),
        (LOREM * 100, 900, 1250),
        ("def f(x):\n    return x + 1\n" * 50, 450, 900),
        ("日本語の文章です。" * 50, 350, 700),
        ("WqJfLzTgKpVbXnRc" * 100, 500, 1600),
        ("👋" * 50, 60, 160),
    ],
    ids=["nothing", "prose", "code", "japanese", "letters on end", "emoji"],
)
def test_each_kind_of_text_is_weighed_for_what_it_is(text: str, least: int, most: int):
    assert least <= asked(text) <= most


@pytest.mark.parametrize("times", [700, 800, 3000, 30000])
def test_a_long_text_judged_by_slices_counts_as_its_parts_do(times: int):
    assert asked(LOREM * times) == pytest.approx(asked(LOREM * 100) * times / 100, rel=0.02)


@pytest.mark.parametrize(
    "more",
    [
        {"tools": (TOOL,)},
        {"thinking": Thinking(enabled=True)},
        {"response_format": ResponseFormat(kind="json_schema", schema={"type": "object"})},
        {
            "messages": (
                Message(role=Role.USER, parts=(Text(text="hi"),)),
                Message(role=Role.ASSISTANT, parts=(ToolCall(id="c", name="read_file", arguments='{"path": "a"}'),)),
            )
        },
    ],
    ids=["tools", "thinking", "a schema", "a call"],
)
def test_what_a_template_adds_is_counted(more: dict[str, Any]):
    assert asked(dialect="anthropic", **more) > asked(dialect="anthropic")


def test_offering_tools_costs_what_anthropic_adds_for_it():
    assert 400 < asked(dialect="anthropic", tools=(TOOL,)) - asked(dialect="anthropic") < 650


def test_the_name_asked_for_chooses_the_tokenizer():
    assert asked(LOREM * 20, "anthropic", "claude-sonnet-5") > 1.2 * asked(LOREM * 20, "anthropic", "claude-sonnet-4-5")
    assert asked("hi", model="openai/gpt-oss-120b") > asked("hi") + 50


def test_tools_that_are_kept_weigh_what_they_weigh_otherwise_for_every_family():
    kept = KeptTools([TOOL, TOOL])
    for model in ("auto", "claude-sonnet-4-5", "auto"):
        assert asked(model=model, tools=kept) == asked(model=model, tools=(TOOL, TOOL))


def test_results_and_calls_weigh_what_is_in_them():
    call = ToolCall(id="c", name="read_file", arguments='{"path": "a"}')
    said = ToolResult(id="c", parts=(Text(text=LOREM * 20), Image(url="https://e.test/a.png")))
    turns = (Message(role=Role.ASSISTANT, parts=(call, call)), Message(role=Role.TOOL, parts=(said,)))
    alone = asked(messages=(turns[0],))
    assert asked(messages=turns) - alone == pytest.approx(asked(LOREM * 20) + 1100 + 9, rel=0.05)
    assert alone > asked(messages=(Message(role=Role.ASSISTANT, parts=(call,)),)) + 9
