"""The Chat Completions wire: our requests as OpenAI-style HTTP requests. Readers are in ``openai_reader``.

Source: OpenAI API reference, "Create chat completion" and "Create embeddings". What a provider does differently comes
in as quirks. Knobs of taste that a provider lacks are left out; content that this API cannot hold is a BadRequest,
since routing should not have let it come here.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from ..catalogue.schema import Quirks
from ..core.request import EmbeddingRequest, Request, ResponseFormat, Tool, ToolChoice, ToolMode
from ..transport.base import HttpRequest
from .base import Reader, Target
from .openai_embed import EmbedReader, write_embed
from .openai_messages import write_messages
from .openai_reader import ChatReader
from .quirks import add_fields, effort_word, shape_fields, wanted_effort
from .schemas import close_objects, drop_keywords

Table = dict[str, Any]

_OWN = frozenset({"model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format"})
"""Fields an allow-list has no say in: without them the answer would be another one, or its usage unknown."""
_MAX_TOKENS = frozenset({"max_tokens", "max_completion_tokens"})
_DEFAULT_MAX_TOKENS = 8192
_SAMPLED = ("temperature", "top_p", "top_k")
_OF_BOTH = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "verbosity")
"""Fields that mean the same in OpenAI's Responses and in Chat Completions. ``metadata`` does not: here it belongs to
answers that OpenAI keeps, and is refused without ``store`` (OpenAI API reference, "Create chat completion")."""


class OpenAIWire:
    """Implements ``Wire``."""

    carries = frozenset({"image", "image_url", "audio", "document", "token_input", "json_object"})

    def chat(self, request: Request, target: Target, *, max_output: int | None) -> HttpRequest:
        """``POST {base_url}/chat/completions``. Raises BadRequest for content this API cannot hold."""
        accept = "text/event-stream" if request.stream else "application/json"
        body = write_chat(request, target, max_output)
        return _post(target, target.provider.paths.get("chat", "/chat/completions"), accept, body)

    def embed(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """``POST {base_url}/embeddings``."""
        path = target.provider.paths.get("embeddings", "/embeddings")
        return _post(target, path, "application/json", write_embed(request, target))

    def chat_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """Reads a stream or a JSON body, whichever it turns out to be: content types are at times wrong."""
        return ChatReader(target, now)

    def embed_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """Reads a JSON body."""
        return EmbedReader(target, now)


def _post(target: Target, path: str, accept: str, body: Table) -> HttpRequest:
    headers = {"content-type": "application/json", "accept": accept}
    if target.secret:
        auth = target.provider.auth
        headers[auth.header.lower()] = f"{auth.scheme} {target.secret}".strip()
    headers |= target.headers
    return HttpRequest("POST", target.base_url + path, headers, orjson.dumps(body))


def write_chat(request: Request, target: Target, max_output: int | None) -> Table:
    """The body, as a table."""
    quirks = target.quirks
    body: Table = {"model": target.model.id, "messages": write_messages(request, target)}
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage is not False:
            body["stream_options"] = {"include_usage": True}
    _limit(body, target, max_output)
    if request.stop:
        body["stop"] = list(request.stop)
    _tools(body, request, quirks)
    if request.response_format:
        body["response_format"] = _format(request.response_format, quirks)
    _taste(body, request, quirks)
    thinking = _thinking(request, target)
    if request.extra:
        body |= _extra(request, body)
    body |= thinking
    if quirks.allow is not None or quirks.drop or quirks.rename:
        kept = _OWN | _MAX_TOKENS | (thinking.keys() if quirks.thinking or quirks.effort else frozenset())
        body = shape_fields(body, quirks, kept)
    return add_fields(body, quirks)


def _extra(request: Request, body: Table) -> Table:
    """What only the caller and this API know, as it came."""
    extra = request.extra
    if request.dialect == "openai":
        return {name: value for name, value in extra.items() if name not in body}
    return {name: extra[name] for name in _OF_BOTH if name in extra} if request.dialect == "responses" else {}


def _limit(body: Table, target: Target, max_output: int | None) -> None:
    quirks, model = target.quirks, target.model
    if max_output is None and quirks.always_max_tokens:
        max_output = _DEFAULT_MAX_TOKENS
        if model.max_output:
            max_output = min(model.max_output, _DEFAULT_MAX_TOKENS) if quirks.charges_output else model.max_output
        if model.context:
            max_output = min(max_output, model.context // 2)
    if max_output is not None:
        body[quirks.max_tokens_field or "max_tokens"] = max_output


def _tools(body: Table, request: Request, quirks: Quirks) -> None:
    choice = request.tool_choice
    tools = request.tools
    if not tools:
        return
    words = quirks.tool_choice or {}
    if choice and choice.mode is ToolMode.NAMED and (quirks.tool_choice_named is False or "named" in words):
        tools = tuple(tool for tool in tools if tool.name == choice.name) or tools
        choice = ToolChoice(mode=ToolMode.REQUIRED)
    if choice and choice.mode is ToolMode.NONE and words.get("none") == "":
        return
    body["tools"] = [_tool(tool, quirks) for tool in tools]
    if choice and (written := _choice(choice, words)):
        body["tool_choice"] = written
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _choice(choice: ToolChoice, words: dict[str, str]) -> str | Table:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return words.get(choice.mode.value, choice.mode.value)


def _tool(tool: Tool, quirks: Quirks) -> Table:
    schema = tool.schema or {"type": "object", "properties": {}}
    if quirks.schema_drop:
        schema = drop_keywords(schema, quirks.schema_drop)
    strict = tool.strict if quirks.strict_tools is not False else None
    if strict and quirks.schema_closed:
        schema = close_objects(schema)
    function: Table = {"name": tool.name, "description": tool.description, "parameters": schema, "strict": strict}
    return {"type": "function", "function": {key: value for key, value in function.items() if value is not None}}


def _format(wanted: ResponseFormat, quirks: Quirks) -> Table:
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    schema = wanted.schema
    if schema is not None and wanted.strict and quirks.schema_closed:
        schema = close_objects(schema)
    table: Table = {
        "name": wanted.name,
        "description": wanted.description,
        "schema": schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema", "json_schema": {key: value for key, value in table.items() if value is not None}}


def _taste(body: Table, request: Request, quirks: Quirks) -> None:
    for name, value in msgspec.to_builtins(request.sampling).items():  # without those that were not said
        if quirks.sampling is False and name in _SAMPLED:
            continue
        # OpenAI has no top_k: from another dialect it goes only where it is known to be taken.
        if name != "top_k" or quirks.allow is not None or request.dialect == "openai":
            body[name] = value
    if request.user is not None:
        body["user"] = request.user
    if request.metadata is not None and request.dialect == "openai":
        body["metadata"] = request.metadata


def _thinking(request: Request, target: Target) -> Table:
    """Fields that say whether and how hard to think. A model that is not known to reason is told only what the caller
    said in this API's own words."""
    quirks, thinking = target.quirks, request.thinking
    if quirks.thinking == "none" or target.model.reasoning is False:
        return {}
    if target.model.reasoning is None and thinking.effort is None:
        return {}
    if quirks.thinking != "type":
        word = effort_word(thinking, quirks)
        return {"reasoning_effort": word} if word else {}
    if thinking.enabled is None and thinking.effort is None:
        return {}
    if wanted_effort(thinking) == "none":
        return {"thinking": {"type": "disabled"}}
    table: Table = {"thinking": {"type": "enabled"}}
    if quirks.effort and (word := effort_word(thinking, quirks)):
        table["reasoning_effort"] = word
    return table
