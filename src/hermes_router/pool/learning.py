"""What a refusal and a response header teach the ledger about a window. No clock, no I/O; no window counts here.

A limit that the provider states (in a header or a refusal) is taken as it is. One that nobody states is concluded from
where refusals begin, once they agree (``pool/evidence.py``): a guess, paced under, with now and then one call above it
to find out whether it still holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from ..wires.limits import Reading
from .calendars import DAY, ToldRule
from .counters import Calendar, Kind
from .evidence import CROWD, CROWD_OF_A_GUESS
from .lanes import Account, Lane, Lease, Scope, window_of
from .windows import PATIENCE, Gate, Window

MARGIN = 0.25
"""Added to a stated moment: their clock and ours differ, and they round."""
HOUR = 3600.0
PROBE_FIRST = 60.0
"""A minute's guess is tried this soon, and half as often after each try that was refused, down to once an hour."""
PROBE_NEXT = 30.0
"""After a try that was admitted."""
LADDER = (60.0, 300.0, 1800.0)
"""Parks after refusals that nobody explained, each right after coming back from the last; then the day is over."""
NEAR_FULL = 0.8
"""An unexplained refusal is put down to a minute window that is at least this full."""
FEW = 2
"""Fewer calls than this in a minute say nothing about a limit: somebody else spends."""
DAYS = ("rpd", "tpd", "month")
LATE = 1.0
"""A call sent this much after the one a header came with was not counted by it."""
SAME_RESET = 2.0
SHORT_STATED = 120.0
"""A refusal that names no window and asks for no longer than this is about a minute."""
LONG_STATED = 3600.0
"""One that asks for at least this long is about a day."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A 429 as classified; ``lease`` is the refused call's where it is known. See ``Ledger.refused``."""

    limit: str | None
    value: int | None
    retry_after: float | None
    account: bool
    tokens: int
    now: float
    lease: Lease | None

    @property
    def sent(self) -> float:
        return self.now if self.lease is None else self.lease.sent

    def amount(self, window: Window) -> float:
        """What the refused call would have taken."""
        return self.tokens if window.tokens else 1

    def under_way(self, window: Window) -> int:
        """Other calls that were under way when it was sent: the provider may have counted them already."""
        if self.lease is None:
            return int(window.held)
        others = self.lease.lane.account.open
        return sum(
            other is not self.lease
            and other.answered == math.inf
            and other.sent <= self.lease.sent
            and window in other.windows
            for other in others
        )

    def standing(self, window: Window) -> float:
        """What stood in the window beside it: calls admitted and calls under way."""
        window.free_at(0, self.now)
        if isinstance(window, Gate):
            own = self.lease is not None and self.lease in self.lease.lane.account.open
            return window.held - own
        mine = 0.0
        if self.lease is not None and self.lease.answered == math.inf and window in self.lease.windows:
            open_still = self.lease in self.lease.lane.account.open
            mine = (self.lease.tokens if window.tokens else 1) if open_still else 0
        return window.used + window.held - mine


# ── refusals ──
def refused(lane: Lane, refusal: Refusal) -> float:
    """Learn from a refusal and park what it is about; until when."""
    scope = lane.account.shared if refusal.account else lane.own
    for window in lane.windows:
        window.free_at(0, refusal.now)  # parks that are over end here, asked or not
    kind = refusal.limit
    if kind is None:
        return _unexplained(lane, scope, refusal)
    return _named(_window(lane, kind, refusal), scope, refusal)


def _window(lane: Lane, kind: str, refusal: Refusal) -> Window:
    named: Kind = kind  # type: ignore[assignment]
    shared = lane.account.shared.windows.get(named)
    if refusal.account:
        return shared or window_of(lane.account.shared, lane.account, named)
    own = lane.own.windows.get(named)
    if shared is not None and shared.limit:
        nobody_else = own is None or not own.limit
        if nobody_else or (refusal.value == shared.limit and own is not None and refusal.value != own.limit):
            return shared
    return own or window_of(lane.own, lane.account, named)


def _named(window: Window, scope: Scope, refusal: Refusal) -> float:
    if isinstance(window, Gate):
        return _gate(window, refusal)
    if window.kind in ("rpm", "tpm"):
        return _minute(window, refusal)
    return _day(window, scope, refusal)


def _gate(gate: Gate, refusal: Refusal) -> float:
    running = int(refusal.standing(gate))
    _conclude(gate, refusal, running)
    until = refusal.now + (refusal.retry_after or 1.0) + MARGIN
    gate.park(until)
    gate.refused_at = refusal.now
    return until


