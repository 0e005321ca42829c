"""GET /v1/models and /v1/models/{id}: what a client may send as a model name."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.errors import NotFound
from ...dialects.models import ModelRow, model, models_list
from ...pool.world import Deployment, World
from ...routing.selection import select
from ..http import Call
from ..runtime import Runtime


async def list_models(runtime: Runtime, call: Call) -> None:
    """All of them: auto, profiles, aliases, and every model by provider/model."""
    rows = list(_rows(runtime.roster.world, int(runtime.started_at)))
    call.reply(200, models_list(rows, anthropic=_for_anthropic(call)))


async def one_model(runtime: Runtime, call: Call) -> None:
    """One of them. Raises NotFound."""
    wanted = call.path.removeprefix("/v1/models/")
    for row in _rows(runtime.roster.world, int(runtime.started_at)):
        if row.id == wanted:
            call.reply(200, model(row, anthropic=_for_anthropic(call)))
            return
    raise NotFound(f"There is no model {wanted!r}; GET /v1/models lists all.", code="model_not_found", param="model")


def _for_anthropic(call: Call) -> bool:
    return "anthropic-version" in call.headers


def _rows(world: World, created: int) -> Iterator[ModelRow]:
    auto = world.settings.router_model_id
    names = [auto, *(f"{auto}:{profile}" for profile in world.profiles), *world.aliases]
    for name in names:
        yield _of_many(name, created, _may_serve(name, world))
    seen: set[str] = set()
    for deployment in (*world.deployments, *world.embedders):
        if deployment.name not in seen:
            seen.add(deployment.name)
            yield _row(deployment, created)


def _may_serve(name: str, world: World) -> list[Deployment]:
    """Whom a name that the router resolves may mean."""
    selection = select(name, world, pin=False)
    named = [one for one in world.deployments if one.name in selection.names]
    if selection.names and not selection.then_pool:
        return named
    return [
        one
        for one in world.deployments
        if (not selection.providers or one.provider in selection.providers)
        and (not selection.tiers or one.target.model.tier in selection.tiers)
    ]


def _of_many(name: str, created: int, able: list[Deployment]) -> ModelRow:
    """The largest windows and all the abilities: a request goes to whoever has what it needs."""
    rows = [_row(one, created) for one in able]
    return ModelRow(
        id=name,
        created=created,
        owned_by="hermes-router",
        context_window=max((row.context_window or 0 for row in rows), default=0) or None,
        max_output_tokens=max((row.max_output_tokens or 0 for row in rows), default=0) or None,
        capabilities=tuple(dict.fromkeys(word for row in rows for word in row.capabilities)),
    )


def _row(deployment: Deployment, created: int) -> ModelRow:
    spec = deployment.target.model
    facts = {
        "tools": spec.tools,
        "vision": spec.vision,
        "documents": spec.documents,
        "audio": spec.audio,
        "reasoning": spec.reasoning,
        "json_schema": spec.json_schema,
        "embeddings": deployment.target.embed is not None,
    }
    return ModelRow(
        id=deployment.name,
        created=created,
        owned_by=deployment.provider,
        context_window=spec.context or None,
        max_output_tokens=spec.max_output or None,
        capabilities=tuple(name for name, fact in facts.items() if fact),
    )
