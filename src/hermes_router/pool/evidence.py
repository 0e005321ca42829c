"""Whether refusals that state no size agree on one: our own calls of the last minute, and where refusals found them.

Nothing is concluded here, ``pool/learning.py`` does; what others spend is not counted. Times are wall-clock seconds.
A provider may count a sliding minute or the clock's: both are looked at, and whichever the refusals agree on counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from operator import le
from typing import Any

SPAN = 60.0
TURN = 300.0
"""What was proven is forgotten after once to twice this."""
AGREE = 0.2
"""Two counts agree when the smaller is within this share of the larger."""
TWICE, THRICE = 2, 3
REMEMBERED = 3 * 3600.0
"""A refusal older than this bears no witness."""
MOST = 512
"""Calls kept one by one; a minute with more of them than this is counted by its window alone."""
ROUNDING = 1.0
"""Seconds by which a stated moment may be earlier than our own count has it."""
CROWD, CROWD_OF_A_GUESS = 6, 3
"""Refusals within a minute that are no strays, if they are also a good share of the calls: one that refills
steadily refuses at another count each time."""
SOON = 5.0
"""Whoever refuses for a moment asks for less than this, whatever it is about: alone it says nothing of a minute."""


class Witness:
    """The counts that refusals came at, as far as they agree: how many in a row, and the smallest of them.

    Refusals of calls that were on their way together are one event, and its smallest count is where it came.
    """

    __slots__ = ("at", "clear", "count", "event", "event_clear", "times")

    def __init__(self) -> None:
        self.count = self.times = self.event = 0
        self.clear = self.event_clear = False
        self.at = 0.0

    def hear(self, count: int, proven: int, now: float, *, same: bool, clear: bool) -> None:
        """A refusal at ``count``. ``same``: it belongs to the last event. ``clear``: what it said fits that count.

        One below what was ``proven`` is a stray, or somebody else's spending, and bears no witness.
        """
        if self.count < proven or now - self.at > REMEMBERED:
            self.count = self.times = 0
        if self.event < proven or now - self.at > REMEMBERED:
            self.event = 0
        if count < proven:
            return
        if same and self.event:
            self.event, self.event_clear = min(self.event, count), self.event_clear or clear
            return
        if self.event:
            self.count, self.times, self.clear = self._verdict()
        self.event, self.event_clear, self.at = count, clear, now

    def limit(self) -> int:
        """What refusals agree on; 0 where too few do. Where none was clear, one more is asked for."""
        count, times, clear = self._verdict()
        return count if times >= (TWICE if clear else THRICE) else 0

    def _verdict(self) -> tuple[int, int, bool]:
        if self.times and abs(self.event - self.count) <= AGREE * max(self.event, self.count):
            return min(self.event, self.count), self.times + 1, self.clear or self.event_clear
        return self.event, 1, self.event_clear

    def dump(self) -> list[float]:
        return [self.count, self.times, self.clear, self.event, self.event_clear, self.at]

    def load(self, kept: list[float]) -> None:
        self.count, self.times, self.clear = int(kept[0]), int(kept[1]), bool(kept[2])
        self.event, self.event_clear, self.at = int(kept[3]), bool(kept[4]), kept[5]


class Proof:
    """The most that was admitted, in this turn and the last."""

    __slots__ = ("before", "most")

    def __init__(self) -> None:
        self.most = self.before = 0

    @property
    def proven(self) -> int:
        return max(self.most, self.before)


class Tally:
    """Our admitted calls of the last minute, by when they were sent, and the most there ever were for a while.

    By when they were sent, since the provider's count begins about there: an answer may take long to begin.
    """

    __slots__ = ("by_clock", "calls", "clocked", "ends", "refusals", "sliding", "turns")

    def __init__(self) -> None:
        self.calls: deque[float] = deque(maxlen=MOST)
        self.refusals: deque[float] = deque(maxlen=64)
        self.sliding, self.by_clock = Proof(), Proof()
        self.clocked = 0
        self.ends = self.turns = 0.0

    @property
    def full(self) -> bool:
        """Whether it holds all it can, so that its counts are too small."""
        return len(self.calls) == MOST

    def admitted(self, sent: float) -> None:
        """A call sent then was admitted."""
        calls = self.calls
        if calls and sent < calls[-1]:
            self._late(sent)
        else:
            calls.append(sent)
            edge = sent - SPAN
            while calls[0] <= edge:
                calls.popleft()
        self.sliding.most = max(self.sliding.most, len(calls))
        if sent >= self.ends:
            self.ends, self.clocked = (sent // SPAN + 1) * SPAN, 0
            self._age(sent)
        elif sent < self.ends - SPAN:
            return
        self.clocked += 1
        self.by_clock.most = max(self.by_clock.most, self.clocked)

    def admitted_all(self, sent: Sequence[float]) -> None:
        """The same as ``admitted`` for each."""
        calls, last = self.calls, sent[-1]
        if (
            calls
            and calls[0] > last - SPAN
            and calls[-1] <= sent[0]
            and self.ends - SPAN <= sent[0]
            and last < self.ends
            and all(map(le, sent, sent[1:]))
        ):
            # One after the other, and none leaves: of a full one the oldest give way by themselves.
            calls.extend(sent)
            self.sliding.most = max(self.sliding.most, len(calls))
            self.clocked += len(sent)
            self.by_clock.most = max(self.by_clock.most, self.clocked)
            return
        for moment in sent:
            self.admitted(moment)

    def _late(self, sent: float) -> None:
        calls = self.calls
        if sent <= calls[-1] - SPAN or len(calls) == MOST:
            return
        later = []
        while calls and calls[-1] > sent:
            later.append(calls.pop())
        calls.append(sent)
        calls.extend(reversed(later))

    def _age(self, now: float) -> None:
        if now < self.turns:
            return
        lasting = sum(call > now - SPAN for call in self.calls), self.clocked if now < self.ends else 0
        for proof, count in zip((self.sliding, self.by_clock), lasting, strict=True):
            proof.before = proof.most if now < self.turns + TURN else 0
            proof.most = count
        self.turns = now + TURN

    def spent(self, sent: float) -> tuple[int, int]:
        """Calls that a call sent then found in the minute before it, and in the clock's minute."""
        started = sent // SPAN * SPAN
        sliding = sum(sent - SPAN < call <= sent for call in self.calls)
        return sliding, sum(started <= call <= sent for call in self.calls)

    def crowded(self, sent: float, spent: int, many: int) -> bool:
        """Whether a refusal of a call sent then is one of so ``many`` that what was proven no longer holds."""
        self.refusals.append(sent)
        recent = sum(call > sent - SPAN for call in self.refusals)
        if recent < many or recent * 3 - many < spent:
            return False
        self.refusals.clear()
        for proof in (self.sliding, self.by_clock):
            proof.most = proof.before = 0
        return True

    def fits(self, retry_after: float, sent: float) -> bool:
        """Whether a stated wait is about this minute: it lasts until a call leaves it, or until the clock's ends."""
        oldest = next((call for call in self.calls if call > sent - SPAN), sent)
        first = min(oldest + SPAN, (sent // SPAN + 1) * SPAN)
        return retry_after >= max(SOON, first - sent - ROUNDING)

    def proven(self, sent: float) -> tuple[int, int]:
        """The most admitted in a minute, sliding and the clock's."""
        self._age(sent)
        return self.sliding.proven, self.by_clock.proven

    def merge(self, others: Iterable[Tally]) -> None:
        """Take over what others' calls were."""
        calls = sorted(call for other in others for call in other.calls)
        self.calls.clear()
        for call in calls:
            self.admitted(call)

    def turned_back(self, by: float) -> None:
        """The clock was put back: calls stay as long ago as they were."""
        self.calls = deque((call - by for call in self.calls), maxlen=MOST)
        self.refusals = deque((call - by for call in self.refusals), maxlen=64)
        self.ends, self.turns, self.clocked = 0.0, self.turns - by, 0

    def dump(self) -> dict[str, Any]:
        return {
            "calls": list(self.calls),
            "refusals": list(self.refusals),
            "clocked": self.clocked,
            "ends": self.ends,
            "turns": self.turns,
            "most": [self.sliding.most, self.sliding.before, self.by_clock.most, self.by_clock.before],
        }

    def load(self, kept: dict[str, Any]) -> None:
        self.calls = deque((float(call) for call in kept["calls"]), maxlen=MOST)
        self.refusals = deque(kept.get("refusals", ()), maxlen=64)
        self.clocked, self.ends, self.turns = kept["clocked"], kept["ends"], kept["turns"]
        self.sliding.most, self.sliding.before, self.by_clock.most, self.by_clock.before = kept["most"]
