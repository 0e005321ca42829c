"""The loads: what is sent, how, and what one unit of work is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

NONCE = "0" * 16
"""The load client puts another number here each time, so that no cache can help."""


@dataclass(frozen=True)
class Load:
    """``how``: closed | once | rate (see load.c). ``api``: openai | anthropic | embeddings. ``unit``: request | chunk.
    ``chunks`` and ``interval_us`` shape the upstream's streams; ``connections`` is per second where ``how`` is rate."""

    name: str
    title: str
    how: str
    body: str
    api: str = "openai"
    unit: str = "request"
    connections: int = 32
    chunks: int = 0
    interval_us: int = 0

    @property
    def paced(self) -> bool:
        return self.how == "once"


@cache
def small(stream: bool = False) -> str:
    body: dict[str, object] = {
        "model": "hermes-router",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": f"What is the capital of France? ({NONCE})"},
        ],
        "max_tokens": 256,
        "temperature": 0.2,
    }
    return json.dumps({**body, "stream": True} if stream else body)


@cache
def with_tools() -> str:
    """About 40 KB: 20 tools, and a conversation in which they were used."""
    fields = {
        f"field_{number}": {"type": "string", "description": f"Value number {number}, as plain text without quotes."}
        for number in range(5)
    }
    tools = [
        {
            "type": "function",
            "function": {
                "name": f"workspace_tool_{number}",
                "description": f"Tool {number}. " + "It reads, checks and changes the records of the workspace. " * 5,
                "parameters": {"type": "object", "properties": fields, "required": ["field_0", "field_1"]},
            },
        }
        for number in range(20)
    ]
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "You are a careful assistant. " + "Keep to the rules of the workspace. " * 60}
    ]
    for step in range(14):
        arguments = json.dumps({"field_0": "notes.txt", "field_1": "v" * 120})
        function = {"name": f"workspace_tool_{step}", "arguments": arguments}
        call = {"id": f"call_{step:04d}", "type": "function", "function": function}
        messages += [
            {"role": "user", "content": f"Step {step}: " + "look at this record and say what it holds. " * 9},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{step:04d}", "content": "name = value; other = 7\n" * 17},
            {"role": "assistant", "content": "The record holds a name and a number. " * 6},
        ]
    messages.append({"role": "user", "content": f"Now put it all together. ({NONCE})"})
    return json.dumps({"model": "hermes-router", "messages": messages, "tools": tools, "max_tokens": 1024})


@cache
def message(stream: bool) -> str:
    return json.dumps(
        {
            "model": "hermes-router",
            "max_tokens": 256,
            "stream": stream,
            "system": "You are a helpful assistant.",
            "messages": [{"role": "user", "content": f"What is the capital of France? ({NONCE})"}],
        }
    )


@cache
def text() -> str:
    return json.dumps({"model": "bench-embed", "input": f"A quick test of a sentence to embed. ({NONCE})"})


def loads(seconds: float) -> list[Load]:
    """All loads; paced streams last ``seconds``."""
    often, seldom = max(1, round(seconds * 20)), max(1, round(seconds * 5))
    ask, tell = small(True), message(True)
    faster, slower = (300, often, 50_000), (1000, seldom, 200_000)
    return [
        Load("small", "small JSON chat", "closed", small()),
        Load("rate", "one request at a time, 20/s", "rate", small(), connections=20),
        Load("tools", "40 KB request, 20 tools", "closed", with_tools()),
        Load("embeddings", "embeddings, 1536 numbers", "closed", text(), "embeddings"),
        Load("messages", "/v1/messages, JSON", "closed", message(False), "anthropic"),
        Load("burst", "streams of 200 chunks at full speed", "closed", ask, "openai", "chunk", 16, 200),
        Load("messages-burst", "the same to /v1/messages", "closed", tell, "anthropic", "chunk", 16, 200),
        Load("paced-300", "300 streams x 20 chunks/s", "once", ask, "openai", "chunk", *faster),
        Load("messages-300", "300 streams x 20 chunks/s to /v1/messages", "once", tell, "anthropic", "chunk", *faster),
        Load("paced-1000", "1000 streams x 5 chunks/s", "once", ask, "openai", "chunk", *slower),
    ]
