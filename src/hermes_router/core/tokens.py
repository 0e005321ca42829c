"""How many tokens a request is about, without a tokenizer: for fitting windows and holding quota, not for billing.

Latin text is taken at four characters a token, other scripts at one and a half characters (OpenAI, "What are tokens",
and counts of CJK text by common tokenizers); the parts a provider's template adds are small constants.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from .request import (
    Audio,
    Document,
    EmbeddingRequest,
    Image,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

_PER_MESSAGE = 8
_PER_IMAGE = 1100
_PER_AUDIO_KB = 12
_PER_PDF_KB = 25


def count_text(text: str) -> int:
    """Tokens of a text, 0 for none."""
    if text.isascii():
        return (len(text) + 3) // 4
    wide = len(text) - len(text.encode("ascii", "ignore"))
    return (len(text) - wide + 3) // 4 + wide * 2 // 3


def count_tools(tools: Iterable[Tool]) -> int:
    """Tokens of tool definitions."""
    return sum(
        8 + count_text(tool.name) + count_text(tool.description or "") + len(orjson.dumps(tool.schema)) // 4
        for tool in tools
    )


def count_part(part: Part) -> int:
    """Tokens of one part of a message."""
    match part:
        case Text() | Refusal():
            return count_text(part.text)
        case ToolCall():
            return 10 + count_text(part.name) + count_text(part.arguments)
        case ToolResult():
            return 8 + sum(count_part(inner) for inner in part.parts)
        case Reasoning():
            return count_text(part.text)
        case Image():
            return _PER_IMAGE
        case Audio():
            return len(part.data) // 1365 * _PER_AUDIO_KB + 1
        case Document():
            return count_text(part.text or "") + len(part.data or "") // 1365 * _PER_PDF_KB + 1


def count_request(request: Request) -> int:
    """Input tokens of a chat request."""
    total = 3
    for message in request.messages:
        total += _PER_MESSAGE
        for part in message.parts:
            total += count_text(part.text) if type(part) is Text else count_part(part)
    if request.tools:
        total += count_tools(request.tools)
    if request.response_format and request.response_format.schema:
        total += len(orjson.dumps(request.response_format.schema)) // 4
    return total


def count_embedding(request: EmbeddingRequest) -> int:
    """Input tokens of an embedding request."""
    return sum(count_text(item) if isinstance(item, str) else len(item) for item in request.inputs)
