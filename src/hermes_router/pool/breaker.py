"""A circuit breaker: leaves a failing provider alone for a while, then lets one request find out.

Time is passed in. It opens for a sixth of the cooldown first and for longer each time the trial fails, up to all of it:
most outages are short, and one request that is answered elsewhere after all is the price of knowing.
"""

from __future__ import annotations

from collections import deque

import msgspec

_TRIAL_SECONDS = 30.0  # a trial whose outcome never came (its caller left) does not block the next for longer


class BreakerRules(msgspec.Struct, frozen=True):
    """``window`` latest outcomes count, from ``min_samples`` on, and open it at ``error_rate`` (0..1)."""

    window: int = 8
    min_samples: int = 4
    error_rate: float = 0.5
    cooldown: float = 60.0


class Breaker:
    """``until`` is 0 while closed, else the moment a trial may go."""

    __slots__ = ("_failures", "_opened", "_outcomes", "_trial_since", "rules", "until")

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self.until = 0.0
        self._outcomes: deque[bool] = deque(maxlen=rules.window)
        self._failures = 0
        self._opened = 0
        self._trial_since = 0.0

    def free_at(self, now: float, patience: float | None = None) -> float:
        """When a request may go; ``patience`` caps how long it stays open for a caller who prefers this provider."""
        if not self.until:
            return 0.0
        until = self.until
        if patience is not None:
            until = min(until, self._since() + patience)
        if self._trial_since and now - self._trial_since < _TRIAL_SECONDS:
            until = max(until, self._trial_since + _TRIAL_SECONDS)
        return until

    def taken(self, now: float) -> None:
        """A request goes out; while open it is the trial."""
        if self.until:
            self._trial_since = now

    def succeeded(self) -> None:
        if self.until:
            self._outcomes.clear()
            self._failures = 0
            self._opened = 0
            self.until = 0.0
            self._trial_since = 0.0
        if self._failures or len(self._outcomes) != self._outcomes.maxlen:  # else it would change nothing
            self._record(failed=False)

    def failed(self, now: float) -> None:
        self._record(failed=True)
        if self.until or self._is_bad():
            self._open(now)

    def _record(self, *, failed: bool) -> None:
        if len(self._outcomes) == self._outcomes.maxlen:
            self._failures -= self._outcomes[0]
        self._outcomes.append(failed)
        self._failures += failed

    def _is_bad(self) -> bool:
        seen = len(self._outcomes)
        return seen >= self.rules.min_samples and self._failures / seen >= self.rules.error_rate

    def _open(self, now: float) -> None:
        if self.until > now and not self._trial_since:
            return  # a straggler from before it opened
        self._opened += 1
        self._trial_since = 0.0
        self.until = now + self._period()

    def _period(self) -> float:
        return min(self.rules.cooldown, self.rules.cooldown / 6 * 2.0 ** (self._opened - 1))

    def _since(self) -> float:
        return self.until - self._period()
