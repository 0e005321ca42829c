"""The Anthropic Messages API as an upstream: a Request into ``POST {base_url}/messages``. Reading is
``anthropic_reader.py``.

What the API is strict about and other dialects are not is put right here: instructions go to ``system`` wherever
they stood, turns alternate and begin with the user, tool results open the turn after their calls, blank text is left
out, ids keep to the API's alphabet, ``max_tokens`` is always there. Whether a model can do what is asked was decided
before; knobs that change only the taste of an answer are left out where they are refused.

Sources: Anthropic's API reference (Messages, extended thinking, structured outputs), and recorded refusals where a
comment says so.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from ..catalogue.schema import Auth
from ..core.errors import CannotServe
from ..core.request import (
    Audio,
    Document,
    EmbeddingRequest,
    Image,
    KeptTools,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
)
from ..transport.base import FixedHeaders, HttpRequest
from .anthropic_reader import MessageReader
from .anthropic_thinking import choose_thinking
from .base import Reader, Target
from .quirks import add_fields, shape_fields, tool_id
from .schemas import close_objects, drop_keywords

Body = dict[str, Any]
Turn = dict[str, Any]

_VERSION = "2023-06-01"
_DEFAULT_MAX_TOKENS = 8192
_MAX_STRICT_TOOLS = 20  # 400 "Too many strict tools (21). The maximum number of strict tools supported is 20."
_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)
_CHOICES = {ToolMode.AUTO: "auto", ToolMode.REQUIRED: "any", ToolMode.NONE: "none", ToolMode.NAMED: "tool"}
_NEEDED = frozenset({"model", "messages", "max_tokens", "system", "stream", "tools"})
_JSON_OBJECT = "Answer with a single JSON object and nothing else: no words before or after it, no code fence."
# Refused in output schemas: "For 'integer' type, property 'minimum' is not supported" (recorded), and the rest of the
# list under "JSON Schema limitations" in the structured outputs guide (2026-11).
_SCHEMA_REFUSED = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems"}
)


class AnthropicWire:
    """The wire; see ``Wire``. It has no embeddings and no audio."""

    carries = frozenset({"image", "image_url", "document", "document_url"})

    def chat(self, request: Request, target: Target, *, max_output: int | None) -> HttpRequest:
        body = _body(request, target, max_output or target.model.max_output or _DEFAULT_MAX_TOKENS)
        path = target.provider.paths.get("chat", "/messages")
        return HttpRequest("POST", target.base_url + path, _headers(request, target), orjson.dumps(body))

    def embed(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        raise CannotServe(f"{target.name} has no embeddings: its API is Anthropic's Messages API")

    def chat_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        return MessageReader(target, content_type=content_type, now=now)

    def embed_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        raise CannotServe(f"{target.name} has no embeddings: its API is Anthropic's Messages API")


def _headers(request: Request, target: Target) -> dict[str, str]:
    accept = "text/event-stream" if request.stream else "application/json"
    usual: FixedHeaders | None = target.kept.get(accept)
    if usual is None:
        own = {name.lower(): value for name, value in target.headers.items()}
        api = {"content-type": "application/json", "accept": accept, "anthropic-version": _VERSION}
        usual = target.kept[accept] = FixedHeaders(api | own | _key(target))
    betas = request.extra.get("anthropic_beta") if request.dialect == "anthropic" else None
    if not betas:
        return usual
    said = usual.get("anthropic-beta", "").split(",")
    both = ",".join(dict.fromkeys(word.strip() for word in (*said, *betas) if word.strip()))
    return {**usual, "anthropic-beta": both}


def _key(target: Target) -> dict[str, str]:
    auth = target.provider.auth
    if not target.secret:
        return {}
    said = {auth.header.lower(): f"{auth.scheme} {target.secret}".strip()}
    # Where nothing was said about the header: the API's own beside the common one, as the official SDK sends both.
    return {"x-api-key": target.secret, **said} if auth == Auth() else said


def _own_extra(request: Request) -> dict[str, Any]:
    return request.extra if request.dialect == "anthropic" else {}


# ---- the body


def _body(request: Request, target: Target, max_tokens: int) -> Body:
    turns = _turns(request, target)
    system = _system(request)
    if not turns:
        # Instructions alone are a request elsewhere; here somebody must have spoken.
        turns, system = [{"role": "user", "content": system[-1:] or [_text("Hello.")]}], system[:-1]
    thinking, effort = choose_thinking(request, target, max_tokens, turns)
    body: Body = {"model": target.model.id, "max_tokens": max_tokens, "messages": turns}
    if system:
        body["system"] = _plain_if_simple(system)
    body |= _tooling(request, target)
    body |= _sampling(request, target, thinking)
    if thinking:
        body["thinking"] = thinking
    if stop := [text for text in request.stop if text.strip()]:
        body["stop_sequences"] = stop
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.stream:
        body["stream"] = True
    extra = dict(_own_extra(request))
    extra.pop("anthropic_beta", None)
    if config := _output_config(request, target, effort, extra.pop("output_config", {})):
        body["output_config"] = config
    return add_fields(shape_fields(extra | body, target.quirks, _NEEDED), target.quirks)


def _sampling(request: Request, target: Target, thinking: Body | None) -> Body:
    """Temperature ends at 1 here. Thinking takes neither temperature nor top_k and only a top_p of 0.95 and more;
    newer models refuse temperature and top_p together: temperature is the one kept."""
    if target.quirks.sampling is False:
        return {}
    said = request.sampling
    if thinking and thinking["type"] != "disabled":
        return {"top_p": said.top_p} if said.top_p is not None and said.top_p >= 0.95 else {}
    knobs: Body = {}
    if said.temperature is not None:
        knobs["temperature"] = min(said.temperature, 1.0)
    elif said.top_p is not None:
        knobs["top_p"] = said.top_p
    if said.top_k is not None:
        knobs["top_k"] = said.top_k
    return knobs


def _output_config(request: Request, target: Target, effort: str | None, said: Body) -> Body:
    config = {name: value for name, value in said.items() if name != "effort"}
    if said.get("effort"):
        # "max", which is no effort of ours: the caller's own word where the model has it.
        effort = (target.quirks.effort or {"max": "max"}).get("max", effort) if effort or target.quirks.effort else None
    if effort is not None:
        config["effort"] = effort
    wanted = request.response_format
    if wanted is not None and wanted.schema is not None and target.model.json_schema is not False:
        config["format"] = {"type": "json_schema", "schema": _native_schema(wanted.schema, target)}
    return config


def _native_schema(schema: Body, target: Target) -> Body:
    """A schema as structured outputs take it: every object closed, without the keywords they refuse."""
    return close_objects(drop_keywords(schema, _SCHEMA_REFUSED.union(target.quirks.schema_drop or ())))


# ---- tools


def _tooling(request: Request, target: Target) -> Body:
    if not request.tools:
        return {}
    choice, tools = request.tool_choice, request.tools
    mode = choice.mode if choice else ToolMode.AUTO
    name = choice.name if choice else None
    if mode is ToolMode.NAMED and target.quirks.tool_choice_named is False:
        mode, tools = ToolMode.REQUIRED, tuple(tool for tool in tools if tool.name == name)
    strict = target.quirks.strict_tools is not False and sum(bool(tool.strict) for tool in tools) <= _MAX_STRICT_TOOLS
    body: Body = {"tools": _offered(tools, target, strict)}
    word = (target.quirks.tool_choice or {}).get(mode, _CHOICES[mode])
    alone = request.parallel_tools is False and mode is not ToolMode.NONE
    if not word or (choice is None and not alone):
        return body
    body["tool_choice"] = {"type": word}
    if mode is ToolMode.NAMED:
        body["tool_choice"]["name"] = name
    if alone:
        body["tool_choice"]["disable_parallel_tool_use"] = True
    return body


def _offered(tools: tuple[Tool, ...], target: Target, strict: bool) -> list[Body] | orjson.Fragment:
    """As JSON already where they are kept for the next request."""
    if type(tools) is not KeptTools:
        return [_tool(tool, target, strict) for tool in tools]
    key = (AnthropicWire, target.quirks.schema_drop, strict)
    written: orjson.Fragment | None = tools.noted.get(key)
    if written is None:
        written = tools.noted[key] = orjson.Fragment(orjson.dumps([_tool(tool, target, strict) for tool in tools]))
    return written


def _tool(tool: Tool, target: Target, strict: bool) -> Body:
    refused = target.quirks.schema_drop
    schema = drop_keywords(tool.schema, refused) if refused else tool.schema
    body: Body = {"name": tool.name, "input_schema": {"type": "object"} | schema}
    if tool.description:
        body["description"] = tool.description
    if tool.strict and strict:
        body |= {"strict": True, "input_schema": close_objects(body["input_schema"])}
    return _marked(body, tool.cache_control)


# ---- messages


def _system(request: Request) -> list[Body]:
    parts = [part for message in request.messages if message.role in _INSTRUCTIONS for part in message.parts]
    blocks = [_marked(_text(part.text), part.cache_control) for part in parts if isinstance(part, Text) and _says(part)]
    if request.response_format is not None and request.response_format.kind == "json_object":
        blocks.append(_text(_JSON_OBJECT))
    return blocks


def _turns(request: Request, target: Target) -> list[Turn]:
    turns: list[Turn] = []
    for message in request.messages:
        if message.role in _INSTRUCTIONS:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _blocks(message, target)
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if turns and turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [_text("(The conversation so far follows.)")]})
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return _without_trailing_space(turns)


def _without_trailing_space(turns: list[Turn]) -> list[Turn]:
    """400 "final assistant content cannot end with trailing whitespace"."""
    if turns and turns[-1]["role"] == "assistant":
        last = turns[-1]["content"][-1]
        if last["type"] == "text":
            last["text"] = last["text"].rstrip()
    return turns


def _blocks(message: Message, target: Target) -> list[Body]:
    own = (message.origin or "").partition("/")[0] == target.name
    shape = target.quirks.tool_ids or "word64"
    blocks: list[Body] = []
    for part in message.parts:
        if isinstance(part, Reasoning):
            blocks += _thought(part) if own else ()
        elif not isinstance(part, Text | Refusal) or _says(part):
            blocks.append(_block(part, shape))
            if own and isinstance(part, Text) and part.citations:
                blocks[-1]["citations"] = part.citations
    return blocks


def _says(part: Text | Refusal) -> bool:
    """Blank text blocks are refused: "text content blocks must contain non-whitespace text"."""
    return bool(part.text.strip())


def _thought(part: Reasoning) -> list[Body]:
    """Only with what proves it is the provider's own; a thinking block without its signature is refused."""
    if part.redacted is not None:
        return [{"type": "redacted_thinking", "data": part.redacted}]
    if part.signature:
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
    return []


