"""What response headers say about limits, in our words.

One header name means different things at different providers (``x-ratelimit-remaining-requests`` is per day at Groq,
per minute at OpenAI), so a provider's own header map decides. A provider without one, such as a user's own, is read by
the spellings that name their window; the ambiguous ones are never guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..catalogue.schema import LimitHeaders, ProviderSpec
from .durations import parse_moment


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One window as the provider describes it. ``window``: rpm, rpd, tpm, tpd, month or concurrency. ``reset_at`` is
    wall-clock seconds. None: not said."""

    window: str
    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None


UNAMBIGUOUS = (
    LimitHeaders(
        window="rpm",
        limit="x-ratelimit-limit-requests-minute",
        remaining="x-ratelimit-remaining-requests-minute",
        reset="x-ratelimit-reset-requests-minute",
    ),
    LimitHeaders(
        window="rpd",
        limit="x-ratelimit-limit-requests-day",
        remaining="x-ratelimit-remaining-requests-day",
        reset="x-ratelimit-reset-requests-day",
    ),
    LimitHeaders(
        window="tpm",
        limit="x-ratelimit-limit-tokens-minute",
        remaining="x-ratelimit-remaining-tokens-minute",
        reset="x-ratelimit-reset-tokens-minute",
    ),
    LimitHeaders(
        window="tpd",
        limit="x-ratelimit-limit-tokens-day",
        remaining="x-ratelimit-remaining-tokens-day",
        reset="x-ratelimit-reset-tokens-day",
    ),
    # Mistral's spelling of requests per minute.
    LimitHeaders(
        window="rpm",
        limit="x-ratelimit-limit-req-minute",
        remaining="x-ratelimit-remaining-req-minute",
        reset="x-ratelimit-reset-req-minute",
    ),
    # Anthropic's windows are token buckets counted per minute; reset is RFC 3339.
    LimitHeaders(
        window="rpm",
        limit="anthropic-ratelimit-requests-limit",
        remaining="anthropic-ratelimit-requests-remaining",
        reset="anthropic-ratelimit-requests-reset",
    ),
    LimitHeaders(
        window="tpm",
        limit="anthropic-ratelimit-tokens-limit",
        remaining="anthropic-ratelimit-tokens-remaining",
        reset="anthropic-ratelimit-tokens-reset",
    ),
)
"""Headers whose name says which window they are about."""
_TOLD = frozenset(row.remaining for row in UNAMBIGUOUS)


def read_limits(spec: ProviderSpec, headers: Mapping[str, str], now: float) -> tuple[Reading, ...]:
    """The readings in ``headers`` (lower-case names), by the provider's own header map or the unambiguous names.

    A row is read where its ``remaining`` (or, in the provider's own map, its ``limit``) is present. What is not a
    number or not a time is left out, never an error.
    """
    own = spec.limit_headers
    if not own and _TOLD.isdisjoint(headers):
        return ()
    readings: list[Reading] = []
    for row in own or UNAMBIGUOUS:
        if row.remaining in headers or (own and row.limit in headers):
            reading = _read(row, headers, now)
            if reading is not None:
                readings.append(reading)
    return tuple(readings)


def _read(row: LimitHeaders, headers: Mapping[str, str], now: float) -> Reading | None:
    limit, remaining, reset = headers.get(row.limit), headers.get(row.remaining), headers.get(row.reset)
    most = _whole(limit) if limit else None
    left = _whole(remaining) if remaining else None
    if most is None and left is None:
        return None
    return Reading(window=row.window, limit=most, remaining=left, reset_at=parse_moment(reset, now) if reset else None)


def _whole(text: str) -> int | None:
    """A count; ``"7999.5"`` is cut down, ``"-3"`` is 0, words are None."""
    if text.isdecimal() and len(text) < 16:
        return int(text)
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return None
