"""What a request needs of a model."""

from __future__ import annotations

import msgspec

from ..catalogue.abilities import Ability
from ..core.request import (
    Audio,
    Document,
    EmbeddingRequest,
    Image,
    Message,
    Part,
    Request,
    Role,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from ..core.tokens import apart, count_apart, count_embedding
from .difficulty import difficulty

_ASSISTANT = Role.ASSISTANT


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """``soft``: abilities that are done without where nobody has them. ``input`` is an estimate in tokens; ``output``
    what the caller allows, 0: not said. ``tier``: the weakest that should do (1 strongest .. 5)."""

    abilities: int
    input: int
    soft: int = 0
    output: int = 0
    tier: int = 5
    stream: bool = False


def needs_of(request: Request) -> Needs:
    """The needs of a chat request."""
    wanted = Ability.TOOLS if request.tools and not _forbids(request.tool_choice) else 0
    messages = request.messages
    found = apart(messages)
    for part in found.media:
        wanted |= _medium(part)
    if len(found.calls) > 2 and any(map(_calls_many, messages)):
        wanted |= Ability.PARALLEL_TOOLS
    if messages[-1].role is _ASSISTANT:
        wanted |= Ability.PREFILL
    return Needs(
        abilities=wanted,
        soft=_format(request) if request.response_format else 0,
        input=count_apart(request, found),
        output=request.max_output or 0,
        tier=_weakest(difficulty(request)),
        stream=request.stream,
    )


def names_a_file(request: Request) -> bool:
    """It has a document that lies in one provider's account, where nobody else can see it."""
    parts = (part for message in request.messages for part in message.parts)
    return any(
        isinstance(inner, Document) and inner.file_id is not None
        for part in parts
        for inner in (part.parts if isinstance(part, ToolResult) else (part,))
    )


def needs_of_embedding(request: EmbeddingRequest) -> Needs:
    """The needs of an embedding request: room for its tokens."""
    return Needs(abilities=0, input=count_embedding(request))


def _format(request: Request) -> int:
    """Formats are told in words and checked where a provider has none of its own (engine/structured.py)."""
    if request.response_format is None or request.response_format.kind != "json_schema":
        return Ability.JSON_OBJECT
    wanted = Ability.JSON_SCHEMA
    if request.tools:
        wanted |= Ability.SCHEMA_WITH_TOOLS
    if request.stream:
        wanted |= Ability.SCHEMA_WITH_STREAM
    return wanted


def _weakest(hard: float) -> int:
    if hard >= 0.5:
        return 2
    return 3 if hard >= 0.25 else 4


def _forbids(choice: ToolChoice | None) -> bool:
    return choice is not None and choice.mode is ToolMode.NONE


def _medium(part: Part) -> int:
    match part:
        case Image():
            return Ability.VISION | Ability.IMAGE_URLS if part.url else Ability.VISION
        case Document():
            # plain text is written out where a model takes no documents
            if part.text is not None:
                return 0
            return Ability.DOCUMENTS | Ability.DOCUMENT_URLS if part.url else Ability.DOCUMENTS
        case Audio():
            return Ability.AUDIO
        case _:
            return 0


def _calls_many(message: Message) -> bool:
    parts = message.parts
    if len(parts) < 2 or message.role is not _ASSISTANT:
        return False
    return len([part for part in parts if type(part) is ToolCall]) > 1
