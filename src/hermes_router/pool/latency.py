"""How fast a model has been: first-event times and tokens per second of its latest answers."""

from __future__ import annotations

from collections import deque

_KEPT = 64
_ALPHA = 0.2
_DEFAULT_RATE = 100.0


class Latency:
    """Seconds and tokens per second. Percentiles are brought up to date every few samples, not at each."""

    __slots__ = ("_first", "_stale", "mean", "p50", "p95", "rate", "samples")

    def __init__(self) -> None:
        self._first: deque[float] = deque(maxlen=_KEPT)
        self._stale = 0
        self.samples = 0
        self.mean: float | None = None
        self.p50: float | None = None
        self.p95: float | None = None
        self.rate = _DEFAULT_RATE

    def first_event(self, seconds: float) -> None:
        self._first.append(seconds)
        self.samples += 1
        self.mean = seconds if self.mean is None else self.mean + _ALPHA * (seconds - self.mean)
        self._stale += 1
        if self._stale >= 8 or self.samples <= 8:
            self._refresh()

    def whole(self, seconds: float) -> None:
        """A whole answer came at once: that says how long to expect at most, where nothing better is known."""
        if not self.samples:
            self.mean = seconds if self.mean is None else self.mean + _ALPHA * (seconds - self.mean)

    def generated(self, tokens: int, seconds: float) -> None:
        """``seconds`` from the first event to the last, or the whole call where it came in one piece."""
        if tokens >= 8 and seconds > 0.001:
            self.rate += _ALPHA * (min(tokens / seconds, 5000.0) - self.rate)

    def _refresh(self) -> None:
        self._stale = 0
        ordered = sorted(self._first)
        self.p50 = ordered[len(ordered) // 2]
        self.p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