def _minute(window: Window, refusal: Refusal) -> float:
    now, amount = refusal.now, refusal.amount(window)
    standing = refusal.standing(window)
    frees = window.counter.frees_at(1, now)
    _conclude(window, refusal, int(standing))
    _fill(window, standing, amount, now)
    if refusal.retry_after is not None:
        window.park(now + refusal.retry_after + MARGIN, room=amount)
    else:
        window.park(min(frees, now + 60.0) + MARGIN)
    window.refused_at = now
    return window.parked_until


def _fill(window: Window, standing: float, amount: float, now: float) -> None:
    """The window is full, so what we do not know of was spent by somebody else."""
    if not window.limit or window.guess:
        return
    full = window.limit - (amount - 1 if window.tokens else 0)
    if standing < full:
        window.counter.add(full - standing, now)


def _conclude(window: Window, refusal: Refusal, standing: int) -> None:
    """What the limit must be: stated, or where refusals agree that it is."""
    now = refusal.now
    probed = window.probing is not None and window.probing is refusal.lease
    if probed:
        window.probing = None
        _probe_later(window, now)
    if refusal.value:
        if refusal.value != window.limit or window.source != "refusal":
            window.set_limit(refusal.value, "refusal", now)
        return
    if window.source in ("headers", "refusal"):
        return
    if window.kind not in DAYS:
        standing = _agreed(window, refusal, standing)
    if standing < _least(window):
        return
    if not window.limit or standing < window.limit:
        same_event = refusal.sent < window.refused_at
        before = window.fallback if same_event else (window.limit, window.source, window.guess)
        again = window.guess and not same_event and not probed
        window.set_limit(standing, "learned", now)
        window.fallback = before
        if again:
            _probe_later(window, now)
        window.probe_gap = window.probe_gap or _first_gap(window)
        window.probe_at = now + window.probe_gap


def _agreed(window: Window, refusal: Refusal, standing: int) -> int:
    """The limit that refusals agree on, of which this is the latest; 0 while they do not."""
    same, tally = refusal.sent < window.refused_at, window.tally
    if tally is None or tally.full:
        window.witnesses[0].hear(standing, 0, refusal.now, same=same, clear=True)
        return window.witnesses[0].limit()
    told, wait = refusal.limit is not None, refusal.retry_after
    clear = told or wait is None or tally.fits(wait, refusal.sent)
    under_way = refusal.under_way(window)
    spent, proven = tally.spent(refusal.sent), tally.proven(refusal.sent)
    for witness, count, most in zip(window.witnesses, spent, proven, strict=True):
        witness.hear(count + under_way, most, refusal.now, same=same, clear=clear)
    agreed = min((limit for witness in window.witnesses if (limit := witness.limit())), default=0)
    many = CROWD_OF_A_GUESS if window.guess else CROWD
    crowded = not same and tally.crowded(refusal.sent, spent[0], many)
    return spent[0] if crowded and not agreed else agreed


def _first_gap(window: Window) -> float:
    return HOUR if window.kind in DAYS else PROBE_FIRST


def _probe_later(window: Window, now: float) -> None:
    """A try was refused, or what one had found was taken back."""
    most = DAY if window.kind in DAYS else HOUR
    window.probe_gap = min(max(window.probe_gap, _first_gap(window)) * 2, most)
    window.probe_at = now + window.probe_gap


