"""One streamed question to the running router, and what it says of who answered. Prints only the answer's text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

import msgspec
import orjson

from ..sse import SseParser
from .client import Answer, Router
from .output import Failed, working


class Reply(msgspec.Struct, kw_only=True):
    """An answer, who gave it and how it went. ``attempts`` and tokens are None where the router did not say."""

    text: str = ""
    provider: str = ""
    model: str = ""
    attempts: int | None = None
    request_id: str = ""
    took: float = 0.0
    first_word: float | None = None
    input: int | None = None
    output: int | None = None


def ask(router: Router, messages: list[dict[str, str]], model: str, *, pin: bool = False, echo: bool) -> Reply:
    """One streamed answer, printed as it comes where ``echo``. Raises Failed with what the router said."""
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    extra = {"x-hermes-pin": "true"} if pin else {}
    began = time.monotonic()
    reply = Reply()
    with contextlib.ExitStack() as waiting:
        waiting.enter_context(working("Waiting for the first word ..."))
        for piece in _pieces(router, body, extra, reply):
            if reply.first_word is None:
                waiting.close()
                reply.first_word = time.monotonic() - began
            reply.text += piece
            if echo:
                print(piece, end="", flush=True)
    if echo:
        print(flush=True)
    reply.took = time.monotonic() - began
    return reply


def _pieces(router: Router, body: dict[str, Any], extra: dict[str, str], reply: Reply) -> Iterator[str]:
    """The text, as it comes; what is said about the request on the way goes into ``reply``. Raises Failed."""
    with router.open("POST", "/v1/chat/completions", body, key=router.caller_key, headers=extra) as response:
        said = {name.lower(): value for name, value in response.getheaders()}
        reply.request_id = said.get("x-hermes-request-id", "")
        if response.status != 200:
            raise Failed(_refusal(response.status, response.read(), reply.request_id))
        _who(reply, {name.removeprefix("x-hermes-"): value for name, value in said.items()})
        try:
            yield from _read(response, reply)
        except (OSError, HTTPException) as error:
            raise Failed(f"The router broke off: {error} (hr why {reply.request_id})") from None


def _read(response: HTTPResponse, reply: Reply) -> Iterator[str]:
    parser, rest, complete = SseParser(), b"", False
    while chunk := response.read1(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b": hermes-router "):
                words = (word.partition("=") for word in line.decode("utf-8", "replace").split())
                _who(reply, {name: value for name, mark, value in words if mark})
        for frame in parser.feed(chunk):
            if frame.data.strip() == b"[DONE]":
                complete = True
            else:
                yield from _text(orjson.loads(frame.data), reply)
    if not complete:
        raise Failed(f"The answer broke off (hr why {reply.request_id})")


def _text(event: dict[str, Any], reply: Reply) -> Iterator[str]:
    if "error" in event:
        raise Failed(f"{event['error'].get('message', 'the stream broke off')} (hr why {reply.request_id})")
    if usage := event.get("usage"):
        reply.input, reply.output = usage.get("prompt_tokens"), usage.get("completion_tokens")
    for choice in event.get("choices") or ():
        if text := (choice.get("delta") or {}).get("content"):
            yield text


def _who(reply: Reply, said: dict[str, str]) -> None:
    reply.provider = said.get("provider", reply.provider)
    reply.model = said.get("model", reply.model)
    if said.get("attempts", "").isdigit():
        reply.attempts = int(said["attempts"])


def _refusal(status: int, body: bytes, request_id: str) -> str:
    text = Answer(status, {}, body).message() or f"the router answered {status}"
    return f"{text} (hr why {request_id})" if request_id and status != 401 else text
