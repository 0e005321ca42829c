"""What ``GET /v1/status`` says, typed, and how it is gathered from the live states. No key in it, only last characters.

Moments (``..._at``, ``until``, ``since``) are wall-clock seconds; durations (``..._in``, ``waited``) are seconds;
shares go from 0 to 1.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from ..engine.records import RequestRecord
from ..engine.room import Room, Ticket
from ..pool.forecast import describe
from ..pool.ledger import Ledger, WindowRow
from ..pool.outlook import TierOutlook, pool_outlook
from ..pool.pool import Roster
from ..pool.states import DeploymentState
from .telemetry import Counters

State = Literal["ok", "resting", "breaker", "quota"]


class QuotaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One quota window. ``window``: rpm, rpd, tpm, tpd, month, concurrency. ``shared``: counted over all models of the
    account. ``limit`` 0: unknown, only parked. ``source``: declared (catalogue or configuration), headers, refusal,
    learned (guessed from refusals); ``age`` of what was learned. ``runs_out_in``: at the rate of the last ten minutes,
    None where it comes back sooner."""

    window: str
    used: int
    limit: int
    source: str
    shared: bool = False
    age: float | None = None
    resets_in: float | None = None
    runs_out_in: float | None = None
    parked_in: float | None = None
    """Seconds until a provider that refused is asked again."""


class DeploymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One provider x model x key. ``state``: ``ok``, ``resting`` after a fault (``why``), ``breaker`` open for the
    whole provider, ``quota`` spent (``why`` names the window). ``until`` None: ok, or not known to come back.
    ``calls_left`` today or this month, None where nothing is known to limit it. Latency is the first event's."""

    id: str
    provider: str
    model: str
    tail: str
    account: str
    tier: int
    state: State
    why: str = ""
    until: float | None = None
    free_in: float | None = None
    embeddings: bool = False
    by_name: bool = False
    sandbox: bool = False
    calls_left: int | None = None
    p50: float | None = None
    p95: float | None = None
    tokens_per_second: float | None = None
    samples: int = 0
    errors: float = 0.0
    windows: list[QuotaRow] = []


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request that waits, in the order they will be served. ``waits_for``: the candidate that frees first, and
    what holds it (a window, or the rest's reason)."""

    caller: str
    since: float
    waited: float
    gives_up_in: float
    input: int
    waits_for: str = ""
    reason: str = ""
    free_in: float | None = None


class RecentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One finished request; the whole of it is at ``/v1/logs/{id}``."""

    id: str
    at: float
    endpoint: str
    asked: str
    caller: str
    stream: bool
    provider: str
    model: str
    status: int
    error: str
    attempts: int
    resumes: int
    waited: float
    first_event: float | None
    took: float
    input: int
    output: int
    reasoning: int
    cached: int


class ConfigState(msgspec.Struct, frozen=True, kw_only=True):
    """``problem``: why the files as they are now are not in use; None where they are. ``needs_restart``: settings that
    were changed and take effect with the next start. ``notices``: what is configured and does not serve."""

    loaded_at: float
    problem: str | None = None
    problem_at: float | None = None
    needs_restart: list[str] = []
    notices: list[dict[str, str]] = []


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. With ``?brief=1`` deployments come without ``windows``, and ``recent`` is empty. ``open`` counts
    requests under way, ``open_leases`` holds on quota, ``open_connections`` those to providers that are in use,
    ``tasks`` what runs on the event loop: all are back where they began once nobody asks."""

    version: str
    now: float
    started_at: float
    uptime: float
    sandbox: bool
    draining: bool
    ready: bool
    reasons: list[str]
    config: ConfigState
    counters: Counters
    open: int
    open_leases: int = 0
    open_connections: int = 0
    tasks: int = 0
    deployments: list[DeploymentRow]
    tiers: list[TierOutlook]
    waiting: list[WaitingRow]
    recent: list[RecentRow]


def deployment_rows(roster: Roster, ledger: Ledger, now: float, *, brief: bool) -> list[DeploymentRow]:
    """In the order of the configuration; embedding models after the others."""
    return [_deployment(state, ledger, now, brief=brief) for state in (*roster.chat, *roster.embed)]


def tier_rows(roster: Roster, ledger: Ledger, now: float) -> list[TierOutlook]:
    """Chat models that serve anybody; those that only an alias names are left out."""
    return pool_outlook([state for state in roster.chat if not state.deployment.by_name], ledger, now)


def waiting_rows(room: Room, now: float) -> list[WaitingRow]:
    """Those who wait for quota."""
    return [_waiting(room, ticket, now) for ticket in room.waiting]


def recent_row(record: RequestRecord) -> RecentRow:
    """A request in one line."""
    return RecentRow(
        id=record.id,
        at=record.at,
        endpoint=record.endpoint,
        asked=record.asked,
        caller=record.caller,
        stream=record.stream,
        provider=record.provider,
        model=record.model,
        status=record.status,
        error=record.error,
        attempts=len(record.attempts),
        resumes=record.resumes,
        waited=round(record.waited, 3),
        first_event=_rounded(record.first_event, 3),
        took=round(record.took, 3),
        input=record.input,
        output=record.output,
        reasoning=record.reasoning,
        cached=record.cache_read,
    )


def _deployment(state: DeploymentState, ledger: Ledger, now: float, *, brief: bool) -> DeploymentRow:
    deployment, latency = state.deployment, state.model.latency
    word, why, until = _health(state, ledger, now)
    left = ledger.calls_left(state.lane, now)
    known = until is not None and math.isfinite(until)
    return DeploymentRow(
        id=deployment.id,
        provider=deployment.provider,
        model=deployment.target.model.id,
        tail=deployment.credential.tail,
        account=deployment.account,
        tier=state.tier,
        state=word,
        why=why,
        until=until if known else None,
        free_in=round(until - now, 1) if until is not None and known else None,
        embeddings=deployment.target.embed is not None,
        by_name=deployment.by_name,
        sandbox=deployment.sandbox,
        calls_left=int(left) if math.isfinite(left) else None,
        p50=_rounded(latency.p50, 3),
        p95=_rounded(latency.p95, 3),
        tokens_per_second=round(latency.rate, 1) if latency.samples else None,
        samples=latency.samples,
        errors=round(state.model.errors, 3),
        windows=[] if brief else _windows(state, now),
    )


def _health(state: DeploymentState, ledger: Ledger, now: float) -> tuple[State, str, float | None]:
    rest = state.resting(now)
    breaker = state.provider.breaker.free_at(now)
    if breaker > now and (rest is None or breaker >= rest.until):
        return "breaker", "too many failures of this provider", breaker
    if rest is not None:
        return "resting", f"{rest.kind.value}: {rest.why}" if rest.why else rest.kind.value, rest.until
    free = ledger.free_at(state.lane, 1, now)
    if free.at > now:
        return "quota", free.window, free.at
    return "ok", "", None


def _windows(state: DeploymentState, now: float) -> list[QuotaRow]:
    account = state.lane.account
    own = describe(state.lane.own, account, now)
    shared = describe(account.shared, account, now)
    return [_quota(row, now, shared=False) for row in own] + [_quota(row, now, shared=True) for row in shared]


def _quota(row: WindowRow, now: float, *, shared: bool) -> QuotaRow:
    return QuotaRow(
        window=row.window,
        used=row.used,
        limit=row.limit,
        source=row.source,
        shared=shared,
        age=_rounded(row.age, 1),
        resets_in=_until(row.resets_at, now),
        runs_out_in=_until(row.runs_out_at, now),
        parked_in=_until(row.parked_until, now),
    )


def _waiting(room: Room, ticket: Ticket, now: float) -> WaitingRow:
    first = min(room.held(ticket), key=lambda held: held.until, default=None)
    return WaitingRow(
        caller=ticket.caller,
        since=ticket.since,
        waited=round(now - ticket.since, 1),
        gives_up_in=round(max(0.0, ticket.gives_up - now), 1),
        input=ticket.work.needs.input,
        waits_for=first.state.model.key if first else "",
        reason=first.reason if first else "",
        free_in=_until(first.until, now) if first else None,
    )


def _until(moment: float | None, now: float) -> float | None:
    return round(max(0.0, moment - now), 1) if moment is not None and math.isfinite(moment) else None


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)
