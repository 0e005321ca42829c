"""Asks providers whether keys are good, as the admin API does, and notes on the way how far their clocks are from ours.

Some providers show their list of models to everybody; there a good answer says nothing of the key, and the finding
says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from ..pool.world import Credential, World
from ..server.compose import make_transport
from ..server.probe import Checked, probe
from ..settings import Loaded
from ..transport.base import HttpRequest, HttpResponse, Transport

_GOOD = ("rate_limited", "quota_exhausted")
_AWAY = ("overloaded", "server_error", "connect", "first_event_timeout", "stalled", "cut")

State = Literal["good", "open", "refused", "unreachable", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one key. ``open``: the list is open to all, so the key was not put to the test.
    ``unknown``: it answers, but not with a list. ``took`` is seconds; ``skew`` how many seconds the provider's clock is
    ahead of ours, None where it did not say."""

    provider: str
    tail: str
    origin: str
    state: State
    message: str
    models: list[str] = []
    took: float = 0.0
    skew: float | None = None


def check(world: World, loaded: Loaded, credentials: Iterable[tuple[str, Credential]]) -> list[Finding]:
    """Ask for each (provider, credential), all at once."""
    return asyncio.run(_all(world, loaded, list(credentials)))


async def _all(world: World, loaded: Loaded, credentials: list[tuple[str, Credential]]) -> list[Finding]:
    transport = make_transport(world)
    try:
        return await asyncio.gather(*(_one(transport, world, loaded, *pair) for pair in credentials))
    finally:
        await transport.aclose()


async def _one(transport: Transport, world: World, loaded: Loaded, provider: str, credential: Credential) -> Finding:
    began = time.monotonic()
    noting = _NotesDates(transport)
    checked = await probe(noting, world, loaded, provider, secret=credential.secret, now=time.time())
    state, message = judged(checked)
    return Finding(
        provider=provider,
        tail=credential.tail,
        origin=credential.origin,
        state=state,
        message=message,
        models=checked.models,
        took=time.monotonic() - began,
        skew=noting.skew,
    )


class _NotesDates:
    """Another transport, listened in on for the Date header."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.skew: float | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        response = await self._inner.send(request)
        try:
            self.skew = parsedate_to_datetime(response.headers.get("date", "")).timestamp() - time.time()
        except ValueError:
            self.skew = None
        return response

    async def aclose(self) -> None:
        """The inner one is shared, and closed by whoever made it."""


def judged(checked: Checked) -> tuple[State, str]:
    """What it means for somebody who wants to use the key."""
    if checked.ok:
        listed = f"{len(checked.models)} models listed"
        if not checked.proven:
            return "open", f"{listed}, to anybody: whether the key is good will show at the first request"
        return "good", listed
    if checked.kind in _GOOD:
        return "good", "accepted; its limit is reached at the moment"
    if checked.kind in _AWAY:
        return "unreachable", checked.message or checked.kind
    if checked.status in (404, 405) or checked.kind == "malformed":
        return "unknown", "it answers, but lists no models: whether the key is good will show at the first request"
    if checked.kind == "not_configured":
        return "unknown", checked.message
    words = f": {checked.message}" if checked.message else ""
    return "refused", f"{checked.kind} (HTTP {checked.status}){words}"
