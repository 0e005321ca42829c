"""GET /admin/api/providers: who could serve, from the catalogue, and what of it is configured."""

from __future__ import annotations

import msgspec

from ...catalogue.load import env_names
from ...catalogue.schema import Limits, ModelSpec, ProviderSpec
from ...pool.world import World
from ..http import Call
from ..query import query
from ..runtime import Runtime


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """``serves``: it answers requests now. ``default``: it would, with a key and nothing else said."""

    id: str
    tier: int | None
    context: int
    tools: bool | None
    vision: bool | None
    reasoning: bool | None
    json_schema: bool | None
    free: bool | None
    limits: Limits
    serves: bool
    default: bool
    ends: str | None = None


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """``signup`` is where a key comes from; ``as_of`` the date of the facts; ``status`` live, gated, retired or
    reserved, ``status_note`` why it is not live. ``variables``: names under which its key is found. ``keys`` that are
    in use. ``free_calls_per_day``: the known daily limits of its free models, 0 where none is known."""

    name: str
    title: str
    signup: str
    as_of: str
    status: str
    status_note: str
    note: str
    keyless: bool
    opt_in: bool
    configured: bool
    keys: int
    variables: list[str]
    needs: list[str]
    limits: Limits | None
    free_models: int
    free_calls_per_day: int
    embeddings: list[str]
    models: list[ModelRow]
    notices: list[str]


async def list_providers(runtime: Runtime, call: Call) -> list[ProviderRow]:
    """In the catalogue's order; simulated providers are left out."""
    query(call, ())
    world = runtime.roster.world
    simulated = {one.provider for one in world.deployments if one.sandbox}
    return [_row(world, name, spec) for name, spec in world.providers.items() if name not in simulated]


def _row(world: World, name: str, spec: ProviderSpec) -> ProviderRow:
    ours = [one for one in (*world.deployments, *world.embedders) if one.provider == name]
    serving = {one.target.model.id for one in ours}
    listed = {model.id: model for model in spec.models or ()}
    listed |= {one.target.model.id: one.target.model for one in world.deployments if one.provider == name}
    free = [model for model in listed.values() if model.free]
    defaults = spec.defaults or [model.id for model in free] or list(listed)
    return ProviderRow(
        name=name,
        title=spec.title or name,
        signup=spec.signup,
        as_of=spec.as_of,
        status=spec.status,
        status_note=spec.status_note,
        note=spec.note,
        keyless=spec.keyless,
        opt_in=spec.opt_in,
        configured=bool(ours),
        keys=len({one.credential.id for one in ours if one.credential.secret}),
        variables=list(env_names(name, spec)),
        needs=list(spec.base_url_env),
        limits=spec.limits,
        free_models=len(free),
        free_calls_per_day=_daily(spec, free),
        embeddings=[one.id for one in spec.embeddings],
        models=[_model(model, serves=model.id in serving, default=model.id in defaults) for model in listed.values()],
        notices=[one.message for one in world.notices if one.subject.partition("/")[0] == name],
    )


def _daily(spec: ProviderSpec, free: list[ModelSpec]) -> int:
    if spec.limits is not None and spec.limits.rpd:
        return spec.limits.rpd
    return sum(model.limits.rpd for model in free)


def _model(model: ModelSpec, *, serves: bool, default: bool) -> ModelRow:
    return ModelRow(
        id=model.id,
        tier=model.tier,
        context=model.context,
        tools=model.tools,
        vision=model.vision,
        reasoning=model.reasoning,
        json_schema=model.json_schema,
        free=model.free,
        limits=model.limits,
        serves=serves,
        default=default,
        ends=model.ends,
    )
