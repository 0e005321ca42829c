"""OpenAI's Chat Completions as our callers speak it: request in, answer, stream and errors out.

Source: OpenAI API reference, "Create chat completion" and "Streaming" (2025-11),
https://platform.openai.com/docs/api-reference/chat. Fields nobody here knows are kept in ``Request.extra`` for wires
that take them. Not done here: choosing who answers, checking that calls and results match, more than one choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

from ..core.errors import BadRequest, RouterError
from ..core.fold import Answer
from ..core.request import Request, ResponseFormat, Sampling, Thinking
from .base import Served, StreamWriter
from .kept_tools import ToolShelf
from .openai_messages import read_messages
from .openai_tools import read_choice, read_tools
from .openai_usual import Usual, usual, usual_messages
from .openai_writer import ChatStream, answer_body, error_body
from .reading import (
    Table,
    Unusual,
    at,
    bad,
    boolean,
    choice,
    integer,
    leftovers,
    need_object,
    need_text,
    number,
    object_,
    parse_json,
    strings,
    text,
    wrong_type,
)

# fmt: off
_KNOWN = frozenset({
    "model", "messages", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format",
    "stop", "n", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty",
    "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "reasoning_effort", "reasoning", "thinking",
    "include_reasoning", "reasoning_format", "modalities", "audio", "stream", "stream_options", "user", "metadata",
})
# fmt: on

# What a request without any of these is told is always the same: most have none.
_REFUSED = frozenset({"n", "modalities", "audio"})
_TASTES = frozenset(Sampling.__struct_fields__)
_RARE_TASTES = _TASTES - {"temperature", "top_p"}
_THOUGHTS = frozenset({"reasoning", "thinking", "reasoning_effort", "reasoning_format", "include_reasoning"})
_UNSAID = Thinking()
_PLAIN = Sampling()

# ``max`` is newer than our words for effort: it is asked for as the strongest we have. ``default`` is Groq's word
# for "on" (https://console.groq.com/docs/reasoning, 2025-11).
_EFFORTS = {word: word for word in ("none", "minimal", "low", "medium", "high", "xhigh")} | {"max": "xhigh"}


class OpenAIChat:
    """The dialect of ``POST /v1/chat/completions``."""

    name = "openai"

    def __init__(self) -> None:
        self._shelf = ToolShelf(lambda body: read_tools(body)[0])

    def read(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Raises BadRequest naming the field."""
        try:
            return _usual_request(usual(body), self._shelf)
        except (Unusual, BadRequest):
            return read_request(parse_json(body))

    def answer(self, request: Request, answer: Answer, served: Served) -> bytes:
        """A ``chat.completion``."""
        return answer_body(request, answer, served)

    def stream(self, request: Request, served: Served) -> StreamWriter:
        """A writer of ``chat.completion.chunk`` frames."""
        return ChatStream(request, served)

    def error(self, error: RouterError, request_id: str) -> bytes:
        """``{"error": {...}}``, for any of OpenAI's surfaces."""
        return error_body(error, request_id)


def read_request(body: Table) -> Request:
    """The body as our Request."""
    model = need_text(body, "model")
    if not model:
        raise bad("model", "must not be empty")
    _refuse_what_is_not_served(body)
    messages = read_messages(body)
    tools, tool_choice, legacy = read_tools(body)
    parallel = boolean(body, "parallel_tool_calls")
    return Request(
        dialect=OpenAIChat.name,
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tools=False if legacy else parallel if tools else None,
        response_format=_response_format(body),
        stop=_stop(body),
        max_output=_max_output(body),
        sampling=_sampling(body),
        thinking=_thinking(body),
        stream=boolean(body, "stream") or False,
        include_usage=_include_usage(body),
        user=text(body, "user"),
        metadata=object_(body, "metadata"),
        legacy_functions=legacy,
        extra=_extra(body),
    )


def _usual_request(body: Usual, shelf: ToolShelf) -> Request:
    """Raises Unusual, or BadRequest: the general reader then says what is wrong in its own words."""
    messages = usual_messages(body.messages)
    tools, tool_choice = shelf.of(bytes(body.tools)) if body.tools else (), None
    options, limit, effort = body.stream_options, body.max_completion_tokens, body.reasoning_effort
    if body.tool_choice is not None:
        tools, tool_choice = read_choice({"tool_choice": body.tool_choice}, tools)
    return Request(
        dialect=OpenAIChat.name,
        model=body.model,
        messages=tuple(messages),
        tools=tools,
        tool_choice=tool_choice,
        parallel_tools=body.parallel_tool_calls if tools else None,
        response_format=_raw_format(body.response_format) if body.response_format else None,
        stop=_words(body.stop) if body.stop else (),
        max_output=body.max_tokens if limit is None else limit,
        sampling=_usual_sampling(body),
        thinking=_UNSAID if effort is None else _thinking({"reasoning_effort": effort}),
        stream=body.stream or False,
        include_usage=bool(options and options.include_usage),
        user=body.user,
    )


def _raw_format(raw: msgspec.Raw) -> ResponseFormat | None:
    try:
        return _response_format({"response_format": orjson.loads(memoryview(raw))})
    except orjson.JSONDecodeError:
        raise Unusual from None


def _usual_sampling(body: Usual) -> Sampling:
    presence, frequency, seed = body.presence_penalty, body.frequency_penalty, body.seed
    if presence is None and frequency is None and seed is None:
        if body.temperature is None and body.top_p is None:
            return _PLAIN
        return Sampling(temperature=body.temperature, top_p=body.top_p)
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        presence_penalty=presence,
        frequency_penalty=frequency,
        seed=seed,
    )


