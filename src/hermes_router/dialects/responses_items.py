"""The ``input`` of a Responses request, read into our conversation.

Source: OpenAI API reference, "Create a model response", input (2025-11); openai-python 3.54, ``response_input_item``.
Here a turn is a run of items: reasoning, messages of the assistant and its calls are put together, results follow the
turn that made their calls. Items of tools that OpenAI's servers ran are left out (their outcome is in the text that
follows them) and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from ..core.request import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from .media import is_data_url, read_file, read_url, split_data_url, web_url
from .reading import (
    Table,
    as_object,
    at,
    bad,
    choice,
    missing,
    need_choice,
    need_items,
    need_object,
    need_text,
    objects,
    shown,
    text,
    wrong_type,
)
from .responses_asked import Shelf
from .responses_sealed import unseal
from .responses_tools import SEARCH, offered_name, wrap_input

_ROLES = ("user", "assistant", "system", "developer")
_LEFT_OUT = frozenset({
    "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
    "computer_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response",
    "program", "program_output",
})  # fmt: skip
_RUN_BY_CALLER = {"local_shell_call": "local_shell", "shell_call": "shell", "apply_patch_call": "apply_patch"}
"""Calls of tools that OpenAI defines and the caller runs: an earlier turn may hold them, whoever made it."""


class Conversation(msgspec.Struct, frozen=True):
    """``tools`` came with the items, with their paths; ``items`` is the input as a list; ``dropped`` names what was
    left out."""

    messages: tuple[Message, ...]
    tools: list[tuple[str, Table]]
    items: list[Table]
    dropped: tuple[str, ...]


class _Turn(msgspec.Struct):
    role: Role
    parts: list[Part]
    origin: str | None = None

    def message(self) -> Message:
        return Message(role=self.role, parts=tuple(self.parts), origin=self.origin)


def read_input(body: Table, past: tuple[Message, ...], shelf: Shelf) -> Conversation:
    """The conversation: what went before and what is new."""
    value = body.get("input")
    if isinstance(value, str):
        value = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": value}]}]
    if value is None and not past:
        raise missing("input")
    if value is not None and not isinstance(value, list):
        raise wrong_type("input", "a string or an array of items", value)
    reader = _Items(past, shelf)
    items = [as_object(item, at("input", index)) for index, item in enumerate(value or ())]
    for index, item in enumerate(items):
        reader.item(item, at("input", index))
    return Conversation(reader.done(), reader.tools, items, tuple(reader.dropped))


class _Items:
    """Reads items one by one."""

    def __init__(self, past: tuple[Message, ...], shelf: Shelf) -> None:
        self.tools: list[tuple[str, Table]] = []
        self.dropped: dict[str, None] = {}
        self._shelf = shelf
        self._turns = [_Turn(message.role, list(message.parts), message.origin) for message in past]

    def item(self, table: Table, where: str) -> None:
        name = text(table, "type", where) or ("message" if "role" in table else "")
        reader = _ITEMS.get(name)
        if reader is not None:
            reader(self, table, where)
        elif name in _LEFT_OUT:
            self.dropped[f"item {name}"] = None
        elif not name:
            raise missing(at(where, "type"))
        else:
            raise bad(at(where, "type"), f"{shown(name)} is not an item this router can pass on")

    def done(self) -> tuple[Message, ...]:
        """All of it. Raises BadRequest for a call without a result, as the API does."""
        if not self._turns:
            raise bad("input", "must not be empty")
        answered = {part.id for turn in self._turns for part in turn.parts if isinstance(part, ToolResult)}
        for turn in self._turns:
            for part in turn.parts:
                if isinstance(part, ToolCall) and part.id not in answered:
                    raise bad("input", f"has no tool output for the call {shown(part.id)}")
        return tuple(turn.message() for turn in self._turns if turn.parts)

    def message(self, table: Table, where: str) -> None:
        role = Role(need_choice(table, "role", where, among=_ROLES))
        parts = _content(table, "content", where, _ASSISTANT if role is Role.ASSISTANT else _USER)
        if role is Role.ASSISTANT:
            self._assistant(parts)
        elif parts:
            self._turns.append(_Turn(role, parts))
        else:
            raise bad(at(where, "content"), "must not be empty")

    def reasoning(self, table: Table, where: str) -> None:
        sealed = text(table, "encrypted_content", where)
        opened = unseal(sealed) if sealed else None
        if opened is not None:
            self._assistant(list(opened[0]), opened[1])
            return
        said = _joined(table, "content", where) or _joined(table, "summary", where)
        # OpenRouter's form for what OpenAI encrypts (its "Reasoning tokens" guide, 2025-11): opaque to all others.
        details = [{"type": "reasoning.encrypted", "data": sealed}] if sealed else None
        if said or details:
            self._assistant([Reasoning(text=said, details=details)])

    def function_call(self, table: Table, where: str) -> None:
        name = offered_name(need_text(table, "name", where), text(table, "namespace", where))
        self._call(table, where, name, text(table, "arguments", where) or "{}")

    def custom_call(self, table: Table, where: str) -> None:
        name = offered_name(need_text(table, "name", where), text(table, "namespace", where))
        self._call(table, where, name, wrap_input(need_text(table, "input", where)))

    def search_call(self, table: Table, where: str) -> None:
        """What one that OpenAI ran has found is on offer anyway."""
        if _by_caller(table, where):
            value = table.get("arguments")
            self._call(table, where, SEARCH, value if isinstance(value, str) else orjson.dumps(value or {}).decode())

    def search_output(self, table: Table, where: str) -> None:
        found = list(objects(table, "tools", where))
        self.tools += found
        if _by_caller(table, where):
            call_id = need_text(table, "call_id", where)
            names = ", ".join(str(tool.get("name")) for _, tool in found)
            said = f"These tools can be called now: {names}" if names else "No tools were found."
            self._result(ToolResult(id=call_id, parts=(Text(text=said),)), where)

    def more_tools(self, table: Table, where: str) -> None:
        need_items(table, "tools", where)
        self.tools += objects(table, "tools", where)

    def caller_call(self, table: Table, where: str) -> None:
        """``action`` or ``operation`` is what such a call has for arguments."""
        name = _RUN_BY_CALLER[need_text(table, "type", where)]
        arguments = table.get("action") or table.get("operation") or {}
        self._call(table, where, name, orjson.dumps(as_object(arguments, at(where, "action"))).decode())

    def output(self, table: Table, where: str) -> None:
        # Only local_shell_call_output has no call_id; its id is the call's.
        call_id = text(table, "call_id", where) or need_text(table, "id", where)
        if table.get("output") is None:
            raise missing(at(where, "output"))
        parts = _content(table, "output", where, _OUTPUT)
        kept = tuple(part for part in parts if isinstance(part, Text | Image | Document))
        self._result(ToolResult(id=call_id, parts=kept), where)

    def shell_output(self, table: Table, where: str) -> None:
        """A list of what each command wrote and how it ended."""
        parts = tuple(_command_output(command, path) for path, command in objects(table, "output", where))
        self._result(ToolResult(id=need_text(table, "call_id", where), parts=parts), where)

    def reference(self, table: Table, where: str) -> None:
        item_id = need_text(table, "id", where)
        item = self._shelf.item(item_id)
        if item is None:
            raise bad(at(where, "id"), f"names no item that is kept here: {shown(item_id)}")
        self.item(item, where)

    def compaction(self, table: Table, where: str) -> None:
        raise bad(at(where, "type"), "is a compacted conversation that only OpenAI can read: send the items themselves")

    def _call(self, table: Table, where: str, name: str, arguments: str) -> None:
        call_id = need_text(table, "call_id", where)
        self._assistant([ToolCall(id=call_id, name=name, arguments=arguments)])

    def _assistant(self, parts: list[Part], origin: str | None = None) -> None:
        last = self._turns[-1] if self._turns else None
        if last is None or last.role is not Role.ASSISTANT:
            last = _Turn(Role.ASSISTANT, [])
            self._turns.append(last)
        if origin and last.origin not in (None, origin):
            # One turn, two makers: neither may see what the other thought.
            last.parts = [part for part in last.parts if not isinstance(part, Reasoning)]
        last.parts += parts
        last.origin = origin or last.origin

    def _result(self, result: ToolResult, where: str) -> None:
        """Right behind the turn that made the call, after the results already there."""
        place = next((at for at in range(len(self._turns) - 1, -1, -1) if _calls(self._turns[at], result.id)), None)
        if place is None:
            raise bad(where, f"answers a call that is not there: {shown(result.id)}")
        order = [part.id for part in self._turns[place].parts if isinstance(part, ToolCall)]
        place += 1
        while place < len(self._turns) and _is_before(self._turns[place], result.id, order):
            place += 1
        self._turns.insert(place, _Turn(Role.TOOL, [result]))


def _by_caller(table: Table, where: str) -> bool:
    """Whether a tool search is the caller's own. One that OpenAI ran has at times no ``call_id`` (recorded)."""
    execution = choice(table, "execution", where, among=("server", "client"))
    return execution != "server" and text(table, "call_id", where) is not None


