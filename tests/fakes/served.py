"""Asking a running router through the official SDKs, in each of the ways they know; and the TOML of its providers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import orjson
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from .router import Router

WAYS = ("sync", "async", "stream", "async stream")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

ABLE = "context = 100000\nmax_output = 8000\ntools = true\nparallel_tools = true\nvision = true\njson_schema = true\n"
"""What a model can do where a test does not care."""


class Start(Protocol):
    """``start(toml, ...)``: a router in front of the test's upstream; see ``fakes.router.router``."""

    def __call__(self, toml: str = "", **more: Any) -> Router: ...


def provider(
    name: str,
    *models: str,
    wire: str = "openai",
    keys: Sequence[str] = ("k-test-1",),
    facts: str = ABLE,
    more: str = "",
) -> str:
    """``[providers.name]`` at the scripted upstream; each model has ``facts``, the provider ``more`` (TOML lines)."""
    lines = [
        f"[providers.{name}]",
        f'wire = "{wire}"',
        f'base_url = "{{up}}/{name}/v1"',
        f"keys = {orjson.dumps(list(keys)).decode()}",
        more,
    ]
    for model in models or ("m1",):
        lines += [f"[[providers.{name}.models]]", f'id = "{model}"', facts]
    return "\n".join(lines) + "\n"


def tool(name: str, **fields: str) -> dict[str, Any]:
    """A tool in OpenAI's shape: field -> its JSON type; all are required."""
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema(**fields)}}


def anthropic_tool(name: str, **fields: str) -> dict[str, Any]:
    """The same in Anthropic's."""
    return {"name": name, "description": name, "input_schema": schema(**fields)}


def schema(**fields: str) -> dict[str, Any]:
    """An object of required fields."""
    properties = {field: {"type": kind} for field, kind in fields.items()}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


def user(text: str) -> list[dict[str, Any]]:
    """A conversation of one turn."""
    return [{"role": "user", "content": text}]


def ask_openai(router: Router, way: str, text: str = "hi", **more: Any) -> ChatCompletion:
    """``chat.completions`` in one of ``WAYS``."""
    said: dict[str, Any] = {"model": "auto", "messages": user(text)} | more
    if way == "sync":
        answer: ChatCompletion = router.openai().chat.completions.create(**said)
        return answer
    if way == "stream":
        with router.openai().chat.completions.stream(**said) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion()
    return asyncio.run(_ask_openai(router, way, said))


async def _ask_openai(router: Router, way: str, said: dict[str, Any]) -> ChatCompletion:
    async with router.async_openai() as client:
        if way == "async":
            answer: ChatCompletion = await client.chat.completions.create(**said)
            return answer
        async with client.chat.completions.stream(**said) as stream:
            return await stream.get_final_completion()


def ask_anthropic(router: Router, way: str, text: str = "hi", **more: Any) -> Message:
    """``messages`` in one of ``WAYS``."""
    said: dict[str, Any] = {"model": "auto", "max_tokens": 500, "messages": user(text)} | more
    if way == "sync":
        answer: Message = router.anthropic().messages.create(**said)
        return answer
    if way == "stream":
        with router.anthropic().messages.stream(**said) as stream:
            return stream.get_final_message()
    return asyncio.run(_ask_anthropic(router, way, said))


async def _ask_anthropic(router: Router, way: str, said: dict[str, Any]) -> Message:
    async with router.async_anthropic() as client:
        if way == "async":
            answer: Message = await client.messages.create(**said)
            return answer
        async with client.messages.stream(**said) as stream:
            return await stream.get_final_message()
