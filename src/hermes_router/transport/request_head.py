"""The head of a request in bytes (RFC 9112), refusing what would end a line early. Does not know connections."""

from __future__ import annotations

import re
from functools import lru_cache

from .base import HttpRequest, TransportError
from .target import Target

USER_AGENT = "hermes-router"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5
_EXPECT_BODY = frozenset(("POST", "PUT", "PATCH"))  # RFC 9110, 8.6: these say "content-length: 0"
# How the message is framed is decided here and nowhere else.
_OURS = frozenset(("transfer-encoding", "upgrade", "trailer"))


def begin_head(request: HttpRequest, target: Target, proxy_authorization: str | None) -> bytes:
    """The request line and those headers that have nothing to do with the body. Header names go out in lower case, the
    caller's values in place of our defaults.

    ``proxy_authorization`` None: straight to the origin. Otherwise for a proxy in absolute form, with that credential
    unless it is empty. Raises TransportError ("connect") for what cannot be sent; the error quotes no value.
    """
    fields = {"host": target.shown, "user-agent": USER_AGENT, "accept-encoding": "identity"}
    if target.authorization:
        fields["authorization"] = target.authorization
    for name, value in request.headers.items():
        fields[_field_name(name)] = value if value.isprintable() else _checked(value)
    fields.pop("content-length", None)
    where = target.path
    if proxy_authorization is not None:
        where = f"{target.origin.scheme}://{target.shown}{where}"
        if proxy_authorization:
            fields["proxy-authorization"] = proxy_authorization
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    return _encoded(f"{_method(request.method)} {where} HTTP/1.1\r\n{lines}")


def end_head(request: HttpRequest) -> bytes:
    """What follows: the body's length, whatever the caller said of it, and the blank line."""
    size = len(request.body)
    return b"content-length: %d\r\n\r\n" % size if size or request.method in _EXPECT_BODY else b"\r\n"


@lru_cache(maxsize=256)
def _field_name(name: str) -> str:
    lower = name.lower()
    if not _TOKEN.fullmatch(lower) or lower in _OURS:
        raise TransportError("connect", "the request cannot be sent: the name of a header is not valid")
    return lower


@lru_cache(maxsize=16)
def _method(method: str) -> str:
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise TransportError("connect", "the request cannot be sent: its method is not valid")
    return method


def _checked(value: str) -> str:
    if _FORBIDDEN.search(value):
        raise TransportError("connect", "the request cannot be sent: the value of a header is not valid")
    return value


def _encoded(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        pass  # raised below: as context, this error would carry the whole head along
    raise TransportError("connect", "the request cannot be sent: a header holds a character outside latin-1")
