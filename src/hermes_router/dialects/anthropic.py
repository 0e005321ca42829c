"""The Anthropic Messages API as a caller speaks it: ``POST /v1/messages`` into a Request.

What Anthropic runs on its own servers (web search, code execution, MCP connectors, containers) or knows only by its
models (bash, text editor, computer, memory) cannot be moved to another provider: such tools, and turns that hold
their results, are refused by name rather than dropped. Writing answers is ``anthropic_writer.py``.

Source of the shapes: Anthropic's API reference for Messages and the types of the anthropic SDK 2.12 (2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from ..core.errors import BadRequest, RouterError
from ..core.fold import Answer
from ..core.request import (
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from . import anthropic_writer as writer
from . import reading
from .anthropic_usual import Usual, usual, usual_messages
from .base import Served, StreamWriter
from .kept_tools import ToolShelf
from .reading import Table, Unusual, at

# fmt: off
_READ = frozenset((
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences", "temperature", "top_p",
    "top_k", "metadata", "thinking", "output_config", "output_format", "stream", "mcp_servers", "anthropic_version",
    "anthropic_beta",
))
# fmt: on
_CHOICES = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "none": ToolMode.NONE, "tool": ToolMode.NAMED}
# "max" has no word of ours: other wires read xhigh, Anthropic's own finds the caller's word in ``extra``.
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}
_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_", "browser_")
_UNSAID, _PLAIN = Thinking(show=False), Sampling()
_MIN_BUDGET = 1024  # API reference, thinking.budget_tokens


class AnthropicMessages:
    """The dialect; see ``Dialect``."""

    name = "anthropic"

    def __init__(self) -> None:
        self._shelf = ToolShelf(_tools)

    def read(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Raises BadRequest naming the field by its path."""
        try:
            said = usual(body)
            if said.max_tokens is None:
                raise Unusual
            return _usual_request(said, headers, self._shelf)
        except (Unusual, BadRequest):
            return read_request(reading.parse_json(body), headers, reading.need_integer)

    def read_to_count(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """The body of ``/v1/messages/count_tokens``, which names no ``max_tokens``. Raises BadRequest."""
        try:
            return _usual_request(usual(body), headers, self._shelf)
        except (Unusual, BadRequest):
            return read_request(reading.parse_json(body), headers, reading.integer)

    def answer(self, request: Request, answer: Answer, served: Served) -> bytes:
        return writer.message(request, answer, served)

    def stream(self, request: Request, served: Served) -> StreamWriter:
        return writer.MessageStream(request, served)

    def error(self, error: RouterError, request_id: str) -> bytes:
        return writer.error_body(error, request_id)


def read_request(table: Table, headers: Mapping[str, str], limit: Callable[..., int | None]) -> Request:
    """The body as our Request. ``limit`` reads ``max_tokens``. Raises BadRequest."""
    tools = _tools(table)
    choice, parallel = _tool_choice(table, tools)
    return Request(
        dialect=AnthropicMessages.name,
        model=reading.text(table, "model") or "",
        messages=_system(table) + _messages(table),
        tools=tools,
        tool_choice=choice,
        parallel_tools=parallel,
        response_format=_response_format(table),
        stop=reading.strings(table, "stop_sequences"),
        max_output=limit(table, "max_tokens", minimum=1),
        sampling=_sampling(table),
        thinking=_thinking(table),
        stream=reading.boolean(table, "stream") or False,
        include_usage=True,
        user=reading.text(reading.object_(table, "metadata") or {}, "user_id", "metadata"),
        extra=_extra(table, headers),
    )


def _usual_request(body: Usual, headers: Mapping[str, str], shelf: ToolShelf) -> Request:
    """Raises Unusual, or BadRequest: the general reader then says what is wrong in its own words."""
    tools = shelf.of(bytes(body.tools)) if body.tools else ()
    choice, parallel = None, None
    if body.tool_choice is not None:
        choice, parallel = _tool_choice({"tool_choice": msgspec.to_builtins(body.tool_choice)}, tools)
    betas = _betas({}, headers) if "anthropic-beta" in headers else ()
    return Request(
        dialect=AnthropicMessages.name,
        model=body.model or "",
        messages=usual_messages(body),
        tools=tools,
        tool_choice=choice,
        parallel_tools=parallel,
        stop=tuple(body.stop_sequences or ()),
        max_output=body.max_tokens,
        sampling=_usual_sampling(body),
        thinking=_UNSAID if body.thinking is None else _thinking({"thinking": msgspec.to_builtins(body.thinking)}),
        stream=body.stream or False,
        include_usage=True,
        user=body.metadata.user_id if body.metadata else None,
        extra={"anthropic_beta": betas} if betas else {},
    )


# ---- settings


def _usual_sampling(body: Usual) -> Sampling:
    temperature, top_p, top_k = body.temperature, body.top_p, body.top_k
    if temperature is None and top_p is None and top_k is None:
        return _PLAIN
    return _tastes(temperature, top_p, top_k)


def _sampling(table: Table) -> Sampling:
    top_p = reading.number(table, "top_p", minimum=-1, maximum=1)
    top_k = reading.integer(table, "top_k", minimum=-1)
    return _tastes(reading.number(table, "temperature", minimum=0, maximum=1), top_p, top_k)


def _tastes(temperature: float | None, top_p: float | None, top_k: int | None) -> Sampling:
    # The API takes -1 for "not set" (recorded with 200).
    return Sampling(
        temperature=temperature,
        top_p=top_p if top_p is not None and top_p >= 0 else None,
        top_k=top_k if top_k is not None and top_k >= 0 else None,
    )


def _thinking(table: Table) -> Thinking:
    config = reading.object_(table, "output_config") or {}
    word = reading.choice(config, "effort", "output_config", among=_EFFORTS)
    effort = _EFFORTS[word] if word else None
    said = reading.object_(table, "thinking")
    if said is None:
        return Thinking(effort=effort, show=False)
    kind = reading.need_choice(said, "type", "thinking", among=("enabled", "adaptive", "disabled"))
    if kind == "disabled":
        return Thinking(enabled=False, show=False)
    budget = None
    if kind == "enabled":
        budget = reading.need_integer(said, "budget_tokens", "thinking", minimum=_MIN_BUDGET)
    display = reading.choice(said, "display", "thinking", among=("summarized", "omitted"))
    return Thinking(enabled=True, effort=effort, budget=budget, show=display != "omitted")


def _response_format(table: Table) -> ResponseFormat | None:
    """``output_config.format``, or ``output_format`` as the feature was called in its beta (2025-11)."""
    config = reading.object_(table, "output_config") or {}
    for holder, key, where in ((config, "format", "output_config"), (table, "output_format", "")):
        said = reading.object_(holder, key, where)
        if said is not None:
            path = at(where, key)
            reading.need_choice(said, "type", path, among=("json_schema",))
            schema = reading.need_object(said, "schema", path)
            return ResponseFormat(kind="json_schema", schema=schema, strict=True)
    return None


def _extra(table: Table, headers: Mapping[str, str]) -> Table:
    """What only Anthropic's own wire can use: unread fields, the rest of ``output_config``, and the beta header
    under ``anthropic_beta``, which is its name where betas travel in the body (Bedrock, Vertex)."""
    if reading.items(table, "mcp_servers"):
        raise reading.bad(
            "mcp_servers", "cannot be used here: MCP connectors run on Anthropic's servers; offer their tools yourself"
        )
    extra = reading.leftovers(table, _READ)
    rest = dict(reading.object_(table, "output_config") or {})
    rest.pop("format", None)
    if rest.get("effort") != "max":
        rest.pop("effort", None)
    if rest:
        extra["output_config"] = rest
    if betas := _betas(table, headers):
        extra["anthropic_beta"] = betas
    return extra


def _betas(table: Table, headers: Mapping[str, str]) -> list[str]:
    betas = [word.strip() for word in headers.get("anthropic-beta", "").split(",") if word.strip()]
    return betas + [word for word in reading.strings(table, "anthropic_beta") if word not in betas]


# ---- tools


def _tools(table: Table) -> tuple[Tool, ...]:
    return tuple(_tool(tool, where) for where, tool in reading.objects(table, "tools"))


def _tool(tool: Table, where: str) -> Tool:
    kind = reading.text(tool, "type", where)
    if kind is not None and kind != "custom":
        raise reading.bad(at(where, "type"), _foreign_tool(kind))
    schema = reading.need_object(tool, "input_schema", where)
    # The API asks for it: "tools.0.custom.input_schema.type: Field required" (recorded 400s).
    if reading.need_text(schema, "type", at(where, "input_schema")) != "object":
        raise reading.bad(at(at(where, "input_schema"), "type"), "must be 'object'")
    return Tool(
        name=_named(tool, "name", where),
        description=reading.text(tool, "description", where),
        schema=schema,
        strict=reading.boolean(tool, "strict", where),
        cache_control=reading.object_(tool, "cache_control", where),
    )


def _foreign_tool(kind: str) -> str:
    if kind.startswith(_CLIENT_TOOLS):
        why = "is a tool whose definition only Anthropic's models know"
    else:
        why = "is a tool that runs on Anthropic's servers"
    return f"{reading.shown(kind)} {why}: leave it out, or offer a tool of your own with name and input_schema"


def _tool_choice(table: Table, tools: tuple[Tool, ...]) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and False where parallel calls were switched off."""
    said = reading.object_(table, "tool_choice")
    if said is None:
        return None, None
    mode = _CHOICES[reading.need_choice(said, "type", "tool_choice", among=_CHOICES)]
    alone = reading.boolean(said, "disable_parallel_tool_use", "tool_choice")
    name = _named(said, "name", "tool_choice") if mode is ToolMode.NAMED else None
    if name is not None and all(tool.name != name for tool in tools):
        raise reading.bad("tool_choice.name", f"{reading.shown(name)} is not among tools")
    if not tools:
        if mode is ToolMode.REQUIRED:
            raise reading.bad("tool_choice.type", "'any' needs tools")
        return None, None
    return ToolChoice(mode=mode, name=name), False if alone else None


def _named(table: Table, key: str, where: str) -> str:
    value = reading.need_text(table, key, where)
    if not value:
        raise reading.bad(at(where, key), "must not be empty")
    return value


# ---- messages


def _system(table: Table) -> tuple[Message, ...]:
    if table.get("system") is None:
        return ()
    parts = _content(table, "system", "", _SYSTEM_BLOCKS)
    return (Message(role=Role.SYSTEM, parts=tuple(parts)),) if parts else ()


def _messages(table: Table) -> tuple[Message, ...]:
    messages: list[Message] = []
    calls: dict[str, str] = {}
    for where, said in reading.objects(table, "messages"):
        messages += _turn(said, where, calls)
    if not any(message.role not in (Role.SYSTEM, Role.DEVELOPER) for message in messages):
        raise reading.bad("messages", "must hold at least one turn of user or assistant that says something")
    return tuple(messages)


def _turn(said: Table, where: str, calls: dict[str, str]) -> list[Message]:
    role = Role(reading.need_choice(said, "role", where, among=("user", "assistant", "system")))
    if said.get("content") is None:
        raise reading.missing(at(where, "content"))
    parts = _content(said, "content", where, _BLOCKS[role])
    if role is Role.ASSISTANT:
        calls.update((part.id, part.name) for part in parts if isinstance(part, ToolCall))
        return [Message(role=role, parts=tuple(parts))] if parts else []
    if not parts:
        raise reading.bad(at(where, "content"), "must not be empty")
    results = [_answered(part, where, calls) for part in parts if isinstance(part, ToolResult)]
    rest = tuple(part for part in parts if not isinstance(part, ToolResult))
    return results + ([Message(role=role, parts=rest)] if rest else [])


def _answered(part: ToolResult, where: str, calls: dict[str, str]) -> Message:
    """A result as a turn of its own, with the name of the tool that was called."""
    name = calls.get(part.id)
    if name is None:
        problem = f"holds a tool_result for {reading.shown(part.id)}, but no earlier tool_use has this id"
        raise reading.bad(at(where, "content"), problem)
    named = ToolResult(
        id=part.id, parts=part.parts, is_error=part.is_error, name=name, cache_control=part.cache_control
    )
    return Message(role=Role.TOOL, parts=(named,))


_Blocks = Mapping[str, Callable[[Table, str], list[Part]]]


def _content(table: Table, key: str, where: str, blocks: _Blocks) -> list[Part]:
    """A string or blocks, each of a type that has its place here."""
    value = table.get(key)
    if isinstance(value, str):
        return [Text(text=value)] if value else []
    if not isinstance(value, list):
        raise reading.wrong_type(at(where, key), "a string or an array of content blocks", value)
    parts: list[Part] = []
    for path, block in reading.objects(table, key, where):
        parts += _block(block, path, blocks)
    return parts


def _block(block: Table, where: str, blocks: _Blocks) -> list[Part]:
    kind = reading.need_text(block, "type", where)
    read = blocks.get(kind)
    if read is None:
        raise reading.bad(at(where, "type"), _foreign_block(kind, blocks))
    return read(block, where)


def _foreign_block(kind: str, blocks: _Blocks) -> str:
    if kind.startswith(("server_tool_", "mcp_tool_")) or kind.endswith("_tool_result"):
        return f"{reading.shown(kind)} belongs to a tool that runs on Anthropic's servers: leave the block out"
    if kind in ("container_upload", "compaction", "tool_addition", "tool_removal", "fallback"):
        return f"{reading.shown(kind)} is something only Anthropic's servers can act on: leave the block out"
    return f"must be one of {', '.join(blocks)} here, not {reading.shown(kind)}"


def _mark(block: Table, where: str) -> dict[str, Any] | None:
    return reading.object_(block, "cache_control", where)


def _text(block: Table, where: str) -> list[Part]:
    return [Text(text=reading.need_text(block, "text", where), cache_control=_mark(block, where))]


def _said(block: Table, where: str) -> list[Part]:
    text, cited = reading.need_text(block, "text", where), reading.items(block, "citations", where)
    return [Text(text=text, citations=cited or None, cache_control=_mark(block, where))]


def _image(block: Table, where: str) -> list[Part]:
    source, path = reading.need_object(block, "source", where), at(where, "source")
    kind = reading.need_choice(source, "type", path, among=("base64", "url", "file"))
    if kind == "file":
        raise reading.bad(path, "names an uploaded file, which only its own account can see: send base64 or a url")
    if kind == "url":
        return [Image(url=_named(source, "url", path), cache_control=_mark(block, where))]
    data, media = _named(source, "data", path), _named(source, "media_type", path)
    return [Image(data=data, media_type=media, cache_control=_mark(block, where))]


def _document(block: Table, where: str) -> list[Part]:
    source, path = reading.need_object(block, "source", where), at(where, "source")
    kind = reading.need_choice(source, "type", path, among=("base64", "text", "url", "content", "file"))
    inner = _content(source, "content", path, _NESTED_BLOCKS) if kind == "content" else []
    if any(not isinstance(part, Text) for part in inner):
        return inner
    citations = reading.object_(block, "citations", where) or {}
    document = Document(
        url=_named(source, "url", path) if kind == "url" else None,
        data=_named(source, "data", path) if kind == "base64" else None,
        text=_document_text(kind, source, path, inner),
        file_id=_named(source, "file_id", path) if kind == "file" else None,
        media_type="text/plain" if kind == "content" else reading.text(source, "media_type", path),
        title=reading.text(block, "title", where),
        context=reading.text(block, "context", where),
        citations=reading.boolean(citations, "enabled", at(where, "citations")) or False,
        cache_control=_mark(block, where),
    )
    return [document]


def _document_text(kind: str, source: Table, path: str, inner: list[Part]) -> str | None:
    if kind == "text":
        return _named(source, "data", path)
    if kind == "content":
        return "\n\n".join(part.text for part in inner if isinstance(part, Text))
    return None


def _search_result(block: Table, where: str) -> list[Part]:
    """As text that names its source: the one form every wire can carry."""
    title, source = reading.need_text(block, "title", where), reading.need_text(block, "source", where)
    inner = _content(block, "content", where, _SYSTEM_BLOCKS)
    said = "\n\n".join(part.text for part in inner if isinstance(part, Text))
    return [Text(text=f"{title}\nSource: {source}\n\n{said}", cache_control=_mark(block, where))]


def _tool_reference(block: Table, where: str) -> list[Part]:
    """A tool a search found. Every tool is offered from the start here, so it need only be named."""
    return [Text(text=f"The tool {_named(block, 'tool_name', where)} is available.")]


def _thought(block: Table, where: str) -> list[Part]:
    signature = reading.text(block, "signature", where)
    return [Reasoning(text=reading.need_text(block, "thinking", where), signature=signature or None)]


def _redacted(block: Table, where: str) -> list[Part]:
    return [Reasoning(redacted=_named(block, "data", where))]


def _tool_use(block: Table, where: str) -> list[Part]:
    call = ToolCall(
        id=_named(block, "id", where),
        name=_named(block, "name", where),
        arguments=orjson.dumps(reading.need_object(block, "input", where)).decode(),
        cache_control=_mark(block, where),
    )
    return [call]


def _tool_result(block: Table, where: str) -> list[Part]:
    inner = [] if block.get("content") is None else _content(block, "content", where, _RESULT_BLOCKS)
    result = ToolResult(
        id=_named(block, "tool_use_id", where),
        parts=tuple(part for part in inner if isinstance(part, Text | Image | Document)),
        is_error=reading.boolean(block, "is_error", where) or False,
        cache_control=_mark(block, where),
    )
    return [result]


_SYSTEM_BLOCKS: _Blocks = {"text": _text}
_NESTED_BLOCKS: _Blocks = {"text": _text, "image": _image}
_SHOWN_BLOCKS: _Blocks = {**_NESTED_BLOCKS, "document": _document, "search_result": _search_result}
_RESULT_BLOCKS: _Blocks = {**_SHOWN_BLOCKS, "tool_reference": _tool_reference}
_BLOCKS: Mapping[Role, _Blocks] = {
    Role.SYSTEM: _SYSTEM_BLOCKS,
    Role.USER: {**_SHOWN_BLOCKS, "tool_result": _tool_result},
    Role.ASSISTANT: {"text": _said, "thinking": _thought, "redacted_thinking": _redacted, "tool_use": _tool_use},
}
