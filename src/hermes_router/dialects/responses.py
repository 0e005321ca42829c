"""OpenAI's Responses API as our callers speak it: request in, answer, stream and errors out.

Source: OpenAI API reference, "Create a model response" (2025-11), https://platform.openai.com/docs/api-reference/responses,
and openai-python 3.54, ``types/responses``. Not done here: choosing who answers; running OpenAI's hosted tools; keeping
Responses, which a ``Shelf`` does; ``background``, ``conversation`` and stored prompts, which are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..core.errors import BadRequest, RouterError
from ..core.fold import Answer
from ..core.request import Message, Request, ResponseFormat, Role, Sampling, Text, Thinking
from .base import Served, StreamWriter
from .openai_writer import error_body
from .reading import (
    Table,
    at,
    bad,
    boolean,
    choice,
    integer,
    leftovers,
    need_choice,
    need_text,
    number,
    object_,
    parse_json,
    shown,
    strings,
    text,
)
from .responses_asked import ASKED, Asked, NoShelf, Shelf, asked_of
from .responses_items import Conversation, read_input
from .responses_tools import Toolbox, read_toolbox
from .responses_writer import ResponsesStream, answer_body

# fmt: off
_ECHOED = (
    "instructions", "max_output_tokens", "max_tool_calls", "previous_response_id", "prompt_cache_key",
    "safety_identifier", "temperature", "top_p", "user",
)
_KNOWN = frozenset({
    *_ECHOED, "model", "input", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "top_logprobs",
    "metadata", "include", "truncation", "store", "background", "conversation", "prompt", "stream", "stream_options",
    "service_tier",
})
# fmt: on
_ALSO_PASSED_ON = frozenset({"prompt_cache_key", "safety_identifier", "service_tier"})

_EFFORTS = {word: word for word in ("none", "minimal", "low", "medium", "high", "xhigh")} | {"max": "xhigh"}
_SEALED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"


class OpenAIResponses:
    """The dialect of ``POST /v1/responses``. ``shelf`` is where this caller's Responses are kept; ``tell_dropped``
    hears what of a request is left out, where something is."""

    name = "responses"

    def __init__(
        self, shelf: Shelf | None = None, tell_dropped: Callable[[tuple[str, ...]], None] | None = None
    ) -> None:
        self._shelf: Shelf = shelf or NoShelf()
        self._tell_dropped = tell_dropped

    def read(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Raises BadRequest naming the field; its code is ``previous_response_not_found`` where that is the matter."""
        request = read_request(parse_json(body), self._shelf)
        dropped = asked_of(request).dropped
        if dropped and self._tell_dropped is not None:
            self._tell_dropped(dropped)
        return request

    def answer(self, request: Request, answer: Answer, served: Served) -> bytes:
        """A ``response``."""
        return answer_body(request, answer, served, self._shelf)

    def stream(self, request: Request, served: Served) -> StreamWriter:
        """A writer of ``response.*`` events."""
        return ResponsesStream(request, served, self._shelf)

    def error(self, error: RouterError, request_id: str) -> bytes:
        """``{"error": {...}}``."""
        return error_body(error, request_id)


def read_request(body: Table, shelf: Shelf) -> Request:
    """The body as our Request."""
    _refuse_what_is_not_served(body)
    model = need_text(body, "model")
    if not model:
        raise bad("model", "must not be empty")
    conversation = read_input(body, _past(body, shelf), shelf)
    toolbox = read_toolbox(body, conversation.tools)
    asked = _asked(body, conversation, toolbox)
    instructions = text(body, "instructions")
    head = (Message(role=Role.SYSTEM, parts=(Text(text=instructions),)),) if instructions else ()
    return Request(
        dialect=OpenAIResponses.name,
        model=model,
        messages=head + conversation.messages,
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        parallel_tools=boolean(body, "parallel_tool_calls") if toolbox.tools else None,
        response_format=_response_format(body),
        max_output=integer(body, "max_output_tokens", minimum=1),
        sampling=_sampling(body),
        thinking=_thinking(body, summary=asked.summary),
        stream=boolean(body, "stream") or False,
        include_usage=True,
        user=text(body, "user"),
        metadata=object_(body, "metadata"),
        may_shorten=body.get("truncation") == "auto",
        extra={**leftovers(body, _KNOWN - _ALSO_PASSED_ON), **_verbosity(body), ASKED: asked},
    )


