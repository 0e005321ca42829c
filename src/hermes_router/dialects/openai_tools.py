"""``tools``, ``tool_choice`` and their deprecated forms of a Chat Completions request, read into ours.

Source: OpenAI API reference, "Create chat completion" (2025-11). Also understood: ``"any"`` (Mistral), a choice of
``{"type": "tool", "name": ...}`` (xAI takes it) and tools without ``type``. Schemas are passed on as they are.
"""

from __future__ import annotations

from typing import Any

from ..core.request import Tool, ToolChoice, ToolMode
from .reading import (
    Table,
    as_object,
    at,
    bad,
    boolean,
    choice,
    items,
    need_choice,
    need_items,
    need_object,
    need_text,
    object_,
    objects,
    shown,
    text,
)

_MODES = {
    "auto": ToolMode.AUTO,
    "none": ToolMode.NONE,
    "required": ToolMode.REQUIRED,
    "any": ToolMode.REQUIRED,
}

_OFFERS = frozenset({"tools", "functions", "tool_choice", "function_call"})

Offer = tuple[tuple[Tool, ...], ToolChoice | None]


def read_tools(body: Table) -> tuple[tuple[Tool, ...], ToolChoice | None, bool]:
    """(tools on offer, choice, whether the deprecated ``functions`` were used)."""
    if _OFFERS.isdisjoint(body):
        return (), None, False
    tools = tuple(_tool(table, where) for where, table in objects(body, "tools"))
    functions = items(body, "functions")
    if functions and tools:
        raise bad("functions", "cannot be used together with tools")
    if functions:
        legacy = tuple(_function(table, where) for where, table in objects(body, "functions"))
        return *_legacy_choice(body, legacy), True
    return *read_choice(body, tools), False


def _tool(table: Table, where: str) -> Tool:
    return _plain(table) or _any_tool(table, where)


def _plain(table: Table) -> Tool | None:
    """The tool most are: a function with a name, a description and parameters. None where it is anything else."""
    function = table.get("function")
    if len(table) != 2 or table.get("type") != "function" or type(function) is not dict or len(function) != 3:
        return None
    name, said, schema = function.get("name"), function.get("description"), function.get("parameters")
    if type(name) is not str or not name or type(said) is not str or type(schema) is not dict or not schema:
        return None
    return Tool(name=name, description=said, schema=schema)


def _any_tool(table: Table, where: str) -> Tool:
    kind = text(table, "type", where) or "function"
    if kind != "function":
        raise bad(at(where, "type"), f"must be function: {shown(kind)} tools are not served")
    path = at(where, "function")
    return _function(need_object(table, "function", where), path, object_(table, "cache_control", where))


def _function(table: Table, where: str, cache_control: dict[str, Any] | None = None) -> Tool:
    name = need_text(table, "name", where)
    if not name:
        raise bad(at(where, "name"), "must not be empty")
    return Tool(
        name=name,
        description=text(table, "description", where),
        schema=object_(table, "parameters", where) or {"type": "object", "properties": {}},
        strict=boolean(table, "strict", where),
        cache_control=cache_control,
    )


def read_choice(body: Table, tools: tuple[Tool, ...]) -> Offer:
    """``tool_choice``, and the tools it leaves on offer."""
    value = body.get("tool_choice")
    if value is None:
        return tools, None
    if isinstance(value, str):
        mode = _MODES[need_choice(body, "tool_choice", among=_MODES)]
        return tools, _without_name(mode, tools, "tool_choice")
    return _chosen(as_object(value, "tool_choice"), tools)


def _chosen(table: Table, tools: tuple[Tool, ...]) -> Offer:
    where = "tool_choice"
    kind = choice(table, "type", where, among=("function", "allowed_tools", "tool", "custom")) or "function"
    if kind == "custom":
        raise bad(at(where, "type"), "must be function: custom tools are not served")
    if kind == "allowed_tools":
        return _allowed(need_object(table, "allowed_tools", where), tools)
    if kind == "tool":
        return tools, _named(table, where, tools)
    return tools, _named(need_object(table, "function", where), at(where, "function"), tools)


def _allowed(table: Table, tools: tuple[Tool, ...]) -> Offer:
    """Only the allowed tools are offered: no other wire can say "these are there but not for now"."""
    where = "tool_choice.allowed_tools"
    mode = _MODES[need_choice(table, "mode", where, among=("auto", "required"))]
    if not need_items(table, "tools", where):
        raise bad(at(where, "tools"), "must not be empty")
    names = set()
    for path, entry in objects(table, "tools", where):
        inner = at(path, "function")
        names.add(_known(need_object(entry, "function", path), inner, tools))
    allowed = tuple(tool for tool in tools if tool.name in names)
    return allowed, ToolChoice(mode=mode)


def _named(table: Table, where: str, tools: tuple[Tool, ...]) -> ToolChoice:
    return ToolChoice(mode=ToolMode.NAMED, name=_known(table, where, tools))


def _known(table: Table, where: str, tools: tuple[Tool, ...]) -> str:
    name = need_text(table, "name", where)
    if all(tool.name != name for tool in tools):
        raise bad(at(where, "name"), f"names no tool of this request: {shown(name)}")
    return name


def _without_name(mode: ToolMode, tools: tuple[Tool, ...], path: str) -> ToolChoice | None:
    if tools:
        return ToolChoice(mode=mode)
    if mode is ToolMode.REQUIRED:
        raise bad(path, "requires a tool call but the request has no tools")
    return None


def _legacy_choice(body: Table, tools: tuple[Tool, ...]) -> Offer:
    value = body.get("function_call")
    if value is None:
        return tools, None
    if isinstance(value, str):
        return tools, ToolChoice(mode=_MODES[need_choice(body, "function_call", among=("auto", "none"))])
    return tools, _named(as_object(value, "function_call"), "function_call", tools)
