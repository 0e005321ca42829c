"""The ASGI application: finds the route, checks the key, and turns every error into the caller's dialect.

The only module that names concrete storages and transports (``build``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from ..core.errors import MethodNotAllowed, NotFound, RouterError, Unauthorized
from ..dialects.anthropic import AnthropicMessages
from ..dialects.base import Dialect
from ..dialects.openai_chat import OpenAIChat
from .http import Call, CallerLeft, Header, Receive, Scope, Send, Watch, header, stopping
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
OPENAI = OpenAIChat()
ANTHROPIC = AnthropicMessages()


class Route(msgspec.Struct, frozen=True):
    """One path and its methods (as an ``allow`` header lists them). ``key``: whose key opens it. ``counted``: a POST
    counts against its caller's limits."""

    method: str
    handler: Handler
    dialect: Dialect = OPENAI
    key: str = "caller"
    counted: bool = True


def _chat(dialect: Dialect) -> Handler:
    return partial(chat, dialect=dialect)


ROUTES: dict[str, Route] = {
    "/v1/chat/completions": Route("POST", _chat(OPENAI)),
    "/v1/messages": Route("POST", _chat(ANTHROPIC), ANTHROPIC),
    "/v1/messages/count_tokens": Route("POST", count_tokens, ANTHROPIC, counted=False),
    "/v1/responses": Route("POST", responses),
    "/v1/completions": Route("POST", completions),
    "/v1/embeddings": Route("POST", embeddings),
    "/v1/models": Route("GET", list_models),
    "/v1/status": Route("GET", status, key="either"),
    "/v1/usage": Route("GET", usage, key="either"),
    "/v1/logs": Route("GET", logs, key="either"),
    "/health": Route("GET", health, key=""),
    "/ready": Route("GET", ready, key=""),
}
PREFIXES: dict[str, Route] = {
    "/v1/models/": Route("GET", one_model),
    "/v1/logs/": Route("GET", one_log, key="either"),
    "/admin/api/": Route(METHODS, admin, key="admin"),
    "/v1/responses/": Route("GET, DELETE", kept_response),
}


class App:
    """``runtime`` may be exchanged for tests; ``on_start`` and ``on_stop`` run with the server."""

    def __init__(
        self,
        runtime: Runtime,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.runtime = runtime
        self._open: set[Watch] = set()
        self._on_start = on_start
        self._on_stop = on_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(Call(scope, receive, send, self.runtime.request_id()))
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, call: Call) -> None:
        dialect: Dialect = ANTHROPIC if call.path.startswith("/v1/messages") else OPENAI
        try:
            route = _route(call)
            dialect = route.dialect
            self._admit(route, call)
            with Watch(call) as watch:
                self._open.add(watch)
                try:
                    await route.handler(self.runtime, call)
                finally:
                    self._open.discard(watch)
        except CallerLeft:
            self.runtime.left(call)
            log.debug("%s %s: the caller left", call.id, call.path)
        except RouterError as error:
            self.runtime.refused(call, error)
            if not call.started:
                await _refuse(call, dialect, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s %s failed", call.id, call.path)
            self.runtime.refused(call, internal(call.id))
            if not call.started:
                await _refuse(call, dialect, internal(call.id))

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._open)

    def stop_open(self) -> None:
        """End the requests under way with an error: the router waits no longer."""
        for watch in tuple(self._open):
            watch.stop()

    def _admit(self, route: Route, call: Call) -> None:
        runtime, headers = self.runtime, call.headers
        if route.key == "caller":
            call.caller = runtime.caller_keys.check(headers)
            if route.counted and "POST" in route.method:
                if runtime.draining:
                    raise stopping()
                runtime.spend(call)
        elif route.key == "admin":
            call.caller = runtime.admin_keys.check(headers)
        elif route.key == "either":
            call.caller = runtime.admin_keys.find(headers) or runtime.caller_keys.check(headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._on_start is not None:
                    await self._on_start()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._on_stop is not None:
                    await self._on_stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _route(call: Call) -> Route:
    route = ROUTES.get(call.path)
    if route is None:
        route = next((one for prefix, one in PREFIXES.items() if call.path.startswith(prefix)), None)
    if route is None:
        raise NotFound(f"There is no {call.path} here. Known: {', '.join(ROUTES)}.", code="unknown_url")
    methods = route.method.split(", ")
    if call.method not in methods and not (call.method == "HEAD" and "GET" in methods):
        raise MethodNotAllowed(f"{call.path} takes {route.method}, not {call.method}.", headers={"allow": route.method})
    return route


async def _refuse(call: Call, dialect: Dialect, error: RouterError) -> None:
    headers: list[Header] = [header(name, value) for name, value in error.headers.items()]
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if call.record is not None:
        call.record.status, call.record.error = error.status, error.code
        headers.append(header("x-hermes-attempts", len(call.record.attempts)))
    await call.reply(error.status, dialect.error(error, call.id), headers)
