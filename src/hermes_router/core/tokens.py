"""How many tokens a request is about, without a tokenizer: for fitting windows, holding quota, and count_tokens.

Text is weighed by what it is made of: words, digits, marks, lines, characters beyond ASCII. What a maker's template
adds (around turns, for offering tools at all, for switching thinking on) is a row of constants per family of models,
chosen by the name a caller asked for. All constants are rounded from fits to usage that providers reported, on either
half of the recordings, each judged on the other (``scripts/count_error.py``). Nothing here is good enough for billing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

import msgspec
import orjson

from .request import (
    Audio,
    Document,
    EmbeddingRequest,
    Image,
    KeptTools,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

_PER_IMAGE = 1100
_PER_AUDIO_KB = 12
_PER_PDF_KB = 25

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BLANK = b" \t\r"
_RUN = b"w" * 16
_PER_RUN = 6.0
"""Sixteen letters on end are no word but a key, a hash, a picture as text."""
_LONG = 8
"""Bytes to a word from which on a text is looked through for such letters."""
_WHOLE = 32768
_SLICE, _SLICES = 4000, 8
"""A longer text is judged by slices of it: the time it takes stays bounded."""


def _class(byte: int) -> str:
    if byte >= 0xF0:
        return "4"
    if byte >= 0xC0:
        return "3" if byte >= 0xE0 else "2"
    if byte >= 0x80 or byte in _BLANK:
        return " "
    if byte == 0x0A:
        return "n"
    if byte in _LETTERS:
        return "w"
    return "d" if chr(byte).isdigit() else "p"


_CLASSES = "".join(_class(byte) for byte in range(256)).encode()
_UNCOUNTED = bytes(byte for byte in range(256) if _class(byte) == " ") + b"abcdefghijklmnopqrstuvwxyz"
"""What ``_weigh`` does not count of a text in title case, where a word has one capital: the rest is a fifth of it."""
_WORDS = bytes(0x77 if byte in _LETTERS else 0x20 for byte in range(256))


class _Style(msgspec.Struct, frozen=True, kw_only=True):
    """A family's template and tokenizer. ``first``: around a conversation of one turn; ``turn``: each further message;
    ``result``: each tool call and each result; ``tools``: for offering any, ``tool`` each; ``thinking``: for switching
    it on; ``format``: for an output schema; ``text``: tokens for one of ours. ``word`` and ``mark``: those of JSON."""

    first: float
    turn: float = 3.5
    result: float = 9.0
    tools: float = 10.0
    tool: float = 5.0
    thinking: float = 0.0
    format: float = 8.0
    text: float = 1.0
    word: float = 1.25
    digit: float = 0.5
    mark: float = 0.05


def _claude(*, tools: float, text: float = 1.04, format: float = 90.0, thinking: float = 29.0) -> _Style:  # noqa: A002
    return _Style(
        first=6.8,
        turn=3.2,
        result=12.0,
        tools=tools,
        tool=7.4,
        thinking=thinking,
        format=format,
        text=text,
        word=0.9 * text,
        digit=1.2 * text,
        mark=1.15 * text,
    )


_OPENAI = _Style(first=6.0)
_CLAUDE = _claude(tools=495.0)
_FAMILIES: tuple[tuple[str, _Style], ...] = (
    (r"(sonnet|opus|haiku)-5|opus-4[-.][789]", _claude(tools=365.0, text=1.33, format=110.0, thinking=0.0)),
    (r"claude-(3-(opus|haiku|sonnet)|2)", _claude(tools=260.0, text=1.2)),
    (r"claude-3|(sonnet|opus)-4(-[01]\b|\.1|-20|$)", _claude(tools=302.0, text=1.1, format=150.0)),
    (r"claude", _CLAUDE),
    (r"gpt-oss", _Style(first=69.0, turn=4.5, result=10.0, tools=24.0, tool=4.0, word=1.1)),
    (r"llama-?3[.-][1-9]|llama-?4", _Style(first=30.0, turn=4.5)),
    (r"deepseek", _Style(first=3.9, turn=1.0, result=18.0, tools=142.0, tool=15.0, word=1.5)),
    (r"gemini|gemma", _Style(first=1.0, turn=0.0, result=2.4, tools=0.0, tool=0.0, format=0.0, word=0.72)),
    (r"glm", _Style(first=5.0, turn=1.5, result=14.5, tools=120.0, tool=14.5, word=1.5)),
    (r"qwen", _Style(first=8.8, turn=4.0, result=11.0, tools=110.0, tool=10.0, word=1.2)),
    (r"kimi", _Style(first=9.0, turn=2.5, result=14.0, tools=8.0, tool=18.0, word=1.6)),
    # xAI puts instructions of its own before the caller's.
    (r"grok-4.*fast|grok-4[.-]1", _Style(first=152.0, turn=3.6, result=14.0, tools=80.0, tool=8.0, word=1.6)),
    (r"grok-code", _Style(first=205.0, turn=3.6, result=14.0, tools=60.0, tool=8.0, word=1.6)),
    (r"grok-4", _Style(first=682.0, turn=3.6, result=14.0, tools=60.0, tool=8.0, word=1.6)),
    (r"grok", _Style(first=6.8, turn=3.6, result=14.0, tools=100.0, tool=8.0, word=1.7)),
    (r"minimax", _Style(first=41.0)),
    (r"sonar", _Style(first=0.0, turn=0.0)),
    (r"mistral|ministral|magistral|codestral|devstral", _Style(first=5.0, turn=3.5, result=5.0, word=1.6)),
)


@lru_cache(maxsize=512)
def _style(dialect: str, model: str) -> _Style:
    name = model.lower()
    found = next((style for pattern, style in _FAMILIES if re.search(pattern, name)), None)
    return found or (_CLAUDE if dialect == "anthropic" else _OPENAI)


def count_text(text: str) -> int:
    """Tokens of a text, 0 for none: a rough count for pieces of a stream, which must cost next to nothing. Four
    characters a token, one and a half in other scripts (OpenAI, "What are tokens")."""
    if text.isascii():
        return (len(text) + 3) // 4
    wide = len(text) - len(text.encode("ascii", "ignore"))
    return (len(text) - wide + 3) // 4 + wide * 2 // 3


def _weigh(data: bytes, word: float, digit: float, mark: float) -> float:
    """Tokens of a text in UTF-8. 2.5 ns a byte."""
    if len(data) > _WHOLE:
        step = (len(data) - _SLICE) // (_SLICES - 1)
        part = b"\n".join(data[at * step : at * step + _SLICE] for at in range(_SLICES))
        return _weigh(part, word, digit, mark) * len(data) / len(part)
    classes = data.title().translate(_CLASSES, _UNCOUNTED)
    # digits that weigh what words do are counted with them
    digits = 0 if digit == word else classes.count(b"d")
    marks, lines = classes.count(b"p"), classes.count(b"n")
    words = len(classes) - digits - marks - lines
    wide = 0.0
    if not data.isascii():
        two, three, four = classes.count(b"2"), classes.count(b"3"), classes.count(b"4")
        words -= two + three + four
        wide = 0.5 * two + three + 2.0 * four
    total = word * words + digit * digits + mark * marks + 0.6 * lines + wide
    if words * _LONG < len(data):
        total += _PER_RUN * data.translate(_WORDS).count(_RUN)
    return total


def _prose(text: str) -> float:
    return _weigh(text.encode("utf-8", "replace"), 1.05, 1.05, 0.85)


def _json(data: bytes, style: _Style) -> float:
    return _weigh(data, style.word, style.digit, style.mark)


def _tools(tools: tuple[Tool, ...], style: _Style) -> float:
    """Tokens for offering them."""
    if type(tools) is not KeptTools:
        return _offer(tools, style)
    tokens = tools.noted.get(style)
    if tokens is None:
        tokens = tools.noted[style] = _offer(tools, style)
    return cast("float", tokens)


def _offer(tools: tuple[Tool, ...], style: _Style) -> float:
    said = b"\n".join(
        b"%b %b %b"
        % (tool.name.encode(), (tool.description or "").encode("utf-8", "replace"), orjson.dumps(tool.schema))
        for tool in tools
    )
    return style.tools + style.tool * len(tools) + _json(said, style)


class Apart(msgspec.Struct, gc=False):
    """What a conversation is made of. ``texts`` are all there are in it; ``calls`` name and arguments in turn;
    ``results`` how many; ``media`` what is neither text nor a call, wherever it stands."""

    texts: list[str]
    calls: list[str]
    results: int
    media: list[Part]


def apart(messages: Iterable[Message]) -> Apart:
    """One look at each part of a conversation, for all who ask what is in it."""
    texts: list[str] = []
    calls: list[str] = []
    results = 0
    media: list[Part] = []
    for message in messages:
        for part in message.parts:
            if type(part) is Text:
                texts.append(part.text)
            elif type(part) is ToolCall:
                calls += part.name, part.arguments
            elif type(part) is ToolResult:
                results += 1
                for inner in part.parts:
                    if type(inner) is Text:
                        texts.append(inner.text)
                    else:
                        media.append(inner)
            elif type(part) is Reasoning or type(part) is Refusal:
                texts.append(part.text)
            else:
                media.append(part)
    return Apart(texts, calls, results, media)


def _medium(part: Part, style: _Style) -> float:
    match part:
        case Image():
            return _PER_IMAGE
        case Audio():
            return len(part.data) // 1365 * _PER_AUDIO_KB + 1
        case Document():
            written = style.text * _prose(part.text) if part.text else 0.0
            return written + len(part.data or "") // 1365 * _PER_PDF_KB + 1
    return 0.0


def count_request(request: Request) -> int:
    """Input tokens of a chat request."""
    return count_apart(request, apart(request.messages))


def count_apart(request: Request, found: Apart) -> int:
    """The same where its parts were looked at before."""
    style = _style(request.dialect, request.model)
    total = style.first + style.turn * (len(request.messages) - 1) + style.text * _prose(" ".join(found.texts))
    if calls := found.calls:
        total += style.result * (len(calls) // 2) + _json(" ".join(calls).encode("utf-8", "replace"), style)
    if found.results:
        total += style.result * found.results
    for part in found.media:
        total += _medium(part, style)
    if request.tools:
        total += _tools(request.tools, style)
    if request.response_format and request.response_format.schema:
        total += style.format + _json(orjson.dumps(request.response_format.schema), style)
    if request.thinking.enabled:
        total += style.thinking
    return round(total) if total > 1.0 else 1


def count_embedding(request: EmbeddingRequest) -> int:
    """Input tokens of an embedding request."""
    return sum(count_text(item) if isinstance(item, str) else len(item) for item in request.inputs)
