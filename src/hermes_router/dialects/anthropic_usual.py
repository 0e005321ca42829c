"""The Messages body that nearly every client sends, decoded by its types in one step.

It takes texts, thinking, tool calls and their results, tools, cache marks and the usual settings. Whatever holds
anything else, or a mistake, is nothing here: the general reader (``anthropic.py``) reads it or says what is wrong. For
what both take they give the same Request; ``tests/dialects/test_usual.py`` holds them to it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import orjson

from ..core.request import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from .reading import Unusual

_INT64 = 2**63 - 1
_Filled = Annotated[str, msgspec.Meta(min_length=1)]
_Limit = Annotated[int, msgspec.Meta(ge=1, le=_INT64)]
_Share = Annotated[int, msgspec.Meta(ge=0, le=1)] | Annotated[float, msgspec.Meta(ge=0, le=1)]
_OrUnset = Annotated[int, msgspec.Meta(ge=-1, le=1)] | Annotated[float, msgspec.Meta(ge=-1, le=1)]
_TopK = Annotated[int, msgspec.Meta(ge=-1, le=_INT64)]
_Mark = dict[str, str] | None

_USER, _ASSISTANT, _TOOL = Role.USER, Role.ASSISTANT, Role.TOOL


class Piece(msgspec.Struct, tag="text", forbid_unknown_fields=True, gc=False):
    """Text."""

    text: str
    cache_control: _Mark = None


class Thought(msgspec.Struct, tag="thinking", forbid_unknown_fields=True, gc=False):
    """Thinking of an earlier turn."""

    thinking: str
    signature: str | None = None


class Use(msgspec.Struct, tag="tool_use", forbid_unknown_fields=True, gc=False):
    """A tool call; ``input`` is the JSON it came as."""

    id: _Filled
    name: _Filled
    input: msgspec.Raw
    cache_control: _Mark = None


class Result(msgspec.Struct, tag="tool_result", forbid_unknown_fields=True, gc=False):
    """What a tool gave back."""

    tool_use_id: _Filled
    content: str | list[Piece] | None = None
    is_error: bool | None = None
    cache_control: _Mark = None


class Said(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One turn."""

    role: Literal["user", "assistant"]
    content: str | list[Piece | Thought | Use | Result]


class Choice(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``tool_choice``."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """Who is behind the caller."""

    user_id: str | None = None


class ThinkingSwitch(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``thinking``."""

    type: str
    budget_tokens: _Limit | None = None
    display: str | None = None


class Usual(msgspec.Struct, forbid_unknown_fields=True):
    """The body; ``tools`` are the bytes they came in, empty where there are none."""

    messages: list[Said]
    model: str | None = None
    max_tokens: _Limit | None = None
    system: str | list[Piece] | None = None
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: Choice | None = None
    stop_sequences: list[str] | None = None
    temperature: _Share | None = None
    top_p: _OrUnset | None = None
    top_k: _TopK | None = None
    thinking: ThinkingSwitch | None = None
    metadata: Metadata | None = None
    stream: bool | None = None


_decode = msgspec.json.Decoder(Usual).decode


def usual(body: bytes) -> Usual:
    """Raises Unusual."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unusual from None


def usual_messages(body: Usual) -> tuple[Message, ...]:
    """The instructions and the conversation. Raises Unusual."""
    messages: list[Message] = []
    if body.system:
        messages.append(Message(role=Role.SYSTEM, parts=_texts(body.system)))
    calls: dict[str, str] = {}
    for said in body.messages:
        content = said.content
        if said.role == "user":
            if type(content) is str and content:
                messages.append(Message(role=_USER, parts=(Text(text=content),)))
            else:
                messages += _user(content, calls)
        elif content:
            messages.append(Message(role=_ASSISTANT, parts=_assistant(content, calls)))
    if not messages or messages[-1].role is Role.SYSTEM:
        raise Unusual
    return tuple(messages)


def _texts(content: str | list[Piece]) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    return tuple([Text(text=piece.text, cache_control=piece.cache_control) for piece in content])


def _user(content: str | list[Any], calls: dict[str, str]) -> list[Message]:
    """A user's turn: each result is a message of its own, before what else was said."""
    if not content:
        raise Unusual
    messages: list[Message] = []
    rest: list[Part] = []
    for block in content:
        if type(block) is Piece:
            rest.append(Text(text=block.text, cache_control=block.cache_control))
        elif type(block) is Result and block.tool_use_id in calls:
            messages.append(Message(role=_TOOL, parts=(_result(block, calls[block.tool_use_id]),)))
        else:
            raise Unusual
    if rest:
        messages.append(Message(role=_USER, parts=tuple(rest)))
    return messages


def _result(block: Result, name: str) -> ToolResult:
    return ToolResult(
        id=block.tool_use_id,
        parts=_texts(block.content or ""),
        is_error=block.is_error or False,
        name=name,
        cache_control=block.cache_control,
    )


def _assistant(content: str | list[Any], calls: dict[str, str]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(text=content),)
    parts: list[Part] = []
    for block in content:
        if type(block) is Piece:
            parts.append(Text(text=block.text, cache_control=block.cache_control))
        elif type(block) is Use:
            calls[block.id] = block.name
            parts.append(_call(block))
        elif type(block) is Thought:
            parts.append(Reasoning(text=block.thinking, signature=block.signature or None))
        else:
            raise Unusual
    return tuple(parts)


def _call(block: Use) -> ToolCall:
    try:
        given = orjson.loads(memoryview(block.input))
    except orjson.JSONDecodeError:
        raise Unusual from None
    if type(given) is not dict:
        raise Unusual
    return ToolCall(
        id=block.id, name=block.name, arguments=orjson.dumps(given).decode(), cache_control=block.cache_control
    )
