"""What providers want to see again of their own earlier turns, and which turn was whose. Bounded, in memory.

Callers drop what their API has no place for (thinking, signatures), so it is kept here by tool-call id, or by the text
of a turn without calls, and put back when the conversation comes round.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from ..core.fold import Answer, CallPart, ReasoningPart, TextPart
from ..core.request import Message, Part, Reasoning, Request, Role, Text, ToolCall

_KEPT = 8192


class Turn(msgspec.Struct, frozen=True):
    """One assistant turn: who wrote it, its thinking, and the opaque data of its calls by id."""

    origin: str
    reasoning: tuple[Reasoning, ...] = ()
    opaque: dict[str, dict[str, Any]] = {}


class Memory:
    """The latest turns."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._turns: OrderedDict[str, Turn] = OrderedDict()

    def remember(self, origin: str, answer: Answer) -> None:
        """Keep what this answer, by ``origin`` (provider/model), will need when it comes back."""
        parts = answer.parts
        if len(parts) == 1 and type(parts[0]) is TextPart:
            self._keep(_text_key([parts[0].text]), Turn(origin))
            return
        turn = Turn(
            origin,
            tuple(_reasoning(part) for part in parts if isinstance(part, ReasoningPart)),
            {part.id: part.opaque for part in parts if isinstance(part, CallPart) and part.opaque},
        )
        calls = [part.id for part in parts if isinstance(part, CallPart)]
        self._keep(calls or _text_key(part.text for part in parts if isinstance(part, TextPart)), turn)

    def _keep(self, keys: list[str], turn: Turn) -> None:
        for key in keys:
            self._turns[key] = turn
            self._turns.move_to_end(key)
        while len(self._turns) > self._kept:
            self._turns.popitem(last=False)

    def restore(self, request: Request) -> Request:
        """The request with what its assistant turns lost on the way; the same object where nothing is known."""
        if not self._turns or not any(message.role is Role.ASSISTANT for message in request.messages):
            return request
        messages = tuple(
            self._message(message) if message.role is Role.ASSISTANT else message for message in request.messages
        )
        if messages == request.messages:
            return request
        return msgspec.structs.replace(request, messages=messages)

    def _message(self, message: Message) -> Message:
        turn = self._find(message)
        if turn is None:
            return message
        parts = tuple(_with_opaque(part, turn) for part in message.parts)
        if turn.reasoning and not any(isinstance(part, Reasoning) for part in parts):
            parts = (*turn.reasoning, *parts)
        return msgspec.structs.replace(message, parts=parts, origin=turn.origin)

    def _find(self, message: Message) -> Turn | None:
        calls = [part.id for part in message.parts if isinstance(part, ToolCall)]
        keys = calls or _text_key(part.text for part in message.parts if isinstance(part, Text))
        return next((self._turns[key] for key in keys if key in self._turns), None)


def _with_opaque(part: Part, turn: Turn) -> Part:
    if isinstance(part, ToolCall) and part.opaque is None and part.id in turn.opaque:
        return msgspec.structs.replace(part, opaque=turn.opaque[part.id])
    return part


def _reasoning(part: ReasoningPart) -> Reasoning:
    return Reasoning(text=part.text, signature=part.signature, redacted=part.redacted, details=part.details)


def _text_key(texts: Any) -> list[str]:
    text = "".join(texts).strip()
    return [f"text {hash(text)} {len(text)}"] if text else []
