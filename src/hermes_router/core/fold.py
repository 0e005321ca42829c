"""Events into one answer: ``fold(event, so far)``. Pure; the dialects write JSON answers from the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .events import (
    Citations,
    Event,
    Failed,
    Finish,
    Note,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    Vectors,
)
from .faults import Fault


class TextPart(msgspec.Struct):
    """Text as it was said, in one run; ``citations`` is a list where the passage was ended by ``Citations``."""

    text: str
    citations: list[dict[str, Any]] | None = None


class ReasoningPart(msgspec.Struct):
    """Thinking in one run, closed by its signature."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    details: list[Any] | None = None


class CallPart(msgspec.Struct):
    """One tool call."""

    id: str
    name: str
    arguments: str = ""
    opaque: dict[str, Any] | None = None


class Answer(msgspec.Struct):
    """A whole answer: ``parts`` in order of appearance."""

    start: Start = Start()
    parts: list[TextPart | ReasoningPart | CallPart] = []
    calls: dict[int, CallPart] = {}
    refusal: str | None = None
    logprobs: list[Any] | None = None
    usage: Usage | None = None
    finish: Finish | None = None
    vectors: list[list[float]] = []
    fault: Fault | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))


_SLOTS: dict[type, str] = {Start: "start", Usage: "usage", Finish: "finish"}
"""Events that are kept as they are, and where."""


def fold(event: Event, answer: Answer) -> Answer:
    """Add one event to the answer (changed in place and returned)."""
    if (slot := _SLOTS.get(type(event))) is not None:
        setattr(answer, slot, event)
        return answer
    match event:
        case TextDelta():
            _text(event, answer)
        case ReasoningDelta():
            _reasoning(event, answer)
        case ToolCallStart():
            call = CallPart(event.id, event.name, "", event.opaque)
            answer.calls[event.index] = call
            answer.parts.append(call)
        case ToolCallDelta():
            answer.calls[event.index].arguments += event.arguments
        case RefusalDelta():
            answer.refusal = (answer.refusal or "") + event.text
        case Citations():
            last = answer.parts[-1] if answer.parts else None
            if isinstance(last, TextPart):
                last.citations = event.items
        case Vectors():
            answer.vectors.extend(event.vectors)
        case Failed():
            answer.fault = event.fault
        case Note():
            pass
    return answer


def fold_all(events: Iterable[Event]) -> Answer:
    """The answer a finished list of events makes."""
    answer = Answer()
    for event in events:
        fold(event, answer)
    return answer


def _text(event: TextDelta, answer: Answer) -> None:
    _say(event.text, answer)
    if event.logprobs:
        answer.logprobs = (answer.logprobs or []) + event.logprobs


def _say(text: str, answer: Answer) -> None:
    last = answer.parts[-1] if answer.parts else None
    if type(last) is TextPart and last.citations is None:
        last.text += text
    elif text:
        answer.parts.append(TextPart(text))


def _reasoning(event: ReasoningDelta, answer: Answer) -> None:
    last = answer.parts[-1] if answer.parts else None
    open_part = isinstance(last, ReasoningPart) and last.signature is None and last.redacted is None
    if event.redacted is not None:
        answer.parts.append(ReasoningPart(redacted=event.redacted))
        return
    if not open_part:
        last = ReasoningPart()
        answer.parts.append(last)
    assert isinstance(last, ReasoningPart)
    last.text += event.text
    last.signature = event.signature or last.signature
    if event.details:
        last.details = (last.details or []) + event.details


class Folder:
    """Folds a stream as it passes; runs of text are joined once, at their end."""

    __slots__ = ("_answer", "_text")

    def __init__(self) -> None:
        self._answer = Answer()
        self._text: list[str] = []

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            if type(event) is TextDelta and event.logprobs is None:
                self._text.append(event.text)
            elif (slot := _SLOTS.get(type(event))) is not None:  # text before and after it is one run
                setattr(self._answer, slot, event)
            else:
                self._flush()
                fold(event, self._answer)

    def answer(self) -> Answer:
        """The answer so far; more may be added."""
        self._flush()
        return self._answer

    def _flush(self) -> None:
        if self._text:
            _say("".join(self._text), self._answer)
            self._text = []
