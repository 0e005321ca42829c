"""What an error body says, whatever its shape. It gives nothing a meaning: that is ``classify.py``.

Shapes seen: ``{"error": {...}}``, the same in a list (Gemini), ``{"error": "text"}`` (Hugging Face), flat
``{"message", "type", "code"}`` (Mistral, Cerebras), ``{"id", "message"}`` (Cohere), ``{"detail": ...}`` as text or list
and ``{"status", "title"}`` (NVIDIA), ``{"success": false, "errors": [...]}`` (Cloudflare), ``{"type": "error", "error":
{...}}`` (Anthropic), one error inside another as text (OpenRouter's ``metadata.raw``), HTML, plain text, nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

_MOST_BYTES = 256 * 1024
_MOST_TEXT = 8 * 1024
_DEEPEST = 8
_MESSAGES = ("message", "detail", "msg", "error", "title", "details", "error_description", "error_message", "raw")
_CODES = ("code", "type", "status", "reason", "error_code", "quotaId", "err_code", "error_type", "limit_source")
_WRAPPERS = (
    "error",
    "errors",
    "message",
    "detail",
    "details",
    "metadata",
    "violations",
    "body",
    "raw",
    "msg",
    "choices",
    "response",
)
_WAITS = ("retry_after", "retry_after_seconds", "resets_in_seconds", "resets_at", "next_flush_time", "reset_at")
_VAGUE = frozenset({"provider returned error", "invalid input error", "error", "invalid input", "bad request"})
_HTML = re.compile(r"\s*(?:<!doctype html|<html|<head|<body|<\?xml|<center|<h1)", re.IGNORECASE)
_HTML_TITLE = re.compile(r"<(title|h1)[^>]{0,200}>(.{1,200}?)</\1", re.IGNORECASE | re.DOTALL)


class Quota(msgspec.Struct, frozen=True):
    """One violated quota as Google names it."""

    id: str
    value: int | None


class Said(msgspec.Struct, kw_only=True):
    """An error body taken apart.

    ``raw`` is the text as sent (cut); ``messages`` and ``codes`` in the order they came, outermost first; ``params``
    the request fields named as such; ``locations`` paths of refused fields, each with what was said about it;
    ``waits`` machine-readable waits by their key; ``headers`` those quoted in the body; ``status`` the HTTP status
    stated inside the body.
    """

    raw: str = ""
    html: bool = False
    json: bool = False
    status: int | None = None
    messages: list[str] = []
    codes: list[str] = []
    params: list[str] = []
    locations: list[tuple[tuple[str, ...], str]] = []
    quotas: list[Quota] = []
    waits: dict[str, str] = {}
    headers: dict[str, str] = {}

    @property
    def words(self) -> str:
        """All messages, and each code in brackets on a line of its own: what the tables search."""
        return "\n".join([*self.messages, *(f"[{code}]" for code in self.codes)])[:_MOST_TEXT]

    @property
    def headline(self) -> str:
        """The one message for people; a vague outer message is followed by the one inside."""
        first = next(iter(self.messages), "")
        if first.strip().rstrip(".").lower() in _VAGUE and len(self.messages) > 1:
            return f"{first}: {self.messages[1]}"
        return first or " ".join(self.codes[:2])


def read_body(body: bytes) -> Said:
    """Take an HTTP body apart. Bytes that are not UTF-8 are replaced, JSON that does not parse is text."""
    text = body[:_MOST_BYTES].decode("utf-8", "replace").strip("\ufeff \r\n\t\x00")
    if text[:1] in ("{", "[", '"'):
        try:
            payload = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _read_text(text)
        return read_payload(payload, text)
    return _read_text(text)


def read_payload(payload: object, raw: str | None = None) -> Said:
    """Take a decoded body apart."""
    if isinstance(payload, str):
        return _read_text(payload)
    text = raw if raw is not None else orjson.dumps(payload, default=str).decode()
    said = Said(raw=text[:_MOST_TEXT], json=True)
    _gather(payload, said, 0)
    return said


def _read_text(text: str) -> Said:
    said = Said(raw=text[:_MOST_TEXT])
    if _HTML.match(text):
        said.html = True
        title = _HTML_TITLE.search(said.raw)
        said.messages.append(title[2].strip() if title else "an HTML page")
    elif text:
        said.messages.append(text[:_MOST_TEXT])
    return said


def _gather(node: object, said: Said, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(node, list):
        for item in node[:20]:
            if isinstance(item, str):
                said.messages.append(item[:_MOST_TEXT])
            else:
                _gather(item, said, depth + 1)
    elif isinstance(node, dict):
        _gather_dict(node, said, depth)


def _gather_dict(node: dict[str, Any], said: Said, depth: int) -> None:
    for key in _MESSAGES:
        if isinstance(text := node.get(key), str) and text.strip():
            _gather_message(key, text, said, depth)
    for key in _CODES:
        if isinstance(code := node.get(key), str | int) and not isinstance(code, bool):
            _gather_code(str(code), said)
    if isinstance(param := node.get("param"), str) and param:
        said.params.append(param)
    if isinstance(location := node.get("loc"), list):
        path = tuple(str(step) for step in location)
        said.locations.append((path, f"{node.get('msg', '')} [{node.get('type', '')}]"))
    _gather_machine_words(node, said)
    for key in _WRAPPERS:
        _gather(node.get(key), said, depth + 1)


def _gather_message(key: str, text: str, said: Said, depth: int) -> None:
    """``raw`` (OpenRouter) and at times ``message`` hold the upstream's own JSON as text."""
    if text.lstrip()[:1] in ("{", "[") and key in ("raw", "message", "error", "detail"):
        try:
            inner = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        else:
            _gather(inner, said, depth + 1)
            return
    if text not in said.messages:
        said.messages.append(text[:_MOST_TEXT])


def _gather_code(code: str, said: Said) -> None:
    if len(code) == 3 and code.isdigit() and 400 <= int(code) <= 599 and said.status is None:
        said.status = int(code)
    if code and code not in said.codes:
        said.codes.append(code[:200])


def _gather_machine_words(node: dict[str, Any], said: Said) -> None:
    if isinstance(quota := node.get("quotaId"), str):
        value = str(node.get("quotaValue", ""))
        said.quotas.append(Quota(quota, int(value) if value.isdigit() and len(value) < 16 else None))
    if isinstance(delay := node.get("retryDelay"), str):
        said.waits["retryDelay"] = delay
    for key in _WAITS:
        if isinstance(wait := node.get(key), str | int | float) and not isinstance(wait, bool):
            said.waits.setdefault(key, str(wait))
    if isinstance(headers := node.get("headers"), dict):
        said.headers |= dict(_lower(headers))


def _lower(headers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if isinstance(value, str | int | float):
            yield str(name).lower(), str(value)