def _calls(turn: _Turn, call_id: str) -> bool:
    return any(isinstance(part, ToolCall) and part.id == call_id for part in turn.parts)


def _is_before(turn: _Turn, call_id: str, order: list[str]) -> bool:
    """Whether this is a result of an earlier call of the same turn."""
    part = turn.parts[0] if turn.role is Role.TOOL else None
    return isinstance(part, ToolResult) and part.id in order and order.index(part.id) <= order.index(call_id)


_ITEMS: Mapping[str, Callable[[_Items, Table, str], None]] = {
    "message": _Items.message,
    "reasoning": _Items.reasoning,
    "function_call": _Items.function_call,
    "function_call_output": _Items.output,
    "custom_tool_call": _Items.custom_call,
    "custom_tool_call_output": _Items.output,
    "tool_search_call": _Items.search_call,
    "tool_search_output": _Items.search_output,
    "additional_tools": _Items.more_tools,
    "item_reference": _Items.reference,
    "compaction": _Items.compaction,
    "compaction_trigger": _Items.compaction,
    "local_shell_call_output": _Items.output,
    "shell_call_output": _Items.shell_output,
    "apply_patch_call_output": _Items.output,
    **dict.fromkeys(_RUN_BY_CALLER, _Items.caller_call),
}


ReadPart = Callable[[Table, str], Part]