def _least(window: Window) -> int:
    if isinstance(window, Gate):
        return 1
    return max(FEW, window.declared // 10) if window.kind == "rpm" else max(1, window.declared // 10)


def probe(window: Window, lease: object, now: float) -> None:
    """A call goes above a guessed limit, to see."""
    window.probing = lease
    window.probe_gap = max(window.probe_gap, _first_gap(window))
    window.probe_at = now + window.probe_gap


def probed(window: Window, now: float) -> None:
    """It was admitted: the limit is higher. A day's is doubled (the next refusal says exactly), a minute's creeps."""
    window.probing = None
    if _disproved(window, now):
        window.probe_gap = _first_gap(window)
    window.probe_at = now + PROBE_NEXT
    grown = window.limit * 2 if window.kind in DAYS else window.limit + max(1, window.limit // 4)
    if window.declared > window.limit:
        grown = min(window.declared, max(grown, window.limit + (window.declared - window.limit + 1) // 2))
    fallback, window.limit, window.learned_at = window.fallback, grown, now
    if grown == window.declared:
        window.set_limit(grown, "declared", 0.0)
    else:
        window.fallback = fallback


def _disproved(window: Window, now: float) -> bool:
    """Whether more was admitted than where refusals agreed; a minute's try may have come when the provider had
    forgotten a call that we still count."""
    if window.tally is None:
        return True
    agreed = [witness.limit() for witness in window.witnesses]
    return any(agreed) and all(limit < most for limit, most in zip(agreed, window.tally.proven(now), strict=True))


# ── a day, a month ──
def _day(window: Window, scope: Scope, refusal: Refusal) -> float:
    now = refusal.now
    again = _again(window, scope, refusal)
    if refusal.sent >= window.came_back:
        window.strikes = window.strikes + 1 if again else 0
    standing, amount = refusal.standing(window), refusal.amount(window)
    stated = refusal.retry_after
    if again and stated is not None and stated < LONG_STATED:
        window.lied = True
    if refusal.value or not window.limit or window.guess:
        _conclude(window, refusal, int(standing))
    if stated is not None and not (window.lied and stated < LONG_STATED):
        _park_stated(window, now + stated, amount)
    else:
        _park_unstated(window, standing, amount, now)
    _fill(window, refusal.standing(window), amount, now)
    window.refused_at = now
    return window.parked_until


def _again(window: Window, scope: Scope, refusal: Refusal) -> bool:
    """Whether it is refused right after coming back, with no answer since: it went first, or soon after."""
    if window.scout is not None and refusal.sent > window.scout + PATIENCE:
        return False
    return window.refused_at > 0 and 0 < window.came_back <= refusal.sent and scope.heard < window.came_back


def _park_stated(window: Window, at: float, amount: float) -> None:
    if window.rolling and window.kind != "month":
        window.park(at + MARGIN, room=amount)
        return
    window.tell(at, ToldRule(at))
    window.park(window.counter.next)
    window.until_reset = True


def _park_unstated(window: Window, standing: float, amount: float, now: float) -> None:
    if isinstance(window.counter, Calendar) and not window.strikes:
        window.park_until_reset(now)
        return
    wait = min(HOUR * 2**window.strikes, DAY)
    if window.rolling or window.strikes:
        until = now + wait
        if window.limit and standing + amount > window.limit:
            until = max(until, window.counter.frees_at(standing + amount - window.limit, now))
    else:
        midnight = (now // DAY + 1) * DAY
        until = max(midnight, now + wait)
        window.supposed_reset = midnight if until == midnight else None
    window.park(until + MARGIN, room=amount)


# ── nobody said which window ──
def _unexplained(lane: Lane, scope: Scope, refusal: Refusal) -> float:
    stated = refusal.retry_after
    probed_above = [window for window in lane.windows if window.probing is not None and window.probing is refusal.lease]
    if probed_above:
        return _named(probed_above[0], scope, refusal)
    if stated is not None and stated >= LONG_STATED:
        return _day(window_of(scope, lane.account, "rpd"), scope, refusal)
    rpm = window_of(scope, lane.account, "rpm")
    again = _again(rpm, scope, refusal)
    suspect = _suspect(lane, scope, refusal)
    if suspect is not None and not again:
        rpm.strikes = 0
        return _minute(suspect, refusal)
    if refusal.sent < rpm.came_back or refusal.sent < rpm.refused_at:
        _conclude(rpm, refusal, int(refusal.standing(rpm)))
        return max(rpm.parked_until, refusal.now)
    early = again and stated is None and rpm.came_back - rpm.refused_at < LADDER[0]
    if not early:
        rpm.strikes = rpm.strikes + 1 if again else 0
    frees = refusal.now + LADDER[0] if early else rpm.counter.frees_at(1, refusal.now)
    if not rpm.strikes and (stated is None or stated <= SHORT_STATED):
        _conclude(rpm, refusal, int(refusal.standing(rpm)))
    elif rpm.fallback is not None:
        limit, source, guess = rpm.fallback
        rpm.set_limit(limit, source, refusal.now)
        rpm.guess = guess
    rpm.refused_at = refusal.now
    if stated is not None:
        rpm.park(refusal.now + stated + MARGIN, room=1)
        return rpm.parked_until
    if not rpm.strikes:
        rpm.park(min(frees, refusal.now + LADDER[0]) + MARGIN)
        return rpm.parked_until
    if rpm.strikes < len(LADDER):
        rpm.park(refusal.now + LADDER[rpm.strikes] + MARGIN)
        return rpm.parked_until
    rpm.strikes, rpm.refused_at = 0, 0.0
    return _day(window_of(scope, lane.account, "rpd"), scope, refusal)


def _suspect(lane: Lane, scope: Scope, refusal: Refusal) -> Window | None:
    """The fullest minute window, if one is near full."""
    scopes = (scope,) if refusal.account else (lane.own, lane.account.shared)
    best, fullest = None, NEAR_FULL
    for candidate in scopes:
        for kind in ("rpm", "tpm"):
            window = candidate.windows.get(kind)
            if window is None or not window.limit:
                continue
            asked = refusal.amount(window) if window.tokens else 0
            full = (refusal.standing(window) + asked) / window.limit
            if full >= fullest:
                best, fullest = window, full
    return best


# ── headers ──
def observe(lane: Lane, reading: Reading, lease: Lease | None, now: float) -> None:
    """Believe what a header says, of the moment at which the call it came with was counted."""
    kind: Kind = reading.window  # type: ignore[assignment]
    shared, own = lane.account.shared.windows.get(kind), lane.own.windows.get(kind)
    window = shared if shared is not None and shared.limit and (own is None or not own.limit) else own
    if window is None:
        if not reading.limit and reading.remaining != 0:
            return
        window = window_of(lane.own, lane.account, kind)
    window.free_at(0, now)
    if reading.limit == 0:
        window.park(now + DAY)
        return
    if reading.limit:
        window.set_limit(reading.limit, "headers", now)
    if isinstance(window, Gate) or reading.remaining is None:
        return
    if window.limit:
        _believe(window, lane, window.limit - reading.remaining, lease, now)
    if reading.reset_at is not None and reading.reset_at > now:
        _resets(window, reading.remaining, reading.reset_at, now)


def _believe(window: Window, lane: Lane, spent: float, lease: Lease | None, now: float) -> None:
    """``spent`` is what the provider had counted when it admitted ``lease``'s call.

    Calls sent well after that one are not in it; calls under way then may or may not be. Ours is corrected only as far
    as neither can explain the difference.
    """
    account = lane.account
    sent = lease.sent if lease is not None else min((other.sent for other in account.open), default=now)
    horizon = sent if window.kind not in ("rpm", "tpm") else max(sent, now - 60.0)
    after = maybe = 0.0
    for other in [*account.open, *_answered_since(account, horizon)]:
        if other.void or window not in other.windows:
            continue
        amount = other.tokens if window.tokens else 1
        after += amount if other.sent > sent + LATE else 0
        maybe += amount if other is not lease or window.tokens else 0
    ours = window.used + window.held
    if ours > spent + maybe:
        window.counter.cut(ours - spent - maybe)
    elif spent > ours - after:
        unknown = spent - (ours - after) - _left_since(window, account, sent, now)
        if unknown > 0:
            window.counter.add(unknown, now)


def _answered_since(account: Account, moment: float) -> Iterator[Lease]:
    """Answered calls that are no longer open, newest first."""
    for lease in reversed(account.recent):
        if lease.answered <= moment:
            return
        if lease not in account.open:
            yield lease


def _left_since(window: Window, account: Account, sent: float, now: float) -> float:
    """What has left a minute's window since the header's call was sent, so that only the header still counts it."""
    if window.kind not in ("rpm", "tpm"):
        return 0.0
    return sum(
        other.tokens if window.tokens else 1
        for other in _answered_since(account, sent - 60.0)
        if other.answered <= now - 60.0 and not other.void and window in other.windows
    )


def _resets(window: Window, remaining: int, at: float, now: float) -> None:
    if window.kind in ("rpm", "tpm"):
        if remaining == 0:
            window.park(min(at, now + 60.0) + MARGIN, room=1)
        return
    if window.kind == "month" or not window.rolling:
        if remaining == 0 or _fixed(window, at, now):
            window.tell(at, ToldRule(at))
        if remaining == 0:
            window.park_until_reset(now)
    elif remaining == 0:
        window.park(at + MARGIN, room=1)


def _fixed(window: Window, at: float, now: float) -> bool:
    """Whether two headers, some time apart, named the same moment: one that moves on is no end of a day but the time
    to the next free call (Groq)."""
    if isinstance(window.counter, Calendar) and abs(window.counter.resets_at - at) <= SAME_RESET:
        return False
    hint = window.reset_hint
    if hint is None or abs(hint[0] - at) > SAME_RESET:
        window.reset_hint = (at, now)
        return False
    return now - hint[1] > 2 * SAME_RESET + 1
