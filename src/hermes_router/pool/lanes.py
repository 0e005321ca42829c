"""What quota is counted for: accounts, their models' lanes, the windows each draws on, and leases on them.

Only the structure; what happens to it is in ``pool/ledger.py``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from . import windowstate
from .counters import Kind
from .windows import Gate, Window, window_for

POOL = "*"
"""The model part of the key of what all models of an account share."""
KINDS: tuple[Kind, ...] = ("concurrency", "rpm", "tpm", "rpd", "tpd", "month")
RECENT = 4096
"""Answered calls remembered per account, to tell what a header may have counted already."""


class Scope:
    """Windows that are counted together: those of a model of an account, or those all its models share.

    ``heard`` is when the last answered call was sent. ``calls`` and ``tokens`` are sure to fit (``pool/counting.py``);
    0: look at the windows.
    """

    __slots__ = ("account", "calls", "dirty", "heard", "key", "model", "provider", "reset", "tokens", "windows")

    def __init__(self, provider: str, account: str, model: str) -> None:
        self.provider, self.account, self.model = provider, account, model
        self.key = "\x1f".join((provider, account, model))
        self.windows: dict[Kind, Window] = {}
        self.reset: str | None = None
        self.heard = 0.0
        self.dirty = False
        self.calls = self.tokens = 0.0


class Lane:
    """One model of one account: its own windows and those it shares. Obtained from ``Ledger.lane`` and kept.

    ``call_tokens`` is what a call takes on average. ``failed`` holds calls just released, and when: a refusal that
    follows is about one of them.
    """

    __slots__ = (
        "account",
        "call_tokens",
        "counted",
        "failed",
        "failed_calls_count",
        "gates",
        "model",
        "own",
        "shared",
        "windows",
    )

    def __init__(self, account: Account, model: str) -> None:
        self.account = account
        self.model = model
        self.own = Scope(account.provider, account.name, model)
        self.shared = account.shared
        self.failed_calls_count = False
        self.call_tokens = 1500.0
        self.failed: deque[tuple[float, Lease]] = deque(maxlen=64)
        self.gates: tuple[Window, ...] = ()
        self.counted: tuple[Window, ...] = ()
        self.windows: tuple[Window, ...] = ()

    def rebuild(self) -> None:
        """Take up windows that have come to be."""
        scopes = (self.own, self.account.shared)
        windows = [scope.windows[kind] for kind in KINDS for scope in scopes if kind in scope.windows]
        self.gates = tuple(window for window in windows if isinstance(window, Gate))
        self.counted = tuple(window for window in windows if not isinstance(window, Gate))
        self.windows = tuple(windows)


class Lease(msgspec.Struct, eq=False):
    """A hold on quota for one call. ``tokens`` is the estimate until ``settle`` puts the real usage in its place.

    ``windows`` are those that count it, ``refs`` where each does. ``told``: they and the gates know that it is held.
    """

    lane: Lane
    tokens: int
    sent: float
    windows: tuple[Window, ...]
    told: bool = False
    answered: float = math.inf
    void: bool = False
    refs: Sequence[Any] = ()


class Account:
    """All lanes of one account, and what they share. ``recent`` holds its last answered calls, oldest first.

    ``taken`` and ``answered`` are calls that the windows have not been told of yet, see ``pool/counting.py``.
    """

    __slots__ = ("answered", "lanes", "name", "open", "provider", "recent", "shared", "taken")

    def __init__(self, provider: str, name: str) -> None:
        self.provider, self.name = provider, name
        self.shared = Scope(provider, name, POOL)
        self.lanes: dict[str, Lane] = {}
        self.open: dict[Lease, None] = {}
        self.recent: deque[Lease] = deque(maxlen=RECENT)
        self.taken: list[Lease] = []
        self.answered: list[Lease] = []


def window_of(scope: Scope, account: Account, kind: Kind) -> Window:
    """The scope's window of ``kind``, made where there is none: it takes over what the account's calls have spent."""
    window = scope.windows.get(kind)
    if window is not None:
        return window
    window = scope.windows[kind] = window_for(kind, scope.reset)
    lanes = [lane for lane in account.lanes.values() if scope is account.shared or lane.own is scope]
    if scope is account.shared:
        spent = [lane.own.windows[kind] for lane in lanes if kind in lane.own.windows]
        window.counter = windowstate.merged(spent, window.counter)
        if window.tally is not None:
            window.tally.merge(other.tally for other in spent if other.tally is not None)
    for lane in lanes:
        lane.rebuild()
    _take_over(window, account, lanes)
    return window


def _take_over(window: Window, account: Account, lanes: list[Lane]) -> None:
    for lease in account.open:
        if lease.lane not in lanes:
            continue
        if isinstance(window, Gate):
            window.held += 1
        elif lease.answered == math.inf:
            window.held += lease.tokens if window.tokens else 1
            lease.windows = (*lease.windows, window)