def _refuse_what_is_not_served(body: Table) -> None:
    if boolean(body, "background"):
        raise bad("background", "must be false: nothing runs on after its caller has left")
    for field, instead in (
        ("conversation", "previous_response_id or the items themselves"),
        ("prompt", "instructions"),
    ):
        if body.get(field) is not None:
            raise bad(field, f"is kept at OpenAI and not served here: send {instead}")


def _past(body: Table, shelf: Shelf) -> tuple[Message, ...]:
    previous = text(body, "previous_response_id")
    if previous is None:
        return ()
    messages = shelf.conversation(previous)
    if messages is None:
        raise BadRequest(
            f"Previous response with id {shown(previous)} not found: it is not, or no longer, kept by this router.",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    return messages


def _asked(body: Table, conversation: Conversation, toolbox: Toolbox) -> Asked:
    include = strings(body, "include")
    reasoning = object_(body, "reasoning") or {}
    summary = choice(reasoning, "summary", "reasoning", among=("auto", "concise", "detailed", "none"))
    # The older name of the same field.
    summary = summary or choice(reasoning, "generate_summary", "reasoning", among=("auto", "concise", "detailed"))
    return Asked(
        echo=_echo(body),
        items=conversation.items,
        forms=toolbox.forms,
        summary=summary is not None and summary != "none",
        sealed=_SEALED in include,
        instructions=bool(text(body, "instructions")),
        store=boolean(body, "store") is not False,
        dropped=toolbox.dropped + conversation.dropped,
    )


def _echo(body: Table) -> Table:
    """The request's part of a Response, defaults filled in where they are the API's and not the model's."""
    written = object_(body, "text") or {}
    reasoning = object_(body, "reasoning") or {}
    text(body, "prompt_cache_key")
    text(body, "safety_identifier")
    parallel = boolean(body, "parallel_tool_calls")
    return {
        **{name: body.get(name) for name in _ECHOED},
        "background": False,
        "metadata": object_(body, "metadata") or {},
        "parallel_tool_calls": True if parallel is None else parallel,
        "reasoning": {"effort": None, "summary": None} | reasoning,
        "service_tier": text(body, "service_tier") or "auto",
        "store": boolean(body, "store") is not False,
        "text": {"format": {"type": "text"}} | {key: value for key, value in written.items() if value is not None},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": integer(body, "top_logprobs", minimum=0, maximum=20) or 0,
        "truncation": choice(body, "truncation", among=("auto", "disabled")) or "disabled",
    }


def _response_format(body: Table) -> ResponseFormat | None:
    """None for plain text."""
    written = object_(body, "text") or {}
    table = object_(written, "format", "text")
    if table is None:
        return None
    where = "text.format"
    kind = need_choice(table, "type", where, among=("text", "json_object", "json_schema"))
    if kind == "text":
        return None
    if kind == "json_object":
        return ResponseFormat(kind=kind)
    schema = object_(table, "schema", where)
    if schema is None:
        raise bad(at(where, "schema"), "is required")
    return ResponseFormat(
        kind=kind,
        name=text(table, "name", where) or "answer",
        description=text(table, "description", where),
        schema=schema,
        strict=boolean(table, "strict", where),
    )


def _verbosity(body: Table) -> Table:
    word = choice(object_(body, "text") or {}, "verbosity", "text", among=("low", "medium", "high"))
    return {"verbosity": word} if word else {}


def _sampling(body: Table) -> Sampling:
    top = integer(body, "top_logprobs", minimum=0, maximum=20)
    logprobs = bool(top) or _LOGPROBS in strings(body, "include")
    return Sampling(
        temperature=number(body, "temperature", minimum=0, maximum=2),
        top_p=number(body, "top_p", minimum=0, maximum=1),
        logprobs=logprobs or None,
        top_logprobs=top if logprobs else None,
    )


def _thinking(body: Table, *, summary: bool) -> Thinking:
    reasoning = object_(body, "reasoning") or {}
    word = choice(reasoning, "effort", "reasoning", among=_EFFORTS)
    return Thinking(enabled=word != "none" if word else None, effort=_EFFORTS.get(word or ""), show=summary)
