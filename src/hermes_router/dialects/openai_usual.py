"""The Chat Completions body that nearly every client sends, decoded by its types in one step.

It takes texts, tool calls and their results, tools and the usual settings. Whatever holds anything else, or a mistake,
is nothing here: the general reader (``openai_chat.py``, ``openai_messages.py``) reads it or says what is wrong. For
what both take they give the same Request; ``tests/dialects/test_usual.py`` holds them to it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..core.request import Message, Role, Text, ToolCall, ToolResult
from .openai_messages import in_call_order
from .reading import Unusual

_INT64 = 2**63 - 1
Limit = Annotated[int, msgspec.Meta(ge=1, le=_INT64)]
AtMost1 = Annotated[int, msgspec.Meta(ge=0, le=1)] | Annotated[float, msgspec.Meta(ge=0, le=1)]
AtMost2 = Annotated[int, msgspec.Meta(ge=0, le=2)] | Annotated[float, msgspec.Meta(ge=0, le=2)]
Within2 = Annotated[int, msgspec.Meta(ge=-2, le=2)] | Annotated[float, msgspec.Meta(ge=-2, le=2)]
Seed = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64)]

_USER, _ASSISTANT, _TOOL = Role.USER, Role.ASSISTANT, Role.TOOL


class Function(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """``arguments`` is JSON text."""

    name: str
    arguments: str | None = None


class Call(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Some clients send the ``index`` of a streamed call back."""

    id: str
    function: Function
    type: Literal["function"] | None = None
    index: int | None = None


class Piece(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A content part that is plain text."""

    type: Literal["text"]
    text: str


class Said(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message. What OpenAI's SDK writes of an answer, empty, when it gives it back may be there and empty;
    ``annotations`` nobody reads."""

    role: Role
    content: str | list[Piece] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: list[Any] | None = None


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """``include_obfuscation`` is for OpenAI's own streams."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Usual(msgspec.Struct, forbid_unknown_fields=True):
    """The body; ``tools`` are the bytes they came in, empty where there are none."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[Said], msgspec.Meta(min_length=1)]
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    temperature: AtMost2 | None = None
    top_p: AtMost1 | None = None
    presence_penalty: Within2 | None = None
    frequency_penalty: Within2 | None = None
    seed: Seed | None = None
    n: Literal[1] | None = None
    stop: str | list[str] | None = None
    reasoning_effort: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None


_decode = msgspec.json.Decoder(Usual).decode


def usual(body: bytes) -> Usual:
    """Raises Unusual."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unusual from None


def usual_messages(said: list[Said]) -> list[Message]:
    """The conversation, tool results in the order of their calls. Raises Unusual."""
    messages: list[Message] = []
    results = 0
    for one in said:
        role, content = one.role, one.content
        if role is _TOOL:
            message = _result(one)
            results += 1
        elif one.tool_calls and role is _ASSISTANT:
            message = Message(role=role, parts=_calls(content, one.tool_calls), name=one.name)
        elif type(content) is str:
            message = Message(role=role, parts=(Text(text=content),), name=one.name)
        elif content:
            message = Message(role=role, parts=_pieces(content), name=one.name)
        else:
            raise Unusual
        messages.append(message)
    return in_call_order(messages) if results > 1 else messages


def _pieces(content: str | list[Piece]) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple([Text(text=piece.text) for piece in content])


def _result(one: Said) -> Message:
    if one.tool_call_id is None or one.content is None:
        raise Unusual
    return Message(role=_TOOL, parts=(ToolResult(id=one.tool_call_id, parts=_pieces(one.content), name=one.name),))


def _calls(content: str | list[Piece] | None, calls: list[Call]) -> tuple[Text | ToolCall, ...]:
    """An assistant's turn with calls: an empty text beside them is none."""
    made = [ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments or "{}") for call in calls]
    if not content:
        return tuple(made)
    return (*[text for text in _pieces(content) if text.text], *made)
