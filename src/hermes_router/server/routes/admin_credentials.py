"""/admin/api/credentials: keys of providers, listed by their last characters, added to and removed from auth.json, and
checked with a call that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from ...catalogue.mistakes import nearest, sentence
from ...core.errors import BadRequest, NotFound
from ...pool.credentials import Found, add_keys, clean, gather, read_auth, remove_keys, tail
from ...pool.world import Credential, World
from ...settings import DEFAULT_KEY, Loaded, SettingsError
from ..conflict import Conflict
from ..http import Call
from ..probe import Checked, probe
from ..query import query, read_json
from ..reload import Live, Outcome
from ..runtime import Runtime

_AT_ONCE = 4


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    """``removable``: it is in auth.json, and only there."""

    id: str
    tail: str
    origin: str
    removable: bool


class ProviderKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one provider, in the order they are used. ``notices``: what of it does not serve."""

    provider: str
    credentials: list[CredentialRow]
    notices: list[str] = []


class Adding(msgspec.Struct, forbid_unknown_fields=True):
    provider: str
    keys: list[str]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """``changed``: how many keys were added or removed. ``config``: whether the new state is in use."""

    changed: int
    provider: ProviderKeys
    config: Outcome


class Checking(msgspec.Struct, forbid_unknown_fields=True):
    """``key`` None: each that is configured."""

    provider: str
    key: str | None = None


class CheckReport(msgspec.Struct, frozen=True):
    provider: str
    results: list[Checked]


def shown(secret: str) -> str:
    """A key as it may be shown. The default one, known to all, is shown whole."""
    if secret == DEFAULT_KEY:
        return secret
    return f"...{tail(secret)}" if secret else ""


async def list_credentials(runtime: Runtime, call: Call) -> list[ProviderKeys]:
    """``?provider=`` for one. Those without a key or a notice are left out."""
    wanted = query(call, ("provider",)).get("provider")
    if wanted is not None:
        return [await _keys_of(runtime, _known(runtime, wanted))]
    world, loaded = runtime.roster.world, _live(runtime).loaded
    rows = await asyncio.to_thread(lambda: [_row(world, loaded, name) for name in world.providers])
    return [row for row in rows if row.credentials or row.notices]


async def add_credentials(runtime: Runtime, call: Call) -> Changed:
    """Raises NotFound, BadRequest."""
    asked = await read_json(call, Adding, runtime.settings.max_request_bytes)
    provider, live = _known(runtime, asked.provider), _live(runtime)
    keys = [clean(key) for key in asked.keys]
    if not keys or not all(_usable(key) for key in keys):
        raise BadRequest("keys must be a list of keys, without spaces and in ASCII.", param="keys")
    count = await _edit(add_keys, live, provider, keys)
    return await _changed(runtime, provider, count)


async def remove_credentials(runtime: Runtime, call: Call) -> Changed:
    """``?provider=groq&id=...`` or ``&tail=abcd``. Raises NotFound, Conflict for a key that is set elsewhere too."""
    said = query(call, ("provider", "id", "tail"))
    provider, live = _known(runtime, said.get("provider", "")), _live(runtime)
    one = _one(await asyncio.to_thread(_found, runtime.roster.world, live.loaded, provider), said)
    count = await _edit(remove_keys, live, provider, [one.secret])
    if not count:
        raise Conflict(f"That key is not in {live.loaded.settings.router_auth_file.name}: it is set in {one.origin}.")
    return await _changed(runtime, provider, count)


async def check_credentials(runtime: Runtime, call: Call) -> CheckReport:
    """Asks the provider for its list of models, which is free. Raises NotFound."""
    asked = await read_json(call, Checking, runtime.settings.max_request_bytes)
    provider, live = _known(runtime, asked.provider), _live(runtime)
    world = runtime.roster.world
    if asked.key is not None:
        secrets = [clean(asked.key)]
        if not _usable(secrets[0]):
            raise BadRequest("key must be a key, without spaces and in ASCII.", param="key")
    else:
        found = await asyncio.to_thread(_found, world, live.loaded, provider)
        secrets = [one.secret for one in found.credentials]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(secret: str) -> Checked:
        async with gate:
            return await probe(
                runtime.engine.transport, world, live.loaded, provider, secret=secret, now=runtime.clock()
            )

    return CheckReport(provider, list(await asyncio.gather(*(one(secret) for secret in secrets))))


async def _edit(work: Callable[[Path, str, list[str]], int], live: Live, provider: str, keys: list[str]) -> int:
    try:
        return await asyncio.to_thread(work, live.loaded.settings.router_auth_file, provider, keys)
    except SettingsError as error:
        raise Conflict(str(error)) from error
    except OSError as error:
        path = live.loaded.settings.router_auth_file
        raise Conflict(f"{path} cannot be written: {error.strerror}") from error


async def _changed(runtime: Runtime, provider: str, count: int) -> Changed:
    outcome = await _live(runtime).reload()
    return Changed(changed=count, provider=await _keys_of(runtime, provider), config=outcome)


async def _keys_of(runtime: Runtime, provider: str) -> ProviderKeys:
    return await asyncio.to_thread(_row, runtime.roster.world, _live(runtime).loaded, provider)


def _row(world: World, loaded: Loaded, provider: str) -> ProviderKeys:
    stored = _stored(loaded, provider)
    found = _found(world, loaded, provider)
    said = [notice.message for notice in world.notices if notice.subject.partition("/")[0] == provider]
    return ProviderKeys(
        provider=provider,
        credentials=[
            CredentialRow(id=one.id, tail=one.tail, origin=one.origin, removable=one.secret in stored)
            for one in found.credentials
            if one.secret
        ],
        notices=said,
    )


def _found(world: World, loaded: Loaded, provider: str) -> Found:
    """All keys of a provider as the files say now. Where auth.json cannot be read: as they were."""
    try:
        return gather(provider, world.providers[provider], loaded, read_auth(loaded.settings.router_auth_file))
    except SettingsError:
        used = (one.credential for one in (*world.deployments, *world.embedders) if one.provider == provider)
        return Found(tuple({one.id: one for one in used}.values()))


def _stored(loaded: Loaded, provider: str) -> frozenset[str]:
    try:
        auth = read_auth(loaded.settings.router_auth_file)
    except SettingsError:
        return frozenset()
    return frozenset(clean(key) for key in auth.providers.get(provider, ()))


def _one(found: Found, said: dict[str, str]) -> Credential:
    if not said.get("id") and not said.get("tail"):
        raise BadRequest("Say which key: id or tail.", param="id")
    fits = [
        one
        for one in found.credentials
        if one.secret and one.id == said.get("id", one.id) and one.tail == said.get("tail", one.tail)
    ]
    if not fits:
        raise NotFound("There is no such key; GET /admin/api/credentials lists them.", param="id")
    if len(fits) > 1:
        raise Conflict("Several keys end like that: say which one by its id.")
    return fits[0]


def _known(runtime: Runtime, provider: str) -> str:
    known = runtime.roster.world.providers
    if provider not in known:
        raise NotFound(sentence(f"There is no provider {provider[:80]!r}{nearest(provider, known)}"), param="provider")
    return provider


def _usable(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and not any(mark.isspace() for mark in key)


def _live(runtime: Runtime) -> Live:
    if runtime.live is None:
        raise NotFound("This router was not configured from files.", code="no_configuration")
    return runtime.live