def _content(table: Table, key: str, where: str, readers: Mapping[str, ReadPart]) -> list[Part]:
    value = table.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        return [Text(text=value)]
    path = at(where, key)
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of parts", value)
    return [_part(item, at(path, index), readers) for index, item in enumerate(value)]


def _part(value: Any, where: str, readers: Mapping[str, ReadPart]) -> Part:
    table = as_object(value, where)
    return readers[need_choice(table, "type", where, among=readers)](table, where)


def _text(table: Table, where: str) -> Text:
    return Text(text=need_text(table, "text", where))


def _refusal(table: Table, where: str) -> Refusal:
    return Refusal(text=need_text(table, "refusal", where))


def _image(table: Table, where: str) -> Image | Document:
    url = text(table, "image_url", where)
    if url is None:
        problem = "keeps its picture at OpenAI: send image_url" if table.get("file_id") else "needs image_url"
        raise bad(where, problem)
    detail = choice(table, "detail", where, among=("low", "high", "auto", "original"))
    return read_url(url, at(where, "image_url"), detail="high" if detail == "original" else detail)


def _file(table: Table, where: str) -> Image | Document:
    title = text(table, "filename", where)
    data = text(table, "file_data", where)
    if data is not None:
        return read_file(data, at(where, "file_data"), title=title)
    url = text(table, "file_url", where)
    if url is not None:
        if is_data_url(url):
            return read_file(url, at(where, "file_url"), title=title)
        return Document(url=web_url(url, at(where, "file_url")), title=title)
    file_id = text(table, "file_id", where)
    if file_id is None:
        raise bad(where, "needs file_data, file_url or file_id")
    return Document(file_id=file_id, title=title)


def _audio(table: Table, where: str) -> Audio:
    path = at(where, "input_audio")
    inner = need_object(table, "input_audio", where)
    data = need_text(inner, "data", path)
    if is_data_url(data):
        data = split_data_url(data, at(path, "data"))[1]
    return Audio(data=data, format=need_text(inner, "format", path))


def _command_output(table: Table, where: str) -> Text:
    said = (text(table, "stdout", where) or "") + (text(table, "stderr", where) or "")
    outcome = table.get("outcome")
    return Text(text=said + (f"\n{orjson.dumps(outcome).decode()}" if isinstance(outcome, dict) else ""))


def _joined(table: Table, key: str, where: str) -> str:
    return "".join(text(piece, "text", path) or "" for path, piece in objects(table, key, where))


_USER: Mapping[str, ReadPart] = {
    "input_text": _text,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
    "output_text": _text,
    "text": _text,
}
_ASSISTANT: Mapping[str, ReadPart] = {
    "output_text": _text,
    "refusal": _refusal,
    "input_text": _text,
    "text": _text,
}
_OUTPUT: Mapping[str, ReadPart] = {
    "input_text": _text,
    "input_image": _image,
    "input_file": _file,
    "output_text": _text,
    "text": _text,
}
