"""Every row of every provider's error table, against a body in that provider's shape.

The matcher here is the schema's docstring and nothing more; what the router makes of it is tested with the wires.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from hermes_router.catalogue.load import builtin_names, load_builtin
from hermes_router.catalogue.schema import ErrorRule, ProviderSpec


@cache
def catalogue() -> dict[str, ProviderSpec]:
    return load_builtin()


def first(provider: str, status: int, body: str, headers: dict[str, str]) -> ErrorRule:
    for rule in catalogue()[provider].errors:
        if rule.status and status not in rule.status:
            continue
        if not all(re.fullmatch(pattern, headers.get(name, "")) for name, pattern in rule.header.items()):
            continue
        if re.search(rule.match, body, re.IGNORECASE):
            return rule
    raise AssertionError(f"no rule of {provider} fits {status} {body}")


def gemini(quota: str, message: str = "You exceeded your current quota.") -> str:
    return (
        f'[{{"error": {{"code": 429, "message": "{message}", "status": "RESOURCE_EXHAUSTED", "details": ['
        f'{{"violations": [{{"quotaId": "{quota}", "quotaValue": "20"}}]}}, {{"retryDelay": "34s"}}]}}}}]'
    )


def groq(name: str) -> str:
    return error(f"Rate limit reached for model `m` on {name}: Limit 8000", code="rate_limit_exceeded")


def zai(code: int) -> str:
    return f'{{"error":{{"code":"{code}","message":"some words"}}}}'


def cerebras(message: str, code: str) -> str:
    return f'{{"message":"{message}","type":"too_many_requests_error","param":"quota","code":"{code}"}}'


def cloudflare(code: int) -> str:
    return f'{{"success":false,"errors":[{{"code":{code},"message":"AiError: some words"}}]}}'


def error(message: str, kind: str = "invalid_request_error", code: str | int = "") -> str:
    return f'{{"error": {{"message": "{message}", "type": "{kind}", "code": "{code}"}}}}'


def mistral(message: str, code: str = "") -> str:
    return f'{{"object":"error","message":"{message}","type":"invalid_request_error","param":null,"code":"{code}"}}'


# provider, row, status, body, headers, then: kind, scope, until, limit
Case = tuple[str, str, int, str, dict[str, str], str, str, str | None, str | None]
EXTRA_FORBIDDEN = (
    '{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","user"]}]},"code":null}'
)
CODING = "Kimi For Coding is currently only available for Coding Agents such as"
TRIAL = "You are using a Trial key, which is limited to"
GEMINI_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
GEMINI_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
CASES: list[Case] = [
    ("gemini", "minute", 429, gemini(GEMINI_MINUTE), {}, "rate_limited", "deployment", "stated", "rpm"),
    ("gemini", "minute tokens", 429, gemini("GenerateContentInputTokensPerModelPerMinute-FreeTier"), {},
     "rate_limited", "deployment", "stated", "tpm"),
    ("gemini", "day", 429, gemini(GEMINI_DAY), {}, "quota_exhausted", "deployment", "reset", "rpd"),
    ("gemini", "day tokens", 429, gemini("GenerateContentInputTokensPerModelPerDay-FreeTier"), {},
     "quota_exhausted", "deployment", "reset", "tpd"),
    ("gemini", "day and minute", 429, gemini(f"{GEMINI_MINUTE}, {GEMINI_DAY}"), {},
     "quota_exhausted", "deployment", "reset", "rpd"),
    ("gemini", "never on this tier", 429, gemini(GEMINI_DAY, "Quota exceeded, limit: 0, please retry in 28.02s"), {},
     "not_on_plan", "deployment", "7d", None),
    ("gemini", "limit 20 is not limit 0", 429, gemini(GEMINI_DAY, "Quota exceeded, limit: 20"), {},
     "quota_exhausted", "deployment", "reset", "rpd"),
    ("gemini", "exhausted, no more said", 429, error("Resource has been exhausted", "RESOURCE_EXHAUSTED"), {},
     "rate_limited", "deployment", "stated", None),
    ("gemini", "key", 400, error("API key not valid. Please pass a valid API key."), {},
     "auth", "credential", None, None),
    ("gemini", "no key", 403, error("Method doesn't allow unregistered callers", "PERMISSION_DENIED"), {},
     "auth", "credential", None, None),
    ("gemini", "permission", 403, error("denied", "PERMISSION_DENIED"), {}, "forbidden", "credential", None, None),
    ("gemini", "model", 404, error("models/x is not found for API version v1beta", "NOT_FOUND"), {},
     "not_found", "model", None, None),
    ("gemini", "model ended", 404, error("This model is no longer available to new users", "NOT_FOUND"), {},
     "retired", "model", None, None),
    ("gemini", "context", 400,
     error("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."), {},
     "context_too_long", "model", None, None),
    ("gemini", "context, no number", 400, error("The input token count exceeds the maximum number of tokens allowed"),
     {}, "context_too_long", "model", None, None),
    ("gemini", "overloaded", 503, error("This model is experiencing high demand", "UNAVAILABLE"), {},
     "overloaded", "model", None, None),
    ("gemini", "signature", 400, error("Function call is missing a thought_signature"), {},
     "unsupported", "request", None, None),
    # --
    ("openrouter", "minute", 429, error("Rate limit exceeded: free-models-per-min. ", code=429), {},
     "rate_limited", "account", "stated", "rpm"),
    ("openrouter", "day", 429, error("Rate limit exceeded: free-models-per-day-high-balance. ", code=429), {},
     "quota_exhausted", "account", "stated", "rpd"),
    ("openrouter", "upstream", 429, error("Provider returned error", code=429), {},
     "rate_limited", "model", "30s", None),
    ("openrouter", "in flight", 402, '{"error":{"metadata":{"limit_source":"openrouter_in_flight_budget"}}}', {},
     "rate_limited", "account", "stated", None),
    ("openrouter", "payment", 402, error("Insufficient credits", code=402), {},
     "payment_required", "account", None, None),
    ("openrouter", "payment for one model", 402, error("Out of credits", code=402), {},
     "payment_required", "deployment", "7d", None),
    ("openrouter", "key", 401, error("User not found.", code=401), {}, "auth", "credential", None, None),
    ("openrouter", "harness", 403, error("This model is only served to an agent harness", code=403), {},
     "client_not_welcome", "model", None, None),
    ("openrouter", "flag", 403, '{"error":{"code":403,"metadata":{"reasons":["violence"],"flagged_input":"…"}}}', {},
     "filtered", "request", None, None),
    ("openrouter", "permission", 403, error("Insufficient permissions", code=403), {},
     "forbidden", "deployment", None, None),
    ("openrouter", "tools", 404, error("No endpoints found that support tool use.", code=404), {},
     "unsupported", "model", None, None),
    ("openrouter", "data policy", 404, error("No endpoints found matching your data policy", code=404), {},
     "forbidden", "deployment", None, None),
    ("openrouter", "model", 404, error("No endpoints found for a/b:free.", code=404), {},
     "not_found", "model", None, None),
    ("openrouter", "model id", 400, error("a/b is not a valid model ID", code=400), {},
     "not_found", "model", None, None),
    ("openrouter", "model ended", 404, error("The alpha period for this model has ended.", code=404), {},
     "retired", "model", None, None),
    ("openrouter", "context", 400, error("This endpoint's maximum context length is 8192 tokens. However,", code=400),
     {}, "context_too_long", "model", None, None),
    ("openrouter", "field", 400, error("Provider returned error: Unsupported parameter: 'temperature'", code=400), {},
     "bad_field", "model", None, None),
    ("openrouter", "upstream dislikes it", 400, error("Provider returned error", code=400), {},
     "unsupported", "request", None, None),
    ("openrouter", "timeout", 408, error("timed out", code=408), {}, "overloaded", "model", None, None),
    ("openrouter", "down", 502, error("bad gateway", code=502), {}, "overloaded", "model", None, None),
    ("openrouter", "nobody", 503, error("no provider", code=503), {}, "overloaded", "model", None, None),
    ("openrouter", "inside a 200", 200, '{"error": {"code": 502, "message": "ConnectionError"}}', {},
     "overloaded", "model", None, None),
    # --
    ("groq", "tokens a minute", 429, groq("tokens per minute (TPM)"), {},
     "rate_limited", "deployment", "stated", "tpm"),
    ("groq", "requests a minute", 429, groq("requests per minute (RPM)"), {},
     "rate_limited", "deployment", "stated", "rpm"),
    ("groq", "tokens a day", 429, groq("tokens per day (TPD)"), {}, "quota_exhausted", "deployment", "stated", "tpd"),
    ("groq", "requests a day", 429, groq("requests per day (RPD)"), {},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("groq", "no window", 429, groq("something"), {}, "rate_limited", "deployment", "stated", None),
    ("groq", "size", 413, groq("tokens per minute (TPM)"), {}, "too_large", "deployment", None, "tpm"),
    ("groq", "context", 413, error("Please reduce the length of the messages or completion."), {},
     "context_too_long", "model", None, None),
    ("groq", "context 400", 400, error("too long", code="context_length_exceeded"), {},
     "context_too_long", "model", None, None),
    ("groq", "key", 401, error("Invalid API Key", code="invalid_api_key"), {}, "auth", "credential", None, None),
    ("groq", "permission", 403, error("blocked", code="model_permission_blocked_org"), {},
     "forbidden", "deployment", None, None),
    ("groq", "model", 404, error("does not exist", code="model_not_found"), {}, "not_found", "model", None, None),
    ("groq", "model ended", 400, error("has been decommissioned", code="model_decommissioned"), {},
     "retired", "model", None, None),
    ("groq", "bad tool call", 400, error("Tool call validation failed", code="tool_use_failed"), {},
     "malformed", "model", None, None),
    ("groq", "no tools", 400, error("`tool calling` is not supported with this model"), {},
     "unsupported", "model", None, None),
    ("groq", "field", 400, error("property 'logit_bias' is unsupported"), {}, "bad_field", "model", None, None),
    ("groq", "capacity", 498, error("capacity_exceeded"), {}, "overloaded", "model", None, None),
    ("groq", "overloaded", 503, error("unavailable"), {}, "overloaded", "model", None, None),
    ("groq", "model fault", 422, error("semantic error"), {}, "malformed", "model", None, None),
    # --
    ("mistral", "rate", 429, mistral("Rate limit exceeded", "1300"), {}, "rate_limited", "deployment", "60s", None),
    ("mistral", "limit 0", 429, mistral("Requests rate limit exceeded", "1300"),
     {"x-ratelimit-limit-req-minute": "0"}, "not_on_plan", "deployment", "7d", None),
    ("mistral", "limit 50 is not limit 0", 429, mistral("Requests rate limit exceeded", "1300"),
     {"x-ratelimit-limit-req-minute": "50"}, "rate_limited", "deployment", "60s", None),
    ("mistral", "capacity", 429, mistral("Service tier capacity exceeded for this model.", "3505"), {},
     "overloaded", "model", None, None),
    ("mistral", "gateway", 502, "", {}, "overloaded", "model", None, None),
    ("mistral", "key", 401, '{"detail":"Unauthorized"}', {}, "auth", "credential", None, None),
    ("mistral", "tier", 403, mistral("tier_not_allowed"), {}, "not_on_plan", "deployment", "7d", None),
    ("mistral", "model", 400, mistral("Invalid model: x", "1500"), {}, "not_found", "model", None, None),
    ("mistral", "model code", 404, mistral("no", "unknown_model"), {}, "not_found", "model", None, None),
    ("mistral", "order", 400, mistral("Expected last role User or Tool (or Assistant with prefix True)", "3230"), {},
     "unsupported", "request", None, None),
    ("mistral", "tool id", 400, mistral("Tool call id was x but must be a-z, A-Z, 0-9", "3280"), {},
     "unsupported", "request", None, None),
    ("mistral", "field", 422, EXTRA_FORBIDDEN, {}, "bad_field", "model", None, None),
    ("mistral", "effort", 400, mistral("reasoning_effort low is not supported for this model, supported values"), {},
     "bad_field", "model", None, None),
    ("mistral", "logprobs", 400, mistral("Logprobs are not enabled for this model", "3051"), {},
     "bad_field", "model", None, None),
    ("mistral", "context", 400,
     mistral("Prompt contains 9 tokens and 0 draft tokens, too large for model with 8 maximum context length", "3051"),
     {}, "context_too_long", "model", None, None),
    ("mistral", "batch", 400, mistral("Too many inputs in request, split into more batches.", "3210"), {},
     "too_large", "deployment", None, None),
    ("mistral", "payment", 402, mistral("payment required"), {}, "payment_required", "account", None, None),
    # --
    ("cohere", "minute", 429, f'{{"id":"1","message":"{TRIAL} 20 API calls / minute"}}', {},
     "rate_limited", "deployment", "60s", "rpm"),
    ("cohere", "month", 429, f'{{"id":"1","message":"{TRIAL} 1000 API calls / month."}}', {},
     "quota_exhausted", "account", "month", "month"),
    ("cohere", "key", 401, '{"message":"invalid api token"}', {}, "auth", "credential", None, None),
    ("cohere", "model", 404, "{\"message\":\"model 'x' not found, make sure the correct model ID was used\"}", {},
     "not_found", "model", None, None),
    ("cohere", "context", 400, '{"message":"too many tokens: 300000"}', {}, "context_too_long", "model", None, None),
    ("cohere", "field", 422, '{"message":"unknown field: top_q"}', {}, "bad_field", "model", None, None),
    # --
    ("nvidia", "minute", 429, '{"status":429,"title":"Too Many Requests"}', {},
     "rate_limited", "account", "60s", "rpm"),
    ("nvidia", "queue", 503, '{"detail":"ResourceExhausted: Worker local total request limit reached (16/16)"}', {},
     "overloaded", "model", "30s", None),
    ("nvidia", "queue inside a 200", 200, '{"error":"ResourceExhausted: Worker local total request limit reached"}', {},
     "overloaded", "model", "30s", None),
    ("nvidia", "sick", 400, '{"detail":"DEGRADED function cannot be invoked"}', {}, "overloaded", "model", "10m", None),
    ("nvidia", "gone", 410, '{"detail":"end of life"}', {}, "retired", "model", None, None),
    ("nvidia", "ghost", 404, "{\"detail\":\"Function 'f': Not found for account 'a'\"}", {},
     "not_found", "model", None, None),
    ("nvidia", "key", 403, '{"title":"Forbidden","detail":"Authentication failed"}', {},
     "auth", "credential", None, None),
    ("nvidia", "single tools", 400, '{"message":"This model only supports single tool-calls at once!"}', {},
     "unsupported", "model", None, None),
    ("nvidia", "context", 400, '{"message":"This model\'s maximum context length is 8192 tokens"}', {},
     "context_too_long", "model", None, None),
    # --
    ("zai", "concurrency", 429, zai(1302), {}, "rate_limited", "deployment", "10s", "concurrency"),
    ("zai", "frequency", 429, zai(1303), {}, "rate_limited", "deployment", "10s", "rpm"),
    ("zai", "traffic", 429, zai(1305), {}, "rate_limited", "deployment", "10s", None),
    ("zai", "day", 429, zai(1304), {}, "quota_exhausted", "deployment", "stated", "rpd"),
    ("zai", "plan 1308", 429, zai(1308), {}, "quota_exhausted", "account", "stated", None),
    ("zai", "plan 1310", 429, zai(1310), {}, "quota_exhausted", "account", "stated", None),
    ("zai", "balance", 429, zai(1113), {}, "not_on_plan", "deployment", "7d", None),
    ("zai", "balance, other lane", 429, '{"type":"error","error":{"type":"1113","message":"Please recharge."}}', {},
     "not_on_plan", "deployment", "7d", None),
    ("zai", "plan", 429, zai(1311), {}, "not_on_plan", "deployment", "7d", None),
    ("zai", "busy", 429, zai(1312), {}, "overloaded", "model", None, None),
    ("zai", "key", 401, zai(1002), {}, "auth", "credential", None, None),
    ("zai", "model", 400, zai(1211), {}, "not_found", "model", None, None),
    ("zai", "context", 400, zai(1261), {}, "context_too_long", "model", None, None),
    ("zai", "filter", 400, zai(1301), {}, "filtered", "request", None, None),
    # --
    ("naga", "minute", 429, error("slow down", "rate_limit_exceeded"), {}, "rate_limited", "account", "60s", "rpm"),
    ("naga", "payment", 402, error("no", "insufficient_quota"), {}, "payment_required", "deployment", None, None),
    ("naga", "key", 401, error("no", "authentication_error"), {}, "auth", "credential", None, None),
    ("naga", "filter", 403, error("no", "inappropriate_content"), {}, "filtered", "request", None, None),
    ("naga", "server", 500, error("no", "server_error"), {}, "overloaded", "model", None, None),
    ("naga", "inside a 200", 200, error("no", "server_error"), {}, "overloaded", "model", None, None),
    # --
    ("sambanova", "rate", 429, error("rate limit"), {"x-ratelimit-remaining-requests-day": "7"},
     "rate_limited", "deployment", "stated", "rpm"),
    ("sambanova", "day", 429, error("rate limit"), {"x-ratelimit-remaining-requests-day": "0"},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("sambanova", "payment", 402, error("A payment method is required.", code="PAYMENT_METHOD_REQUIRED"), {},
     "payment_required", "account", "7d", None),
    ("sambanova", "tier", 422, error("Couldn't find valid service tier"), {}, "not_on_plan", "deployment", "7d", None),
    ("sambanova", "model", 404, error("Model not found"), {}, "not_found", "model", None, None),
    ("sambanova", "context", 400, error("long", code="context_length_exceeded"), {},
     "context_too_long", "model", None, None),
    ("sambanova", "key", 401, error("Invalid API key"), {}, "auth", "credential", None, None),
    ("sambanova", "gone", 410, error("deprecated"), {}, "retired", "model", None, None),
    ("sambanova", "timeout", 408, error("took too long"), {}, "overloaded", "model", None, None),
    ("sambanova", "queue", 504, error("queue expired"), {}, "overloaded", "model", None, None),
    # --
    ("cerebras", "requests", 429,
     cerebras("Requests per minute limit exceeded - too many requests sent.", "request_quota_exceeded"), {},
     "rate_limited", "deployment", "stated", "rpm"),
    ("cerebras", "second", 429, cerebras("Requests per second limit exceeded", "request_quota_exceeded"), {},
     "rate_limited", "deployment", "stated", "rpm"),
    ("cerebras", "tokens", 429, cerebras("Tokens per minute limit exceeded", "token_quota_exceeded"), {},
     "rate_limited", "deployment", "stated", "tpm"),
    ("cerebras", "hour", 429, cerebras("Tokens per hour limit exceeded", "token_quota_exceeded"), {},
     "rate_limited", "deployment", "stated", None),
    ("cerebras", "day", 429, cerebras("Requests per day limit exceeded", "request_quota_exceeded"), {},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("cerebras", "day tokens", 429, cerebras("Tokens per day limit exceeded", "token_quota_exceeded"), {},
     "quota_exhausted", "deployment", "stated", "tpd"),
    ("cerebras", "traffic", 429, cerebras("We're experiencing high traffic right now!", "queue_exceeded"), {},
     "overloaded", "model", None, None),
    ("cerebras", "unavailable", 503, "", {}, "overloaded", "model", None, None),
    ("cerebras", "payment", 402, cerebras("Payment required", "payment_required"), {},
     "payment_required", "account", None, None),
    ("cerebras", "key", 401, cerebras("Wrong API Key", "wrong_api_key"), {}, "auth", "credential", None, None),
    ("cerebras", "model", 404, cerebras("Model x does not exist", "model_not_found"), {},
     "not_found", "model", None, None),
    ("cerebras", "context", 400, cerebras("Please reduce the length of the messages or completion.", "x"), {},
     "context_too_long", "model", None, None),
    ("cerebras", "context, empty body", 413, "", {}, "context_too_long", "model", None, None),
    # --
    ("huggingface", "credit", 402,
      '{"error":"You have exceeded your monthly included credits for Inference Providers."}',
     {}, "payment_required", "account", "month", None),
    ("huggingface", "payment", 402, '{"error":"pay"}', {}, "payment_required", "account", None, None),
    ("huggingface", "key", 401, '{"error":"Invalid username or password."}', {}, "auth", "credential", None, None),
    ("huggingface", "model", 400, error("not supported by any provider you have enabled", code="model_not_supported"),
     {}, "not_found", "model", None, None),
    ("huggingface", "rate", 429, '{"error":"rate limit"}', {}, "rate_limited", "deployment", "stated", None),
    ("huggingface", "loading", 503, '{"error":"loading"}', {}, "overloaded", "model", None, None),
    # --
    ("opencode", "client", 403, error("free tier can only be used from within OpenCode", "FreeTierError"), {},
     "client_not_welcome", "provider", None, None),
    ("opencode", "model", 401, error("Model x is not supported", "ModelError"), {}, "not_found", "model", None, None),
    ("opencode", "model ended", 401, error("Free promotion has ended for x"), {}, "retired", "model", None, None),
    ("opencode", "down", 429, error("endpoint is unavailable"), {}, "overloaded", "model", None, None),
    ("opencode", "payment", 402, error("insufficient balance"), {}, "payment_required", "account", None, None),
    # --
    ("opencode_go", "month", 429, error("Monthly usage limit reached. Resets in 13 days."), {},
     "quota_exhausted", "account", "stated", None),
    ("opencode_go", "code", 429, error("no", code="account_quota_exceeded"), {},
     "quota_exhausted", "account", "stated", None),
    ("opencode_go", "header", 429, error("no"), {"x-ratelimit-remaining-requests": "0"},
     "quota_exhausted", "account", "stated", None),
    ("opencode_go", "model", 401, error("Model x is not supported"), {}, "not_found", "model", None, None),
    ("opencode_go", "down", 400, error("endpoint is unavailable"), {}, "overloaded", "model", None, None),
    # --
    ("kimi", "client", 403, error(CODING, "access_terminated_error"), {}, "client_not_welcome", "provider", None, None),
    ("kimi", "period", 429, error("You've reached your usage limit for this period"), {},
     "quota_exhausted", "account", "stated", None),
    ("kimi", "cycle", 403, error("You've reached your usage limit for this billing cycle"), {},
     "quota_exhausted", "account", "stated", None),
    ("kimi", "rate", 429, error("We're receiving too many requests", "rate_limit_reached_error"), {},
     "rate_limited", "account", "stated", None),
    ("kimi", "day", 429, error("request reached organization TPD rate limit", "rate_limit_reached_error"), {},
     "quota_exhausted", "account", "stated", "tpd"),
    ("kimi", "overloaded", 429, error("The engine is currently overloaded"), {}, "overloaded", "model", None, None),
    ("kimi", "membership", 402, error("unable to verify your membership benefits"), {},
     "payment_required", "account", None, None),
    ("kimi", "balance", 403, error("insufficient balance"), {}, "payment_required", "account", None, None),
    ("kimi", "key", 401, error("Invalid Authentication"), {}, "auth", "credential", None, None),
    ("kimi", "model", 404, error("Not found the model x or Permission denied"), {}, "not_found", "model", None, None),
    ("kimi", "context", 400, error("Your request exceeded model token limit: 262144 (requested: 9)"), {},
     "context_too_long", "model", None, None),
    ("kimi", "size", 400, error("total message size 3000000 exceeds limit 2097152"), {},
     "too_large", "deployment", None, None),
    ("kimi", "history", 400, error("thinking is enabled but reasoning_content is missing"), {},
     "unsupported", "request", None, None),
    ("kimi", "filter", 400, error("The request was rejected because it was considered high risk"), {},
     "filtered", "request", None, None),
    ("kimi", "tools", 400, error("function name f is duplicated"), {}, "bad_request", "request", None, None),
    # --
    ("github_models", "gone", 410, error("github_models_retirement_brownout"), {}, "retired", "provider", None, None),
    ("github_models", "day", 429, error("Rate limit of 8 per 86400s exceeded"), {},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("github_models", "day by header", 429, error("slow"), {"x-ratelimit-type": "UserByModelByDay"},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("github_models", "minute", 429, error("Rate limit of 10 per 60s exceeded for UserByModelByMinute."), {},
     "rate_limited", "deployment", "stated", "rpm"),
    ("github_models", "size", 413, error("Request body too large", code="tokens_limit_reached"), {},
     "too_large", "deployment", None, None),
    # --
    ("openai", "money", 429, error("You exceeded your current quota", code="insufficient_quota"), {},
     "payment_required", "account", None, None),
    ("openai", "size", 429, error("Request too large for m on tokens per min (TPM): Limit 9, Requested 10"), {},
     "too_large", "deployment", None, "tpm"),
    ("openai", "tokens", 429, error("Rate limit reached for m on tokens per min (TPM)"), {},
     "rate_limited", "deployment", "stated", "tpm"),
    ("openai", "requests", 429, error("Rate limit reached for m on requests per min (RPM)"), {},
     "rate_limited", "deployment", "stated", "rpm"),
    ("openai", "day", 429, error("Rate limit reached for m on requests per day (RPD)"), {},
     "quota_exhausted", "deployment", "stated", "rpd"),
    ("openai", "day tokens", 429, error("Rate limit reached for m on tokens per day (TPD)"), {},
     "quota_exhausted", "deployment", "stated", "tpd"),
    ("openai", "rate", 429, error("slow", code="rate_limit_exceeded"), {},
     "rate_limited", "deployment", "stated", None),
    ("openai", "key", 401, error("Incorrect API key", code="invalid_api_key"), {}, "auth", "credential", None, None),
    ("openai", "permission", 403, error("You are not allowed to sample from this model"), {},
     "forbidden", "deployment", None, None),
    ("openai", "model", 404, error("does not exist", code="model_not_found"), {}, "not_found", "model", None, None),
    ("openai", "model 400", 400, error("does not exist", code="model_not_found"), {}, "not_found", "model", None, None),
    ("openai", "not chat", 404, error("This is not a chat model"), {}, "not_found", "model", None, None),
    ("openai", "no tools", 404, error("tools is not supported in this model."), {}, "unsupported", "model", None, None),
    ("openai", "context", 400, error("too long", code="context_length_exceeded"), {},
     "context_too_long", "model", None, None),
    ("openai", "output", 400, error("max_tokens is too large: 9. This model supports at most 8 completion tokens"), {},
     "output_too_long", "model", None, None),
    ("openai", "field", 400, error("'max_tokens' is not supported", code="unsupported_parameter"), {},
     "bad_field", "model", None, None),
    ("openai", "role", 400, error("'messages[0].role' does not support 'system'", code="unsupported_value"), {},
     "unsupported", "model", None, None),
    ("openai", "value", 400, error("no", code="unsupported_value"), {}, "bad_field", "model", None, None),
    ("openai", "filter", 400, error("no", code="content_policy_violation"), {}, "filtered", "request", None, None),
    ("openai", "server", 500, error("no", "server_error"), {}, "overloaded", "model", None, None),
    # --
    ("anthropic", "rate", 429, error("slow", "rate_limit_error"), {}, "rate_limited", "deployment", "stated", None),
    ("anthropic", "money", 400, error("Your credit balance is too low"), {}, "payment_required", "account", None, None),
    ("anthropic", "key", 401, error("invalid x-api-key", "authentication_error"), {}, "auth", "credential", None, None),
    ("anthropic", "permission", 403, error("no", "permission_error"), {}, "forbidden", "deployment", None, None),
    ("anthropic", "model", 404, error("model: x", "not_found_error"), {}, "not_found", "model", None, None),
    ("anthropic", "context", 400, error("prompt is too long: 300000 tokens > 200000 maximum"), {},
     "context_too_long", "model", None, None),
    ("anthropic", "size", 413, error("no", "request_too_large"), {}, "too_large", "deployment", None, None),
    ("anthropic", "overloaded", 529, error("Overloaded", "overloaded_error"), {}, "overloaded", "model", None, None),
    ("anthropic", "overloaded, no body", 529, "", {}, "overloaded", "model", None, None),
    ("anthropic", "overloaded inside a 200", 200, error("Overloaded", "overloaded_error"), {},
     "overloaded", "model", None, None),
    ("anthropic", "field", 400, error("This model does not support effort level 'xhigh'."), {},
     "bad_field", "model", None, None),
    ("anthropic", "output", 400,
     error("max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens"), {},
     "output_too_long", "model", None, None),
    # --
    ("codex", "plan", 429, error("no", "usage_limit_reached"), {}, "quota_exhausted", "account", "stated", None),
    ("codex", "key", 401, error("token expired"), {}, "auth", "credential", None, None),
    ("codex", "model", 400, error("The x model is not supported when using Codex with a ChatGPT account"), {},
     "not_on_plan", "deployment", None, None),
    # --
    ("local", "model", 404, "{\"error\":\"model 'x' not found, try pulling it first\"}", {},
     "not_found", "model", None, None),
    ("local", "busy", 503, '{"error":"server busy"}', {}, "overloaded", "provider", "5s", None),
    ("local", "no tools", 400, error("x does not support tools"), {}, "unsupported", "model", None, None),
    ("local", "no images", 500, error("image input is not supported - hint"), {}, "unsupported", "model", None, None),
    ("local", "llama.cpp", 400, error("the request exceeds the available context size"), {},
     "context_too_long", "model", None, None),
    ("local", "LM Studio", 400, error("tokens to keep is greater than the context length"), {},
     "context_too_long", "model", None, None),
    ("local", "Ollama", 400, error("prompt too long; exceeded max context length by 9 tokens"), {},
     "context_too_long", "model", None, None),
    ("local", "vLLM", 400, error("This model's maximum context length is 8192 tokens."), {},
     "context_too_long", "model", None, None),
    ("local", "embedding batch", 500, error("input (4002 tokens) is too large to process."), {},
     "too_large", "deployment", None, None),
    # --
    ("cloudflare", "day", 429, cloudflare(4006), {}, "quota_exhausted", "account", "reset", None),
    ("cloudflare", "day, documented", 429, cloudflare(3036), {}, "quota_exhausted", "account", "reset", None),
    ("cloudflare", "capacity", 429, cloudflare(3040), {}, "overloaded", "model", None, None),
    ("cloudflare", "model", 400, cloudflare(5007), {}, "not_found", "model", None, None),
    ("cloudflare", "model id", 404, cloudflare(3042), {}, "not_found", "model", None, None),
    ("cloudflare", "not allowed", 403, cloudflare(5018), {}, "not_on_plan", "deployment", None, None),
    ("cloudflare", "terms", 403, cloudflare(5016), {}, "not_on_plan", "deployment", None, None),
    ("cloudflare", "blocked", 403, cloudflare(3023), {}, "forbidden", "account", None, None),
    ("cloudflare", "size", 413, cloudflare(3006), {}, "too_large", "deployment", None, None),
    ("cloudflare", "timeout", 408, cloudflare(3007), {}, "overloaded", "model", None, None),
    ("cloudflare", "key", 403, cloudflare(10000), {}, "auth", "credential", None, None),
    # --
    ("ollama_cloud", "plan", 403, error("this model requires a subscription"), {},
     "not_on_plan", "deployment", "7d", None),
    ("ollama_cloud", "gone", 410, error("retired"), {}, "retired", "model", None, None),
    ("ollama_cloud", "two at a time", 429, error("too many concurrent requests"), {},
     "rate_limited", "account", "5s", "concurrency"),
    ("ollama_cloud", "spent", 429, error("you have reached your weekly usage limit"), {},
     "quota_exhausted", "account", "stated", None),
    ("ollama_cloud", "context", 400, error("prompt too long; exceeded max context length by 9 tokens"), {},
     "context_too_long", "model", None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    "provider, row, status, body, headers, kind, scope, until, limit", CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_the_first_rule_that_fits_says_what_the_refusal_means(
    provider: str, row: str, status: int, body: str, headers: dict[str, str],
    kind: str, scope: str, until: str | None, limit: str | None,
):  # fmt: skip
    rule = first(provider, status, body, headers)
    assert (rule.kind, rule.scope, rule.until, rule.limit) == (kind, scope, until, limit), row


@pytest.mark.parametrize("provider", builtin_names())
def test_every_rule_decides_some_case(provider: str):
    decided = [first(case[0], case[2], case[3], case[4]) for case in CASES if case[0] == provider]
    assert [rule for rule in catalogue()[provider].errors if rule not in decided] == []


def test_a_caller_s_own_mistake_fits_no_rule_of_any_provider():
    body = error("Invalid 'messages': empty array.", code="empty_array")
    for provider in builtin_names():
        with pytest.raises(AssertionError, match="no rule"):
            first(provider, 400, body, {})
