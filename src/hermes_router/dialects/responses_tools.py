"""``tools`` and ``tool_choice`` of a Responses request, read into ours, and how each call is written back.

Sources: OpenAI API reference, "Create a model response" (2025-11) and openai-python 3.54, ``types/responses``.
Functions are served as they are. Freeform (custom) tools become functions with one string, ``input``. Tools of a
namespace are offered one by one. A tool search that the caller runs becomes a function; one that OpenAI runs is not
needed, since tools with ``defer_loading`` are offered at once. What only OpenAI's servers can run is left out where the
model is free to do without it and has other tools, and refused otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import orjson

from ..core.errors import BadRequest
from ..core.request import Tool, ToolChoice, ToolMode
from .reading import (
    Table,
    as_object,
    at,
    bad,
    boolean,
    choice,
    need_choice,
    need_items,
    need_text,
    object_,
    objects,
    shown,
    text,
)
from .responses_asked import CallForm

SEARCH = "tool_search"
_NAME_LIMIT = 64
"""Characters of a function's name (OpenAI API reference, "Create chat completion", tools)."""
_DEFAULT_NAMESPACE = "functions"
"""What OpenAI's models call the namespace of tools that have none; Codex CLI 0.169 names it for its newest models."""
_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE, "required": ToolMode.REQUIRED}
_INPUT_SCHEMA: Table = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as free text."}},
    "required": ["input"],
    "additionalProperties": False,
}
_NOTHING: Table = {"type": "object", "properties": {}}


class Toolbox(msgspec.Struct, frozen=True):
    """What is offered. ``forms`` says how calls are written, for those that are not plain functions; ``dropped``
    names what is left out."""

    tools: tuple[Tool, ...]
    choice: ToolChoice | None
    forms: dict[str, CallForm]
    dropped: tuple[str, ...]


class _Hosted(msgspec.Struct, frozen=True):
    path: str
    kind: str


def offered_name(name: str, namespace: str | None) -> str:
    """The one name under which a tool of a namespace is offered; the same for the same two words, always."""
    if not namespace or namespace in (name, _DEFAULT_NAMESPACE):
        return name
    joined = namespace + name if namespace.endswith("__") else f"{namespace}__{name}"
    if len(joined) <= _NAME_LIMIT:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:8]
    return f"{joined[: _NAME_LIMIT - 9]}_{digest}"


def wrap_input(free_text: str) -> str:
    """A custom tool's input as the arguments of the function it is offered as."""
    return orjson.dumps({"input": free_text}).decode()


def unwrap_input(arguments: str) -> str:
    """The input of a custom tool from such arguments. A model that misnames the one field is understood."""
    try:
        table = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if not isinstance(table, dict):
        return arguments
    value = table.get("input")
    if isinstance(value, str):
        return value
    values = [value for value in table.values() if isinstance(value, str)]
    return values[0] if len(values) == len(table) == 1 else arguments


def read_toolbox(body: Table, found: Iterable[tuple[str, Table]] = ()) -> Toolbox:
    """The tools of the request and those ``found`` among its items, with their paths."""
    shelf = _Reader()
    for path, table in [*objects(body, "tools"), *found]:
        shelf.add(table, path)
    tools, chosen = _choice(body, tuple(shelf.tools.values()), shelf.hosted)
    mode = chosen.mode if chosen else ToolMode.AUTO
    if shelf.hosted and mode is not ToolMode.NONE and (not tools or mode is ToolMode.REQUIRED):
        raise _refusal(shelf.hosted[0])
    dropped = dict.fromkeys(f"tool {_plain(one.kind)}" for one in shelf.hosted)
    return Toolbox(tools, chosen if tools else None, shelf.forms, tuple(dropped))


def _plain(kind: str) -> str:
    """A caller's word, fit for a header."""
    return kind[:40] if kind.isidentifier() and kind.isascii() else "of an unknown type"


def _refusal(hosted: _Hosted) -> BadRequest:
    return bad(
        at(hosted.path, "type"),
        f"{shown(hosted.kind)} is a tool that OpenAI's own servers run: it is not served here. It is left out where "
        "tool_choice is auto and function or custom tools are offered beside it",
    )


