"""Whether a key works: the provider is asked for its list of models, which costs nothing."""

from __future__ import annotations

import asyncio
import re

import msgspec
import orjson

from ..catalogue.schema import ModelSpec, ProviderSpec
from ..pool.credentials import tail
from ..pool.overrides import Overrides
from ..pool.world import World
from ..settings import Loaded
from ..transport.base import HttpRequest, Transport, TransportError, chunks
from ..wires.base import Target
from ..wires.classify import classify

SECONDS = 15.0
_MOST_BYTES = 8 * 1024 * 1024
_PLACE = re.compile(r"\{(\w+)\}")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """``ok``: the list came. ``proven`` False: it comes without a key too, so that the key may still be wrong.
    ``kind`` and ``message`` say what went wrong (a fault's kind, or ``not_configured``)."""

    tail: str
    ok: bool
    proven: bool = True
    status: int | None = None
    kind: str = ""
    message: str = ""
    models: list[str] = []


async def probe(
    transport: Transport, world: World, loaded: Loaded, provider: str, *, secret: str, now: float
) -> Checked:
    """Ask with this key. ``now`` is wall-clock seconds."""
    spec = world.providers[provider]
    base = _address(world, spec, loaded, provider)
    if base is None:
        return Checked(
            tail=tail(secret), ok=False, kind="not_configured", message="its address is not known: see its notices"
        )
    target = Target(
        name=provider, provider=spec, model=ModelSpec(id="-"), quirks=spec.quirks, base_url=base, secret=secret
    )
    checked = await _ask(transport, target, now)
    if checked.ok and secret:
        open_to_all = await _ask(transport, msgspec.structs.replace(target, secret=""), now)
        return msgspec.structs.replace(checked, proven=not open_to_all.ok)
    return checked


async def _ask(transport: Transport, target: Target, now: float) -> Checked:
    known = tail(target.secret)
    try:
        async with asyncio.timeout(SECONDS):
            status, headers, body = await get_models(transport, target)
    except TimeoutError:
        return Checked(tail=known, ok=False, kind="connect", message=f"no answer within {SECONDS:g} s")
    except TransportError as error:
        return Checked(tail=known, ok=False, kind="connect", message=str(error))
    if 200 <= status < 300:
        models = _models(body)
        if models is None:
            return Checked(
                tail=known, ok=False, status=status, kind="malformed", message="the answer is no list of models"
            )
        return Checked(tail=known, ok=True, status=status, models=models)
    fault = classify(target, status, headers, body, now)
    return Checked(tail=known, ok=False, status=status, kind=fault.kind.value, message=fault.message)


async def get_models(transport: Transport, target: Target) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the provider's answer. Raises TransportError."""
    spec = target.provider
    headers = {"accept": "application/json", **(target.quirks.headers or {})}
    if target.secret:
        headers[spec.auth.header.lower()] = f"{spec.auth.scheme} {target.secret}".strip()
    response = await transport.send(HttpRequest("GET", target.base_url + spec.paths.get("models", "/models"), headers))
    body = bytearray()
    try:
        async for piece in chunks(response):
            body += piece
            if len(body) > _MOST_BYTES:
                break
    finally:
        await response.aclose()
    return response.status, dict(response.headers), bytes(body)


def _models(body: bytes) -> list[str] | None:
    """Ids of ``{"data": [{"id": ...}]}``, ``{"models": [...]}`` or a bare list; None where it is none of them."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    rows = said
    if isinstance(said, dict):
        rows = said.get("data", said.get("models"))
    if not isinstance(rows, list):
        return None
    ids = (row.get("id") or row.get("name") if isinstance(row, dict) else row for row in rows)
    return [id_.removeprefix("models/") for id_ in ids if isinstance(id_, str)]


def _address(world: World, spec: ProviderSpec, loaded: Loaded, provider: str) -> str | None:
    for deployment in (*world.deployments, *world.embedders):
        if deployment.provider == provider:
            return deployment.target.base_url
    base = Overrides(provider, loaded).text("BASE_URL") or spec.base_url or ""
    filled = _PLACE.sub(lambda match: loaded.env.get(match[1], "").strip() or match[0], base).rstrip("/")
    return filled if filled and not _PLACE.search(filled) else None
