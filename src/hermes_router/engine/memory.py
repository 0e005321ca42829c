"""What providers want to see again of their own earlier turns, and which turn was whose. Bounded, in memory.

Callers drop what their API has no place for (thinking, signatures), so it is kept here by tool-call id, or by the text
of a turn without calls, and put back when the conversation comes round.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from ..core.fold import Answer, CallPart, ReasoningPart, TextPart
from ..core.request import Message, Part, Reasoning, Request, Role, Text, ToolCall

_KEPT = 8192
_ASSISTANT = Role.ASSISTANT

Key = str | tuple[int, int]
"""The id of a tool call; or of a text its hash and length."""


class Turn(msgspec.Struct, frozen=True):
    """One assistant turn: who wrote it, its thinking, and the opaque data of its calls by id."""

    origin: str
    reasoning: tuple[Reasoning, ...] = ()
    opaque: dict[str, dict[str, Any]] = {}


class Memory:
    """The latest turns."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._turns: OrderedDict[Key, Turn] = OrderedDict()

    def remember(self, origin: str, answer: Answer) -> None:
        """Keep what this answer, by ``origin`` (provider/model), will need when it comes back."""
        parts = answer.parts
        if len(parts) == 1 and type(parts[0]) is TextPart:
            self._keep((_text_key(parts[0].text),), Turn(origin))
            return
        turn = Turn(
            origin,
            tuple(_reasoning(part) for part in parts if isinstance(part, ReasoningPart)),
            {part.id: part.opaque for part in parts if isinstance(part, CallPart) and part.opaque},
        )
        calls = [part.id for part in parts if isinstance(part, CallPart)]
        self._keep(calls or (_text_key(answer.text),), turn)

    def _keep(self, keys: Sequence[Key | None], turn: Turn) -> None:
        turns = self._turns
        for key in keys:
            if key is not None:
                turns[key] = turn
                turns.move_to_end(key)
        while len(turns) > self._kept:
            turns.popitem(last=False)

    def restore(self, request: Request) -> Request:
        """The request with what its assistant turns lost on the way; the same object where nothing is known."""
        if not self._turns:
            return request
        restored: list[Message] | None = None
        for at, message in enumerate(request.messages):
            if message.role is _ASSISTANT and (turn := self._find(message)) is not None:
                if restored is None:
                    restored = list(request.messages)
                restored[at] = _told(message, turn)
        return request if restored is None else msgspec.structs.replace(request, messages=tuple(restored))

    def _find(self, message: Message) -> Turn | None:
        """The turn of its first call that is known; of its text where it made no calls."""
        turns = self._turns
        called = False
        said = ""
        for part in message.parts:
            if type(part) is Text:
                said += part.text
            elif type(part) is ToolCall:
                called = True
                if (turn := turns.get(part.id)) is not None:
                    return turn
        key = None if called else _text_key(said)
        return turns.get(key) if key else None


def _told(message: Message, turn: Turn) -> Message:
    """The message with what its turn had besides."""
    parts = tuple(_with_opaque(part, turn) for part in message.parts)
    if turn.reasoning and not any(isinstance(part, Reasoning) for part in parts):
        parts = (*turn.reasoning, *parts)
    return msgspec.structs.replace(message, parts=parts, origin=turn.origin)


def _with_opaque(part: Part, turn: Turn) -> Part:
    if isinstance(part, ToolCall) and part.opaque is None and part.id in turn.opaque:
        return msgspec.structs.replace(part, opaque=turn.opaque[part.id])
    return part


def _reasoning(part: ReasoningPart) -> Reasoning:
    return Reasoning(text=part.text, signature=part.signature, redacted=part.redacted, details=part.details)


def _text_key(text: str) -> Key | None:
    """None for a turn that said nothing."""
    text = text.strip()
    return (hash(text), len(text)) if text else None
