"""Tells windows of the calls they have not heard of yet, many at a time.

A call that is sure to fit is only noted (``Account.taken``, ``Account.answered``): its windows are told when somebody
looks at them. Whoever reads or changes a window calls ``catch_up`` first, so that it never shows. ``vouch`` says how
much is sure to fit.
"""

from __future__ import annotations

import math
from itertools import groupby

from . import learning
from .lanes import Account, Lease, Scope
from .windows import MINUTES, Window

COUNTED_WITHIN = 2.0
"""Seconds after sending by which a provider's gate has counted a call, however long its answer takes."""
MOST = 500.0
"""Calls that may go untold, so that telling them never takes long."""


def vouch(scope: Scope) -> None:
    """What is sure to fit in the scope's windows from now on: what is left of each, and nothing where one is parked.

    It may turn out to be more, since time only gives back; whoever takes or takes away keeps ``scope`` in step.
    """
    calls, tokens = MOST, math.inf
    for window in scope.windows.values():
        if window.parked_until:
            calls = 0.0
        elif window.limit:
            left = window.limit - window.counter.used - window.held
            if window.tokens:
                tokens = min(tokens, left)
            else:
                calls = min(calls, left)
    scope.calls, scope.tokens = calls, tokens


def catch_up(account: Account) -> None:
    """Bring the windows of an account up to date."""
    taken, answered = account.taken, account.answered
    if not taken and not answered:
        return
    account.taken, account.answered = [], []
    open_ = account.open
    for (lane, windows, unsettled), same in groupby(answered, lambda one: (one.lane, one.windows, one in open_)):
        leases = list(same)
        if unsettled:
            for lease in leases:
                _count(windows, lease)
        else:
            _count_settled(windows, leases)
        sent = max(lease.sent for lease in leases)
        lane.own.heard, lane.shared.heard = max(lane.own.heard, sent), max(lane.shared.heard, sent)
    for lease in taken:
        if lease in open_:
            _hold(lease)


def _hold(lease: Lease) -> None:
    lease.told = True
    for gate in lease.lane.gates:
        gate.held += 1
    if lease.answered == math.inf:
        for window in lease.windows:
            window.held += lease.tokens if window.tokens else 1


def _count(windows: tuple[Window, ...], lease: Lease) -> None:
    """A call that is not over: what becomes of it later is put right by ``refs``."""
    counted = min(lease.answered, lease.sent + COUNTED_WITHIN)
    lease.refs = refs = []
    for window in windows:
        amount = lease.tokens if window.tokens else 1
        if lease.told:
            window.held -= amount
        refs.append(window.counter.add(amount, counted if window.kind in MINUTES else lease.answered))
        if window.tally is not None:
            window.tally.admitted(lease.sent)
        if window.parked_until or window.probing is not None:
            _look(window, lease)


def _count_settled(windows: tuple[Window, ...], leases: list[Lease]) -> None:
    """Calls that are over. Those whose windows are told are counted before they are settled, so these are not."""
    answered = [lease.answered for lease in leases]
    sent = [lease.sent for lease in leases]
    counted = [min(lease.answered, lease.sent + COUNTED_WITHIN) for lease in leases]
    tokens = [lease.tokens for lease in leases]
    calls = [1] * len(leases)
    for window in windows:
        moments = counted if window.kind in MINUTES else answered
        window.counter.add_all(tokens if window.tokens else calls, moments)
        if window.tally is not None:
            window.tally.admitted_all(sent)
        if window.parked_until or window.probing is not None:
            for lease in leases:
                _look(window, lease)


def _look(window: Window, lease: Lease) -> None:
    """What it says of a window that it was admitted."""
    if window.parked_until:
        window.answered(lease.sent)
    if window.probing is lease:
        learning.probed(window, lease.answered)
