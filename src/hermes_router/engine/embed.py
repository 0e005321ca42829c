"""Embeddings: all batches of a request from one model, the usual one; another only where that one cannot answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..core.errors import BadRequest, CannotServe, Exhausted
from ..core.events import Usage, Vectors
from ..core.request import EmbeddingRequest
from ..pool.pool import Roster
from ..pool.states import DeploymentState
from ..routing.needs import needs_of_embedding
from ..routing.plan import Plan
from ..routing.policy import Group
from ..routing.selection import Selection
from .records import RequestRecord
from .run import Engine, Exchange
from .work import EmbedWork


class Embedded(msgspec.Struct, frozen=True):
    """Vectors in the order of the inputs. ``usual``: the name of the model that should have answered, "" where it
    did."""

    vectors: list[list[float]]
    usage: Usage
    served: DeploymentState
    usual: str = ""


async def embed(
    engine: Engine,
    roster: Roster,
    request: EmbeddingRequest,
    selection: Selection,
    *,
    record: RequestRecord,
    patience: float,
) -> Embedded:
    """Raises CannotServe, Exhausted, Refused."""
    groups = _able(roster, request, selection)
    usual = groups[0].model.key
    if roster.world.settings.embeddings_strict:
        groups = groups[:1]
    trouble: Exhausted | None = None
    for one in groups:
        plan = Plan((one,), needs_of_embedding(request), selection, roster)
        try:
            vectors, usage = await _all_batches(engine, plan, request, record, patience)
        except Exhausted as error:
            trouble = trouble or error
            continue
        return Embedded(vectors, usage, one.members[0], "" if one.model.key == usual else usual)
    assert trouble is not None
    if roster.world.settings.embeddings_strict:
        trouble.message += " (EMBEDDINGS_STRICT: no other model may answer.)"
    raise trouble


def _able(roster: Roster, request: EmbeddingRequest, selection: Selection) -> list[Group]:
    """The embedding models that can do what is asked, the usual one first. Raises CannotServe, BadRequest."""
    if not roster.embed:
        raise CannotServe("No configured provider serves embeddings.", code="no_embedding_model")
    members: dict[str, list[DeploymentState]] = {}
    for state in roster.embed:
        if not selection.names or selection.then_pool or state.model.key in selection.names:
            members.setdefault(state.model.key, []).append(state)
    if not members:
        raise CannotServe("None of the models asked for serves embeddings.", code="no_embedding_model", param="model")
    able = [Group(of[0].model, tuple(of)) for of in members.values() if _can(of[0], request)]
    if able:
        return able
    names = ", ".join(members)
    if request.dimensions:
        raise BadRequest(f"No embedding model here gives {request.dimensions} dimensions: {names}.", param="dimensions")
    raise BadRequest(f"No embedding model here takes arrays of tokens, send text: {names}.", param="input")


def _can(state: DeploymentState, request: EmbeddingRequest) -> bool:
    spec = state.deployment.target.embed
    if spec is None:
        return False
    wanted = request.dimensions
    if wanted and wanted != spec.dimensions:
        sized = spec.any_size and len(spec.sizes) == 2 and spec.sizes[0] <= wanted <= spec.sizes[1]
        known = spec.dimensions or spec.sizes
        if known and not sized and wanted not in spec.sizes:
            return False
    return spec.token_input or not known_tokens(request) or not spec.dimensions


def known_tokens(request: EmbeddingRequest) -> bool:
    """Whether the input is arrays of tokens, which only some models take."""
    return any(not isinstance(item, str) for item in request.inputs)


async def _all_batches(
    engine: Engine, plan: Plan, request: EmbeddingRequest, record: RequestRecord, patience: float
) -> tuple[list[list[float]], Usage]:
    spec = plan.groups[0].members[0].deployment.target.embed
    size = (spec.batch if spec else 0) or len(request.inputs)
    vectors: list[list[float]] = []
    usages: list[Usage] = []
    for first in range(0, len(request.inputs), size):
        batch = msgspec.structs.replace(request, inputs=request.inputs[first : first + size])
        needs = needs_of_embedding(batch)
        work = EmbedWork(batch, needs, plan.roster.world.settings)
        part = msgspec.structs.replace(plan, needs=needs)
        exchange = Exchange(engine, work, part, record, patience=patience, whole=True)
        vectors += await _one_batch(exchange, usages.append)
    total = Usage(input=sum(usage.input for usage in usages), known=all(usage.known for usage in usages))
    return vectors, total


async def _one_batch(exchange: Exchange, spent: Callable[[Usage], None]) -> list[list[float]]:
    vectors: list[list[float]] = []
    try:
        await exchange.begin()
        for event in await exchange.all():
            if isinstance(event, Vectors):
                vectors += event.vectors
            elif isinstance(event, Usage):
                spent(event)
    finally:
        await exchange.close()
    return vectors
