"""POST /v1/embeddings."""

from __future__ import annotations

from ...dialects import embeddings as dialect
from ...dialects.base import Served
from ...engine.embed import embed
from ...routing.needs import needs_of_embedding
from ...routing.selection import AUTO, select
from ..asked import wait_seconds, wants_pin
from ..http import Call, header
from ..runtime import Runtime


async def embeddings(runtime: Runtime, call: Call) -> None:
    """One stable model answers; the headers say so where it is not the usual one."""
    request = dialect.read(await call.body(runtime.settings.max_request_bytes), call.headers)
    roster, settings = runtime.roster, runtime.settings
    pin = wants_pin(call.headers, settings)
    selection = select(request.model, roster.world, pin=pin) if request.model in roster.world.aliases or pin else AUTO
    record = runtime.record(call, request.model, stream=False)
    patience = wait_seconds(call.headers, settings)
    try:
        done = await embed(runtime.engine, roster, request, selection, record=record, patience=patience)
        record.status = 200
    finally:
        runtime.finished(record)
    served = Served(
        id=call.id.removeprefix("req_"),
        provider=done.served.provider.key,
        model=done.served.deployment.target.model.id,
        created=int(record.at),
        input_estimate=needs_of_embedding(request).input,
    )
    headers = [
        header("x-hermes-attempts", len(record.attempts)),
        header("x-hermes-provider", served.provider),
        header("x-hermes-model", served.model),
    ]
    if done.usual:
        headers.append(header("x-hermes-embedding-instead-of", done.usual))
    call.reply(200, dialect.answer(request, done.vectors, done.usage, served), headers)
