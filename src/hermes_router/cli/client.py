"""Talks to the running router over HTTP on this machine. Finds it by run.json, else at the configured address."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import orjson

from ..settings import Loaded, admin_key
from . import runfile
from .output import Failed, Misused
from .runfile import Running

_EVERYWHERE = ("0.0.0.0", "::", "[::]", "")
_PROBE_SECONDS = 3.0
T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """``headers`` by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises Failed where the body is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Failed("What listens there does not answer like a hermes-router; is PORT right?") from None

    def message(self) -> str:
        """The text of an error, in whichever dialect."""
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return ""
        error = content.get("error") if isinstance(content, dict) else None
        return str(error.get("message", "")) if isinstance(error, dict) else str(error or "")


class Router:
    """A running router. ``pid`` is None where no run.json speaks of it."""

    def __init__(self, loaded: Loaded, host: str, port: int, pid: int | None) -> None:
        self.loaded = loaded
        self.host = reachable(host)
        self.port = port
        self.pid = pid

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def caller_key(self) -> str:
        return self.loaded.settings.proxy_api_keys[0]

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an administration or status route. Raises Failed."""
        return self.admin("GET", self.path(path, **query))

    def path(self, path: str, **query: Any) -> str:
        """A path with its parameters; empty ones are left out."""
        asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
        return f"{path}?{asked}" if asked else path

    def typed(self, kind: type[T], path: str, **query: Any) -> T:
        """The same as ``kind``. Raises Failed, also where the router is of another version."""
        found: T = _as(kind, self.get(path, **query))
        return found

    def rows(self, kind: type[T], listing: str, path: str, **query: Any) -> list[T]:
        """The entries of a listing, which is called ``listing`` in the answer. Raises Failed."""
        content = self.get(path, **query)
        rows: list[T] = _as(list[kind], content.get(listing) if isinstance(content, dict) else None)  # type: ignore[valid-type]
        return rows

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One call with the administration key. Raises Failed with what the router said."""
        answer = self.call(method, path, body, key=admin_key(self.loaded.settings))
        if answer.status == 401:
            raise Failed(
                f"The router at {self.url} does not know our administration key. It runs with another HERMES_HOME or "
                "ADMIN_API_KEY: set the same here."
            )
        if answer.status >= 400:
            kind = Misused if answer.status == 400 else Failed
            raise kind(answer.message() or f"The router answered {answer.status} to {method} {path}.")
        return answer.json() if answer.body else None

    def call(self, method: str, path: str, body: Any = None, *, key: str = "", timeout: float = 60) -> Answer:
        """One exchange. Raises Failed where there is none."""
        with self.open(method, path, body, key=key, timeout=timeout) as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Answer(response.status, headers, response.read())
            except (OSError, http.client.HTTPException) as error:
                raise Failed(f"The router at {self.url} broke off: {error}") from None

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> Iterator[http.client.HTTPResponse]:
        """One exchange, its body still to be read. Raises Failed where nobody answers."""
        said = {"accept": "application/json", **(headers or {})}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            said["content-type"] = "application/json"
        if key:
            said["authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            try:
                connection.request(method, path, data, said)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise Failed(
                    f"The router at {self.url} does not answer: {str(error) or type(error).__name__}"
                ) from None
            yield response
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether a hermes-router is there."""
        try:
            answer = self.call("GET", "/health", timeout=_PROBE_SECONDS)
        except Failed:
            return False
        return answer.status == 200 and b'"status"' in answer.body and "x-hermes-request-id" in answer.headers


def reachable(host: str) -> str:
    """The address to use for a router that listens on ``host``, without brackets."""
    return "127.0.0.1" if host in _EVERYWHERE else host.strip("[]")


def at_home(loaded: Loaded) -> Router | None:
    """The running router that was started with this HERMES_HOME, or None."""
    said = runfile.read(loaded.settings.hermes_home)
    if said is None or not runfile.alive(said.pid):
        return None
    router = Router(loaded, said.host, said.port, said.pid)
    return router if router.answers() else None


def find(loaded: Loaded) -> Router | None:
    """The running router, or None."""
    router = at_home(loaded)
    if router is not None:
        return router
    settings = loaded.settings
    if not settings.port:
        return None
    router = Router(loaded, settings.host, settings.port, None)
    return router if router.answers() else None


def running(loaded: Loaded) -> Router:
    """The running router. Raises Failed."""
    router = find(loaded)
    if router is None:
        raise Failed(_nobody(loaded))
    return router


def stale(home: Path) -> Running | None:
    """What run.json says where the process it names is gone."""
    said = runfile.read(home)
    return said if said is not None and not runfile.alive(said.pid) else None


def part(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def _as(kind: Any, content: Any) -> Any:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise Failed(
            f"The router answers in another way than this version expects ({error}). Try: hr restart"
        ) from None


def _nobody(loaded: Loaded) -> str:
    settings = loaded.settings
    host = reachable(settings.host)
    return f"No router is running at http://{host}:{settings.port}. Start one with: hr start --daemon"
