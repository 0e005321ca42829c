"""OpenAI's legacy Completions as editors and older tools speak it: text in, its continuation out.

Source: OpenAI API reference, "Create completion" (2025-11), https://platform.openai.com/docs/api-reference/completions,
and recorded answers of gpt-3.5-turbo-instruct. Every model here is a chat model: it is told to go on with the text, or,
with ``suffix``, to fill the gap. Not served: several prompts or choices, token arrays, ``logprobs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..core.errors import RouterError
from ..core.events import Event, Finish, Note, RefusalDelta, TextDelta, Usage
from ..core.fold import Answer
from ..core.request import Message, Request, Role, Sampling, Text, Thinking
from ..core.tokens import count_text
from ..sse import comment
from .base import Served, StreamWriter
from .openai_writer import error_body, finish_word, usage_json
from .reading import (
    Table,
    bad,
    boolean,
    integer,
    kind,
    leftovers,
    need_text,
    number,
    object_,
    parse_json,
    strings,
    text,
    wrong_type,
)

_KNOWN = frozenset({
    "model", "prompt", "suffix", "max_tokens", "temperature", "top_p", "n", "best_of", "stream", "stream_options",
    "logprobs", "echo", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "user",
})  # fmt: skip
_DEFAULT_MAX_TOKENS = 16
"""The API's own default."""
_ECHO = "completions_echo"
_CONTINUE = (
    "Continue the user's text exactly where it ends, in its language, voice and format. Output only the continuation: "
    "do not repeat the text, do not answer or comment on it, add no quotation marks and no code fences. Begin with a "
    "space or a line break where the text needs one."
)
_FILL = (
    "The user sends a text with one gap, marked <GAP/>. Output only what belongs into the gap, so that the text before "
    "it, your output and the text after it read as one. Do not repeat the text around the gap, do not comment on it, "
    "add no quotation marks and no code fences. Keep to the indentation in use."
)
_GAP = "<GAP/>"


