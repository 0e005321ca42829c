"""A day of a provider's free quota, played in virtual time by callers who always want more."""

from __future__ import annotations

import math
from collections.abc import Collection

import msgspec

from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import Limits, ProviderSpec
from hermes_router.pool.calendars import DAY, MonthRule, Rule, day_rule
from hermes_router.pool.ledger import Ledger

from .quota import SILENT, Greedy, Lag, Minutes, Says, Simulation, Upstream


class Variant(msgspec.Struct, frozen=True):
    """Whether the ledger is told the limits, and what refusals say."""

    declared: bool = True
    says: Says = Says()


DECLARED = Variant()
NAMED = Variant(declared=False)
NOTHING_SAID = Variant(declared=False, says=SILENT)


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """``possible`` calls by the limits alone, ``used`` ones, refusals, how many minutes, days and months of all
    windows there were for them to happen in, and the most of them in one of these."""

    provider: str
    models: int
    possible: int
    used: int
    refused: int
    windows: int
    worst: int

    @property
    def share(self) -> float:
        return self.used / self.possible if self.possible else 1.0

    @property
    def refused_per_window(self) -> float:
        return self.refused / self.windows if self.windows else 0.0


class Subject(msgspec.Struct, frozen=True):
    """A provider to be played."""

    name: str
    models: dict[str, Limits]
    pool: Limits | None
    reset: str | None


def played_providers(only: Collection[str] | None = None) -> list[Subject]:
    """The catalogue's providers, with those of their models whose calls or tokens are limited."""
    found = [_subject(name, spec) for name, spec in sorted(load_builtin().items()) if not only or name in only]
    return [subject for subject in found if subject.models]


def _subject(name: str, spec: ProviderSpec) -> Subject:
    shared = spec.limits is not None and _limited(spec.limits)
    models = {model.id: model.limits for model in spec.models or () if shared or _limited(model.limits)}
    return Subject(name, models, spec.limits, spec.reset)


def _limited(limits: Limits) -> bool:
    return any((limits.rpm, limits.rpd, limits.tpm, limits.tpd, limits.month))


def possible(subject: Subject, start: float, end: float, tokens: int) -> float:
    """Calls that the limits allow from ``start`` to ``end``, however cleverly one asks."""
    own = sum(_most(limits, subject.reset, start, end, tokens) for limits in subject.models.values())
    return min(own, _most(subject.pool or Limits(), subject.reset, start, end, tokens))


def _least(*limits: float) -> float:
    return min((limit for limit in limits if limit), default=math.inf)


def _most(limits: Limits, reset: str | None, start: float, end: float, tokens: int) -> float:
    per_minute = _least(limits.rpm, limits.tpm // tokens)
    per_day = _least(limits.rpd, limits.tpd // tokens)
    by_day = _by_period(day_rule(reset or "UTC"), per_day, per_minute, start, end)
    return min(by_day, _by_period(MonthRule("UTC"), limits.month or math.inf, per_minute, start, end))


def _by_period(rule: Rule | None, limit: float, per_minute: float, start: float, end: float) -> float:
    total, at = 0.0, start
    while at < end:
        until = min(end, rule.next(at) if rule is not None else at + DAY)
        total += min(limit, per_minute * math.ceil((until - at) / 60))
        at = until
    return total


def play(
    subject: Subject, variant: Variant, *, start: float, days: float, tokens: int = 500, at_once: int = 4
) -> Played:
    """One provider's days: every model is asked for more than it gives."""
    ledger = Ledger()
    simulation = Simulation(ledger, start)
    reset = subject.reset or "UTC"
    pool = Upstream(subject.pool, reset=reset, says=variant.says) if subject.pool is not None else None
    upstreams = []
    for n, (model, limits) in enumerate(subject.models.items()):
        minutes: Minutes = "fixed" if n % 2 else "sliding"
        upstream = Upstream(limits, minutes=minutes, reset=reset, says=variant.says)
        upstreams.append(upstream)
        lane = ledger.lane(
            provider=subject.name,
            account="a",
            model=model,
            limits=limits if variant.declared else Limits(),
            pool_limits=subject.pool if variant.declared else None,
            reset=subject.reset if variant.declared else None,
            failed_calls_count=False,
        )
        drawn = (upstream, pool) if pool is not None else (upstream,)
        Greedy(simulation, lane, drawn, tokens=tokens, lag=Lag(), most=200 if variant.declared else at_once)
    end = start + days * DAY
    simulation.run(end)
    everyone = [*upstreams, pool] if pool is not None else upstreams
    return Played(
        provider=subject.name,
        models=len(upstreams),
        possible=int(possible(subject, start, end, tokens)),
        used=sum(upstream.admitted for upstream in upstreams),
        refused=simulation.refused,
        windows=sum(
            math.ceil((end - start) / (60 if count.kind in ("rpm", "tpm") else DAY))
            for upstream in everyone
            for count in upstream.counts
        ),
        worst=max((n for upstream in everyone for n in upstream.refusals.values()), default=0),
    )
