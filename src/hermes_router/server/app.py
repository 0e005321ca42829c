"""The application: finds the route, checks the key, and turns every error into the caller's dialect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from ..core.errors import BadRequest, MethodNotAllowed, NotFound, RouterError, Unauthorized
from ..dialects.anthropic import AnthropicMessages
from ..dialects.base import Dialect
from ..dialects.openai_chat import OpenAIChat
from .http import Call, CallerLeft, Header, header, stopping
from .routes.admin import METHODS, admin
from .routes.chat import chat
from .routes.completions import completions
from .routes.count_tokens import count_tokens
from .routes.embeddings import embeddings
from .routes.health import health, ready
from .routes.logs import logs, one_log
from .routes.models import list_models, one_model
from .routes.responses import kept_response, responses
from .routes.status import status
from .routes.usage import usage
from .runtime import Runtime
from .streams import internal

log = logging.getLogger("hermes_router")

Handler = Callable[[Runtime, Call], Awaitable[None]]
GET = ("GET", "HEAD")
POST = ("POST",)
OPENAI = OpenAIChat()
ANTHROPIC = AnthropicMessages()


class Route(msgspec.Struct, frozen=True):
    """One path and its methods. ``key``: whose key opens it. ``counted``: a POST counts against its caller's limits."""

    methods: tuple[str, ...]
    handler: Handler
    dialect: Dialect = OPENAI
    key: str = "caller"
    counted: bool = True


def _chat(dialect: Dialect) -> Handler:
    return partial(chat, dialect=dialect)


ROUTES: dict[str, Route] = {
    "/v1/chat/completions": Route(POST, _chat(OPENAI)),
    "/v1/messages": Route(POST, _chat(ANTHROPIC), ANTHROPIC),
    "/v1/messages/count_tokens": Route(POST, count_tokens, ANTHROPIC, counted=False),
    "/v1/responses": Route(POST, responses),
    "/v1/completions": Route(POST, completions),
    "/v1/embeddings": Route(POST, embeddings),
    "/v1/models": Route(GET, list_models),
    "/v1/status": Route(GET, status, key="either"),
    "/v1/usage": Route(GET, usage, key="either"),
    "/v1/logs": Route(GET, logs, key="either"),
    "/health": Route(GET, health, key=""),
    "/ready": Route(GET, ready, key=""),
}
PREFIXES: dict[str, Route] = {
    "/v1/models/": Route(GET, one_model),
    "/v1/logs/": Route(GET, one_log, key="either"),
    "/admin/api/": Route(METHODS, admin, key="admin"),
    "/v1/responses/": Route((*GET, "DELETE"), kept_response),
}


class App:
    """Answers calls. ``runtime`` may be exchanged for tests; ``start`` and ``stop`` run with the server."""

    def __init__(
        self,
        runtime: Runtime,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.runtime = runtime
        self._open: set[Call] = set()
        self._on_start = on_start
        self._on_stop = on_stop

    async def __call__(self, call: Call) -> None:
        call.id = self.runtime.request_id()
        dialect: Dialect = OPENAI
        self._open.add(call)
        try:
            route = ROUTES.get(call.path)
            if route is None:
                dialect = ANTHROPIC if call.path.startswith("/v1/messages") else OPENAI
                route = _by_prefix(call.path)
            dialect = route.dialect
            if call.method not in route.methods:
                raise _wrong_method(call, route)
            self._admit(route, call)
            await route.handler(self.runtime, call)
        except RouterError as error:
            self._refuse(call, dialect, error)
        except CallerLeft:
            self._left(call)
        except asyncio.CancelledError:
            if call.left:
                self._left(call)
            elif call.stopped:
                self._refuse(call, dialect, stopping())
            else:
                raise
        except Exception:
            log.exception("%s %s failed", call.id, call.path)
            self._refuse(call, dialect, internal(call.id))
        finally:
            self._open.discard(call)
            call.done()

    async def start(self) -> None:
        if self._on_start is not None:
            await self._on_start()

    async def stop(self) -> None:
        if self._on_stop is not None:
            await self._on_stop()

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._open)

    def stop_open(self) -> None:
        """End the requests under way with an error: the router waits no longer."""
        for call in tuple(self._open):
            call.stop()

    @staticmethod
    def refusal(status: int, message: str) -> bytes:
        """The body for what is no request at all. Whose API was meant is not known: it is OpenAI's."""
        error = BadRequest(message, code="invalid_http")
        error.status = status
        return OPENAI.error(error, "")

    def _admit(self, route: Route, call: Call) -> None:
        runtime, headers = self.runtime, call.headers
        if route.key == "caller":
            call.caller = runtime.caller_keys.check(headers)
            if route.counted and call.method == "POST":
                if runtime.draining:
                    raise stopping()
                runtime.spend(call)
        elif route.key == "admin":
            call.caller = runtime.admin_keys.check(headers)
        elif route.key == "either":
            call.caller = runtime.admin_keys.find(headers) or runtime.caller_keys.check(headers)

    def _left(self, call: Call) -> None:
        self.runtime.left(call)
        log.debug("%s %s: the caller left", call.id, call.path)

    def _refuse(self, call: Call, dialect: Dialect, error: RouterError) -> None:
        self.runtime.refused(call, error)
        if call.started:
            return
        headers: list[Header] = [header(name, value) for name, value in error.headers.items()]
        if isinstance(error, Unauthorized):
            headers.append(b"www-authenticate: Bearer\r\n")
        if call.record is not None:
            call.record.status, call.record.error = error.status, error.code
            headers.append(header("x-hermes-attempts", len(call.record.attempts)))
        call.reply(error.status, dialect.error(error, call.id), headers)


def _by_prefix(path: str) -> Route:
    """Raises NotFound."""
    for prefix, route in PREFIXES.items():
        if path.startswith(prefix):
            return route
    raise NotFound(f"There is no {path} here. Known: {', '.join(ROUTES)}.", code="unknown_url")


def _wrong_method(call: Call, route: Route) -> MethodNotAllowed:
    allowed = ", ".join(name for name in route.methods if name != "HEAD")
    return MethodNotAllowed(f"{call.path} takes {allowed}, not {call.method}.", headers={"allow": allowed})
