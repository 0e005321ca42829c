"""What each account may still spend, and when: leases before sending, real usage after, limits as they are learned.

Pure state with the time passed in (wall-clock seconds): no I/O, no locks, one event-loop thread. How windows count:
``pool/windows.py``. What refusals and headers teach: ``pool/learning.py``. Keeping it on disk: ``changed`` and
``load`` give and take rows, ``storage/`` writes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ..catalogue.schema import Limits
from ..storage.base import Row
from ..wires.limits import Reading
from . import learning, windowstate
from .counters import Kind
from .counting import COUNTED_WITHIN, catch_up, vouch
from .forecast import WindowRow, calls_left, cost_of_a_call, describe, share_left
from .lanes import KINDS, Account, Lane, Lease, Scope, window_of

__all__ = ["COUNTED_WITHIN", "Free", "Lane", "Lease", "Ledger", "WindowRow"]

ROW = "quota"
SLEW = 2.0
"""A clock put back by less than this stands still until it has caught up; by more, it was set."""
JUST_NOW = 5.0
"""Seconds between the release of a refused call and the word of its refusal, at most."""


class Free(msgspec.Struct, frozen=True, gc=False):
    """``at`` <= now: may go now; infinity: never. ``window`` names what holds it back."""

    at: float
    window: str = ""


NOW = Free(0.0)


class Ledger:
    """Every account's quota. Methods that take ``now`` never run backwards: see ``SLEW``."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str], Account] = {}
        self._dirty: list[Scope] = []
        self._stored: dict[str, dict[str, Any]] = {}
        self._loaded_at = 0.0
        self._now = -math.inf
        self._demand, self._demand_at, self._fresh = 0.0, -math.inf, 0

    # ── lanes ──
    def lane(
        self,
        *,
        provider: str,
        account: str,
        model: str,
        limits: Limits,
        pool_limits: Limits | None,
        reset: str | None,
        failed_calls_count: bool,
    ) -> Lane:
        """The lane of a model; the same arguments give the same one. Changed limits are taken up by the one there is.

        ``limits`` are the model's own, ``pool_limits`` count over all models of the account.
        """
        owner = self._accounts.get((provider, account))
        if owner is None:
            owner = self._accounts[provider, account] = Account(provider, account)
        lane = owner.lanes.get(model)
        if lane is None:
            lane = owner.lanes[model] = Lane(owner, model)
        self._look_again(lane)
        lane.failed_calls_count = failed_calls_count
        self._declare(lane.own, owner, limits, reset, ("rpm", "rpd"))
        self._declare(owner.shared, owner, pool_limits or Limits(), reset, ())
        self._restore(lane.own)
        self._restore(owner.shared)
        for sibling in owner.lanes.values():
            sibling.rebuild()
        return lane

    def _declare(
        self, scope: Scope, account: Account, limits: Limits, reset: str | None, always: tuple[Kind, ...]
    ) -> None:
        moved, scope.reset = scope.reset != reset, reset
        for kind in KINDS:
            limit = int(getattr(limits, kind))
            window = scope.windows.get(kind)
            if window is None:
                if not limit and kind not in always:
                    continue
                window = window_of(scope, account, kind)
            elif moved:
                windowstate.move(window, reset)
            window.declare(limit)

    # ── asking ──
    def free_at(self, lane: Lane, tokens: int, now: float) -> Free:
        """When a call of ``tokens`` may go, and which window says so."""
        if now < self._now:
            now = self._put_back(now)
        catch_up(lane.account)
        worst, name = now, ""
        for window in lane.windows:
            at = window.free_at(tokens if window.tokens else 1, now)
            if at > worst:
                worst, name = at, window.kind
        return Free(worst, name) if name else NOW

    def lease(self, lane: Lane, tokens: int, now: float) -> Lease | None:
        """Hold a call and its tokens in every window; None where ``free_at`` is later than ``now``."""
        if now < self._now:
            now = self._put_back(now)
        else:
            self._now = now
        own, shared, account = lane.own, lane.shared, lane.account
        if own.calls >= 1 and shared.calls >= 1 and own.tokens >= tokens and shared.tokens >= tokens:
            own.calls -= 1
            shared.calls -= 1
            own.tokens -= tokens
            shared.tokens -= tokens
            lease = Lease(lane, tokens, now, lane.counted)
            account.taken.append(lease)
        else:
            catch_up(account)
            if not self._fits(lane, tokens, now):
                return None
            lease = Lease(lane, tokens, now, lane.counted, told=True)
            self._hold(lease, now)
        account.open[lease] = None
        self._fresh += 1
        if not own.dirty or not shared.dirty:
            self._touch(lane)
        return lease

    def _fits(self, lane: Lane, tokens: int, now: float) -> bool:
        for window in lane.windows:
            # free_at() only where it may say no: this is asked of every window
            amount = tokens if window.tokens else 1
            counter = window.counter
            full = window.limit and counter.used + window.held + amount > window.limit
            if (full or window.parked_until or now >= counter.next) and window.free_at(amount, now) > now:
                return False
        return True

    def _hold(self, lease: Lease, now: float) -> None:
        lane, tokens = lease.lane, lease.tokens
        for window in lane.windows:
            amount = tokens if window.tokens else 1
            if window.guess and window.used + window.held + amount > window.limit:
                learning.probe(window, lease, now)
            if window.parked_until:
                window.scout = now
            window.held += amount
        vouch(lane.own)
        vouch(lane.shared)

    # ── what became of it ──
    def admitted(self, lease: Lease, now: float) -> None:
        """The answer has begun: by now the provider has counted the call. Minute windows date it from here, or from
        ``COUNTED_WITHIN`` after it was sent: an answer that comes in one piece begins long after it was counted."""
        if lease.answered != math.inf:
            return
        if now < self._now:
            now = self._put_back(now)
        else:
            self._now = now
        lease.answered = now
        lane = lease.lane
        own, shared, account = lane.own, lane.shared, lane.account
        account.answered.append(lease)
        account.recent.append(lease)
        if not own.dirty or not shared.dirty:
            self._touch(lane)

    def settle(self, lease: Lease, tokens: int | None, now: float) -> None:
        """It is over: ``tokens`` were really used (None: the estimate stands)."""
        lane = lease.lane
        own, shared, account = lane.own, lane.shared, lane.account
        if lease not in account.open:
            return
        if lease.answered == math.inf:
            self.admitted(lease, now)
        if lease.told:
            catch_up(account)  # the windows know it by its estimate: counted first, then put right
            for gate in lane.gates:
                gate.held -= 1
        if tokens is not None:
            more = tokens - lease.tokens
            if more > 0:
                own.tokens -= more
                shared.tokens -= more
            if lease.told and more:
                self._correct(lease, more)
            lease.tokens = tokens
            lane.call_tokens += 0.05 * (tokens - lane.call_tokens)
        del account.open[lease]
        if not own.dirty or not shared.dirty:
            self._touch(lane)

    def release(self, lease: Lease, now: float, *, counted: bool | None = None) -> None:
        """It failed. ``counted``: the provider counts the call all the same (None: by its rule for failed calls).

        A call that failed before any answer counts no tokens; one that broke off later keeps its estimate.
        """
        lane, account = lease.lane, lease.lane.account
        if lease not in account.open:
            return
        catch_up(account)
        del account.open[lease]
        keep = lane.failed_calls_count if counted is None else counted
        if lease.answered == math.inf:
            lane.failed.append((now, lease))
            self._drop_held(lease)
            if keep:
                lease.answered = now = max(now, self._now)
                lease.refs = [window.counter.add(0 if window.tokens else 1, now) for window in lease.windows]
                for window in lease.windows:
                    if window.tally is not None:
                        window.tally.admitted(lease.sent)
                account.recent.append(lease)
        elif not keep:
            lease.void = True
            for window, ref in zip(lease.windows, lease.refs, strict=True):
                window.counter.adjust(ref, -(lease.tokens if window.tokens else 1))
        for gate in lane.gates:
            gate.held -= 1
        self._touch(lane)

    def _drop_held(self, lease: Lease) -> None:
        for window in lease.windows:
            window.held -= lease.tokens if window.tokens else 1
        lease.tokens = 0

    def _correct(self, lease: Lease, more: int) -> None:
        for window, ref in zip(lease.windows, lease.refs, strict=True):
            if window.tokens:
                window.counter.adjust(ref, more)

    # ── learning ──
    def observe(self, lane: Lane, readings: Sequence[Reading], now: float, *, lease: Lease | None = None) -> None:
        """Response headers. ``lease`` is the call they came with; left out, the one admitted just now is assumed."""
        if not readings:
            return
        now = self._clock(now)
        self._look_again(lane)
        recent = lane.account.recent
        if lease is None and recent and recent[-1].lane is lane and recent[-1].answered == now:
            lease = recent[-1]
        for reading in readings:
            learning.observe(lane, reading, lease, now)
        self._touch(lane)

    def refused(
        self,
        lane: Lane,
        *,
        limit: str | None,
        value: int | None,
        retry_after: float | None,
        scope_account: bool,
        tokens: int,
        now: float,
        lease: Lease | None = None,
    ) -> float:
        """A 429: learn from it, park what it is about; the moment from which the lane may be asked again.

        ``limit`` None: nobody said which window. ``scope_account``: it is about all models of the account. ``lease``
        is the refused call's, released or not; left out, it is the one released last, so call it after ``release``
        and before anything else may take a lease.
        """
        now = self._clock(now)
        self._look_again(lane)
        if lease is None:
            lease = self._just_failed(lane, now)
        refusal = learning.Refusal(
            limit=limit,
            value=value,
            retry_after=retry_after,
            account=scope_account,
            tokens=tokens,
            now=now,
            lease=lease,
        )
        until = learning.refused(lane, refusal)
        self._touch(lane)
        return max(until, self.free_at(lane, tokens, now).at)

    def _just_failed(self, lane: Lane, now: float) -> Lease | None:
        while lane.failed:
            when, lease = lane.failed.pop()
            if now - when <= JUST_NOW:
                return lease
        return None

    # ── looking ──
    def scarcity(self, lane: Lane, now: float) -> float:
        """Expected cost of one call, 0 (unlimited, or would lapse unused) to 1 (the last ones)."""
        now = self._clock(now)
        catch_up(lane.account)
        return cost_of_a_call(lane, self._rate(now), now)

    def share_left(self, lane: Lane, now: float) -> float:
        """The smallest share of a known limit that is left, 0..1; 1 where no limit is known."""
        now = self._clock(now)
        catch_up(lane.account)
        return share_left(lane, now)

    def calls_left(self, lane: Lane, now: float) -> float:
        """Calls that the day's and month's windows still allow; infinity where nothing is known to limit them."""
        now = self._clock(now)
        catch_up(lane.account)
        return calls_left(lane, now)

    @property
    def open_leases(self) -> int:
        """Leases neither settled nor released."""
        return sum(len(account.open) for account in self._accounts.values())

    def forecast(self, now: float) -> list[WindowRow]:
        """One row per window that is limited or parked."""
        now = self._clock(now)
        rows: list[WindowRow] = []
        for account in self._accounts.values():
            rows += describe(account.shared, account, now)
            for lane in account.lanes.values():
                rows += describe(lane.own, account, now)
        return rows

    def reset(self, provider: str | None = None) -> None:
        """Forget what was spent and learned, of one provider or all. Open leases stay held."""
        self._look_at_all_again()
        for scope in self._scopes():
            if provider is None or scope.provider == provider:
                scope.heard = 0.0
                for window in scope.windows.values():
                    window.clear()
                self._mark(scope)
        for key in [key for key in self._stored if provider is None or key.split("\x1f")[0] == provider]:
            del self._stored[key]

    # ── keeping ──
    def dump(self) -> list[Row]:
        """Everything, as rows."""
        return [self._row(scope) for scope in self._scopes()]

    @property
    def unkept(self) -> int:
        """How many rows ``changed`` would give."""
        return len(self._dirty)

    def changed(self, most: int | None = None) -> list[Row]:
        """Rows of what changed since it was last given, the oldest changes first; ``most`` at a time."""
        given, self._dirty = self._dirty[:most], [] if most is None else self._dirty[most:]
        for scope in given:
            scope.dirty = False
        return [self._row(scope) for scope in given]

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take up kept rows, before or after their lanes are made. A call that was open then counts from ``now``."""
        self._loaded_at = now
        self._stored |= {row.key: row.value for row in rows if row.kind == ROW and isinstance(row.value, dict)}
        self._look_at_all_again()
        for account in self._accounts.values():
            for lane in account.lanes.values():
                self._restore(lane.own)
            self._restore(account.shared)
            for lane in account.lanes.values():
                lane.rebuild()

    def _row(self, scope: Scope) -> Row:
        catch_up(self._accounts[scope.provider, scope.account])
        return Row(ROW, scope.key, windowstate.dump(scope.windows, scope.reset, scope.heard), self._now)

    def _restore(self, scope: Scope) -> None:
        state = self._stored.pop(scope.key, None)
        if state is not None:
            scope.heard = windowstate.load(state, scope.windows, scope.reset, self._loaded_at)

    # ── inside ──
    def _scopes(self) -> Iterator[Scope]:
        for account in self._accounts.values():
            yield account.shared
            for lane in account.lanes.values():
                yield lane.own

    def _look_again(self, lane: Lane) -> None:
        """Its windows, or those it shares, may be about to change for another reason than calls."""
        catch_up(lane.account)
        lane.own.calls = lane.shared.calls = 0.0

    def _look_at_all_again(self) -> None:
        for account in self._accounts.values():
            catch_up(account)
        for scope in self._scopes():
            scope.calls = 0.0

    def _touch(self, lane: Lane) -> None:
        if not lane.own.dirty:
            self._mark(lane.own)
        shared = lane.account.shared
        if shared.windows and not shared.dirty:
            self._mark(shared)

    def _mark(self, scope: Scope) -> None:
        if not scope.dirty:
            scope.dirty = True
            self._dirty.append(scope)

    def _clock(self, now: float) -> float:
        if now < self._now:
            return self._put_back(now)
        self._now = now
        return now

    def _put_back(self, now: float) -> float:
        by = self._now - now
        if by <= SLEW:
            return self._now
        self._look_at_all_again()
        self._now = now
        self._demand_at -= by
        for scope in self._scopes():
            scope.heard -= by
            for window in scope.windows.values():
                window.turned_back(by, now)
            self._mark(scope)
        for account in self._accounts.values():
            for lease in {*account.open, *account.recent}:
                lease.sent -= by
                lease.answered -= by  # infinity stays
        return now

    def _rate(self, now: float) -> float:
        """Calls per second, over the last half hour or so."""
        since = now - self._demand_at
        if since > 1.0:
            self._demand = self._demand * math.exp(-since / 1800.0) + self._fresh
            self._demand_at, self._fresh = now, 0
        return self._demand / 1800.0
