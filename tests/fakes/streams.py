"""Which grammar a route's event streams have to follow: every fake that runs the application checks all it sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .completions_grammar import check_completions_stream
from .grammar import check_anthropic_stream
from .openai_grammar import check_openai_stream
from .responses_grammar import check_responses_stream

_CHECKS: dict[str, Callable[[bytes], object]] = {
    "/v1/messages": check_anthropic_stream,
    "/v1/responses": check_responses_stream,
    "/v1/completions": check_completions_stream,
}


def check_stream(path: str, raw: bytes) -> None:
    """Raises AssertionError where a whole event stream breaks its API's grammar."""
    _CHECKS.get(path, check_openai_stream)(raw)


def is_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)
