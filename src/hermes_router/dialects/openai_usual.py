"""The Chat Completions body that nearly every client sends, decoded by its types in one step.

It takes texts, thinking, tool calls and their results, tools and the usual settings. Whatever holds anything else, or a
mistake, is nothing here: the general reader (``openai_chat.py``, ``openai_messages.py``) reads it or says what is
wrong. For what both take they give the same Request; ``tests/dialects/test_usual.py`` holds them to it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..core.request import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from .openai_messages import in_call_order
from .reading import Unusual

_INT64 = 2**63 - 1
Limit = Annotated[int, msgspec.Meta(ge=1, le=_INT64)]
AtMost1 = Annotated[int, msgspec.Meta(ge=0, le=1)] | Annotated[float, msgspec.Meta(ge=0, le=1)]
AtMost2 = Annotated[int, msgspec.Meta(ge=0, le=2)] | Annotated[float, msgspec.Meta(ge=0, le=2)]
Within2 = Annotated[int, msgspec.Meta(ge=-2, le=2)] | Annotated[float, msgspec.Meta(ge=-2, le=2)]
Seed = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64)]

_ASSISTANT, _TOOL = Role.ASSISTANT, Role.TOOL


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
    reasoning_content: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: list[Any] | None = None


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """``include_obfuscation`` is for OpenAI's own streams."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Usual(msgspec.Struct, forbid_unknown_fields=True):
    """The body; ``tools`` and ``response_format`` are the bytes they came in, empty where there are none;
    ``tool_choice`` is still to be checked."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[Said], msgspec.Meta(min_length=1)]
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    temperature: AtMost2 | None = None
    top_p: AtMost1 | None = None
    presence_penalty: Within2 | None = None
    frequency_penalty: Within2 | None = None
    seed: Seed | None = None
    n: Literal[1] | None = None
    response_format: msgspec.Raw = msgspec.Raw()
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
        role, content, name = one.role, one.content, one.name
        parts: tuple[Part, ...] = (Text(text=content),) if type(content) is str else _pieces(content)
        if role is _TOOL:
            results += 1
            parts, name = (_result(one, parts),), None
        elif role is _ASSISTANT and (one.tool_calls or one.reasoning_content):
            parts = _turn(one, parts)
        elif not parts:
            raise Unusual
        messages.append(Message(role=role, parts=parts, name=name))
    return in_call_order(messages) if results > 1 else messages


def _pieces(content: str | list[Piece] | None) -> tuple[Text, ...]:
    return tuple([Text(text=piece.text) for piece in content]) if type(content) is list else ()


def _result(one: Said, parts: tuple[Any, ...]) -> ToolResult:
    if one.tool_call_id is None or one.content is None:
        raise Unusual
    return ToolResult(id=one.tool_call_id, parts=parts, name=one.name)


def _turn(one: Said, texts: tuple[Any, ...]) -> tuple[Part, ...]:
    """Beside calls, an empty text is none."""
    calls = tuple([_call(call) for call in one.tool_calls]) if one.tool_calls else ()
    if calls and texts:
        texts = tuple([text for text in texts if text.text])
    if one.reasoning_content:
        return (Reasoning(text=one.reasoning_content), *texts, *calls)
    return texts + calls


def _call(call: Call) -> ToolCall:
    function = call.function
    return ToolCall(id=call.id, name=function.name, arguments=function.arguments or "{}")
