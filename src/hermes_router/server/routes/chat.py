"""The chat surfaces: one function for every dialect."""

from __future__ import annotations

from functools import lru_cache

from ...catalogue.abilities import Ability
from ...core.errors import BadRequest, RouterError
from ...core.fold import Answer, Folder
from ...core.request import Request, Role
from ...dialects.base import Dialect, Served
from ...engine.run import Exchange
from ...engine.work import ChatWork
from ...routing.needs import Needs, names_a_file, needs_of
from ...routing.plan import Plan, prefer
from ...routing.selection import AUTO, Selection, select, stays_with_one
from ...routing.truncation import shortened
from ..asked import wait_seconds, wants_pin
from ..http import Call, Header, header
from ..runtime import Runtime
from ..streams import EventStream

_SHARE = 8
"""The part of a window (one in so many) that is left for the answer when a conversation is shortened."""


_ASSISTANT = Role.ASSISTANT
_FIRST_TRY = header("x-hermes-attempts", 1)


async def chat(runtime: Runtime, call: Call, dialect: Dialect) -> None:
    """POST /v1/chat/completions, /v1/messages and whatever else is a conversation."""
    body = await call.body(runtime.settings.max_request_bytes)
    request = runtime.memory.restore(dialect.read(body, call.headers))
    exchange = exchange_for(runtime, call, request)
    try:
        await (_stream if request.stream else _whole)(runtime, call, dialect, request, exchange)
    finally:
        await exchange.close()
        runtime.finished(exchange.record)


def exchange_for(runtime: Runtime, call: Call, request: Request) -> Exchange:
    """Plan the request. Raises RouterError where nobody can ever serve it."""
    roster = runtime.roster
    settings = roster.world.settings
    record = runtime.record(call, request.model, stream=request.stream)
    needs = needs_of(request)
    pin = wants_pin(call.headers, settings)
    selection = select(request.model, roster.world, pin=pin, profile=call.headers.get("x-hermes-profile"))
    _refuse_files_of_others(request, needs, selection, runtime)
    try:
        plan = runtime.planner.plan(roster, needs, selection, runtime.clock())
    except RouterError as error:
        shorter = _shortened(request, error)
        if shorter is None:
            runtime.planned(record, Plan((), needs, selection, roster))
            raise
        request, needs = shorter, needs_of(shorter)
        plan = runtime.planner.plan(roster, needs, selection, runtime.clock())
    if selection is AUTO:
        plan = _stay_with(plan, request)
    runtime.planned(record, plan)
    return Exchange(
        runtime.engine,
        ChatWork(request, needs, settings),
        plan,
        record,
        patience=wait_seconds(call.headers, settings),
        whole=not request.stream,
    )


def _shortened(request: Request, error: RouterError) -> Request | None:
    """What fits the largest window there is, of a conversation that may be shortened."""
    window = error.details.get("largest_window")
    return shortened(request, window - window // _SHARE) if window and request.may_shorten else None


def _refuse_files_of_others(request: Request, needs: Needs, selection: Selection, runtime: Runtime) -> None:
    """A file's id means something to one provider only: whoever else got it would refuse it, or read another file."""
    if not needs.abilities & Ability.DOCUMENTS or not names_a_file(request):
        return
    if not stays_with_one(selection, runtime.roster.world):
        raise BadRequest(
            "file_id names a file that was uploaded to one provider, and this request may go to several: send the file "
            "itself, or pin the request to that provider (X-Hermes-Pin: true with provider/model as the model)",
            param="file_id",
        )


def served_headers(exchange: Exchange) -> list[Header]:
    """Who answered, and how it went."""
    state = exchange.served
    assert state is not None
    headers = [
        _FIRST_TRY if exchange.attempts == 1 else header("x-hermes-attempts", exchange.attempts),
        _names(state.provider.key, state.deployment.target.model.id),
    ]
    if exchange.structured:
        headers.append(header("x-hermes-structured-output", exchange.structured))
    if exchange.record.waited >= 0.001:
        headers.append(header("x-hermes-waited-ms", round(exchange.record.waited * 1000)))
    return headers


@lru_cache(maxsize=4096)
def _names(provider: str, model: str) -> Header:
    return header("x-hermes-provider", provider) + header("x-hermes-model", model)


def _stay_with(plan: Plan, request: Request) -> Plan:
    """A conversation stays where it was: prompt caches and thinking signatures are there."""
    for message in reversed(request.messages):
        if message.role is _ASSISTANT:
            return prefer(plan, message.origin) if message.origin else plan
    return plan


async def _whole(runtime: Runtime, call: Call, dialect: Dialect, request: Request, exchange: Exchange) -> None:
    folder = Folder()
    await exchange.begin()
    folder.add(await exchange.all())
    answer = folder.answer()
    body = dialect.answer(request, answer, _served(call, exchange))
    _remember(runtime, exchange, answer)
    exchange.record.status = 200
    call.reply(200, body, served_headers(exchange))


async def _stream(runtime: Runtime, call: Call, dialect: Dialect, request: Request, exchange: Exchange) -> None:
    stream = EventStream(
        call,
        lambda: dialect.stream(request, _served(call, exchange)),
        lambda: served_headers(exchange),
        runtime.explain,
    )
    exchange.record.status = 200
    folder = await stream.run(exchange, lambda: _note(exchange))
    answer = folder.answer()
    if answer.finish is not None:
        _remember(runtime, exchange, answer)


def _remember(runtime: Runtime, exchange: Exchange, answer: Answer) -> None:
    if (state := exchange.served) is not None:
        runtime.memory.remember(state.model.key, answer)


def _note(exchange: Exchange) -> str:
    lines = b"".join(served_headers(exchange)).decode("latin-1").splitlines()
    return "hermes-router " + " ".join(line.removeprefix("x-hermes-").replace(": ", "=", 1) for line in lines)


def _served(call: Call, exchange: Exchange) -> Served:
    state = exchange.served
    return Served(
        id=call.id.removeprefix("req_"),
        provider=state.provider.key if state else "",
        model=state.deployment.target.model.id if state else "",
        created=int(exchange.record.at),
        input_estimate=exchange.needs.input,
    )
