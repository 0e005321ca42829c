from __future__ import annotations

import pytest

from hermes_router.catalogue.schema import LimitHeaders, ProviderSpec
from hermes_router.wires.limits import Reading, read_limits

NOW = 1_790_000_000.0

DAY_AND_MINUTE = ProviderSpec(
    limit_headers=(
        LimitHeaders(
            window="rpd",
            limit="x-ratelimit-limit-requests",
            remaining="x-ratelimit-remaining-requests",
            reset="x-ratelimit-reset-requests",
        ),
        LimitHeaders(
            window="tpm",
            limit="x-ratelimit-limit-tokens",
            remaining="x-ratelimit-remaining-tokens",
            reset="x-ratelimit-reset-tokens",
        ),
    )
)
UNKNOWN = ProviderSpec()


def test_own_header_map_says_what_a_name_means():
    headers = {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "999",
        "x-ratelimit-reset-requests": "1m26.4s",
        "x-ratelimit-limit-tokens": "8000",
        "x-ratelimit-remaining-tokens": "7450",
        "x-ratelimit-reset-tokens": "825ms",
    }
    assert read_limits(DAY_AND_MINUTE, headers, NOW) == (
        Reading(window="rpd", limit=1000, remaining=999, reset_at=NOW + 86.4),
        Reading(window="tpm", limit=8000, remaining=7450, reset_at=NOW + 0.825),
    )


def test_ambiguous_names_are_never_guessed_at():
    headers = {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "999",
        "x-ratelimit-remaining-tokens": "5",
        "x-ratelimit-remaining": "0",
    }
    assert read_limits(UNKNOWN, headers, NOW) == ()


UNAMBIGUOUS = [
    (
        "requests per day",
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "14399",
            "x-ratelimit-reset-requests-day": "11726.28",
        },
        Reading(window="rpd", limit=14400, remaining=14399, reset_at=NOW + 11726.28),
    ),
    (
        "tokens per minute, no reset",
        {"x-ratelimit-limit-tokens-minute": "60000", "x-ratelimit-remaining-tokens-minute": "59000"},
        Reading(window="tpm", limit=60000, remaining=59000),
    ),
    (
        "mistral's requests per minute",
        {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59"},
        Reading(window="rpm", limit=60, remaining=59),
    ),
    (
        "anthropic's requests, RFC 3339",
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:20Z",
        },
        Reading(window="rpm", limit=50, remaining=49, reset_at=NOW + 60),
    ),
    ("remaining alone", {"x-ratelimit-remaining-tokens-day": "7"}, Reading(window="tpd", remaining=7)),
]


@pytest.mark.parametrize("headers,reading", [case[1:] for case in UNAMBIGUOUS], ids=[case[0] for case in UNAMBIGUOUS])
def test_unknown_provider_is_read_by_names_that_say_their_window(headers: dict[str, str], reading: Reading):
    assert read_limits(UNKNOWN, headers, NOW) == (reading,)


def test_what_is_no_number_is_left_out():
    headers = {"x-ratelimit-limit-requests-day": "lots", "x-ratelimit-remaining-requests-day": "7.9"}
    assert read_limits(UNKNOWN, headers, NOW) == (Reading(window="rpd", remaining=7),)


@pytest.mark.parametrize("junk", ["", "unlimited", "nan", "inf"])
def test_a_row_of_junk_gives_no_reading(junk: str):
    assert read_limits(UNKNOWN, {"x-ratelimit-remaining-requests-day": junk}, NOW) == ()


def test_a_reset_that_is_no_time_is_left_out():
    headers = {"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "soon"}
    assert read_limits(UNKNOWN, headers, NOW) == (Reading(window="tpm", remaining=0),)


def test_own_map_is_read_where_only_the_limit_is_sent():
    assert read_limits(DAY_AND_MINUTE, {"x-ratelimit-limit-tokens": "8000"}, NOW) == (
        Reading(window="tpm", limit=8000),
    )


def test_no_headers_no_readings():
    assert read_limits(DAY_AND_MINUTE, {"content-type": "application/json"}, NOW) == ()
