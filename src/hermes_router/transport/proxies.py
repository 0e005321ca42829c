"""The proxies of the environment: which one a host is reached by. Read once; see ``Proxies``."""

from __future__ import annotations

from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

from .base import TransportError
from .target import Origin, is_loopback, read_origin


class Proxy(NamedTuple):
    """``authorization`` is the value of Proxy-Authorization, or empty."""

    origin: Origin
    authorization: str

    # The credential must not reach a log by way of a repr.
    def __repr__(self) -> str:
        return f"Proxy({self.origin.shown})"


class Proxies:
    """``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` in either case; where none is set, what macOS or
    Windows have configured. The rules are those of urllib.request's ``getproxies`` and ``proxy_bypass``, so
    ``HTTP_PROXY`` is ignored inside a CGI request. Loopback is never reached by way of a proxy.
    """

    def __init__(self) -> None:
        self._configured = getproxies()
        self._known: dict[Origin, Proxy | None] = {}

    def for_origin(self, origin: Origin) -> Proxy | None:
        """Raises TransportError ("connect") where the proxy's URL cannot be used; the error does not quote it."""
        if origin not in self._known:
            self._known[origin] = self._choose(origin)
        return self._known[origin]

    def _choose(self, origin: Origin) -> Proxy | None:
        url = self._configured.get(origin.scheme) or self._configured.get("all")
        if not url or is_loopback(origin.host) or self._bypassed(origin):
            return None
        try:
            proxy = Proxy(*read_origin(url if "://" in url else f"http://{url}"))
        except ValueError:
            proxy = None  # raised below: as context, this error could carry a part of the URL along
        if proxy is None:
            raise TransportError("connect", "the proxy that the environment names has no valid URL")
        if proxy.origin.scheme not in {"http", "https"} or not proxy.origin.host:
            raise TransportError("connect", "the proxy that the environment names is not an http or https proxy")
        return proxy

    def _bypassed(self, origin: Origin) -> bool:
        return bool(proxy_bypass(f"{origin.host}:{origin.port}"))
