"""Pictures, sound and files as OpenAI's content parts carry them: by URL, data URL or bare base64.

The base64 itself is not decoded (a body may hold megabytes of it), except for text, which any model can read.
"""

from __future__ import annotations

import base64
from typing import Any

from ..core.request import Document, Image
from .reading import bad

Control = dict[str, Any] | None

_DOCUMENTS = ("application/", "text/")


def is_data_url(url: str) -> bool:
    """Whether the content is in the URL itself (RFC 2397)."""
    return url[:5].lower() == "data:"


def split_data_url(url: str, path: str) -> tuple[str, str]:
    """(media type in lower case, base64) of a data URL."""
    head, comma, payload = url.partition(",")
    media, *parameters = head[5:].lower().split(";")
    if not comma or "base64" not in parameters:
        raise bad(path, "must be a base64 data URL: data:<media type>;base64,<data>")
    if "/" not in media:
        raise bad(path, "must name its media type: data:<media type>;base64,<data>")
    return ("image/jpeg" if media == "image/jpg" else media), payload


def read_url(url: str, path: str, *, detail: str | None = None, control: Control = None) -> Image | Document:
    """What an ``image_url`` holds. Some callers send PDF data there, as Gemini's compatible endpoint accepts:
    https://ai.google.dev/gemini-api/docs/openai (2025-11)."""
    if not is_data_url(url):
        return Image(url=web_url(url, path), detail=detail, cache_control=control)
    return _inline(url, path, detail=detail, control=control)


def read_file(url: str, path: str, *, title: str | None = None, control: Control = None) -> Image | Document:
    """What a file part's ``file_data`` holds: a data URL, an http URL (OpenRouter) or bare base64 of a PDF."""
    if is_data_url(url):
        return _inline(url, path, title=title, control=control)
    if "://" in url[:16]:
        return Document(url=web_url(url, path), title=title, cache_control=control)
    return Document(data=url, media_type="application/pdf", title=title, cache_control=control)


def web_url(url: str, path: str) -> str:
    """An address a provider can fetch."""
    if url[:8].lower().startswith(("http://", "https://")):
        return url
    raise bad(path, "must be an http, https or data URL")


def _inline(
    url: str, path: str, *, detail: str | None = None, title: str | None = None, control: Control = None
) -> Image | Document:
    media, payload = split_data_url(url, path)
    if media.startswith("image/"):
        return Image(data=payload, media_type=media, detail=detail, cache_control=control)
    if not media.startswith(_DOCUMENTS):
        raise bad(path, f"cannot hold {media}: only images and documents are carried")
    if media.startswith("text/"):
        return Document(text=_decoded(payload, path), media_type=media, title=title, cache_control=control)
    return Document(data=payload, media_type=media, title=title, cache_control=control)


def _decoded(payload: str, path: str) -> str:
    try:
        return base64.b64decode(payload).decode()
    except ValueError:
        raise bad(path, "must be base64 of UTF-8 text") from None
