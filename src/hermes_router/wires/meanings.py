"""The tables that give words a meaning, common to all providers. How they are applied: ``classify.py``.

A row fits where its statuses do and its pattern is found (case ignored) in the messages of the body or in one of its
codes, which stand in brackets: ``\\[insufficient_quota\\]``. The first row that fits decides, so a row stands before
those it is an exception to. Sources: error bodies in public recordings and issue threads and the providers' error
pages, 2025-2026; provider names in comments say where wording was seen.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..core.faults import Kind, Scope


class Row(NamedTuple):
    """``statuses`` empty: any. An error inside a 200 that states no status fits every row."""

    kind: Kind
    scope: Scope
    statuses: frozenset[int]
    pattern: re.Pattern[str]
    limit: str | None = None
    field: str | None = None


def _row(
    kind: Kind, scope: Scope, statuses: str, *patterns: str, limit: str | None = None, field: str | None = None
) -> Row:
    numbers = frozenset(int(status) for status in statuses.split())
    return Row(kind, scope, numbers, re.compile("|".join(patterns), re.IGNORECASE), limit, field)


_CALLER = "400 413 422 500"
_MODEL = "400 401 403 404 410 422"
_NOT = r"(?:does not|doesn't|do not|don't|cannot|not|n't) (?:currently )?support (?:the )?(?:use of )?"
_IS_NOT = r"[`'\"]? (?:is|are) (?:not (?:supported|enabled|available|allowed)|unsupported|unavailable)"
_NAME = r"[`'\"]?[\w./:@-]+[`'\"]?"

ROWS: tuple[Row, ...] = (
    # -- the content
    _row(
        Kind.FILTERED,
        Scope.REQUEST,
        "400 403 422 451",
        r"content_policy_violation|\[content_filter\]|ResponsibleAIPolicyViolation|content management policy",
        r"violates? (?:our |the )?usage guidelines|\[inappropriate_content\]|input was flagged|flagged (?:for|"
        r"by|as)",
        r"considered high risk|DataInspectionFailed|data_inspection_failed|PROHIBITED_CONTENT|prompt was blocked",
        r"unsafe or sensitive content|\[1301\]|rejected (?:as a result of|by) (?:our|the) safety system",
    ),
    # -- who asks
    _row(
        Kind.CLIENT_NOT_WELCOME,
        Scope.PROVIDER,
        "400 401 403",
        r"only be used (?:from )?within|FreeTierError|access_terminated|only available for coding agents",
        r"only authorized for use with|(?:client|user[- ]agent|harness) (?:is )?not (?:allowed|supported|"
        r"permitted)",
        r"third[- ]party (?:client|app|harness)\w* (?:is|are) not|error code: ?1010|you have been blocked",
    ),
    _row(
        Kind.FORBIDDEN,
        Scope.PROVIDER,
        "400 403 451",
        r"user location is not supported|unsupported_country|(?:country|region),? .{0,40}not supported",
    ),
    # -- the model failed
    _row(
        Kind.MALFORMED,
        Scope.MODEL,
        "400 422 500",
        r"tool_use_failed|output_parse_failed|json_validate_failed|failed to call a function|model hallucination",
        # MiniMax through OpenRouter, as a last chunk after thinking alone; the request itself was fine.
        r"^token limit reached(?:$|\.|\s*\[)",
    ),
    # -- too big
    _row(
        Kind.TOO_LARGE,
        Scope.DEPLOYMENT,
        "400 413 429",
        r"request too large for .{0,200}?tokens per|tokens_limit_reached|request body too large|request_too_large",
        r"total message size \d+ exceeds|too many inputs in request|request is too large",
    ),
    _row(
        Kind.CONTEXT_TOO_LONG,
        Scope.MODEL,
        "400 413 422 429 500",
        r"\[(?:context_length_exceeded|model_context_window_exceeded|too_many_prompt_tokens)\]",
        r"(?<!less than the )maximum context length|input length and `?max_tokens`? exceed context",
    ),
    _row(
        Kind.OUTPUT_TOO_LONG,
        Scope.MODEL,
        "400 413 422",
        r"max(?:imum)?_?(?:completion|output|new)?_?tokens[`'\"]? (?:is |are )?(?:too (?:large|high)|"
        r"must be (?:less|at most))",
        r"max_(?:completion_|output_)?tokens[`'\"]?:? .{0,60}maximum allowed number of output tokens",
        r"valid range of max_(?:completion_|output_)?tokens",
        r"invalid '?max_(?:completion_|output_)?tokens'?: integer above maximum|"
        r"supports at most \d+ completion tokens",
        r"max_(?:completion_|output_)?tokens .{0,60}(?:exceeds?|greater than) .{0,60}(?:output|completion|"
        r"maximum|limit)",
        r"max tokens must be less than|max_?output_?tokens .{0,80}(?:but the|supported) (?:supported )?range",
    ),
    _row(
        Kind.CONTEXT_TOO_LONG,
        Scope.MODEL,
        _CALLER,
        r"prompt (?:is )?too long|exceeds the maximum number of tokens allowed|exceeded model token limit|"
        r"too many tokens",
        r"reduce the length of (?:the|your) (?:messages|prompt|input)|too large for model with \d+ maximum context",
        r"maximum prompt length is|prompt exceeds max(?:imum)? length|exceeds? the available context size|\[1261\]",
        r"greater than the context length|exceeded max context length|range of input length should be",
        r"total length of all messages is too long|too large to process\. increase the physical batch size",
        r"exceeds? (?:the |this )?(?:model'?s? )?(?:maximum )?context (?:window|length|limit)|"
        r"context window exceeded",
        r"input is too long|context length of only",
    ),
    # A least output that others do not have (OpenAI's Responses API through OpenRouter: 16).
    _row(
        Kind.UNSUPPORTED,
        Scope.REQUEST,
        "400",
        r"invalid '?max_(?:completion_|output_)?tokens'?: integer below minimum",
        field="max_output_tokens",
    ),
    # -- the key
    _row(Kind.NOT_ON_PLAN, Scope.DEPLOYMENT, "401 403", r"paid_model_auth_required|\bpro model\b"),
    _row(
        Kind.AUTH,
        Scope.CREDENTIAL,
        "400 401 403",
        r"(?:invalid|incorrect|expired|missing|wrong|no)[ _](?:x-)?api[ _-]?key|API_KEY_INVALID|"
        r"invalid authentication",
        r"api[ _-]key (?:is |was |has )?(?:not valid|invalid|expired|missing|revoked|been revoked|"
        r"reported as leaked)",
        r"authentication[ _](?:error|fail\w*)|unauthenticated|no (?:cookie )?auth credentials|unregistered callers",
        r"(?:invalid|expired) (?:api|access|auth|authentication|bearer|subscription) (?:token|key)|"
        r"account_deactivated",
        r"invalid api token|(?<!model )user not found|token (?:is |has )?expired|"
        r"could not parse your authentication",
    ),
    _row(
        Kind.FORBIDDEN,
        Scope.CREDENTIAL,
        "403",
        r"SERVICE_DISABLED|has not been used in project|consumer .{0,60}suspended|CONSUMER_SUSPENDED",
    ),
    # -- money
    _row(Kind.RATE_LIMITED, Scope.ACCOUNT, "402", r"in_flight_budget", limit="concurrency"),
    _row(
        Kind.NOT_ON_PLAN,
        Scope.DEPLOYMENT,
        "400 402 403 429",
        r"no resource package|无可用资源包|\[1113\]|\[1311\]|insufficient balance \(1008\)",
    ),
    _row(Kind.PAYMENT_REQUIRED, Scope.ACCOUNT, "402", r"monthly included credits", limit="month"),
    _row(
        Kind.PAYMENT_REQUIRED,
        Scope.ACCOUNT,
        "400 401 402 403 429",
        r"insufficient[ _](?:balance|credits?|funds|quota)|credit balance is too low|余额不足|recharge|top[- ]up your",
        r"payment[ _](?:required|method)|billing_(?:error|not_active|hard_limit_reached)|prepayment credits",
        r"(?:out of|no (?:more|remaining)|exhausted your) credits|credits? (?:are|is|have been) (?:depleted|"
        r"exhausted)",
        r"exceeded your .{0,30}credits|requires more credits|balance is (?:too low|insufficient|negative)",
        r"usage limit for this billing cycle|verify your membership",
    ),
    # -- the model
    _row(
        Kind.NOT_ON_PLAN,
        Scope.DEPLOYMENT,
        "400 401 403 404 422 429",
        r"tier_not_allowed|not available (?:on|in|for|under|with) your|model_permission_blocked|"
        r"terms .{0,20}not accepted",
        r"requires? (?:a |an )?(?:paid |pro |active |higher )?(?:subscription|plan|tier)\b|valid service tier",
        r"not supported when using codex|not allowed to (?:sample|generate|access|use)|"
        r"no longer available to new users",
        r"does not have access to (?:the |this )?model|plan (?:does not|doesn't) (?:include|support|have|allow)",
        r"only available (?:on|to|for|with) (?:the |a )?(?:paid|pro|premium|higher|subscri)",
        r"not (?:available|included) (?:in|on|for) (?:the )?free|not allowed for this model",
    ),
    _row(
        Kind.RETIRED,
        Scope.MODEL,
        _MODEL,
        r"model_(?:decommissioned|retired|deprecated)|decommissioned|end[- ]of[- ]life|alpha period for this model",
        r"promotion has ended|_retirement|no longer (?:available|accessible|served|offered)",
        r"\bmodel\b.{0,120}(?:has been|was|is) (?:retired|deprecated|removed|sunset|shut ?down|discontinued)",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.REQUEST,
        _CALLER,
        r"at most \d+ images? per|unsupported_file|file type you uploaded is not supported|unsupported MIME type",
        r"either text or image_url type|property '\w+' is not supported|does not support .{0,40}schema keyword",
    ),
    # What a provider wants of the conversation's shape: another one takes it as it is.
    _row(
        Kind.UNSUPPORTED,
        Scope.REQUEST,
        "400 422",
        r"missing an? thought_signature|reasoning_content[`'\"]? .{0,20}missing|tool call id was|"
        r"invalid_request_message_order",
        r"without its required following item|unexpected role .{0,40}after role|roles must alternate",
        field="messages",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        r"expected last role user or tool|prefill\w* (?:is )?not supported|(?:not|"
        r"n't) support (?:assistant )?(?:message )?prefill",
        r"conversation must end with a user message",
        field="prefill",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        r"only supports? single tool[- ]calls?",
        field="parallel_tool_calls",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        r"support the provided 'tool_choice'|tool_choice[`'\"]? .{0,30}not supported|"
        r"" + _NOT + r"[`'\"]?tool_choice",
        field="tool_choice",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?(?:tools?\b|tool[ _-](?:use|call)|function)",
        r"that support tool use|tools? param requires|--enable-auto-tool-choice",
        r"(?:tools?|tool[ _](?:use|calling|calls)|functions?|function[ _]call(?:s|ing)?)" + _IS_NOT,
        field="tools",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?(?:image|vision|multi-?modal)",
        r"(?:images?|vision|image[ _](?:input|url|content)s?)" + _IS_NOT + r"|image input not supported",
        r"unknown variant [`'\"]image_url|that support image input|unsupported content\[\]\.type|"
        r"not a multimodal model",
        field="image",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?(?:input )?audio|audio(?: input| content)?" + _IS_NOT,
        r"unknown variant [`'\"]input_audio|that support (?:input )?audio",
        field="audio",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?(?:pdf|files?\b|file input|documents?)|(?:pdfs?|files?|documents?)(?: inputs?)?" + _IS_NOT,
        r"unknown variant [`'\"](?:file|document)[`'\"]|that support (?:file|pdf) input",
        field="documents",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?(?:json|structured|response[_ ]format|guided)",
        r"response[_ ]format(?: type)?[`'\"]?(?: of type)?(?: [`'\"]?json_\w+[`'\"]?)?" + _IS_NOT,
        r"(?:json[_ ](?:schema|mode|object|output)|structured outputs?)" + _IS_NOT + r"|that support structured",
        field="response_format",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        _NOT + r"[`'\"]?stream(?:ing)?\b|streaming" + _IS_NOT,
        field="stream",
    ),
    _row(
        Kind.UNSUPPORTED,
        Scope.MODEL,
        _CALLER + " 404",
        r"(?:developer|system) (?:instruction|message|prompt|role)s?" + _IS_NOT,
        r"support [`'\"]?(?:system|developer)\b[`'\"]?(?! fingerprint)",
        field="system",
    ),
    _row(Kind.UNSUPPORTED, Scope.MODEL, "400", r"combination of response modalities"),
    _row(Kind.FORBIDDEN, Scope.DEPLOYMENT, "403 404", r"matching your data policy|guardrail"),
    _row(
        Kind.NOT_FOUND,
        Scope.MODEL,
        "400 401 404 422",
        r"\[(?:model_not_found|invalid_model|unknown_model|model_not_supported|model_unavailable|1211)\]",
        r"no endpoints found|not a valid model|not found for api version|supported api model names are|"
        r"no such model",
        r"(?:invalid|unknown) model\b(?! (?:output|response))|not a chat model|not supported by any provider|"
        r"is a chat model and not supported",
        rf"\bmodel:? {_NAME}(?: in .{{1,60}})? (?:was |is )?(?:not found|not supported\b|does not exist|not exist)",
        r"model (?:was |is )?(?:not found|does not exist)|not found the model",
    ),
    # -- the provider is ill
    _row(
        Kind.OVERLOADED,
        Scope.PROVIDER,
        "",
        r"\[overloaded_error\]",
    ),
    _row(
        Kind.OVERLOADED,
        Scope.MODEL,
        "400 408 409 425 429 498 500 502 503 504 529",
        r"overload|high (?:traffic|demand)\b|capacity (?:temporarily )?exceeded|capacity_exceeded|(?:out of|at|"
        r"no) capacity",
        r"\bDEGRADED\b|ResourceExhausted: ?Worker|worker local total|queue_exceeded|\[(?:3505|3040|1312)\]",
        r"temporarily unavailable|endpoint is unavailable|(?:server|model) (?:is )?(?:currently )?busy",
        r"model .{0,40}\bloading\b|loading model|is currently loading|warming up",
    ),
    _row(Kind.RATE_LIMITED, Scope.MODEL, "429", r"rate[- ]limited upstream|upstream rate limit"),
    # A provider that passes on another's 429 without its words (OpenRouter).
    _row(Kind.RATE_LIMITED, Scope.MODEL, "429", r"^provider returned error"),
)

NO_SUCH_ROUTE = re.compile(
    r"\s*(?:404:?|error:?)?\s*(?:page |the requested (?:url|resource) (?:was )?|route |path |"
    r"endpoint )?not found\.?(?: on this server\.?)?\s*"
    r"|.*(?:resource not found|no route|cannot (?:post|get) /|invalid url|unknown request url|"
    r"method not allowed|no such route).*",
    re.IGNORECASE | re.DOTALL,
)
"""A 404 that is about the address, not the model."""

ABOUT_A_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)
RATE_WORDS = re.compile(
    r"rate[ _-]?limit|too[ _]many[ _]requests|quota[ _](?:exceeded|exhausted)|resource_exhausted", re.I
)

QUOTA_WORDS = re.compile(
    r"usage[_ ]limit|weekly|\b5[- ]hours?\b|5_hour|free allocation|plan_limit_reached|(?:account|"
    r"organization)_quota_exceeded"
    r"|\[(?:1304|1308|1310|3036|4006)\]|quota for this period",
    re.IGNORECASE,
)
"""Spent for longer than a minute, where no window is named."""

WHOLE_ACCOUNT = re.compile(
    r"free-models-per|account_quota|organization_quota|plan_limit_reached|usage[_ ]limit|"
    r"your account'?s? (?:rate|quota)"
    r"|reached (?:organization|account)|API calls / month|daily free allocation|for your account|account[- ]wide",
    re.IGNORECASE,
)

WINDOW = re.compile(
    r"(?P<tpd>\btpd\b|tokens?[^.\n]{0,30}?(?:per|/|(?<![a-z])a) ?day\b|daily tokens?|tokens?[^.\n]{0,20}daily)"
    r"|(?P<rpd>\brpd\b|(?:per|/|(?<![a-z])a)[ _-]?day\b|\bdaily\b|ByModelByDay|per 86400 ?s|\[1304\])"
    r"|(?P<tpm>\btpm\b|tokens?[^.\n]{0,30}?(?:per|/|(?<![a-z])a) ?min(?:ute)?\b|token_quota|tokens_per_min)"
    r"|(?P<rpm>\brpm\b|(?:per|/|(?<![a-z])a)[ _-]?min(?:ute)?\b|ByModelByMinute|per 60 ?s|(?:per|/)[ _-]?sec(?:ond)?\b|"
    r"request_quota)"
    r"|(?P<month>\bmonth(?:ly)?\b|billing cycle)"
    r"|(?P<concurrency>concurren|simultaneous|parallel requests|in[- ]flight|\[1302\])",
    re.IGNORECASE,
)
"""The window a refusal names: the first named counts, later ones are advertisements."""

LONG_WINDOWS = ("month", "tpd", "rpd")
QUOTA_ID = ((re.compile("PerDay"), "d"), (re.compile("PerMinute|PerSecond"), "m"))

NOT_YOURS = re.compile(r"\blimit:? ?0\b(?![.\d])|limit reached for free tier: 0", re.IGNORECASE)
"""A limit of nothing (Gemini, on models outside the free tier): no waiting helps."""

LIMIT = re.compile(r"\blimit(?:ed)?(?: (?:to|of|is))? ?[:=]? ?~?(\d[\d,]{0,14})\b(?!\.\d)", re.IGNORECASE)
REQUESTED = re.compile(r"\brequested:? ?~?(\d[\d,]{0,14})", re.IGNORECASE)

_N = r"(\d[\d,]{0,14})"
MOST_INPUT = re.compile(
    rf"maximum context length (?:is|of) (?:only )?{_N}|> {_N} maximum|number of tokens allowed \({_N}\)"
    rf"|model with {_N} maximum context|model token limit: ?{_N}|while limit is {_N}|prompt length is {_N}"
    rf"|input length should be \[\d+, ?{_N}\]|context size \({_N}|context length of (?:only )?{_N}"
    rf"|context limit: \d+ \+ \d+ > {_N}"
    rf"|physical batch size \(current batch size: {_N}\)|context (?:window|limit|length) (?:of|is) {_N}|"
    rf"max size: {_N} tokens"
    rf"|requested ~?\d+[^.\n]{{0,40}}limit {_N}|\blimit:? ?{_N}",
    re.IGNORECASE,
)
MOST_OUTPUT = re.compile(
    rf"at most {_N} (?:completion|output)|\d > {_N}|less than or equal to [`'\"]?{_N}|at most {_N}"
    rf"|range of max_\w*tokens is \[\d+, ?{_N}\]|value <= ?{_N}|(?:from|between) \d+ (?:\([^)]*\) )?(?:to|and) {_N}"
    rf"|maximum (?:is|of|allowed is|output(?: length)? (?:is|of)) {_N}|limit (?:of|is) {_N}|less than {_N}",
    re.IGNORECASE,
)
