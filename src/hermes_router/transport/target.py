"""Where a request goes: a URL taken apart, once per URL. Nothing here touches the network."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from .base import TransportError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH_SAFE = "!#$%&'()*+,-./:;=?@[]_~|^{}`\\\""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Who a connection is for. ``host`` is in ASCII, without the brackets of IPv6."""

    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """``host`` or ``host:port`` as a Host header has it: the only part of a URL that a message may show."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"


class Target(NamedTuple):
    """``path`` is what the request line says: path and query. ``authorization`` is the URL's own user and password
    as a Basic credential, or empty."""

    origin: Origin
    shown: str
    path: str
    authorization: str


# Bounded, and filled from configuration: a process sees a few dozen URLs.
@lru_cache(maxsize=512)
def read_target(url: str) -> Target:
    """Raises TransportError ("connect") for a URL that cannot be asked for. The error does not quote it."""
    try:
        target = _target(url)
    except ValueError:
        target = None  # raised below: as context, this error could carry a part of the URL along
    if target is None:
        raise TransportError("connect", "the URL is not valid")
    if target.origin.scheme not in _DEFAULT_PORTS or not target.origin.host:
        raise TransportError("connect", "the URL is not an http or https URL")
    return target


def read_origin(url: str) -> tuple[Origin, str]:
    """The origin and the Basic credential of a proxy's URL. Raises ValueError."""
    parts, origin = _split(url)
    return origin, basic(parts.username, parts.password)


def basic(user: str | None, password: str | None) -> str:
    """The value of an Authorization header from the percent-encoded user and password of a URL (RFC 7617)."""
    if not user and not password:
        return ""
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


@lru_cache(maxsize=512)
def is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _target(url: str) -> Target:
    parts, origin = _split(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Target(origin, origin.shown, quote(path, safe=_PATH_SAFE), basic(parts.username, parts.password))


def _split(url: str) -> tuple[SplitResult, Origin]:
    if _CONTROL.search(url):
        raise ValueError("control character")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host and ":" not in host:
        host = host.encode("idna").decode("ascii")
        if not re.fullmatch(r"[!-~]+", host):
            raise ValueError("host")
    port = parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme, 0)
    return parts, Origin(parts.scheme, host, port)
