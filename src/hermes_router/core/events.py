"""What comes back, in our words. Wires read bytes into events, dialects write events into bytes.

A stream is ``Start``, then parts, then ``Usage`` and ``Finish`` in any order at its end; or ``Failed``, which is
always last. Parts follow one another: text, reasoning and tool calls never interleave within one part, but tool
calls may (``index`` tells them apart). A JSON answer is the same events, just not spread over time.

``gc=False``: nothing an event holds can lead back to it, and the collector need not look at thousands of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from .faults import Fault


class FinishReason(StrEnum):
    """Why the model stopped. ``filtered``: the provider withheld the answer."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    STOP_SEQUENCE = "stop_sequence"
    FILTERED = "filtered"
    REFUSED = "refused"


class Start(msgspec.Struct, frozen=True, gc=False):
    """The upstream has begun. ``model`` is what it says it is, which may be more exact than what was asked."""

    id: str = ""
    model: str = ""
    created: int | None = None
    fingerprint: str | None = None


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """More text. ``logprobs`` is OpenAI's token list for this piece, as it came."""

    text: str
    logprobs: list[Any] | None = None


class Citations(msgspec.Struct, frozen=True, gc=False):
    """What the passage of text that ends here rests on, in Anthropic's shape; what follows is another passage. None
    at all: only that a passage ends."""

    items: list[dict[str, Any]] = []


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """More of a refusal (OpenAI's separate channel for it)."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """More thinking. ``signature`` arrives after its text and closes it; ``redacted`` is a whole encrypted part;
    ``details`` are OpenRouter's items as they came, for sending back."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    details: list[Any] | None = None


class ToolCallStart(msgspec.Struct, frozen=True, gc=False):
    """A call begins. ``index`` counts calls from 0 in order of appearance; ``id`` is never empty."""

    index: int
    id: str
    name: str
    opaque: dict[str, Any] | None = None


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """More of the JSON text of a call's arguments."""

    index: int
    arguments: str


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens as the provider counted them. ``input`` includes cached ones; ``output`` includes reasoning.
    ``known`` is False where the figures are our estimate."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache_read: int = 0
    cache_write: int = 0
    known: bool = True


class Vectors(msgspec.Struct, frozen=True, gc=False):
    """Embeddings, in the order of their inputs."""

    vectors: list[list[float]]


class Finish(msgspec.Struct, frozen=True, gc=False):
    """The answer is complete. ``raw`` is the provider's own word; ``stop_sequence`` the text that stopped it;
    ``details`` Anthropic's ``stop_details``, as they came."""

    reason: FinishReason
    raw: str | None = None
    stop_sequence: str | None = None
    details: dict[str, Any] | None = None


class Failed(msgspec.Struct, frozen=True):
    """The answer broke off, or never was one."""

    fault: Fault


class Note(msgspec.Struct, frozen=True, gc=False):
    """Something about the answer that is no part of it: an SSE comment in a stream, nothing in a JSON answer."""

    text: str


Event = (
    Start
    | TextDelta
    | Citations
    | RefusalDelta
    | ReasoningDelta
    | ToolCallStart
    | ToolCallDelta
    | Usage
    | Vectors
    | Finish
    | Failed
    | Note
)
