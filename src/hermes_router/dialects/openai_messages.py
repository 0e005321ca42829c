"""The ``messages`` of a Chat Completions request, read into ours.

Source: OpenAI API reference, "Create chat completion" (2025-11), https://platform.openai.com/docs/api-reference/chat.
Beyond it, what other providers made common is read too: ``reasoning_content`` (DeepSeek), ``reasoning`` and
``reasoning_details`` (OpenRouter), ``thinking`` and ``document_url`` parts (Mistral), ``extra_content`` (Gemini),
``cache_control`` on messages and parts (OpenRouter). Whether calls and results match is not checked here.
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
from .media import is_data_url, read_file, read_url, split_data_url
from .reading import (
    Table,
    as_object,
    at,
    bad,
    choice,
    items,
    missing,
    need_choice,
    need_items,
    need_object,
    need_text,
    object_,
    objects,
    text,
    wrong_type,
)

_PLAIN_ROLES = {role.value: role for role in (Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT)}
_TOOL_ROLE = Role.TOOL
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

ReadPart = Callable[[Table, str], Part]


def read_messages(body: Table) -> tuple[Message, ...]:
    """The whole conversation, tool results in the order of their calls."""
    tables = need_items(body, "messages")
    if not tables:
        raise bad("messages", "must not be empty")
    functions: dict[str, str] = {}
    messages = [_plain(table) or _message(table, index, functions) for index, table in enumerate(tables)]
    return tuple(in_call_order(messages))


def in_call_order(messages: list[Message]) -> list[Message]:
    """The same messages, with each run of tool results in the order its calls were made."""
    if not _has_runs(messages):
        return messages
    ordered: list[Message] = []
    run: list[Message] = []
    for message in messages:
        if message.role is Role.TOOL:
            run.append(message)
            continue
        ordered += _sorted(run, ordered)
        run = []
        ordered.append(message)
    return ordered + _sorted(run, ordered)


def _has_runs(messages: list[Message]) -> bool:
    """Whether two results anywhere follow each other."""
    before = None
    for message in messages:
        role = message.role
        if role is _TOOL_ROLE and before is role:
            return True
        before = role
    return False


def _sorted(run: list[Message], before: list[Message]) -> list[Message]:
    if len(run) < 2 or not before:
        return run
    calls = [part.id for part in before[-1].parts if isinstance(part, ToolCall)]
    place = {call: index for index, call in enumerate(calls)}
    return sorted(run, key=lambda message: place.get(_result_id(message), len(place)))


def _result_id(message: Message) -> str:
    part = message.parts[0]
    return part.id if isinstance(part, ToolResult) else ""


def _message(value: object, index: int, functions: dict[str, str]) -> Message:
    """``functions`` holds the made-up id of the last legacy call of each function."""
    where = at("messages", index)
    table = as_object(value, where)
    role = need_choice(table, "role", where, among=_ROLES)
    if table.get("images"):
        raise bad(at(where, "images"), "is not part of this API: send image_url parts in content")
    if role == "assistant":
        parts = _assistant(table, where, index, functions)
    elif role == "tool":
        return Message(role=Role.TOOL, parts=(_result(table, where, need_text(table, "tool_call_id", where)),))
    elif role == "function":
        return Message(role=Role.TOOL, parts=(_result(table, where, _function_id(table, where, functions)),))
    else:
        parts = _content(table, where, _USER if role == "user" else _INSTRUCTIONS)
        if not parts:
            raise missing(at(where, "content"))
    marked = _marked(parts, _cache_control(table, where))
    return Message(role=_PLAIN_ROLES[role], parts=tuple(marked), name=text(table, "name", where))


def _plain(table: object) -> Message | None:
    """The message most conversations are made of: a role and a text, nothing else."""
    if type(table) is not dict or len(table) != 2:
        return None
    role, content = table.get("role"), table.get("content")
    if type(role) is not str or type(content) is not str or role not in _PLAIN_ROLES:
        return None
    return Message(role=_PLAIN_ROLES[role], parts=(Text(text=content),))


def _assistant(table: Table, where: str, index: int, functions: dict[str, str]) -> list[Part]:
    parts: list[Part] = [*_reasoning(table, where), *_content(table, where, _ASSISTANT)]
    refusal = text(table, "refusal", where)
    if refusal:
        parts.append(Refusal(text=refusal))
    calls = [_call(call, path) for path, call in objects(table, "tool_calls", where)]
    legacy = object_(table, "function_call", where)
    if legacy is not None and not calls:
        calls = [_legacy_call(legacy, at(where, "function_call"), index, functions)]
    if calls:
        parts = [part for part in parts if not (isinstance(part, Text) and not part.text)]
    if not parts and not calls and table.get("audio"):
        raise bad(
            at(where, "audio"), "names sound kept at OpenAI, which is not served here: send its transcript as content"
        )
    if not parts and not calls:
        raise bad(at(where, "content"), "is required where an assistant message has no tool_calls")
    return [*parts, *calls]


def _content(table: Table, where: str, readers: Mapping[str, ReadPart]) -> list[Part]:
    value = table.get("content")
    if value is None:
        return []
    if isinstance(value, str):
        return [Text(text=value)]
    path = at(where, "content")
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of parts", value)
    return [_part(item, at(path, index), readers) for index, item in enumerate(value)]


def _part(value: Any, where: str, readers: Mapping[str, ReadPart]) -> Part:
    table = as_object(value, where)
    return readers[need_choice(table, "type", where, among=readers)](table, where)


def _text(table: Table, where: str) -> Text:
    return Text(text=need_text(table, "text", where), cache_control=_cache_control(table, where))


def _refusal(table: Table, where: str) -> Refusal:
    return Refusal(text=need_text(table, "refusal", where))


def _image(table: Table, where: str) -> Image | Document:
    path = at(where, "image_url")
    value = table.get("image_url")
    if value is None:
        raise missing(path)
    control = _cache_control(table, where)
    if isinstance(value, str):
        return read_url(value, path, control=control)
    inner = as_object(value, path)
    url = need_text(inner, "url", path)
    return read_url(url, at(path, "url"), detail=text(inner, "detail", path), control=control)


def _audio(table: Table, where: str) -> Audio:
    path = at(where, "input_audio")
    inner = need_object(table, "input_audio", where)
    data = need_text(inner, "data", path)
    if is_data_url(data):
        data = split_data_url(data, at(path, "data"))[1]
    return Audio(data=data, format=need_text(inner, "format", path))


def _file(table: Table, where: str) -> Image | Document:
    path = at(where, "file")
    inner = need_object(table, "file", where)
    title = text(inner, "filename", path)
    control = _cache_control(table, where)
    data = text(inner, "file_data", path)
    if data is not None:
        return read_file(data, at(path, "file_data"), title=title, control=control)
    file_id = text(inner, "file_id", path)
    if file_id is None:
        raise bad(path, "needs file_data or file_id")
    return Document(file_id=file_id, title=title, cache_control=control)


def _document_url(table: Table, where: str) -> Image | Document:
    url = need_text(table, "document_url", where)
    return read_file(url, at(where, "document_url"), title=text(table, "document_name", where))


def _thinking(table: Table, where: str) -> Reasoning:
    """Mistral's part: text, or a list of text parts (https://docs.mistral.ai/capabilities/reasoning, 2025-11)."""
    value = table.get("thinking")
    if isinstance(value, str):
        return Reasoning(text=value)
    pieces = [text(piece, "text", path) or "" for path, piece in objects(table, "thinking", where)]
    return Reasoning(text="".join(pieces))


