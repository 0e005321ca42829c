"""What a caller asks for, in our words. Dialects read into it, wires write from it.

A conversation is a tuple of messages; a message is a role and a tuple of parts. Tool results are messages of
their own (role ``tool``), one part each, in the order the calls were made: a wire that wants them inside a user
turn merges them. Anything a dialect knows and we do not is kept in ``extra`` under its wire name.

``gc=False``: nothing a part or a message holds can lead back to it, and the collector need not look at thousands of
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    """Who speaks. ``developer`` is OpenAI's newer name for instructions; a wire without it writes ``system``."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Text(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Plain text. ``cache_control`` is Anthropic's prompt-cache mark, kept for wires that use it; so are ``citations``,
    what an assistant's text rested on."""

    text: str
    citations: list[Any] | None = None
    cache_control: dict[str, Any] | None = None


class Image(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A picture: either ``url`` or base64 ``data`` with its ``media_type``, never both."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache_control: dict[str, Any] | None = None


class Audio(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base64 sound and its format (``wav``, ``mp3``)."""

    data: str
    format: str


class Document(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file: one of ``url``, base64 ``data``, plain ``text``, or a provider's ``file_id``."""

    url: str | None = None
    data: str | None = None
    text: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    title: str | None = None
    context: str | None = None
    citations: bool = False
    cache_control: dict[str, Any] | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a model thought in an earlier turn, with what its maker needs to see again.

    ``signature`` is Anthropic's; ``redacted`` its encrypted block; ``details`` OpenRouter's list as it came.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    details: list[Any] | None = None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call the model made. ``arguments`` is JSON text; ``opaque`` is vendor data that must come back
    unchanged (Gemini's ``extra_content``)."""

    id: str
    name: str
    arguments: str
    opaque: dict[str, Any] | None = None
    cache_control: dict[str, Any] | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a tool answered: text, image and document parts."""

    id: str
    parts: tuple[Text | Image | Document, ...]
    is_error: bool = False
    name: str | None = None
    cache_control: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An earlier assistant turn that declined (OpenAI's ``refusal``)."""

    text: str


Part = Text | Image | Audio | Document | Reasoning | ToolCall | ToolResult | Refusal


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One turn. ``origin`` names the provider and model that wrote an assistant turn, where we remember it:
    ``provider/model``. Only that provider gets its reasoning and opaque data back."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    origin: str | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function on offer; ``schema`` is JSON Schema for its arguments (an empty object where none was given)."""

    name: str
    description: str | None
    schema: dict[str, Any]
    strict: bool | None = None
    cache_control: dict[str, Any] | None = None


class KeptTools(tuple[Tool, ...]):
    """Tools that a dialect keeps, and offers again for the next request that names them in the same words: agents send
    the same ones each time. ``noted`` holds what was worked out about them, each under a key of whoever did: what they
    weigh, how a provider wants them written. Nobody changes a schema in place."""

    noted: dict[object, Any]

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.noted = {}


class ToolMode(StrEnum):
    """How free the model is to call tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` is set exactly when ``mode`` is ``named``."""

    mode: ToolMode
    name: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` is ``json_object`` or ``json_schema``; plain text is no format at all."""

    kind: str
    name: str = "answer"
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Knobs that change the answer's taste, not its kind: a wire that lacks one leaves it out."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller said about reasoning. ``enabled`` None means nothing was said.

    ``effort`` is OpenAI's word (none, minimal, low, medium, high, xhigh), ``budget`` Anthropic's in tokens.
    ``show`` says whether reasoning text may be returned.
    """

    enabled: bool | None = None
    effort: str | None = None
    budget: int | None = None
    show: bool = True


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request. ``max_output`` and every other count of text is in tokens. ``legacy_functions``: the caller
    speaks OpenAI's deprecated ``functions``, so its answer carries ``function_call``. ``may_shorten``: the oldest turns
    may be left out where the whole fits nobody."""

    dialect: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    response_format: ResponseFormat | None = None
    stop: tuple[str, ...] = ()
    max_output: int | None = None
    sampling: Sampling = Sampling()
    thinking: Thinking = Thinking()
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    metadata: dict[str, Any] | None = None
    legacy_functions: bool = False
    may_shorten: bool = False
    extra: dict[str, Any] = {}


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Texts or token arrays to turn into vectors, in order. ``encoding`` is ``float`` or ``base64``."""

    dialect: str
    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: str = "float"
    user: str | None = None
    extra: dict[str, Any] = {}
