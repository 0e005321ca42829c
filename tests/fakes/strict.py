"""A provider that is as strict as real ones and answers whatever passes: OpenAI's and Anthropic's APIs.

The first step of the path names a style (``STYLES``), which says what that provider refuses beyond the API's own rules;
an unknown name is plain OpenAI, or Anthropic where the path ends in ``/messages``. A refusal is a 400 that says what is
wrong; ``refused`` keeps them.

What is checked, and where it was seen: OpenAI API reference (message order, tool calls and their results, unknown
arguments); Mistral ("Tool call id was ... but must be a-z, A-Z, 0-9, with a length of 9", "Unexpected role"); Gemini's
compatible lane (schema keywords, "Unknown name"); Anthropic's reference (max_tokens, alternating turns, tool_result
blocks, thinking with its signature, blank text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from .strict_answers import anthropic_events, anthropic_message, embeddings, openai_chunks, openai_completion
from .upstream import Peer, Seen, reply, sse

Table = dict[str, Any]


class Style(msgspec.Struct, frozen=True):
    """``fields``: optional top-level fields it takes. ``tool_id``: the shape of ids. ``keywords``: of JSON Schema that
    it refuses. ``last``: roles that the conversation may end in. ``thinks``: it answers with reasoning first."""

    fields: frozenset[str]
    tool_id: str = r".+"
    keywords: frozenset[str] = frozenset()
    last: tuple[str, ...] = ("system", "developer", "user", "assistant", "tool")
    after_tool: tuple[str, ...] = ("tool", "assistant", "user", "system", "developer")
    roles: frozenset[str] = frozenset(("system", "developer", "user", "assistant", "tool"))
    message_fields: frozenset[str] = frozenset(("name", "refusal", "tool_calls", "tool_call_id", "reasoning_content"))
    thinks: bool = False


# fmt: off
_COMMON = frozenset((
    "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "seed", "tools", "tool_choice",
    "response_format", "parallel_tool_calls", "frequency_penalty", "presence_penalty",
))
_OPENAI = _COMMON | {
    "max_completion_tokens", "logit_bias", "logprobs", "top_logprobs", "n", "user", "metadata", "store",
    "reasoning_effort", "service_tier", "verbosity", "modalities", "prediction", "prompt_cache_key",
    "prompt_cache_retention", "safety_identifier",
}
_ANTHROPIC = frozenset((
    "model", "messages", "max_tokens", "system", "stream", "tools", "tool_choice", "stop_sequences", "temperature",
    "top_p", "top_k", "metadata", "thinking", "output_config", "service_tier",
))
# fmt: on

STYLES = {
    "mistral": Style(
        (_COMMON - {"seed", "stream_options"}) | {"random_seed", "safe_prompt", "prompt_mode", "n"},
        tool_id=r"[a-zA-Z0-9]{9}",
        keywords=frozenset(("$schema",)),
        last=("user", "tool"),
        after_tool=("tool", "assistant"),
        roles=frozenset(("system", "user", "assistant", "tool")),
        message_fields=frozenset(("name", "tool_calls", "tool_call_id", "prefix")),
    ),
    "gemini": Style(
        (_COMMON - {"seed", "parallel_tool_calls"}) | {"reasoning_effort", "max_completion_tokens", "extra_body"},
        keywords=frozenset(("$schema", "$id", "additionalProperties")),
        message_fields=frozenset(("tool_calls", "tool_call_id")),
    ),
    "thinker": Style(_OPENAI, thinks=True),
}
_PLAIN = Style(_OPENAI)


class Wrong(Exception):
    """What a real provider would answer 400 to."""


class Strict:
    """The default of ``Upstream``. ``vector``: dimensions of an embedding, ``batch`` inputs at most."""

    def __init__(self, *, vector: int = 4, batch: int = 2048) -> None:
        self.refused: list[str] = []
        self._vector = vector
        self._batch = batch

    async def __call__(self, peer: Peer, seen: Seen) -> None:
        if seen.method == "GET":
            await reply({"error": {"message": "Not found"}}, 404)(peer, seen)
            return
        style = STYLES.get(seen.path.split("/")[1], _PLAIN)
        try:
            _require(seen.method == "POST", f"{seen.method} is not allowed")
            _require(isinstance(seen.body, dict), "We could not parse the JSON body of your request")
            _require(seen.headers.get("content-type") == "application/json", "content-type must be application/json")
            await self._answer(peer, seen, style)
        except Wrong as wrong:
            self.refused.append(str(wrong))
            shape = {"message": str(wrong), "type": "invalid_request_error"}
            body = {"type": "error", "error": shape} if seen.path.endswith("/messages") else {"error": shape}
            await reply(body, 400)(peer, seen)

    async def _answer(self, peer: Peer, seen: Seen, style: Style) -> None:
        body = seen.body
        if seen.path.endswith("/messages"):
            check_anthropic(body, seen.headers)
            whole = reply(anthropic_message(body))
            step = sse(list(anthropic_events(body)), then="no_done") if body.get("stream") else whole
        elif seen.path.endswith("/embeddings"):
            self._check_embeddings(body)
            step = reply(embeddings(body, self._vector))
        else:
            check_openai(body, style)
            answer = openai_completion(body, thinks=style.thinks)
            step = sse(list(openai_chunks(body, answer))) if body.get("stream") else reply(answer)
        await step(peer, seen)

    def _check_embeddings(self, body: Table) -> None:
        unknown = body.keys() - {"model", "input", "dimensions", "encoding_format", "user"}
        _require(not unknown, f"Unrecognized request arguments: {sorted(unknown)}")
        _require(isinstance(body.get("model"), str), "model is required")
        inputs = body.get("input")
        _require(isinstance(inputs, str | list) and bool(inputs), "input is required")
        _require(isinstance(inputs, str) or len(inputs or ()) <= self._batch, f"input: at most {self._batch} items")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise Wrong(problem)


# --- OpenAI


def check_openai(body: Table, style: Style = _PLAIN) -> None:
    """Raises Wrong."""
    unknown = body.keys() - style.fields - {"model", "messages"}
    _require(not unknown, f"Unrecognized request arguments supplied: {', '.join(sorted(unknown))}")
    _require(bool(body.get("model")) and isinstance(body["model"], str), "you must provide a model parameter")
    _require("stream_options" not in body or body.get("stream") is True, "stream_options needs stream")
    _require(not {"max_tokens", "max_completion_tokens"} <= body.keys(), "max_tokens and max_completion_tokens")
    for name in ("max_tokens", "max_completion_tokens"):
        _require(name not in body or (type(body[name]) is int and body[name] > 0), f"{name} must be at least 1")
    _require(body.get("stop") is None or len(body["stop"]) <= 4, "stop: at most 4")
    tools = body.get("tools")
    _require(tools is None or bool(tools), "tools is an empty array")
    _require(bool(tools) or not {"tool_choice", "parallel_tool_calls"} & body.keys(), "tool_choice needs tools")
    for tool in tools or ():
        _tool(tool, style)
    _format(body.get("response_format") or {"type": "text"})
    _messages(body.get("messages"), style)


def _tool(tool: Table, style: Style) -> None:
    _require(tool.keys() == {"type", "function"} and tool["type"] == "function", "tools: type function")
    function = tool["function"]
    _require(function.keys() <= {"name", "description", "parameters", "strict"}, f"tools: {sorted(function)}")
    _require(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"]) is not None, f"tool name {function['name']!r}")
    schema = function.get("parameters", {})
    _require(not schema or schema.get("type") == "object", "a tool's parameters must be an object")
    found = style.keywords & set(_keys(schema))
    _require(not found, f"Unknown name {', '.join(sorted(found))} in a tool's parameters")


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema
        for name, inner in schema.items():
            inner_schemas = inner.values() if name in ("properties", "$defs") and isinstance(inner, dict) else (inner,)
            for one in inner_schemas:
                yield from _keys(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _keys(one)


def _format(wanted: Table) -> None:
    kind = wanted.get("type")
    _require(kind in ("text", "json_object", "json_schema"), f"response_format.type {kind!r}")
    if kind == "json_schema":
        inner = wanted.get("json_schema", {})
        _require(bool(inner.get("name")) and isinstance(inner.get("schema"), dict), "json_schema: name and schema")


def _messages(messages: Any, style: Style) -> None:
    _require(isinstance(messages, list) and bool(messages), "messages: at least one")
    due: dict[str, bool] = {}
    before = ""
    for at, message in enumerate(messages):
        role, where = message.get("role"), f"messages.[{at}]"
        _require(role in style.roles, f"{where}.role: {role!r}")
        unknown = message.keys() - style.message_fields - {"role", "content"}
        _require(not unknown, f"{where}: unknown {sorted(unknown)}")
        _require(before != "tool" or role in style.after_tool, f"Unexpected role '{role}' after role 'tool'")
        _require(role == "tool" or not due, f"{where}: tool calls {sorted(due)} have no response messages")
        if role == "tool":
            _tool_message(message, where, due)
        elif role == "assistant":
            _assistant(message, where, style, due)
        else:
            _content(message.get("content"), where, pictures=role == "user")
        before = role
    _require(not due, f"tool calls {sorted(due)} have no response messages")
    _require(before in style.last, f"Expected last role {' or '.join(style.last)}, got {before}")


def _tool_message(message: Table, where: str, due: dict[str, bool]) -> None:
    id_ = message.get("tool_call_id")
    _require(id_ in due, f"{where}: tool_call_id {id_!r} answers no call before it")
    del due[str(id_)]
    _content(message.get("content"), where, pictures=False)


def _assistant(message: Table, where: str, style: Style, due: dict[str, bool]) -> None:
    calls = message.get("tool_calls")
    _require(calls is None or bool(calls), f"{where}.tool_calls is empty")
    _require(bool(calls) or bool(message.get("content")), f"{where}: content or tool_calls")
    for call in calls or ():
        _require(call.keys() <= {"id", "type", "function", "extra_content"}, f"{where}: a call has {sorted(call)}")
        _require(re.fullmatch(style.tool_id, call["id"]) is not None, f"Tool call id was {call['id']}")
        _require(isinstance(orjson.loads(call["function"]["arguments"]), dict), f"{where}: arguments are no object")
        due[call["id"]] = True


def _content(content: Any, where: str, *, pictures: bool) -> None:
    if isinstance(content, str):
        return
    _require(isinstance(content, list) and bool(content), f"{where}.content: a string or parts")
    kinds = {"text", "image_url", "input_audio", "file"} if pictures else {"text"}
    for part in content:
        _require(part.get("type") in kinds, f"{where}.content: {part.get('type')!r} is not allowed here")
        _require(isinstance(part.get(part["type"]), str | dict), f"{where}.content: {part['type']} is missing")
        url = part.get("image_url", {}).get("url", "data:image/png;base64,AA==")
        _require(re.match(r"https?://|data:image/\w+;base64,", url) is not None, f"{where}: invalid image url")


# --- Anthropic


def check_anthropic(body: Table, headers: dict[str, str]) -> None:
    """Raises Wrong."""
    _require("anthropic-version" in headers, "anthropic-version: header is required")
    _require("x-api-key" in headers or "authorization" in headers, "x-api-key header is required")
    unknown = body.keys() - _ANTHROPIC
    _require(not unknown, f"{sorted(unknown)}: Extra inputs are not permitted")
    _require(type(body.get("max_tokens")) is int and body["max_tokens"] > 0, "max_tokens: Field required")
    _require(body.get("temperature") is None or 0 <= body["temperature"] <= 1, "temperature: range: 0..1")
    _require("temperature" not in body or "top_p" not in body, "temperature and top_p cannot both be specified")
    if isinstance(body.get("system"), list):
        _require(all(block["type"] == "text" and block["text"].strip() for block in body["system"]), "system: text")
    for tool in body.get("tools") or ():
        known = {"name", "description", "input_schema", "cache_control", "strict", "type"}
        _require(tool.keys() <= known, f"tools: Extra inputs are not permitted: {sorted(tool)}")
        _require(tool["input_schema"].get("type") == "object", "tools.input_schema.type: Input should be 'object'")
    choice = body.get("tool_choice", {"type": "auto"})
    _require(choice.get("type") in ("auto", "any", "tool", "none"), f"tool_choice: {choice}")
    _require("tool_choice" not in body or bool(body.get("tools")), "tool_choice may only be given with tools")
    _thinking(body, choice)
    _turns(body["messages"])


def _thinking(body: Table, choice: Table) -> None:
    thinking = body.get("thinking", {"type": "disabled"})
    if thinking["type"] != "enabled":
        return
    budget = thinking.get("budget_tokens", 0)
    _require(1024 <= budget < body["max_tokens"], "thinking.budget_tokens: at least 1024, less than max_tokens")
    _require(body.get("temperature", 1) == 1 and "top_k" not in body, "temperature may only be 1 with thinking")
    _require(choice["type"] in ("auto", "none"), "Thinking may not be enabled when tool_choice forces tool use")


def _turns(messages: list[Table]) -> None:
    _require(bool(messages) and messages[0]["role"] == "user", "messages: first message must use the user role")
    due: set[str] = set()
    before = ""
    for at, turn in enumerate(messages):
        _require(turn.keys() == {"role", "content"}, f"messages.{at}: {sorted(turn)}")
        _require(turn["role"] != before, "messages: roles must alternate")
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        _require(bool(blocks), f"messages.{at}: content must not be empty")
        answered = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        _require(set(answered) == due, f"messages.{at}: tool_use ids {sorted(due)} without tool_result, or others")
        first = [block["type"] for block in blocks[: len(answered)]]
        _require(first == ["tool_result"] * len(answered), f"messages.{at}: tool_result blocks come first")
        for block in blocks:
            _block(block, f"messages.{at}")
        due = {block["id"] for block in blocks if block["type"] == "tool_use"}
        before = turn["role"]
    _require(not due, f"tool_use ids were found without tool_result blocks: {sorted(due)}")


def _block(block: Table, where: str) -> None:
    match block["type"]:
        case "text":
            _require(bool(block["text"].strip()), f"{where}: text content blocks must contain non-whitespace text")
        case "thinking":
            _require(bool(block.get("signature")), f"{where}: thinking.signature: Field required")
        case "tool_use":
            _require(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", block["id"]) is not None, f"{where}: id {block['id']!r}")
            _require(isinstance(block["input"], dict), f"{where}: tool_use.input: Input should be an object")
        case "image" | "document":
            _require(block["source"]["type"] in ("base64", "url", "text"), f"{where}: source")
        case kind:
            _require(kind in ("tool_result", "redacted_thinking"), f"{where}: unknown block {kind!r}")
