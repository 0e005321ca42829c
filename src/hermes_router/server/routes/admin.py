"""/admin/api/*: what an operator may ask and change, with the administration key. JSON in and out.

Only the table of routes and what concerns the pool and the settings; credentials, providers and caller keys have
modules of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from ... import envfile
from ...catalogue.mistakes import nearest, sentence
from ...core.errors import MethodNotAllowed, NotFound, RouterError
from ...settings import SECRET, Loaded, SettingsError
from ..conflict import Conflict
from ..http import Call
from ..query import query, read_json
from ..reload import Live, Outcome, watched
from ..runtime import Runtime
from .admin_callers import change_limits, clear_limits, list_limits
from .admin_credentials import add_credentials, check_credentials, list_credentials, remove_credentials, shown
from .admin_providers import list_providers
from .features import feature_rows, switch_of

Handler = Callable[[Runtime, Call], Awaitable[object]]

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


async def admin(runtime: Runtime, call: Call) -> None:
    """Finds the handler and sends what it gives. Raises NotFound, MethodNotAllowed, and what the handler raises."""
    methods = _TABLE.get(call.path.removeprefix("/admin/api/"))
    if methods is None:
        raise NotFound(f"There is no {call.path} here. Known: {', '.join(_TABLE)}.", code="unknown_url")
    handler = methods.get(call.method)
    if handler is None:
        allowed = ", ".join(methods)
        raise MethodNotAllowed(f"{call.path} takes {allowed}, not {call.method}.", headers={"allow": allowed})
    call.reply(200, msgspec.json.encode(await handler(runtime, call)))


# --- the pool


class OfProvider(msgspec.Struct, forbid_unknown_fields=True):
    """None: all of them."""

    provider: str | None = None


class Done(msgspec.Struct):
    """``providers``: whom it was about."""

    providers: list[str]


async def reset_quota(runtime: Runtime, call: Call) -> Done:
    """Forget what was spent and learned of quota: a provider's own refusals teach it again."""
    provider = await _provider(runtime, call)
    runtime.pool.ledger.reset(provider)
    runtime.engine.room.changed()
    return _done(runtime, provider)


async def reset_rests(runtime: Runtime, call: Call) -> Done:
    """Ask again those who were left alone after faults, and close their breakers."""
    provider = await _provider(runtime, call)
    runtime.pool.forget_rests(provider)
    for state in (*runtime.roster.chat, *runtime.roster.embed):
        breaker = state.provider.breaker
        if breaker.until and provider in (None, state.provider.key):
            breaker.succeeded()
    runtime.engine.room.changed()
    return _done(runtime, provider)


async def _provider(runtime: Runtime, call: Call) -> str | None:
    asked = await read_json(call, OfProvider, runtime.settings.max_request_bytes)
    known = runtime.roster.world.providers
    if asked.provider is not None and asked.provider not in known:
        raise NotFound(
            sentence(f"There is no provider {asked.provider[:80]!r}{nearest(asked.provider, known)}"), param="provider"
        )
    return asked.provider


def _done(runtime: Runtime, provider: str | None) -> Done:
    if provider is not None:
        return Done([provider])
    states = (*runtime.roster.chat, *runtime.roster.embed)
    return Done(list(dict.fromkeys(state.provider.key for state in states)))


# --- the configuration


class Setting(msgspec.Struct):
    """``value`` is shown by its last characters where it is secret."""

    value: object
    origin: str


class File(msgspec.Struct):
    path: str
    exists: bool


class Config(msgspec.Struct):
    """Settings by the names of their variables, and the files that are watched."""

    settings: dict[str, Setting]
    files: list[File]
    aliases: dict[str, tuple[str, ...]]
    problem: str | None
    needs_restart: list[str]


async def get_config(runtime: Runtime, call: Call) -> Config:
    """What is in use, and where each value came from."""
    query(call, ())
    live = live_of(runtime)
    return Config(
        settings=_settings(live.loaded),
        files=[File(str(path), path.exists()) for path in watched(live.loaded)],
        aliases=runtime.roster.world.aliases,
        problem=live.problem,
        needs_restart=live.needs_restart,
    )


async def reload_config(runtime: Runtime, call: Call) -> Outcome:
    """Read the files now."""
    return await live_of(runtime).reload()


class Mode(msgspec.Struct, forbid_unknown_fields=True):
    """How the keys of a provider take turns."""

    mode: Literal["round-robin", "sequential"]


async def get_mode(runtime: Runtime, call: Call) -> Mode:
    return Mode(runtime.settings.rotation_mode)


async def put_mode(runtime: Runtime, call: Call) -> Mode:
    """Written as ROTATION_MODE to a ``.env``. Raises Conflict where something stronger says it."""
    asked = await read_json(call, Mode, runtime.settings.max_request_bytes)
    await _set(runtime, "ROTATION_MODE", asked.mode)
    return Mode(runtime.settings.rotation_mode)


class Switch(msgspec.Struct, forbid_unknown_fields=True):
    """One feature, on or off."""

    name: str
    enabled: bool


async def get_features(runtime: Runtime, call: Call) -> object:
    return feature_rows(runtime.roster.world)


async def put_feature(runtime: Runtime, call: Call) -> object:
    """Turn one on or off, in a ``.env``. Raises NotFound, Conflict."""
    asked = await read_json(call, Switch, runtime.settings.max_request_bytes)
    await _set(runtime, switch_of(asked.name), "1" if asked.enabled else "0")
    return feature_rows(runtime.roster.world)


async def _set(runtime: Runtime, name: str, value: str) -> None:
    live = live_of(runtime)
    try:
        path = envfile.place(live.loaded, name)
        await asyncio.to_thread(envfile.change, path, {name: value})
    except SettingsError as error:
        raise Conflict(str(error)) from error
    outcome = await live.reload()
    if not outcome.ok:
        raise Unusable(f"{name} is written, but the configuration cannot be used: {outcome.problem}")


class Unusable(RouterError):
    """The files were changed as asked, but something in them keeps them from being used."""

    status = 409
    code = "configuration_unusable"


def live_of(runtime: Runtime) -> Live:
    """Raises NotFound where the configuration came from no file."""
    if runtime.live is None:
        raise NotFound("This router was not configured from files.", code="no_configuration")
    return runtime.live


def _settings(loaded: Loaded) -> dict[str, Setting]:
    return {
        name.upper(): Setting(_shown(getattr(loaded.settings, name), secret=name in SECRET), origin)
        for name, origin in loaded.origins.items()
    }


def _shown(value: object, *, secret: bool) -> object:
    if isinstance(value, tuple):
        return [shown(item) if secret else item for item in value]
    if secret:
        return shown(str(value))
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


_TABLE: dict[str, dict[str, Handler]] = {
    "quota/reset": {"POST": reset_quota},
    "rests/reset": {"POST": reset_rests},
    "credentials": {"GET": list_credentials, "POST": add_credentials, "DELETE": remove_credentials},
    "credentials/check": {"POST": check_credentials},
    "config": {"GET": get_config},
    "config/reload": {"POST": reload_config},
    "providers": {"GET": list_providers},
    "mode": {"GET": get_mode, "PUT": put_mode},
    "limits": {"GET": list_limits, "PUT": change_limits, "DELETE": clear_limits},
    "features": {"GET": get_features, "PUT": put_feature},
}