def _refuse_what_is_not_served(body: Table) -> None:
    if _REFUSED.isdisjoint(body):
        return
    if (integer(body, "n", minimum=1) or 1) > 1:
        raise bad("n", "must be 1: one choice is served per request")
    for index, word in enumerate(strings(body, "modalities")):
        if word != "text":
            raise bad(at("modalities", index), f"must be text: {word} output is not served")
    if object_(body, "audio"):
        raise bad("audio", "is not served: answers are text")


def _response_format(body: Table) -> ResponseFormat | None:
    """None for plain text. A ``json_object`` with a schema (llama.cpp, Together) is a ``json_schema``."""
    table = object_(body, "response_format")
    if table is None:
        return None
    where = "response_format"
    words = ("text", "json_object", "json_schema")
    kind = choice(table, "type", where, among=words)
    if kind is None:
        raise bad(at(where, "type"), "is required")
    if kind == "text":
        return None
    if kind == "json_object":
        schema = object_(table, "schema", where)
        return ResponseFormat(kind="json_schema" if schema else kind, schema=schema)
    path = at(where, "json_schema")
    inner = need_object(table, "json_schema", where)
    return ResponseFormat(
        kind=kind,
        name=text(inner, "name", path) or "answer",
        description=text(inner, "description", path),
        schema=object_(inner, "schema", path),
        strict=boolean(inner, "strict", path),
    )


def _stop(body: Table) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    if isinstance(value, str):
        return _words(value) if value else ()
    if not isinstance(value, list):
        raise wrong_type("stop", "a string or an array of strings", value)
    return _words(strings(body, "stop"))


def _words(said: str | Iterable[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple([word for word in said if word])


def _max_output(body: Table) -> int | None:
    """``max_completion_tokens`` replaced ``max_tokens``; where both are there the newer one holds."""
    older = integer(body, "max_tokens", minimum=1)
    newer = integer(body, "max_completion_tokens", minimum=1)
    return newer if newer is not None else older


def _sampling(body: Table) -> Sampling:
    if _TASTES.isdisjoint(body):
        return _PLAIN
    if _RARE_TASTES.isdisjoint(body):
        temperature = number(body, "temperature", minimum=0, maximum=2)
        return Sampling(temperature=temperature, top_p=number(body, "top_p", minimum=0, maximum=1))
    top_k = integer(body, "top_k")
    return Sampling(
        temperature=number(body, "temperature", minimum=0, maximum=2),
        top_p=number(body, "top_p", minimum=0, maximum=1),
        # 0 and -1 switch it off where it exists (vLLM, "Sampling parameters")
        top_k=top_k if top_k and top_k > 0 else None,
        seed=integer(body, "seed"),
        presence_penalty=number(body, "presence_penalty", minimum=-2, maximum=2),
        frequency_penalty=number(body, "frequency_penalty", minimum=-2, maximum=2),
        logit_bias=_logit_bias(body),
        logprobs=boolean(body, "logprobs"),
        top_logprobs=integer(body, "top_logprobs", minimum=0, maximum=20),
    )


def _logit_bias(body: Table) -> dict[str, float] | None:
    table = object_(body, "logit_bias")
    if not table:
        return None
    biases = {token: number(table, token, "logit_bias", minimum=-100, maximum=100) for token in table}
    return {token: bias for token, bias in biases.items() if bias is not None}


def _thinking(body: Table) -> Thinking:
    """One view of three spellings: ``reasoning_effort``, OpenRouter's ``reasoning`` object, and the ``thinking``
    switch of DeepSeek and Z.ai."""
    if _THOUGHTS.isdisjoint(body):
        return _UNSAID
    reasoning = object_(body, "reasoning") or {}
    thinking = object_(body, "thinking") or {}
    word = choice(reasoning, "effort", "reasoning", among=_EFFORTS)
    word = word or choice(body, "reasoning_effort", among=(*_EFFORTS, "default"))
    effort = _EFFORTS.get(word or "")
    budget = integer(reasoning, "max_tokens", "reasoning", minimum=1)
    budget = budget or integer(thinking, "budget_tokens", "thinking", minimum=1)
    enabled = _switch(reasoning, thinking)
    if enabled is None and (word or budget):
        enabled = word != "none"
    return Thinking(enabled=enabled, effort=effort, budget=budget, show=_shown(body, reasoning))


def _switch(reasoning: Table, thinking: Table) -> bool | None:
    kind = choice(thinking, "type", "thinking", among=("enabled", "disabled", "adaptive", "auto"))
    if kind is not None:
        return kind != "disabled"
    return boolean(reasoning, "enabled", "reasoning")


def _shown(body: Table, reasoning: Table) -> bool:
    """Whether reasoning text may be returned; ``reasoning_format`` is Groq's way to say it, ``include_reasoning``
    OpenRouter's older one."""
    hidden = choice(body, "reasoning_format", among=("parsed", "raw", "hidden", "none", "auto")) == "hidden"
    excluded = boolean(reasoning, "exclude", "reasoning")
    return not (hidden or excluded or boolean(body, "include_reasoning") is False)


def _include_usage(body: Table) -> bool:
    options = object_(body, "stream_options")
    if not options:
        return False
    return boolean(options, "include_usage", "stream_options") or False


def _extra(body: Table) -> dict[str, Any]:
    """Passed on as they came; those OpenAI defines are checked, so that a mistake is ours to name."""
    boolean(body, "store")
    text(body, "service_tier")
    object_(body, "prediction")
    return leftovers(body, _KNOWN)