class _Reader:
    """Collects tools by the name they are offered under; the first of a name counts."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.forms: dict[str, CallForm] = {}
        self.hosted: list[_Hosted] = []

    def add(self, table: Table, where: str, namespace: str | None = None) -> None:
        kind = need_text(table, "type", where)
        match kind:
            case "function":
                form = CallForm(kind, _name(table, where), namespace)
                self._offer(_function(table, where, offered_name(form.name, namespace)), form)
            case "custom":
                form = CallForm(kind, _name(table, where), namespace)
                self._offer(_custom(table, where, offered_name(form.name, namespace)), form)
            case "namespace" if namespace is None:
                name = _name(table, where)
                for path, inner in objects(table, "tools", where):
                    self.add(inner, path, name)
            case "tool_search":
                self._search(table, where)
            case _:
                self.hosted.append(_Hosted(where, kind))

    def _search(self, table: Table, where: str) -> None:
        if choice(table, "execution", where, among=("server", "client")) != "client":
            return
        schema = object_(table, "parameters", where) or _NOTHING
        description = text(table, "description", where) or "Search for more tools to call."
        self._offer(Tool(name=SEARCH, description=description, schema=schema), CallForm("search", SEARCH))

    def _offer(self, tool: Tool, form: CallForm) -> None:
        if tool.name in self.tools:
            return
        self.tools[tool.name] = tool
        if form.kind != "function" or form.name != tool.name or form.namespace:
            self.forms[tool.name] = form


def _name(table: Table, where: str) -> str:
    name = need_text(table, "name", where)
    if not name:
        raise bad(at(where, "name"), "must not be empty")
    return name


def _function(table: Table, where: str, name: str) -> Tool:
    return Tool(
        name=name,
        description=text(table, "description", where),
        schema=object_(table, "parameters", where) or _NOTHING,
        strict=boolean(table, "strict", where),
    )


def _custom(table: Table, where: str, name: str) -> Tool:
    """The grammar cannot be enforced by anybody but OpenAI, so the model is told of it."""
    description = text(table, "description", where) or ""
    path = at(where, "format")
    form = object_(table, "format", where) or {}
    if choice(form, "type", path, among=("text", "grammar")) == "grammar":
        syntax = need_choice(form, "syntax", path, among=("lark", "regex"))
        definition = need_text(form, "definition", path)
        description += f"\n\nThe input must match this {syntax} grammar exactly:\n{definition}"
    return Tool(name=name, description=description.strip() or None, schema=_INPUT_SCHEMA)


Chosen = tuple[tuple[Tool, ...], ToolChoice | None]


def _choice(body: Table, tools: tuple[Tool, ...], hosted: list[_Hosted]) -> Chosen:
    value = body.get("tool_choice")
    if value is None:
        return tools, None
    if isinstance(value, str):
        mode = _MODES[need_choice(body, "tool_choice", among=_MODES)]
        return tools, _offered(mode, tools, hosted)
    table = as_object(value, "tool_choice")
    kind = need_text(table, "type", "tool_choice")
    if kind == "allowed_tools":
        return _allowed(table, tools, hosted)
    if kind in ("function", "custom"):
        return tools, ToolChoice(mode=ToolMode.NAMED, name=_named(table, "tool_choice", tools))
    raise _refusal(_Hosted("tool_choice", kind))


def _offered(mode: ToolMode, tools: tuple[Tool, ...], hosted: list[_Hosted]) -> ToolChoice:
    if mode is ToolMode.REQUIRED and not tools and not hosted:
        raise bad("tool_choice", "requires a tool call but the request has no tools")
    return ToolChoice(mode=mode)


def _allowed(table: Table, tools: tuple[Tool, ...], hosted: list[_Hosted]) -> Chosen:
    """Only the allowed tools are offered: no other wire can say "these are there but not for now"."""
    where = "tool_choice"
    mode = _MODES[need_choice(table, "mode", where, among=("auto", "required"))]
    if not need_items(table, "tools", where):
        raise bad(at(where, "tools"), "must not be empty")
    names: set[str] = set()
    for path, entry in objects(table, "tools", where):
        if need_text(entry, "type", path) in ("function", "custom"):
            names.add(_named(entry, path, tools))
    allowed = tuple(tool for tool in tools if tool.name in names)
    if not allowed:
        raise _refusal(hosted[0]) if hosted else bad(at(where, "tools"), "names no tool of this request")
    hosted.clear()
    return allowed, ToolChoice(mode=mode)


def _named(table: Table, where: str, tools: tuple[Tool, ...]) -> str:
    name = offered_name(need_text(table, "name", where), text(table, "namespace", where))
    if all(tool.name != name for tool in tools):
        raise bad(at(where, "name"), f"names no tool of this request: {shown(name)}")
    return name
