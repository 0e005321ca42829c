from __future__ import annotations

import pytest

from hermes_router.wires.durations import find_wait, parse_duration, parse_moment

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z
DAY = 86_400.0

DURATIONS = [
    ("2m59.56s", 179.56),
    ("825ms", 0.825),
    ("1m26.4s", 86.4),
    ("5h", 5 * 3600),
    ("30m", 1800),
    ("6m0s", 360),
    ("1h53m56.8s", 6836.8),
    ("34s", 34),
    ("7.66s", 7.66),
    ("11726.28", 11726.28),
    ("0", 0),
    (" 12 ", 12),
    ("in 2 minutes", 120),
    ("13 days", 13 * DAY),
    ("1 hour 5 minutes", 3900),
    ("2 minutes and 3 seconds", 123),
    ("1d2h", 26 * 3600),
    ("2 weeks", 14 * DAY),
    ("-5s", 0),
    ("-3", 0),
    ("399 days", 399 * DAY),
]

NOT_DURATIONS = ["", "soon", "PT5S", "1e9", "nan", "inf", "5 bananas", "401 days", "99999999999", "12 34", "s", "m5"]

MOMENTS = [
    ("34s", 34),
    ("60", 60),
    ("11726.28", 11726.28),
    ("1790000060", 60),
    ("1790000060000", 60),
    ("1789999990", 0),
    ("1789999990000", 0),
    ("2026-09-21T14:14:20Z", 60),
    ("2026-09-21T16:14:20+02:00", 60),
    ("2026-09-21T14:14:20.500Z", 60.5),
    ("2026-09-21 14:14:20", 60),
    ("Mon, 21 Sep 2026 14:14:20 GMT", 60),
    ("Mon, 21 Sep 2026 14:00:00 GMT", 0),
    ("2020-01-01T00:00:00Z", 0),
]

NOT_MOMENTS = ["", "never", "9999999999", "9999999999999999", "2031-01-01T00:00:00Z", "31 Foo 2026"]

WAITS = [
    ("Rate limit reached. Please try again in 1h53m56.8s. Visit the console.", 6836.8),
    ("Please retry in 38.49s.", 38.49),
    ("Monthly usage limit reached. Resets in 13 days.", 13 * DAY),
    ("Rate limit of 8 per 86400s exceeded. Please wait 85841 seconds before retrying.", 85841),
    ("Too busy, available again in 2 minutes", 120),
    ("Retry after 5", 5),
    ("retry_after: 7", 7),
    ("Please try again in 1 minute", 60),
    ("Try again in 825ms.", 0.825),
    ("Your limit will reset at 2026-09-21 14:14:20", 60),
    ("Try again after 2026-09-21T14:14:20Z", 60),
]

NO_WAITS = [
    "Please try again later.",
    "At most 30 requests in 1 minute are allowed",
    "Limit 6000, Requested 10338, please reduce your message size and try again.",
    "resets sometimes. 5s is a name.",
    "",
]


@pytest.mark.parametrize("text,seconds", DURATIONS, ids=[text for text, _ in DURATIONS])
def test_duration_is_read(text: str, seconds: float):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_what_is_no_duration_says_nothing(text: str):
    assert parse_duration(text) is None


@pytest.mark.parametrize("text,ahead", MOMENTS, ids=[text for text, _ in MOMENTS])
def test_moment_is_read_and_never_past(text: str, ahead: float):
    assert parse_moment(text, NOW) == pytest.approx(NOW + ahead)


@pytest.mark.parametrize("text", NOT_MOMENTS)
def test_what_is_no_moment_or_too_far_says_nothing(text: str):
    assert parse_moment(text, NOW) is None


@pytest.mark.parametrize("message,seconds", WAITS, ids=[message for message, _ in WAITS])
def test_wait_is_found_in_prose(message: str, seconds: float):
    assert find_wait(message, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("message", NO_WAITS)
def test_prose_that_asks_for_no_wait_gives_none(message: str):
    assert find_wait(message, NOW) is None


def test_wait_until_a_date_needs_the_clock():
    assert find_wait("Your limit will reset at 2026-09-21 14:14:20") is None
