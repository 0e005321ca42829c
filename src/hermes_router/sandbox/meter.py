"""A simulated provider's own count of requests and tokens over the last minute. Time is passed in."""

from __future__ import annotations

from collections import deque

import msgspec

from ..catalogue.schema import Limits

_MINUTE = 60.0


class Refusal(msgspec.Struct, frozen=True):
    """Which limit is reached (``rpm``, ``tpm``), its size, what is used of it, and seconds until there is room."""

    window: str
    limit: int
    used: int
    retry_after: float


class Meter:
    """Counts what was admitted."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._calls: deque[tuple[float, int]] = deque()

    def admit(self, tokens: int, now: float) -> Refusal | None:
        """Count one request, or say why it is refused; a refused one is not counted."""
        self._forget(now)
        refusal = self._refusal(tokens, now)
        if refusal is None:
            self._calls.append((now, tokens))
        return refusal

    def left(self, now: float) -> tuple[int, float]:
        """(requests left in this minute, seconds until all of them are back)"""
        self._forget(now)
        reset = self._calls[-1][0] + _MINUTE - now if self._calls else 0.0
        return max(0, self.limits.rpm - len(self._calls)), reset

    def _forget(self, now: float) -> None:
        while self._calls and self._calls[0][0] <= now - _MINUTE:
            self._calls.popleft()

    def _refusal(self, tokens: int, now: float) -> Refusal | None:
        rpm, tpm = self.limits.rpm, self.limits.tpm
        if rpm and len(self._calls) >= rpm:
            return Refusal("rpm", rpm, len(self._calls), self._calls[-rpm][0] + _MINUTE - now)
        used = sum(spent for _, spent in self._calls)
        if tpm and self._calls and used + tokens > tpm:
            return Refusal("tpm", tpm, used, self._room_for(tokens, used, tpm, now))
        return None

    def _room_for(self, tokens: int, used: int, most: int, now: float) -> float:
        for at, spent in self._calls:
            used -= spent
            if used + tokens <= most:
                return at + _MINUTE - now
        return _MINUTE