def _block(part: Part, shape: str = "") -> Body:
    """``shape`` is that of tool-call ids."""
    match part:
        case Text():
            return _marked(_text(part.text), part.cache_control)
        case Image():
            return _marked({"type": "image", "source": _image_source(part)}, part.cache_control)
        case Document():
            return _document(part)
        case ToolCall():
            block = {
                "type": "tool_use",
                "id": tool_id(part.id, shape),
                "name": part.name,
                "input": _input(part.arguments),
            }
            return _marked(block, part.cache_control)
        case ToolResult():
            return _result(part, shape)
        case Refusal():
            return _text(part.text)
        case Audio():
            raise CannotServe("Anthropic's Messages API takes no audio")
        case Reasoning():
            raise TypeError("reasoning is written by _thought")


def _text(text: str) -> Body:
    return {"type": "text", "text": text}


def _marked(block: Body, mark: dict[str, Any] | None) -> Body:
    if mark:
        block["cache_control"] = mark
    return block


def _plain_if_simple(blocks: list[Body]) -> str | list[Body]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _image_source(part: Image) -> Body:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}


def _document(part: Document) -> Body:
    block: Body = {"type": "document", "source": _document_source(part)}
    for name, value in (("title", part.title), ("context", part.context)):
        if value:
            block[name] = value
    if part.citations:
        block["citations"] = {"enabled": True}
    return _marked(block, part.cache_control)