_USER: Mapping[str, ReadPart] = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "document_url": _document_url,
}
_INSTRUCTIONS: Mapping[str, ReadPart] = {"text": _text}
_ASSISTANT: Mapping[str, ReadPart] = {"text": _text, "refusal": _refusal, "thinking": _thinking}
_TOOL: Mapping[str, ReadPart] = {"text": _text, "image_url": _image, "file": _file, "document_url": _document_url}


def _reasoning(table: Table, where: str) -> list[Part]:
    said = text(table, "reasoning_content", where) or text(table, "reasoning", where) or ""
    details = items(table, "reasoning_details", where) or None
    if not said and details:
        said = "".join(_detail_text(item) for item in details)
    return [Reasoning(text=said, details=details)] if said or details else []


def _detail_text(item: Any) -> str:
    """The readable part of one of OpenRouter's ``reasoning_details``
    (https://openrouter.ai/docs/use-cases/reasoning-tokens, 2025-11)."""
    if not isinstance(item, dict):
        return ""
    said = item.get("text") or item.get("summary")
    return said if isinstance(said, str) else ""


def _call(table: Table, where: str) -> ToolCall:
    if choice(table, "type", where, among=("function", "custom")) == "custom":
        raise bad(at(where, "type"), "must be function: custom tools are not served")
    path = at(where, "function")
    inner = need_object(table, "function", where)
    return ToolCall(
        id=need_text(table, "id", where),
        name=need_text(inner, "name", path),
        arguments=_arguments(inner, path),
        opaque=object_(table, "extra_content", where),
        cache_control=object_(table, "cache_control", where),
    )


def _arguments(table: Table, where: str) -> str:
    """JSON text. Some frameworks send the object itself, and nothing at all for a call without arguments."""
    value = table.get("arguments")
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return text(table, "arguments", where) or "{}"


def _legacy_call(table: Table, where: str, index: int, functions: dict[str, str]) -> ToolCall:
    name = need_text(table, "name", where)
    functions[name] = f"call_function_{index}"
    return ToolCall(id=functions[name], name=name, arguments=_arguments(table, where))


def _function_id(table: Table, where: str, functions: Mapping[str, str]) -> str:
    name = need_text(table, "name", where)
    if name not in functions:
        raise bad(at(where, "name"), "names no function_call of an earlier message")
    return functions[name]


def _result(table: Table, where: str, call_id: str) -> ToolResult:
    parts = _content(table, where, _TOOL)
    if not parts and table.get("content") is None:
        raise missing(at(where, "content"))
    return ToolResult(
        id=call_id,
        parts=tuple(part for part in parts if isinstance(part, Text | Image | Document)),
        name=text(table, "name", where),
        cache_control=_cache_control(table, where),
    )


def _cache_control(table: Table, where: str) -> dict[str, Any] | None:
    """Anthropic's mark, or OpenAI's own explicit breakpoint (openai-python 3.54, ``prompt_cache_breakpoint``)."""
    control = object_(table, "cache_control", where)
    if control is None and object_(table, "prompt_cache_breakpoint", where):
        return {"type": "ephemeral"}
    return control


def _marked(parts: list[Part], control: dict[str, Any] | None) -> list[Part]:
    """A mark on a whole message is one on its last part."""
    last = parts[-1]
    if control is None or isinstance(last, Audio | Reasoning | Refusal) or last.cache_control:
        return parts
    return [*parts[:-1], msgspec.structs.replace(last, cache_control=control)]
