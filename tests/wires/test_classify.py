"""What refusals other than rate limits mean, read without any row of the provider; body shapes; what is kept out."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.refusal import NOW, event_meaning, facts, meaning, target
from hermes_router.catalogue.schema import ErrorRule
from hermes_router.core.faults import Kind, Scope
from hermes_router.wires.classify import classify, classify_event_error

Case = tuple[str, int, object, dict[str, Any]]


def _err(message: str, **more: object) -> object:
    return {"error": {"message": message, "type": "invalid_request_error"} | more}


def _anthropic(kind: str, message: str) -> object:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _google(code: int, status: str, message: str, **more: object) -> object:
    return [{"error": {"code": code, "status": status, "message": message} | more}]


def _tells(kind: Kind, scope: Scope, **more: object) -> dict[str, Any]:
    return {"kind": kind, "scope": scope} | more


AUTH = _tells(Kind.AUTH, Scope.CREDENTIAL)
KEYS: list[Case] = [
    ("plain 401", 401, _err("Unauthorized"), AUTH),
    ("401 without a body", 401, b"", AUTH),
    ("openai style", 401, _err("Incorrect API key provided: k-t***1.", code="invalid_api_key"), AUTH),
    ("gemini says 400", 400, _google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), AUTH),
    ("gemini reason", 400, _google(400, "INVALID_ARGUMENT", "Bad", details=[{"reason": "API_KEY_INVALID"}]), AUTH),
    ("google without a key", 403, _google(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"), AUTH),
    ("anthropic", 401, _anthropic("authentication_error", "invalid x-api-key"), AUTH),
    ("openrouter", 401, _err("User not found.", code=401), AUTH),
    ("nvidia 403", 403, {"status": 403, "title": "Forbidden", "detail": "Authentication failed"}, AUTH),
    ("xai 400", 400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, AUTH),
    ("cloudflare", 400, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}, AUTH),
    (
        "401 about a model that is unknown",
        401,
        _anthropic("ModelError", "Model big-pickle is not supported"),
        _tells(Kind.NOT_FOUND, Scope.MODEL),
    ),
    (
        "401 about a model that costs",
        401,
        {"error": {"code": "PAID_MODEL_AUTH_REQUIRED", "message": "You need to sign in to use this model."}},
        _tells(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT),
    ),
    (
        "401 about a promotion",
        401,
        _anthropic("ModelError", "Free promotion has ended for x. Please subscribe."),
        _tells(Kind.RETIRED, Scope.MODEL),
    ),
    ("plain 403", 403, _err("Forbidden"), _tells(Kind.FORBIDDEN, Scope.DEPLOYMENT)),
    (
        "403 about a model",
        403,
        _err("You are not allowed to sample from this model"),
        _tells(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT),
    ),
    (
        "403 subscription",
        403,
        {"error": "this model requires a subscription, upgrade for access"},
        _tells(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT),
    ),
    ("403 tier", 403, {"message": "no", "code": "tier_not_allowed"}, _tells(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT)),
    (
        "422 tier",
        422,
        _err("Couldn't find valid service tier"),
        _tells(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT),
    ),
    (
        "opencode gate",
        403,
        _anthropic("FreeTierError", "The free tier can only be used from within OpenCode"),
        _tells(Kind.CLIENT_NOT_WELCOME, Scope.PROVIDER),
    ),
    (
        "kimi gate",
        403,
        _err("Kimi For Coding is currently only available for Coding Agents", type="access_terminated_error"),
        _tells(Kind.CLIENT_NOT_WELCOME, Scope.PROVIDER),
    ),
    (
        "location",
        400,
        _google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        _tells(Kind.FORBIDDEN, Scope.PROVIDER),
    ),
    ("402", 402, _err("Insufficient credits", code=402), _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT)),
    ("402 without a body", 402, b"", _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT)),
    (
        "anthropic 400",
        400,
        _anthropic("invalid_request_error", "Your credit balance is too low to access the API."),
        _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT),
    ),
    ("kimi 403", 403, _err("insufficient balance"), _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT)),
    (
        "kimi billing cycle",
        403,
        _err("You've reached your usage limit for this billing cycle"),
        _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT),
    ),
]

GONE = _tells(Kind.RETIRED, Scope.MODEL)
UNKNOWN = _tells(Kind.NOT_FOUND, Scope.MODEL)
ELSEWHERE = _tells(Kind.SERVER_ERROR, Scope.PROVIDER)
MODELS: list[Case] = [
    ("openai 404", 404, _err("The model `m1` does not exist", code="model_not_found"), UNKNOWN),
    ("openai responses 400", 400, _err("The requested model 'm1' does not exist.", code="model_not_found"), UNKNOWN),
    ("gemini", 404, _google(404, "NOT_FOUND", "models/m1 is not found for API version v1beta"), UNKNOWN),
    ("anthropic", 404, _anthropic("not_found_error", "model: m1"), UNKNOWN),
    ("cohere", 404, {"id": "1", "message": "model 'm1' not found, make sure the correct model ID was used"}, UNKNOWN),
    (
        "nvidia ghost",
        404,
        {"status": 404, "title": "Not Found", "detail": "Function '1': Not found for account 'a'"},
        UNKNOWN,
    ),
    (
        "mistral",
        400,
        {"object": "error", "message": "Invalid model: m1", "type": "invalid_model", "code": "1500"},
        UNKNOWN,
    ),
    ("openrouter", 404, _err("No endpoints found for m1:free.", code=404), UNKNOWN),
    ("ollama", 404, {"error": "model 'm1:latest' not found"}, UNKNOWN),
    ("deepseek", 400, _err("The supported API model names are a or b, but you passed m1."), UNKNOWN),
    ("voyage", 400, {"detail": "Model m1 is not supported. Supported models are ['a']."}, UNKNOWN),
    (
        "cloudflare",
        400,
        {"success": False, "errors": [{"code": 5007, "message": "No such model @cf/m1 or task"}]},
        UNKNOWN,
    ),
    ("groq decommissioned", 400, _err("The model `m1` has been decommissioned", code="model_decommissioned"), GONE),
    ("decommissioned as 404", 404, _err("The model `m1` has been decommissioned", code="model_decommissioned"), GONE),
    (
        "xai",
        404,
        {"code": "not found", "error": "The model m1 was deprecated on 2025-09-15 and is no longer accessible"},
        GONE,
    ),
    ("nvidia end of life", 410, {"status": 410, "title": "Gone", "detail": "m1 reached its end of life"}, GONE),
    ("410", 410, b"", GONE),
    ("html 404", 404, b"<!DOCTYPE html><html><head><title>Nothing here</title></head></html>", ELSEWHERE),
    ("fastapi route", 404, {"detail": "Not Found"}, ELSEWHERE),
    ("empty 404", 404, b"", ELSEWHERE),
    ("go's mux", 404, b"404 page not found\n", ELSEWHERE),
    ("azure route", 404, {"error": {"code": "404", "message": "Resource not found"}}, ELSEWHERE),
    ("openai route", 404, _err("Invalid URL (POST /v1/v1/chat/completions)"), ELSEWHERE),
    ("wrong method", 405, {"detail": "Method Not Allowed"}, ELSEWHERE),
    ("redirect", 301, b"", ELSEWHERE),
    ("a wall's 403", 403, b"<html><title>Attention Required!</title></html>", ELSEWHERE),
]


def _long(value: int | None) -> dict[str, Any]:
    return _tells(Kind.CONTEXT_TOO_LONG, Scope.MODEL, value=value)


def _output(value: int | None) -> dict[str, Any]:
    return _tells(Kind.OUTPUT_TOO_LONG, Scope.MODEL, value=value)


SIZES: list[Case] = [
    (
        "anthropic",
        400,
        _anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        _long(200000),
    ),
    (
        "openai",
        400,
        _err(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            code="context_length_exceeded",
        ),
        _long(8192),
    ),
    ("openai code alone", 400, _err("too much", code="context_length_exceeded"), _long(None)),
    (
        "gemini",
        400,
        _google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        _long(8),
    ),
    (
        "gemini without its count",
        400,
        _google(
            400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed (1048576)."
        ),
        _long(1048576),
    ),
    (
        "openrouter",
        400,
        _err(
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens "
            "(190000 of text input, 10000 in the output).",
            code=400,
        ),
        _long(131072),
    ),
    (
        "mistral",
        400,
        {
            "object": "error",
            "type": "invalid_request_invalid_args",
            "code": "3051",
            "message": "Prompt contains 40000 tokens and 0 draft tokens, "
            "too large for model with 32768 maximum context length",
        },
        _long(32768),
    ),
    ("kimi", 400, _err("Your request exceeded model token limit: 262144 (requested: 300000)"), _long(262144)),
    (
        "groq",
        413,
        _err("Please reduce the length of the messages or completion", code="context_length_exceeded"),
        _long(None),
    ),
    (
        "cerebras",
        400,
        {
            "message": "Please reduce the length of the messages or completion. "
            "Current length is 9000 while limit is 8192",
            "code": "context_length_exceeded",
        },
        _long(8192),
    ),
    (
        "xai",
        400,
        {"error": "This model's maximum prompt length is 131072 but the request contains 200000 tokens."},
        _long(131072),
    ),
    ("zai", 400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, _long(None)),
    (
        "llama.cpp",
        400,
        _err("the request exceeds the available context size (4096 tokens), try increasing it"),
        _long(4096),
    ),
    (
        "lm studio",
        400,
        {"error": "The number of tokens to keep from the initial prompt is greater than the context length"},
        _long(None),
    ),
    ("ollama", 400, _err("prompt too long; exceeded max context length by 1119046 tokens"), _long(None)),
    ("dashscope", 400, _err("Range of input length should be [1, 30720]"), _long(30720)),
    (
        "perplexity",
        400,
        _err("The total length of all messages is too long.", type="too_many_prompt_tokens"),
        _long(None),
    ),
    ("cohere", 400, {"message": "too many tokens: size limit exceeded"}, _long(None)),
    (
        "input and output together",
        400,
        _anthropic(
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease",
        ),
        _long(200000),
    ),
    (
        "openai output",
        400,
        _err(
            "max_tokens is too large: 99999. This model supports at most 16384 completion tokens.", param="max_tokens"
        ),
        _output(16384),
    ),
    (
        "anthropic output",
        400,
        _anthropic(
            "invalid_request_error",
            "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens for m1",
        ),
        _output(64000),
    ),
    ("at most", 400, _err("max_tokens must be less than or equal to 8192"), _output(8192)),
    (
        "groq output",
        400,
        _err(
            "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
            "`context_window` for this model"
        ),
        _output(8192),
    ),
    (
        "deepseek output",
        400,
        _err("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
        _output(8192),
    ),
    (
        "integer above maximum",
        400,
        _err("Invalid 'max_tokens': integer above maximum value. Expected a value <= 4096, but got 99999 instead."),
        _output(4096),
    ),
    (
        "groq, larger than a minute's tokens",
        413,
        _err(
            "Request too large for model `m1` on tokens per minute (TPM): Limit 8000, Requested 10338, please reduce "
            "your message size and try again.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
        _tells(Kind.TOO_LARGE, Scope.DEPLOYMENT, value=8000, limit="tpm"),
    ),
    (
        "github",
        413,
        {
            "error": {
                "code": "tokens_limit_reached",
                "message": "Request body too large for m1 model. Max size: 4000 tokens.",
            }
        },
        _tells(Kind.TOO_LARGE, Scope.DEPLOYMENT, value=4000),
    ),
    (
        "kimi, in bytes",
        400,
        _err("total message size 3000000 exceeds limit 2097152"),
        _tells(Kind.TOO_LARGE, Scope.DEPLOYMENT, value=None),
    ),
    ("413 without a body", 413, b"", _tells(Kind.TOO_LARGE, Scope.DEPLOYMENT, value=None)),
    ("nginx 413", 413, b"<html><h1>413 Request Entity Too Large</h1></html>", _tells(Kind.TOO_LARGE, Scope.DEPLOYMENT)),
]


def _field(name: str) -> dict[str, Any]:
    return _tells(Kind.BAD_FIELD, Scope.MODEL, field=name)


def _lacks(name: str | None, scope: Scope = Scope.MODEL) -> dict[str, Any]:
    return _tells(Kind.UNSUPPORTED, scope, field=name)


EXTRA = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
ABOVE = {"type": "less_than_equal", "loc": ["body", "temperature"], "msg": "Input should be less than or equal to 1.5"}
OUT_OF_RANGE: list[tuple[str, int, Any, str]] = [
    ("openai", 400, _err("Invalid 'temperature': decimal above maximum value.", param="temperature"), "temperature"),
    ("openai, by its code", 400, _err("Invalid 'top_p'.", param="top_p", code="decimal_below_min_value"), "top_p"),
    ("groq", 400, _err("'temperature' : number must be at most 2"), "temperature"),
    ("mistral", 422, {"object": "error", "message": {"detail": [ABOVE]}, "code": None}, "temperature"),
    ("pydantic", 422, {"detail": [ABOVE | {"loc": ["body", "top_p"]}]}, "top_p"),
    ("vllm", 400, _err("top_p must be in (0, 1], got 99."), "top_p"),
    ("anthropic", 400, _anthropic("invalid_request_error", "temperature: range: 0..1"), "temperature"),
    (
        "gemini",
        400,
        _google(400, "INVALID_ARGUMENT", "it has a temperature value of 99 but the supported range is from 0 to 2."),
        "temperature",
    ),
]
REQUESTS: list[Case] = [
    ("groq property", 400, _err("property 'logit_bias' is unsupported"), _field("logit_bias")),
    ("openai old", 400, _err("Unrecognized request argument supplied: top_k"), _field("top_k")),
    (
        "openai new",
        400,
        _err("Unsupported parameter: 'temperature' is not supported with this model.", param="temperature"),
        _field("temperature"),
    ),
    (
        "openai unknown",
        400,
        _err("Unknown parameter: 'min_p'.", param="min_p", code="unknown_parameter"),
        _field("min_p"),
    ),
    (
        "openai value",
        400,
        _err("Unsupported value: 'temperature' does not support 0.2 with this model. Only 1.", param="temperature"),
        _field("temperature"),
    ),
    *(
        (f"{name}, out of range", status, body, _tells(Kind.BAD_REQUEST, Scope.REQUEST, field=field))
        for name, status, body, field in OUT_OF_RANGE
    ),
    (
        "mistral 422",
        422,
        {
            "object": "error",
            "message": {"detail": [EXTRA | {"loc": ["body", "stream_options", "include_usage"]}]},
            "code": None,
        },
        _field("stream_options"),
    ),
    ("pydantic list", 422, {"detail": [EXTRA | {"loc": ["body", "seed"]}]}, _field("seed")),
    (
        "anthropic extra",
        400,
        _anthropic("invalid_request_error", "service_tier: Extra inputs are not permitted"),
        _field("service_tier"),
    ),
    (
        "gemini unknown name",
        400,
        _google(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "logprobs": Cannot find field.'),
        _field("logprobs"),
    ),
    (
        "mistral logprobs",
        400,
        {"code": "3051", "message": "Logprobs are not enabled for this model"},
        _field("logprobs"),
    ),
    (
        "xai camel case",
        400,
        {"error": "Model m1 does not support parameter reasoningEffort."},
        _field("reasoning_effort"),
    ),
    (
        "anthropic effort",
        400,
        _anthropic(
            "invalid_request_error", "This model does not support effort level 'xhigh'. Supported levels: high."
        ),
        _field("reasoning_effort"),
    ),
    (
        "anthropic strict",
        400,
        _anthropic(
            "invalid_request_error", "Too many strict tools (21). The maximum number of strict tools supported is 20."
        ),
        _field("strict"),
    ),
    ("serde", 400, _err("unknown field `metadata`, expected one of `a`, `b`"), _field("metadata")),
    (
        "openrouter passes on",
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error": {"message": "Unsupported parameter: \'top_p\' is not supported."}}'},
            }
        },
        _field("top_p"),
    ),
    (
        "schema keyword deep inside a tool",
        400,
        _google(
            400,
            "INVALID_ARGUMENT",
            "Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find",
        ),
        _lacks("tools", Scope.REQUEST),
    ),
    (
        "message name",
        422,
        {"detail": [EXTRA | {"loc": ["body", "messages", 0, "name"]}]},
        _lacks("messages", Scope.REQUEST),
    ),
    ("a capability is no mere field", 400, _err("property 'tools' is unsupported"), _lacks("tools")),
    (
        "response_format is no mere field",
        400,
        _err("property 'response_format' is unsupported"),
        _lacks("response_format"),
    ),
    ("ollama tools", 400, {"error": "m1 does not support tools"}, _lacks("tools")),
    ("groq tools", 400, _err("`tool calling` is not supported with this model"), _lacks("tools")),
    ("openrouter tools", 404, _err("No endpoints found that support tool use.", code=404), _lacks("tools")),
    ("openai tools", 404, _err("tools is not supported in this model."), _lacks("tools")),
    ("llama.cpp tools", 500, _err("tools param requires --jinja flag", type="server_error"), _lacks("tools")),
    (
        "openrouter tool_choice",
        404,
        _err("No endpoints found that support the provided 'tool_choice' value."),
        _lacks("tool_choice"),
    ),
    (
        "nvidia parallel",
        400,
        _err("This model only supports single tool-calls at once!"),
        _lacks("parallel_tool_calls"),
    ),
    ("llama.cpp image", 500, _err("image input is not supported - hint: mmproj", type="server_error"), _lacks("image")),
    ("deepseek image", 400, _err("messages[0]: unknown variant `image_url`, expected `text`"), _lacks("image")),
    ("openrouter image", 404, _err("No endpoints found that support image input", code=404), _lacks("image")),
    ("deepseek audio", 400, _err("messages[0]: unknown variant `input_audio`, expected `text`"), _lacks("audio")),
    ("json schema", 400, _err("This model does not support response format `json_schema`."), _lacks("response_format")),
    ("deepseek json", 400, _err("This response_format type is unavailable now"), _lacks("response_format")),
    (
        "gemma system",
        400,
        _google(400, "INVALID_ARGUMENT", "Developer instruction is not enabled for models/m1"),
        _lacks("system"),
    ),
    ("streaming", 400, _err("Streaming is not supported for this model"), _lacks("stream")),
    (
        "mistral last turn",
        400,
        {
            "message": "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
            "code": "3230",
        },
        _lacks("prefill"),
    ),
    (
        "gemini signature",
        400,
        _google(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."),
        _lacks("messages", Scope.REQUEST),
    ),
    ("too many images", 400, _err("Model 'm1' supports at most 1 image per prompt."), _lacks(None, Scope.REQUEST)),
    (
        "groq tool use",
        400,
        _err("Tool call validation failed", code="tool_use_failed", failed_generation="{}"),
        _tells(Kind.MALFORMED, Scope.MODEL),
    ),
    (
        "content policy",
        400,
        _err("Your request was rejected by our safety system", code="content_policy_violation"),
        _tells(Kind.FILTERED, Scope.REQUEST),
    ),
    (
        "kimi risk",
        400,
        _err("The request was rejected because it was considered high risk"),
        _tells(Kind.FILTERED, Scope.REQUEST),
    ),
    (
        "flagged behind openrouter",
        403,
        {
            "error": {
                "code": 403,
                "message": "Provider returned error",
                "metadata": {"raw": '{"code":"permission","error":"Content violates usage guidelines."}'},
            }
        },
        _tells(Kind.FILTERED, Scope.REQUEST),
    ),
    ("a plain bad request", 400, _err("Invalid 'messages': empty array."), _tells(Kind.BAD_REQUEST, Scope.REQUEST)),
    (
        "a bad schema",
        422,
        {"detail": [{"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}]},
        _tells(Kind.BAD_REQUEST, Scope.REQUEST),
    ),
    ("400 without a body", 400, b"", _tells(Kind.BAD_REQUEST, Scope.REQUEST)),
]

BUSY = _tells(Kind.OVERLOADED, Scope.MODEL)
ILL: list[Case] = [
    ("500", 500, _err("Internal server error", type="server_error"), _tells(Kind.SERVER_ERROR, Scope.MODEL)),
    ("502 page", 502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", _tells(Kind.SERVER_ERROR, Scope.PROVIDER)),
    ("502 plain", 502, b"bad gateway", _tells(Kind.SERVER_ERROR, Scope.PROVIDER)),
    ("503", 503, _err("The model is overloaded. Please try again later."), BUSY),
    ("503 page", 503, b"<html><title>503</title></html>", _tells(Kind.OVERLOADED, Scope.PROVIDER)),
    ("504", 504, _err("timeout"), _tells(Kind.SERVER_ERROR, Scope.MODEL)),
    ("408", 408, _err("request took too long"), _tells(Kind.SERVER_ERROR, Scope.MODEL)),
    ("498", 498, _err("capacity_exceeded"), BUSY),
    ("529", 529, _anthropic("overloaded_error", "Overloaded"), _tells(Kind.OVERLOADED, Scope.PROVIDER)),
    (
        "nvidia degraded",
        400,
        {"status": 400, "title": "Bad Request", "detail": "DEGRADED function cannot be invoked"},
        BUSY,
    ),
    ("nvidia queue", 503, {"error": "ResourceExhausted: Worker local total request limit reached (16/16)"}, BUSY),
    ("opencode", 400, _err("endpoint is unavailable"), BUSY),
    ("not utf-8", 500, b"\xff\xfe\x00\x9f", _tells(Kind.SERVER_ERROR, Scope.PROVIDER)),
    ("cut json", 500, b'{"error": {"mess', _tells(Kind.SERVER_ERROR, Scope.PROVIDER)),
]

ALL = [*KEYS, *MODELS, *SIZES, *REQUESTS, *ILL]


@pytest.mark.parametrize("status,body,expected", [c[1:] for c in ALL], ids=[f"{c[1]}: {c[0]}" for c in ALL])
def test_refusal_has_its_meaning(status: int, body: object, expected: dict[str, Any]):
    assert facts(meaning(status, body), expected) == expected


EVENTS: list[tuple[str, object, dict[str, Any]]] = [
    ("nvidia", {"error": {"message": "ResourceExhausted: Worker local total request limit reached"}}, BUSY),
    ("stream error", {"error": {"message": "upstream overloaded", "code": 502}}, BUSY | {"status": 502}),
    ("status inside", {"error": {"message": "boom", "code": 502}}, _tells(Kind.SERVER_ERROR, Scope.MODEL, status=502)),
    ("anthropic", {"type": "overloaded_error", "message": "Overloaded"}, _tells(Kind.OVERLOADED, Scope.PROVIDER)),
    ("anthropic api_error", {"type": "api_error", "message": "Internal"}, _tells(Kind.SERVER_ERROR, Scope.MODEL)),
    ("auth word", {"error": {"type": "authentication_error", "message": "no"}}, AUTH),
    ("too long", _err("This endpoint's maximum context length is 100 tokens."), _long(100)),
    ("text", "<!doctype html>upstream connect error", _tells(Kind.SERVER_ERROR, Scope.PROVIDER)),
    ("google list", _google(503, "UNAVAILABLE", "high demand"), BUSY),
    (
        "openrouter in a choice",
        {"choices": [{"error": {"code": 502, "message": "Error processing stream"}, "message": {"content": "Hi"}}]},
        _tells(Kind.SERVER_ERROR, Scope.MODEL, status=502, message="Error processing stream"),
    ),
    (
        "openai responses",
        {"type": "response.failed", "response": {"error": {"code": "insufficient_quota", "message": "Out of quota"}}},
        _tells(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT, message="Out of quota"),
    ),
    (
        "the output limit, said as a refusal",
        {"error": {"code": 400, "message": "Token limit reached"}},
        _tells(Kind.MALFORMED, Scope.MODEL, status=400),
    ),
    ("nothing", {}, _tells(Kind.SERVER_ERROR, Scope.MODEL, status=None)),
    ("naga", {"error": {"type": "server_error", "message": "x"}}, _tells(Kind.SERVER_ERROR, Scope.MODEL)),
    ("a number", 7, _tells(Kind.SERVER_ERROR, Scope.MODEL)),
]


@pytest.mark.parametrize("payload,expected", [c[1:] for c in EVENTS], ids=[c[0] for c in EVENTS])
def test_error_inside_a_200_has_the_same_meaning(payload: object, expected: dict[str, Any]):
    assert facts(event_meaning(payload), expected) == expected


# -- the provider's own rows


def test_own_row_decides_before_the_common_ones():
    rows = (ErrorRule(kind="not_found", scope="model", status=(429,), match="gone fishing"),)
    fault = meaning(429, _err("Gone Fishing"), errors=rows)
    assert (fault.kind, fault.scope, fault.retry_after) == (Kind.NOT_FOUND, Scope.MODEL, None)


def test_first_own_row_that_fits_decides():
    rows = (
        ErrorRule(kind="auth", status=(403,)),
        ErrorRule(kind="overloaded", header={"x-left": r"0+"}),
        ErrorRule(kind="filtered", match="x"),
    )
    assert meaning(429, _err("x"), {"x-left": "0"}, errors=rows).kind is Kind.OVERLOADED
    assert meaning(429, _err("x"), {"x-left": "01"}, errors=rows).kind is Kind.FILTERED


def test_own_row_fits_the_status_stated_inside_a_200():
    rows = (ErrorRule(kind="filtered", status=(429,)),)
    assert event_meaning({"error": {"code": 429}}, errors=rows).kind is Kind.FILTERED


def test_own_row_without_scope_takes_the_kind_s():
    assert meaning(418, {}, errors=(ErrorRule(kind="payment_required"),)).scope is Scope.ACCOUNT


UNTIL = [
    ("a time wins over what is stated", ErrorRule(kind="not_on_plan", until="7d"), 7 * 86400.0),
    ("stated", ErrorRule(kind="auth", until="stated"), 31.5),
    ("the day's reset is the ledger's", ErrorRule(kind="quota_exhausted", until="reset"), None),
    ("the first of the next month", ErrorRule(kind="payment_required", until="month"), 9 * 86400 + 35200.0),
    ("the next midnight", ErrorRule(kind="payment_required", until="reset"), 35200.0),
]


@pytest.mark.parametrize("rule,seconds", [c[1:] for c in UNTIL], ids=[c[0] for c in UNTIL])
def test_own_row_says_until_when(rule: ErrorRule, seconds: float | None):
    assert meaning(429, _err("Please retry in 31.5s."), errors=(rule,), reset="UTC").retry_after == seconds


def test_until_reset_names_the_day_and_until_month_the_month():
    day = meaning(429, _err("no"), errors=(ErrorRule(kind="quota_exhausted", until="reset"),))
    month = meaning(429, _err("no"), errors=(ErrorRule(kind="quota_exhausted", until="month"),))
    assert (day.limit, month.limit) == ("rpd", "month")


def test_own_row_keeps_the_sizes_and_fields_of_the_text():
    long = (ErrorRule(kind="context_too_long"),)
    bad = (ErrorRule(kind="bad_field"),)
    assert meaning(400, _err("maximum context length is 4096 tokens"), errors=long).value == 4096
    assert meaning(400, _err("property 'seed' is unsupported"), errors=bad).field == "seed"


def test_own_row_of_a_rate_limit_does_not_hide_a_request_that_never_fits():
    rows = (ErrorRule(kind="rate_limited", status=(429,)),)
    fault = meaning(429, _err("on tokens per minute (TPM): Limit 7000, Used 0, Requested 9000."), errors=rows)
    assert (fault.kind, fault.value) == (Kind.TOO_LARGE, 7000)


def test_own_row_of_a_rate_limit_does_not_hide_a_limit_of_nothing():
    rows = (ErrorRule(kind="rate_limited", status=(429,)),)
    assert meaning(429, _err("Quota exceeded, limit: 0, model: m1"), errors=rows).kind is Kind.NOT_ON_PLAN


def test_own_row_of_a_refused_field_does_not_hide_a_missing_capability():
    rows = (ErrorRule(kind="bad_field", status=(400,)),)
    fault = meaning(400, _err("property 'tools' is unsupported"), errors=rows)
    assert (fault.kind, fault.field) == (Kind.UNSUPPORTED, "tools")


def test_own_row_of_a_status_alone_does_not_turn_a_day_into_a_minute():
    alone = (ErrorRule(kind="rate_limited", scope="account", status=(429,), limit="rpm", until="60s"),)
    named = (ErrorRule(kind="rate_limited", status=(429,), match="slow", limit="rpm", until="60s"),)
    day = meaning(429, _err("slow down: 50 requests per day"), errors=alone)
    assert (day.kind, day.scope, day.limit, day.retry_after) == (Kind.QUOTA_EXHAUSTED, Scope.ACCOUNT, "rpd", None)
    assert meaning(429, _err("slow down: tokens per minute"), errors=alone).limit == "tpm"
    assert meaning(429, _err("slow down: 50 requests per day"), errors=named).limit == "rpm"


def test_own_row_without_scope_hears_that_the_whole_account_is_out():
    rows = (ErrorRule(kind="rate_limited", status=(429,)),)
    assert meaning(429, _err("free-models-per-min"), errors=rows).scope is Scope.ACCOUNT
    assert meaning(429, _err("slow down"), errors=rows).scope is Scope.DEPLOYMENT


# -- the words that are passed on


def test_message_is_the_provider_s_own_words_on_one_line():
    assert meaning(400, _err("Bad\n  thing\thappened.\x00")).message == "Bad thing happened."


def test_message_is_cut():
    message = meaning(400, _err("word " * 200)).message
    assert len(message) == 300
    assert message.endswith("…")


def test_vague_outer_message_is_followed_by_the_inner_one():
    body = {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": '{"error":"no luck"}'}}}
    assert meaning(400, body).message == "Provider returned error: no luck"


def test_wrong_address_is_said():
    assert "base_url" in meaning(404, {"detail": "Not Found"}).message


SECRETS = [
    "sk-test-abcdef0123456789",
    "sk-ant-api03-abc_DEF-123456",
    "gsk_0123456789abcdef",
    "AIzaSyTest0123456789abcdef",
    "hf_abcdefghijklmnop",
    "nvapi-abc-def-ghi-jkl",
    "0123456789abcdef0123456789abcdef",
    "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_1",
    "k-test-1",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_key_is_not_passed_on(secret: str):
    assert secret not in meaning(401, _err(f"The key {secret} is wrong")).message


def test_short_own_secret_is_removed_as_a_word_only():
    message = classify(target(secret="k1"), 401, {}, b"key k1 of rack1 is bad", NOW).message
    assert message == "key [removed] of rack1 is bad"


def test_named_key_and_bearer_are_removed():
    message = meaning(401, _err("Incorrect API key provided: DEADBEEF. Bearer abc")).message
    assert "DEADBEEF" not in message
    assert "abc" not in message


@pytest.mark.parametrize(
    "name", ["nvidia/nemotron-3-ultra-550b-a55b:free", "deepseek-ai/deepseek-v4-pro-0813", "projects/a1/models/m1"]
)
def test_model_names_are_not_taken_for_keys(name: str):
    assert name in meaning(404, _err(f"The model {name} does not exist")).message


HOSTILE: list[object] = [
    b"[" * 100_000,
    b'{"error":' * 5_000,
    b"\x00" * 1000,
    {"error": [[["deep", {"error": {"message": None, "code": []}}]]]},
    {"error": {"message": "limit " * 5000, "code": {"a": 1}, "status": True}},
    [None, 1, "x", [], {}],
    {"detail": [{"loc": "body", "msg": 3}]},
    {"error": {"details": [{"quotaId": "PerDay", "quotaValue": "x" * 5000}], "retryDelay": 5}},
    b"a" * 300_000,
    {"error": {"message": "tokens " * 2000 + "requested: 99999999999999999999"}},
]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 413, 429, 500, 599])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_body_breaks_the_classifier(body: object, status: int):
    assert meaning(status, body).kind in Kind
    assert len(meaning(status, body).message) <= 300


def test_event_of_any_type_is_a_fault():
    for payload in (None, True, 1.5, "text", ["a"], {"error": None}):
        assert classify_event_error(target(), payload, NOW).kind in Kind
