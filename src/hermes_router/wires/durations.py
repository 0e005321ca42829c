"""How long a provider asks us to wait, in every format that occurs. Pure: the clock is passed in.

Seen in headers and bodies: Go durations (``2m59.56s``, ``825ms``), bare seconds (``11726.28``), epoch seconds,
epoch milliseconds (OpenRouter), RFC 3339 (Anthropic), HTTP dates, ``"34s"`` (Gemini), and prose: "Please try again in
1h53m56.8s", "Resets in 13 days." What lies further ahead than 400 days is a misreading and counts as nothing said;
what is past or negative counts as now.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 400 * 86_400.0
"""The longest wait that is believed, in seconds."""

_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d*)?|[+-]?\.\d+")
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "mo": 30 * 86_400.0,
}
_UNIT = (
    r"(?:milliseconds?|millis|msecs?|seconds?|secs?|minutes?|mins?|months?|hours?|hrs?|days?|weeks?|"
    r"ns|us|µs|ms|[smhdw])(?![a-zµ])"
)
_STEP = rf"\d{{1,12}}(?:\.\d{{1,18}})?\s{{0,2}}{_UNIT}"
_RUN = rf"{_STEP}(?:(?:\s{{0,2}},)?\s{{0,2}}(?:and\s)?{_STEP})*"
_GO = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(\d{1,9}(?:\.\d{1,12})?)s")
_DURATION = re.compile(rf"(?:in\s+)?({_RUN})\s*\.?", re.IGNORECASE)
_STEPS = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,18}})?)\s{{0,2}}({_UNIT})", re.IGNORECASE)
_ASKED = (
    r"\b(?:try(?:ing)?\s+again|retry(?:ing)?|resets?|resetting|wait|available|renews?|refills?|restored|unblocked|"
    r"refresh(?:es|ed)?|come\s+back|replenish(?:es|ed)?)\b"
)
_WAIT = re.compile(rf"{_ASKED}[^.\d\n]{{0,40}}?[\s:=]({_RUN})", re.IGNORECASE)
_WAIT_BARE = re.compile(r"retry[-_ ]after\W{0,4}(\d{1,9}(?:\.\d{1,9})?)\b(?!\s*[a-z]{1,2}\b)", re.IGNORECASE)
_WAIT_UNTIL = re.compile(
    rf"(?:{_ASKED}|until)[^.\d\n]{{0,40}}?"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:\s?(?:Z|UTC)|[+-]\d\d:?\d\d)?)",
    re.IGNORECASE,
)


def parse_duration(text: str) -> float | None:
    """Seconds in ``text``: bare seconds, a Go duration or words; None where it is none of them or over 400 days."""
    text = text.strip()
    if text[-1:] == "s" and (go := _GO.fullmatch(text)):
        # The commonest header format, apart for speed: every successful answer of some providers carries two.
        hours, minutes, seconds = go.groups()
        total = float(seconds)
        if minutes:
            total += int(minutes) * 60
        if hours:
            total += int(hours) * 3600
        return _believed(total)
    if _NUMBER.fullmatch(text):
        return _believed(float(text))
    if text.startswith("-"):
        return 0.0 if _DURATION.fullmatch(text[1:]) else None
    found = _DURATION.fullmatch(text)
    return _sum(found[1]) if found else None


def parse_moment(text: str, now: float) -> float | None:
    """Wall-clock seconds of the moment ``text`` names, never before ``now``; None where it names none.

    A bare number is seconds from now below 1e9, epoch seconds below 1e11, epoch milliseconds above.
    """
    text = text.strip()
    if text[-1:].isdigit() and _NUMBER.fullmatch(text):
        seconds = _from_number(float(text), now)
    elif (duration := parse_duration(text)) is not None:
        seconds = duration
    else:
        moment = _from_date(text)
        seconds = None if moment is None else _believed(moment - now)
    return None if seconds is None else now + seconds


def find_wait(message: str, now: float | None = None) -> float | None:
    """Seconds a sentence asks to wait ("try again in 2 minutes"), None where it asks for none.

    A date ("will reset at 2026-01-02 03:04:05", read as UTC where no zone is given) needs ``now``.
    """
    if found := _WAIT.search(message):
        return _sum(found[1])
    if found := _WAIT_BARE.search(message):
        return _believed(float(found[1]))
    if now is not None and (found := _WAIT_UNTIL.search(message)):
        moment = parse_moment(found[1].replace("UTC", "Z").replace(" Z", "Z"), now)
        return None if moment is None else moment - now
    return None


def _believed(seconds: float) -> float | None:
    if 0.0 <= seconds <= LONGEST:
        return seconds
    return 0.0 if seconds < 0 else None


def _sum(run: str) -> float | None:
    return _believed(sum(float(number) * _seconds_of(unit.lower()) for number, unit in _STEPS.findall(run)))


def _seconds_of(unit: str) -> float:
    if unit in _UNITS:
        return _UNITS[unit]
    return _UNITS["mo"] if unit.startswith("mo") else _UNITS["ms"] if unit[:3] in ("mil", "mse") else _UNITS[unit[0]]


def _from_number(number: float, now: float) -> float | None:
    if number >= _EPOCH_MILLISECONDS:
        return _believed(number / 1000 - now)
    if number >= _EPOCH_SECONDS:
        return _believed(number - now)
    return _believed(number)


def _from_date(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return None