def _document_source(part: Document) -> Body:
    if part.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    if part.url is not None:
        return {"type": "url", "url": part.url}
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    if (part.media_type or "").startswith("text/"):
        # Base64 documents are PDF only.
        text = base64.b64decode(part.data or "").decode("utf-8", "replace")
        return {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "base64", "media_type": part.media_type or "application/pdf", "data": part.data}


def _result(part: ToolResult, shape: str) -> Body:
    inner = [_block(item) for item in part.parts if not isinstance(item, Text) or _says(item)]
    block: Body = {"type": "tool_result", "tool_use_id": tool_id(part.id, shape)}
    if part.is_error and all(item["type"] == "text" for item in inner):
        block["is_error"] = True
    elif part.is_error:
        # 400 "all content must be type text if is_error is true"
        inner.insert(0, _text("The tool failed."))
    if inner:
        block["content"] = _plain_if_simple(inner)
    return _marked(block, part.cache_control)


def _input(arguments: str) -> Any:
    """The arguments as the object the API wants. Text that is none (a history from elsewhere) is kept as a value."""
    said = arguments.strip() or "{}"
    try:
        value = orjson.loads(said)
    except orjson.JSONDecodeError:
        value = said
    return orjson.Fragment(said) if isinstance(value, dict) else {"arguments": value}