class OpenAICompletions:
    """The dialect of ``POST /v1/completions``."""

    name = "completions"

    def read(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Raises BadRequest naming the field."""
        return read_request(parse_json(body))

    def answer(self, request: Request, answer: Answer, served: Served) -> bytes:
        """A ``text_completion`` with one choice."""
        said = answer.text + (answer.refusal or "")
        body = _common(served)
        body["choices"] = [_choice(_echo(request) + said, _reason(answer.finish))]
        body["usage"] = orjson.Fragment(usage_json(answer.usage or _estimate(served, count_text(said))))
        return orjson.dumps(body)

    def stream(self, request: Request, served: Served) -> StreamWriter:
        """A writer of ``text_completion`` chunks."""
        return CompletionStream(request, served)

    def error(self, error: RouterError, request_id: str) -> bytes:
        """``{"error": {...}}``."""
        return error_body(error, request_id)


def read_request(body: Table) -> Request:
    """The body as our Request."""
    model = need_text(body, "model")
    if not model:
        raise bad("model", "must not be empty")
    _refuse_what_is_not_served(body)
    prompt = _prompt(body)
    suffix = text(body, "suffix") or ""
    said = f"{prompt}{_GAP}{suffix}" if suffix else prompt
    system = Message(role=Role.SYSTEM, parts=(Text(text=_FILL if suffix else _CONTINUE),))
    max_output = integer(body, "max_tokens", minimum=1)
    options = object_(body, "stream_options") or {}
    echo = prompt if boolean(body, "echo") else ""
    return Request(
        dialect=OpenAICompletions.name,
        model=model,
        messages=(system, Message(role=Role.USER, parts=(Text(text=said),))),
        stop=_stop(body),
        max_output=_DEFAULT_MAX_TOKENS if max_output is None else max_output,
        sampling=_sampling(body),
        thinking=Thinking(show=False),
        stream=boolean(body, "stream") or False,
        include_usage=boolean(options, "include_usage", "stream_options") or False,
        user=text(body, "user"),
        extra={**leftovers(body, _KNOWN), _ECHO: echo},
    )


def _refuse_what_is_not_served(body: Table) -> None:
    for name in ("n", "best_of"):
        if (integer(body, name, minimum=1) or 1) > 1:
            raise bad(name, "must be 1: one choice is served per request")
    if integer(body, "logprobs", minimum=0) is not None:
        raise bad("logprobs", "is not served: the models behind this router are chat models")


def _prompt(body: Table) -> str:
    value = body.get("prompt")
    if isinstance(value, list):
        if value and not all(isinstance(item, str) for item in value):
            raise bad("prompt", "must be text: arrays of tokens are not served, as each model counts in its own")
        if len(value) != 1:
            raise bad("prompt", f"must be one text, not {len(value)}: send one request for each")
        value = value[0]
    if not isinstance(value, str):
        raise bad("prompt", "is required") if value is None else wrong_type("prompt", "a string", value)
    if not value and not body.get("suffix"):
        raise bad("prompt", "must not be empty")
    return value


def _stop(body: Table) -> tuple[str, ...]:
    value = body.get("stop")
    if isinstance(value, str):
        return (value,) if value else ()
    if value is not None and not isinstance(value, list):
        raise bad("stop", f"must be a string or an array of strings, not {kind(value)}")
    return tuple(word for word in strings(body, "stop") if word)


def _sampling(body: Table) -> Sampling:
    """``logit_bias`` is left out: its tokens are those of models that are not served here."""
    return Sampling(
        temperature=number(body, "temperature", minimum=0, maximum=2),
        top_p=number(body, "top_p", minimum=0, maximum=1),
        seed=integer(body, "seed"),
        presence_penalty=number(body, "presence_penalty", minimum=-2, maximum=2),
        frequency_penalty=number(body, "frequency_penalty", minimum=-2, maximum=2),
    )


def _echo(request: Request) -> str:
    said = request.extra.get(_ECHO)
    return said if isinstance(said, str) else ""


def _common(served: Served) -> dict[str, Any]:
    return {
        "id": f"cmpl-{served.id}",
        "object": "text_completion",
        "created": served.created,
        "model": served.model,
    }


def _choice(said: str, reason: str | None) -> Table:
    return {"text": said, "index": 0, "logprobs": None, "finish_reason": reason}


def _reason(finish: Finish | None) -> str:
    return finish_word(finish, calls=False)


def _estimate(served: Served, output: int) -> Usage:
    return Usage(input=served.input_estimate, output=output, known=False)


class CompletionStream:
    """One stream of chunks, ended by ``[DONE]`` or by an error and nothing after it. Thinking is not shown."""

    def __init__(self, request: Request, served: Served) -> None:
        self._served = served
        self._include_usage = request.include_usage
        self._echo = _echo(request)
        self._usage: Usage | None = None
        self._finished = False
        self._bytes = 0

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta() | RefusalDelta() if event.text:
                self._bytes += len(event.text)
                return self._echoed() + self._chunk([_choice(event.text, None)])
            case Finish():
                self._finished = True
                return self._echoed() + self._chunk([_choice("", _reason(event))])
            case Usage():
                self._usage = event
            case Note():
                return comment(event.text)
        return b""

    def keepalive(self) -> bytes:
        return b": keep-alive\n\n"

    def comment(self, text: str) -> bytes:
        return comment(text)

    def end(self) -> bytes:
        """The usage chunk, where asked for, and ``[DONE]``."""
        assert self._finished, "a stream without a Finish must end in fail()"
        usage = b""
        if self._include_usage:
            told = self._usage or _estimate(self._served, self._bytes // 4)
            usage = self._chunk([], orjson.Fragment(usage_json(told)))
        return usage + b"data: [DONE]\n\n"

    def fail(self, error: RouterError) -> bytes:
        """The SDKs raise APIError from a frame that holds ``error`` (openai-python, ``_streaming.py``)."""
        return b"data: " + error_body(error, f"req_{self._served.id}") + b"\n\n"

    def _echoed(self) -> bytes:
        said, self._echo = self._echo, ""
        return self._chunk([_choice(said, None)]) if said else b""

    def _chunk(self, choices: list[Table], usage: orjson.Fragment | None = None) -> bytes:
        chunk = {**_common(self._served), "choices": choices}
        if self._include_usage:
            chunk["usage"] = usage
        return b"data: " + orjson.dumps(chunk) + b"\n\n"
