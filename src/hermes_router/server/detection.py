"""Asks providers, once and in the background, what their models can do, where the configuration does not say.

Only lists of models are asked for, which cost nothing. What cannot be had is left unknown, without a word to callers.
"""

from __future__ import annotations

import asyncio
import logging

from ..catalogue.metadata import read_models
from ..pool.pool import Pool
from ..pool.world import Deployment, World
from ..transport.base import Transport, TransportError
from .probe import get_models

log = logging.getLogger("hermes_router")

SECONDS = 15.0


class Detection:
    """``start`` with the server and for each new World; ``stop`` before the transport is closed."""

    def __init__(self, pool: Pool, transport: Transport) -> None:
        self._pool = pool
        self._transport = transport
        self._asked: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self, world: World) -> None:
        """Ask those providers that were not asked before and have a model nobody knows enough of."""
        wanted = {
            one.provider: one for one in world.deployments if _is_unknown(one) and one.provider not in self._asked
        }
        if not world.settings.startup_detection or not wanted or (self._task and not self._task.done()):
            return
        self._asked |= wanted.keys()
        self._task = asyncio.get_running_loop().create_task(self._ask_all(world, list(wanted.values())))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _ask_all(self, world: World, ones: list[Deployment]) -> None:
        await asyncio.gather(*(self._ask(world, one) for one in ones))

    async def _ask(self, world: World, one: Deployment) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                status, _, body = await get_models(self._transport, one.target)
        except (TimeoutError, TransportError) as error:
            log.debug("%s: its models could not be asked for: %s", one.provider, error)
            return
        facts = read_models(body) if status == 200 else None
        for deployment in world.deployments:
            found = facts.get(deployment.target.model.id) if facts else None
            if deployment.provider == one.provider and found is not None:
                self._pool.learn_facts(deployment.name, found)


def _is_unknown(one: Deployment) -> bool:
    model = one.target.model
    known = model.context and None not in (model.tools, model.vision, model.reasoning)
    return not known and not one.sandbox
