"""Rate limits in each provider's own words, read without any row of that provider."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.refusal import NOW, event_meaning, facts, meaning
from hermes_router.catalogue.schema import LimitHeaders
from hermes_router.core.faults import Kind, Scope

Case = tuple[str, int, dict[str, str], object, dict[str, Any]]


def _google(quota: str, value: str, delay: str = "31s", message: str = "You exceeded your current quota.") -> object:
    violation = {"quotaMetric": "x/generate_requests", "quotaId": quota, "quotaValue": value}
    return [
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": message + " Please check your plan and billing details. Please retry in 31.5s.",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
                    {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
                ],
            }
        }
    ]


def _groq(window: str, limit: int, wait: str, asked: int = 1) -> object:
    text = (
        f"Rate limit reached for model `m1` in organization `org_1` service tier `on_demand` on {window}: "
        f"Limit {limit}, Used {limit}, Requested {asked}. Please try again in {wait}. Need more tokens? Upgrade today."
    )
    return {"error": {"message": text, "type": "requests", "code": "rate_limit_exceeded"}}


def _openrouter(which: str, limit: str, reset: float) -> object:
    headers = {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(reset * 1000))}
    return {
        "error": {
            "message": f"Rate limit exceeded: {which}. Add 10 credits to unlock 1000 free model requests per day",
            "code": 429,
            "metadata": {"headers": headers, "provider_name": None},
        },
        "user_id": "user_1",
    }


def _github(count: int, seconds: int, window: str, wait: int) -> object:
    text = f"Rate limit of {count} per {seconds}s exceeded for {window}. Please wait {wait} seconds before retrying."
    return {"error": {"code": "RateLimitReached", "message": text, "details": text}}


def _cerebras(message: str, code: str) -> object:
    return {"message": message, "type": "too_many_requests_error", "param": "quota", "code": code}


RATE = {"kind": Kind.RATE_LIMITED, "scope": Scope.DEPLOYMENT}
SPENT = {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.DEPLOYMENT}

CASES: list[Case] = [
    (
        "gemini minute",
        429,
        {},
        _google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "15"),
        RATE | {"limit": "rpm", "value": 15, "retry_after": 31.5},
    ),
    (
        "gemini tokens a minute",
        429,
        {},
        _google("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000"),
        RATE | {"limit": "tpm", "value": 250000, "retry_after": 31.5},
    ),
    (
        "gemini day: the short delay is not the day's reset",
        429,
        {},
        _google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20"),
        SPENT | {"limit": "rpd", "value": 20, "retry_after": None},
    ),
    (
        "gemini outside the free tier",
        429,
        {},
        _google(
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0", message="* Quota exceeded, limit: 0, model: x"
        ),
        {"kind": Kind.NOT_ON_PLAN, "scope": Scope.DEPLOYMENT, "retry_after": None},
    ),
    (
        "google without details",
        429,
        {},
        {
            "error": {
                "code": 429,
                "message": "Resource has been exhausted (e.g. check quota).",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        RATE | {"limit": None, "retry_after": None},
    ),
    (
        "groq requests a minute",
        429,
        {"retry-after": "2"},
        _groq("requests per minute (RPM)", 30, "1.9s"),
        RATE | {"limit": "rpm", "value": 30, "retry_after": 2},
    ),
    (
        "groq tokens a minute, wait only in words",
        429,
        {},
        _groq("tokens per minute (TPM)", 8000, "7.66s"),
        RATE | {"limit": "tpm", "value": 8000, "retry_after": 7.66},
    ),
    (
        "groq requests a day",
        429,
        {"retry-after": "120"},
        _groq("requests per day (RPD)", 1000, "2m0.00s"),
        SPENT | {"limit": "rpd", "value": 1000, "retry_after": 120},
    ),
    (
        "groq tokens a day",
        429,
        {},
        _groq("tokens per day (TPD)", 200000, "1h53m56.8s"),
        SPENT | {"limit": "tpd", "value": 200000, "retry_after": 6836.8},
    ),
    ("groq concurrency", 429, {}, _groq("concurrent requests", 2, "1.0s"), RATE | {"limit": "concurrency", "value": 2}),
    (
        "groq asks more than the window holds",
        429,
        {},
        _groq("tokens per minute (TPM)", 7000, "50.59s", asked=12903),
        {"kind": Kind.TOO_LARGE, "scope": Scope.DEPLOYMENT, "limit": "tpm", "value": 7000, "retry_after": None},
    ),
    (
        "openrouter minute",
        429,
        {},
        _openrouter("free-models-per-min", "20", NOW + 42),
        {"kind": Kind.RATE_LIMITED, "scope": Scope.ACCOUNT, "limit": "rpm", "value": 20, "retry_after": 42},
    ),
    (
        "openrouter day",
        429,
        {},
        _openrouter("free-models-per-day", "50", NOW + 35200),
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": "rpd", "value": 50, "retry_after": 35200},
    ),
    (
        "openrouter passes on an upstream's limit",
        429,
        {},
        {
            "error": {
                "message": "Provider returned error",
                "code": 429,
                "metadata": {
                    "raw": "x:free is temporarily rate-limited upstream. Please retry shortly",
                    "provider_name": "P",
                },
            }
        },
        {"kind": Kind.RATE_LIMITED, "scope": Scope.MODEL, "limit": None},
    ),
    (
        "mistral",
        429,
        {},
        {
            "object": "error",
            "message": "Requests rate limit exceeded",
            "type": "rate_limited",
            "param": None,
            "code": "1300",
        },
        RATE | {"limit": None, "retry_after": None},
    ),
    (
        "mistral, a key without quota for the model",
        429,
        {"x-ratelimit-limit-req-minute": "0"},
        {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"},
        {"kind": Kind.NOT_ON_PLAN, "scope": Scope.DEPLOYMENT},
    ),
    (
        "mistral capacity",
        429,
        {},
        {"object": "error", "message": "Service tier capacity exceeded for this model.", "code": "3505"},
        {"kind": Kind.OVERLOADED, "scope": Scope.MODEL},
    ),
    (
        "cerebras minute",
        429,
        {"retry-after": "9"},
        _cerebras("Requests per minute limit exceeded - too many requests sent.", "request_quota_exceeded"),
        RATE | {"limit": "rpm", "retry_after": 9},
    ),
    (
        "cerebras second",
        429,
        {},
        _cerebras("Requests per second limit exceeded - too many requests sent.", "request_quota_exceeded"),
        RATE | {"limit": "rpm"},
    ),
    (
        "cerebras tokens",
        429,
        {},
        _cerebras("Tokens per minute limit exceeded - too many tokens processed.", "token_quota_exceeded"),
        RATE | {"limit": "tpm"},
    ),
    (
        "cerebras day, reset in a header",
        429,
        {"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "11726.28"},
        _cerebras("Requests per day limit exceeded - too many requests sent.", "request_quota_exceeded"),
        SPENT | {"limit": "rpd", "retry_after": 11726.28},
    ),
    (
        "cerebras queue",
        429,
        {},
        _cerebras("We're experiencing high traffic right now! Please try again soon.", "queue_exceeded"),
        {"kind": Kind.OVERLOADED, "scope": Scope.MODEL},
    ),
    (
        "github day",
        429,
        {"x-ratelimit-timeremaining": "85841"},
        _github(8, 86400, "UserByModelByDay", 85841),
        SPENT | {"limit": "rpd", "value": 8, "retry_after": 85841},
    ),
    (
        "github minute",
        429,
        {"retry-after": "46"},
        _github(10, 60, "UserByModelByMinute", 46),
        RATE | {"limit": "rpm", "value": 10, "retry_after": 46},
    ),
    (
        "cohere minute",
        429,
        {},
        {
            "id": "a",
            "message": "You are using a Trial key, which is limited to 20 API calls / minute. Upgrade any time",
        },
        RATE | {"limit": "rpm", "value": 20},
    ),
    (
        "cohere month",
        429,
        {},
        {"id": "a", "message": "You are using a Trial key, which is limited to 1000 API calls / month."},
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": "month", "value": 1000},
    ),
    ("nvidia", 429, {}, {"status": 429, "title": "Too Many Requests"}, RATE | {"limit": None}),
    (
        "huggingface",
        402,
        {},
        {"error": "You have exceeded your monthly included credits for Inference Providers."},
        {"kind": Kind.PAYMENT_REQUIRED, "scope": Scope.ACCOUNT, "limit": "month"},
    ),
    *[
        (
            f"generic {name}",
            429,
            {"retry-after": "7"},
            {
                "error": {
                    "message": f"Rate limit exceeded ({name})",
                    "type": "rate_limit_error",
                    "code": "rate_limit_exceeded",
                }
            },
            base | {"limit": name, "retry_after": 7},
        )
        for name, base in [("rpm", RATE), ("tpm", RATE), ("rpd", SPENT), ("tpd", SPENT), ("concurrency", RATE)]
    ],
    (
        "cloudflare day",
        429,
        {},
        {
            "success": False,
            "result": {},
            "messages": [],
            "errors": [{"code": 4006, "message": "you have used up your daily free allocation of 10,000 neurons"}],
        },
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": "rpd", "value": None},
    ),
    (
        "cloudflare capacity",
        429,
        {},
        {"success": False, "errors": [{"code": 3040, "message": "Capacity temporarily exceeded, please try again."}]},
        {"kind": Kind.OVERLOADED, "scope": Scope.MODEL},
    ),
    (
        "go month",
        429,
        {},
        {
            "type": "error",
            "error": {"type": "GoUsageLimitError", "message": "Monthly usage limit reached. Resets in 13 days."},
        },
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": "month", "retry_after": 13 * 86400},
    ),
    (
        "go account",
        429,
        {},
        {"type": "error", "error": {"type": "account_quota_exceeded", "message": "Try again later"}},
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": None},
    ),
    (
        "codex",
        429,
        {},
        {"error": {"type": "usage_limit_reached", "message": "The limit has been reached", "resets_in_seconds": 7200}},
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "retry_after": 7200},
    ),
    (
        "kimi platform tokens a day",
        429,
        {},
        {
            "error": {
                "type": "rate_limit_reached_error",
                "message": "Your account org-1 request reached organization TPD rate limit, "
                "current: 1526210, limit: 1500000",
            }
        },
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": "tpd", "value": 1500000},
    ),
    (
        "kimi engine",
        429,
        {},
        {
            "error": {
                "type": "engine_overloaded_error",
                "message": "The engine is currently overloaded, please try again later",
            }
        },
        {"kind": Kind.OVERLOADED, "scope": Scope.MODEL},
    ),
    (
        "anthropic",
        429,
        {"retry-after": "12"},
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "This request would exceed your account's rate limit."},
        },
        {"kind": Kind.RATE_LIMITED, "scope": Scope.ACCOUNT, "limit": None, "retry_after": 12},
    ),
    (
        "zai concurrency",
        429,
        {},
        {"error": {"code": "1302", "message": "High concurrency usage"}},
        RATE | {"limit": "concurrency"},
    ),
    (
        "zai plan window",
        429,
        {},
        {
            "error": {
                "code": "1308",
                "message": "Usage limit reached for 5 hour. Your limit will reset at 2026-09-21 15:13:20",
            }
        },
        {"kind": Kind.QUOTA_EXHAUSTED, "scope": Scope.ACCOUNT, "limit": None, "retry_after": 3600},
    ),
    (
        "zai money",
        429,
        {},
        {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}},
        {"kind": Kind.NOT_ON_PLAN},
    ),
    ("zai plan", 429, {}, {"error": {"code": "1311", "message": "no access"}}, {"kind": Kind.NOT_ON_PLAN}),
    ("zai busy", 429, {}, {"error": {"code": "1312", "message": "try others"}}, {"kind": Kind.OVERLOADED}),
    (
        "openai out of money",
        429,
        {},
        {
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
        },
        {"kind": Kind.PAYMENT_REQUIRED, "scope": Scope.ACCOUNT},
    ),
    (
        "openai prompt larger than a minute",
        429,
        {"retry-after": "60"},
        {
            "error": {
                "message": "Request too large for m1 in organization org-1 on tokens per min (TPM): "
                "Limit 30000, Requested 55000.",
                "type": "tokens",
                "code": "rate_limit_exceeded",
            }
        },
        {"kind": Kind.TOO_LARGE, "scope": Scope.DEPLOYMENT, "limit": "tpm", "value": 30000, "retry_after": None},
    ),
    (
        "azure: milliseconds of 0 say nothing",
        429,
        {"retry-after": "3", "retry-after-ms": "0"},
        {},
        RATE | {"retry_after": 3},
    ),
    ("milliseconds", 429, {"retry-after": "1", "retry-after-ms": "250"}, {}, RATE | {"retry_after": 0.25}),
    ("http date", 429, {"retry-after": "Mon, 21 Sep 2026 14:14:20 GMT"}, {}, RATE | {"retry_after": 60}),
    ("empty body", 429, {}, b"", RATE | {"limit": None, "retry_after": None}),
    (
        "headers that show an empty day",
        429,
        {"x-ratelimit-limit-requests-day": "20", "x-ratelimit-remaining-requests-day": "0"},
        {"error": {"message": "rate limit of your tier exceeded"}},
        SPENT | {"limit": "rpd", "value": 20},
    ),
    (
        "modelscope, a retired model",
        429,
        {},
        {"error": {"message": "insufficient balance (1008)"}},
        {"kind": Kind.NOT_ON_PLAN, "scope": Scope.DEPLOYMENT},
    ),
]


@pytest.mark.parametrize("status,headers,body,expected", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_limit_is_understood_in_the_provider_s_words(
    status: int, headers: dict[str, str], body: object, expected: dict[str, Any]
):
    assert facts(meaning(status, body, headers), expected) == pytest.approx(expected)


def test_own_header_map_names_the_empty_window_and_its_reset():
    rows = (LimitHeaders(window="tpm", limit="x-limit", remaining="x-left", reset="x-reset"),)
    fault = meaning(429, {}, {"x-limit": "900", "x-left": "0", "x-reset": "7.5s"}, limit_headers=rows)
    assert (fault.limit, fault.value, fault.retry_after) == ("tpm", 900, 7.5)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_retry_after_means_nothing_on_refusals_that_do_not_pass(status: int):
    assert meaning(status, {"error": {"message": "no"}}, {"retry-after": "30"}).retry_after is None


def test_waiting_helps_only_for_money_in_flight():
    body = {
        "error": {
            "code": 402,
            "message": "Insufficient credits",
            "metadata": {"limit_source": "openrouter_in_flight_budget"},
        }
    }
    fault = meaning(402, body, {"retry-after": "3"})
    assert facts(fault, ("kind", "scope", "retry_after")) == {
        "kind": Kind.RATE_LIMITED,
        "scope": Scope.ACCOUNT,
        "retry_after": 3,
    }


def test_limit_inside_a_200_is_a_limit():
    fault = event_meaning({"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day."}})
    assert (fault.kind, fault.scope, fault.limit) == (Kind.QUOTA_EXHAUSTED, Scope.ACCOUNT, "rpd")
