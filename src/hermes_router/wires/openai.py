"""The Chat Completions wire: our requests as OpenAI-style HTTP requests. Readers are in ``openai_reader``.

Source: OpenAI API reference, "Create chat completion" and "Create embeddings". What a provider does differently comes
in as quirks. Knobs of taste that a provider lacks are left out; content that this API cannot hold is a BadRequest,
since routing should not have let it come here.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from ..catalogue.schema import ModelSpec, Quirks
from ..core.request import EmbeddingRequest, KeptTools, Request, ResponseFormat, Tool, ToolChoice, ToolMode
from ..transport.base import FixedHeaders, HttpRequest
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
_ALSO_SAID = ("seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs")
_OF_BOTH = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "verbosity")
"""Fields that mean the same in OpenAI's Responses and in Chat Completions. ``metadata`` does not: here it belongs to
answers that OpenAI keeps, and is refused without ``store`` (OpenAI API reference, "Create chat completion")."""


class OpenAIWire:
    """Implements ``Wire``."""

    carries = frozenset({"image", "image_url", "audio", "document", "token_input", "json_object"})

    def chat(self, request: Request, target: Target, *, max_output: int | None) -> HttpRequest:
        """``POST {base_url}/chat/completions``. Raises BadRequest for content this API cannot hold."""
        address: _Address | None = target.kept.get("chat")
        if address is None:
            address = target.kept["chat"] = _address(target, target.provider.paths.get("chat", "/chat/completions"))
        headers = address.streamed if request.stream else address.whole
        return HttpRequest("POST", address.url, headers, orjson.dumps(write_chat(request, target, max_output)))

    def embed(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """``POST {base_url}/embeddings``."""
        address: _Address | None = target.kept.get("embed")
        if address is None:
            address = target.kept["embed"] = _address(target, target.provider.paths.get("embeddings", "/embeddings"))
        return HttpRequest("POST", address.url, address.whole, orjson.dumps(write_embed(request, target)))

    def chat_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """Reads a stream or a JSON body, whichever it turns out to be: content types are at times wrong."""
        return ChatReader(target, now)

    def embed_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """Reads a JSON body."""
        return EmbedReader(target, now)


class _Address(msgspec.Struct, frozen=True):
    """Where a target's requests go, with the headers of those for a whole answer and for a stream."""

    url: str
    whole: FixedHeaders
    streamed: FixedHeaders

    # The headers hold the key.
    def __repr__(self) -> str:
        return "_Address()"


def _address(target: Target, path: str) -> _Address:
    key: dict[str, str] = {}
    if target.secret:
        auth = target.provider.auth
        key[auth.header.lower()] = f"{auth.scheme} {target.secret}".strip()
    whole, streamed = (
        FixedHeaders({"content-type": "application/json", "accept": accept} | key | target.headers)
        for accept in ("application/json", "text/event-stream")
    )
    return _Address(target.base_url + path, whole, streamed)


def write_chat(request: Request, target: Target, max_output: int | None) -> Table:
    """The body, as a table."""
    quirks, model = target.quirks, target.model
    body: Table = {"model": model.id, "messages": write_messages(request, target)}
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage is not False:
            body["stream_options"] = {"include_usage": True}
    if max_output is None and quirks.always_max_tokens:
        max_output = _default_output(model, quirks)
    if max_output is not None:
        body[quirks.max_tokens_field or "max_tokens"] = max_output
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        _tools(body, request, quirks)
    if request.response_format:
        body["response_format"] = _format(request.response_format, quirks)
    _taste(body, request, quirks)
    thinking = {} if model.reasoning is False else _thinking(request, target)
    if request.extra:
        body |= _extra(request, body)
    body |= thinking
    shaped = quirks.allow is not None or quirks.drop or quirks.rename
    if not (shaped or request.extra or quirks.body or quirks.force):
        return body
    if shaped:
        kept = _OWN | _MAX_TOKENS | (thinking.keys() if quirks.thinking or quirks.effort else frozenset())
        body = shape_fields(body, quirks, kept)
    return add_fields(body, quirks)


def _extra(request: Request, body: Table) -> Table:
    """What only the caller and this API know, as it came."""
    extra = request.extra
    if request.dialect == "openai":
        return {name: value for name, value in extra.items() if name not in body}
    return {name: extra[name] for name in _OF_BOTH if name in extra} if request.dialect == "responses" else {}


def _default_output(model: ModelSpec, quirks: Quirks) -> int:
    most = _DEFAULT_MAX_TOKENS
    if model.max_output:
        most = min(model.max_output, _DEFAULT_MAX_TOKENS) if quirks.charges_output else model.max_output
    return min(most, model.context // 2) if model.context else most


def _tools(body: Table, request: Request, quirks: Quirks) -> None:
    choice = request.tool_choice
    tools = request.tools
    words = quirks.tool_choice or {}
    if choice and choice.mode is ToolMode.NAMED and (quirks.tool_choice_named is False or "named" in words):
        tools = tuple(tool for tool in tools if tool.name == choice.name) or tools
        choice = ToolChoice(mode=ToolMode.REQUIRED)
    if choice and choice.mode is ToolMode.NONE and words.get("none") == "":
        return
    body["tools"] = _offered(tools, quirks)
    if choice and (written := _choice(choice, words)):
        body["tool_choice"] = written
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _choice(choice: ToolChoice, words: dict[str, str]) -> str | Table:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return words.get(choice.mode.value, choice.mode.value)


def _offered(tools: tuple[Tool, ...], quirks: Quirks) -> list[Table] | orjson.Fragment:
    """As JSON already where they are kept for the next request: providers with the same quirks share it."""
    if type(tools) is not KeptTools:
        return [_tool(tool, quirks) for tool in tools]
    key = (OpenAIWire, quirks.schema_drop, quirks.strict_tools, quirks.schema_closed)
    written: orjson.Fragment | None = tools.noted.get(key)
    if written is None:
        written = tools.noted[key] = orjson.Fragment(orjson.dumps([_tool(tool, quirks) for tool in tools]))
    return written


def _tool(tool: Tool, quirks: Quirks) -> Table:
    function: Table = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    schema = tool.schema or {"type": "object", "properties": {}}
    if quirks.schema_drop:
        schema = drop_keywords(schema, quirks.schema_drop)
    function["parameters"] = schema
    strict = tool.strict
    if strict is not None and quirks.strict_tools is not False:
        if strict and quirks.schema_closed:
            function["parameters"] = close_objects(schema)
        function["strict"] = strict
    return {"type": "function", "function": function}


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
    said = request.sampling
    if quirks.sampling is not False:
        if said.temperature is not None:
            body["temperature"] = said.temperature
        if said.top_p is not None:
            body["top_p"] = said.top_p
        # OpenAI has no top_k: from another dialect it goes only where it is known to be taken.
        if said.top_k is not None and (quirks.allow is not None or request.dialect == "openai"):
            body["top_k"] = said.top_k
    for name in _ALSO_SAID:
        if (value := getattr(said, name)) is not None:
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
