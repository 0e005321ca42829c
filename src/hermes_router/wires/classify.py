"""The one place that gives a refusal its meaning: status, headers and body in, a ``Fault`` out.

Order: the provider's own rows (``errors`` in its file), the rows common to all (``meanings.py``), rate limits, refused
fields, and last the status alone. The common rows are right without any provider row, because users declare providers
under names of their own. What follows from a fault is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ..catalogue.schema import ErrorRule, ProviderSpec
from ..core.faults import Fault, Kind, Scope
from . import meanings
from .base import Target
from .durations import find_wait, parse_duration, parse_moment
from .errorbody import Said, read_body, read_payload
from .limits import Reading, read_limits
from .refused_field import OPTIONAL, out_of_range, refused_field

SCOPES: dict[Kind, Scope] = {
    Kind.RATE_LIMITED: Scope.DEPLOYMENT,
    Kind.QUOTA_EXHAUSTED: Scope.DEPLOYMENT,
    Kind.AUTH: Scope.CREDENTIAL,
    Kind.PAYMENT_REQUIRED: Scope.ACCOUNT,
    Kind.FORBIDDEN: Scope.DEPLOYMENT,
    Kind.NOT_ON_PLAN: Scope.DEPLOYMENT,
    Kind.NOT_FOUND: Scope.MODEL,
    Kind.RETIRED: Scope.MODEL,
    Kind.CLIENT_NOT_WELCOME: Scope.PROVIDER,
    Kind.CONTEXT_TOO_LONG: Scope.MODEL,
    Kind.TOO_LARGE: Scope.DEPLOYMENT,
    Kind.OUTPUT_TOO_LONG: Scope.MODEL,
    Kind.UNSUPPORTED: Scope.MODEL,
    Kind.BAD_FIELD: Scope.MODEL,
    Kind.OVERLOADED: Scope.MODEL,
    Kind.SERVER_ERROR: Scope.MODEL,
    Kind.MALFORMED: Scope.MODEL,
    Kind.FILTERED: Scope.REQUEST,
    Kind.BAD_REQUEST: Scope.REQUEST,
}
"""Whom a kind is about where the row does not say. A missing kind (``connect``, ...): the provider."""

BY_STATUS: dict[int, Kind] = {
    400: Kind.BAD_REQUEST,
    401: Kind.AUTH,
    402: Kind.PAYMENT_REQUIRED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    408: Kind.SERVER_ERROR,
    409: Kind.SERVER_ERROR,
    410: Kind.RETIRED,
    413: Kind.TOO_LARGE,
    422: Kind.BAD_REQUEST,
    425: Kind.SERVER_ERROR,
    429: Kind.RATE_LIMITED,
    498: Kind.OVERLOADED,
    503: Kind.OVERLOADED,
    529: Kind.OVERLOADED,
}

_VALUE_OF = re.compile(r"([a-z_][\w.]*): (?:input|field|value|string|list|array|object)\b", re.IGNORECASE)
"""``temperature: Input should be less than or equal to 1`` (Anthropic API, errors)."""

STATUS_OF_CODE: dict[str, int] = {
    "authentication_error": 401,
    "unauthenticated": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests_error": 429,
    "resource_exhausted": 429,
    "overloaded_error": 529,
    "unavailable": 503,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
}
"""Error words that stand for a status where an event of a 200 states none (Anthropic, OpenAI, Google)."""

_WAITING = frozenset({408, 409, 425, 429})
_WAITS_FOR = frozenset(
    {Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED, Kind.OVERLOADED, Kind.SERVER_ERROR, Kind.PAYMENT_REQUIRED}
)
_QUOTAS = frozenset({Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED})
_CONVERSATION = frozenset({"messages", "message", "input", "inputs", "contents", "prompt", "system", "instructions"})
_CAPABILITIES = frozenset(
    {"tools", "tool_choice", "functions", "function_call", "response_format", "stream", "dimensions", "text"}
)
_LONGEST_MESSAGE = 300
_HIDDEN = "[removed]"
_KEYS = re.compile(
    r"\b(?:sk|gsk|xai|hf|nvapi|csk|pplx|ghp|gho|ghu|github_pat|glpat|r8|fw|tgp|rk|pk|ak)[-_][A-Za-z0-9_*-]{6,}"
    r"|\bAIza[\w-]{8,}|\beyJ[\w-]{8,}(?:\.[\w-]+){0,2}|(?<=bearer )\s*\S+"
    r"|(?<![\w/])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}={0,2}(?!\w)|\b[0-9a-f]{32,}\b"
    r"|(?-i:(?<![\w/+])(?=[A-Z0-9+/]*[a-z])(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{40,}={0,2})",
    re.IGNORECASE,
)
_KEY_NAMED = re.compile(r"(api[ _-]?key(?: provided| id)?\s*[:=]\s*)(?!is\b)\S+", re.IGNORECASE)


class _Case(msgspec.Struct, frozen=True):
    """What is known of one refusal. ``status`` is 0 where an error inside a 200 states none."""

    target: Target
    status: int
    headers: Mapping[str, str]
    said: Said
    words: str
    now: float


def classify(target: Target, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Fault:
    """The meaning of an answer that is not a 2xx. ``headers`` have lower-case names; ``now`` is wall-clock seconds.

    Never raises, whatever the body holds. ``field`` of an ``unsupported`` names the capability that is missing
    (``tools``, ``tool_choice``, ``parallel_tool_calls``, ``image``, ``audio``, ``documents``, ``response_format``,
    ``stream``, ``system``, ``prefill``); its scope is REQUEST where the model has the capability but not for this
    very request.
    """
    said = read_body(body)
    return _meaning(_Case(target, status, headers, said, said.words, now), status)


def classify_event_error(target: Target, payload: object, now: float, status: int = 200) -> Fault:
    """The meaning of an error (decoded JSON, or text) found inside an answer that began as ``status``.

    A status stated inside counts as the status; without one an error word such as ``overloaded_error`` does.
    """
    said = read_payload(payload)
    inner = said.status or next(
        (STATUS_OF_CODE[code.lower()] for code in said.codes if code.lower() in STATUS_OF_CODE), 0
    )
    return _meaning(_Case(target, inner, {}, said, said.words, now), status)


def _meaning(case: _Case, outer: int) -> Fault:
    for rule in case.target.provider.errors:
        if _fits(rule, case, outer):
            return _by_rule(rule, case)
    return (
        _wrong_address(case)
        or _not_yours(case)
        or _more_than_a_window(case)
        or _by_row(case)
        or _rate_limit(case)
        or _by_value(case)
        or _by_field(case)
        or _by_status(case)
    )


# -- the provider's own rows


def _fits(rule: ErrorRule, case: _Case, outer: int) -> bool:
    if rule.status and case.status not in rule.status and outer not in rule.status:
        return False
    if rule.match:
        pattern = _compiled(rule.match)
        if not (pattern.search(case.said.raw) or pattern.search(case.words)):
            return False
    for name, wanted in rule.header.items():
        value = case.headers.get(name.lower()) or case.said.headers.get(name.lower())
        if value is None or not _compiled(wanted).fullmatch(value):
            return False
    return True


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _by_rule(rule: ErrorRule, case: _Case) -> Fault:
    """The row's meaning, with what the text adds: sizes, windows, the field. The text corrects a row where it
    is plainer: a window of 0 or smaller than the request is no rate limit, a row of a status alone does not turn a day
    into a minute, and a refused field that is a capability is no mere field."""
    kind = Kind(rule.kind)
    if kind is Kind.BAD_FIELD and (own := _by_value(case)):
        return own
    if kind in _QUOTAS and (never := _not_yours(case) or _more_than_a_window(case)):
        return never
    spent = _rate_limit(case) if kind is Kind.RATE_LIMITED and _only_status(rule) else None
    if spent and spent.kind is Kind.QUOTA_EXHAUSTED:
        return msgspec.structs.replace(spent, scope=_rule_scope(rule, kind, case))
    named = _by_row(case) or _by_field(case) if kind in (Kind.BAD_FIELD, Kind.UNSUPPORTED) else None
    if named and kind is Kind.BAD_FIELD and named.kind is Kind.UNSUPPORTED:
        return named
    field = named.field if named else None
    limit, value = _rule_window(rule, kind, case)
    fault = _fault(case, kind, _rule_scope(rule, kind, case), limit=limit, value=value, field=field)
    return msgspec.structs.replace(fault, retry_after=_until(rule, fault, case))


def _rule_window(rule: ErrorRule, kind: Kind, case: _Case) -> tuple[str | None, int | None]:
    named, value = _window(case) if kind in _QUOTAS else (None, _size(kind, case.words))
    if named and _only_status(rule):
        return named, value
    if rule.limit or rule.until == "month":
        return rule.limit or "month", value
    return named or ("rpd" if rule.until == "reset" and kind in _QUOTAS else None), value


def _only_status(rule: ErrorRule) -> bool:
    return not rule.match and not rule.header


def _rule_scope(rule: ErrorRule, kind: Kind, case: _Case) -> Scope:
    if rule.scope:
        return Scope(rule.scope)
    if kind in _QUOTAS and meanings.WHOLE_ACCOUNT.search(case.words):
        return Scope.ACCOUNT
    return SCOPES.get(kind, Scope.PROVIDER)


def _until(rule: ErrorRule, fault: Fault, case: _Case) -> float | None:
    """The wait a rule orders. A window's own reset is left to whoever keeps the calendar: limit says which."""
    match rule.until:
        case None:
            return fault.retry_after
        case "stated":
            return _stated_wait(case, fault.limit)
        case "reset" | "month":
            return None if fault.kind in _QUOTAS else _calendar_wait(rule.until, case.target.provider, case.now)
        case time:
            return parse_duration(time)


def _calendar_wait(until: str, spec: ProviderSpec, now: float) -> float:
    """Seconds to the provider's next midnight, or to the first of its next month; in UTC where no zone is known."""
    try:
        zone = ZoneInfo(spec.reset) if spec.reset and spec.reset != "rolling" else UTC
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    moment = next_month if until == "month" else today + timedelta(days=1)
    return max(0.0, moment.timestamp() - now)


# -- the rows common to all


def _wrong_address(case: _Case) -> Fault | None:
    """A 3xx, an HTML page or a bare "not found": we are not talking to the API we think we are."""
    said, status = case.said, case.status
    moved = 300 <= status < 400
    page = said.html and status in (0, 400, 403, 404, 405)
    route = status in (404, 405) and len(said.messages) < 2 and _is_route(case)
    if not (moved or page or route):
        return None
    fault = _fault(case, Kind.SERVER_ERROR, Scope.PROVIDER)
    why = (
        "no such address at the provider (is base_url right?)" if status in (404, 405) or moved else "not an API answer"
    )
    return msgspec.structs.replace(fault, message=f"{why}: {fault.message}"[:_LONGEST_MESSAGE].rstrip(": "))


def _is_route(case: _Case) -> bool:
    return not case.said.messages or meanings.NO_SUCH_ROUTE.fullmatch(case.said.messages[0]) is not None


def _not_yours(case: _Case) -> Fault | None:
    """A limit of 0 is a model outside the plan, whatever wait comes with it (Gemini, Mistral)."""
    if case.status not in (0, 429):
        return None
    nothing = meanings.NOT_YOURS.search(case.words) or case.headers.get("x-ratelimit-limit-req-minute") == "0"
    return _fault(case, Kind.NOT_ON_PLAN, Scope.DEPLOYMENT) if nothing else None


def _more_than_a_window(case: _Case) -> Fault | None:
    """A request that asks for more tokens than its window ever holds: no waiting cures that."""
    limit, value = _window(case)
    asked = meanings.REQUESTED.search(case.words)
    if case.status not in (0, 429) or limit not in ("tpm", "tpd") or value is None or not asked:
        return None
    if _int(asked[1]) <= value:
        return None
    return _fault(case, Kind.TOO_LARGE, Scope.DEPLOYMENT, limit=limit, value=value)


def _by_row(case: _Case) -> Fault | None:
    for row in meanings.ROWS:
        if (not case.status or not row.statuses or case.status in row.statuses) and row.pattern.search(case.words):
            value = _size(row.kind, case.words)
            limit = row.limit
            if row.kind is Kind.TOO_LARGE:
                limit = _window(case)[0]
            return _fault(case, row.kind, row.scope, limit=limit, value=value, field=row.field)
    return None


def _size(kind: Kind, words: str) -> int | None:
    """The largest input or output the text allows, in tokens."""
    if kind is Kind.OUTPUT_TOO_LONG:
        found = meanings.MOST_OUTPUT.search(words)
    elif kind is Kind.CONTEXT_TOO_LONG or (kind is Kind.TOO_LARGE and "total message size" not in words):
        found = meanings.MOST_INPUT.search(words)
    else:
        return None
    return _int(next(group for group in found.groups() if group)) if found else None


def _int(digits: str) -> int:
    return int(digits.replace(",", ""))


# -- rate limits


def _rate_limit(case: _Case) -> Fault | None:
    if case.status != 429 and not (case.status in (0, 400, 403) and meanings.RATE_WORDS.search(case.words)):
        return None
    limit, value = _window(case)
    spent = limit in meanings.LONG_WINDOWS or (limit is None and meanings.QUOTA_WORDS.search(case.words) is not None)
    kind = Kind.QUOTA_EXHAUSTED if spent else Kind.RATE_LIMITED
    scope = Scope.ACCOUNT if meanings.WHOLE_ACCOUNT.search(case.words) else Scope.DEPLOYMENT
    return _fault(case, kind, scope, limit=limit, value=value)


def _window(case: _Case) -> tuple[str | None, int | None]:
    """The window that refused and its size, by quota ids, then words, then headers that show nothing left."""
    by_id = [found for quota in case.said.quotas if (found := _by_quota_id(quota.id, quota.value))]
    if by_id:
        return min(by_id, key=lambda found: found[0] in ("rpm", "tpm"))
    named = meanings.WINDOW.search(case.words)
    if named:
        return named.lastgroup, _limit_value(case)
    empty = _empty_readings(case)
    if empty:
        return empty[0].window, empty[0].limit
    return None, _limit_value(case)


def _by_quota_id(quota_id: str, value: int | None) -> tuple[str, int | None] | None:
    for pattern, period in meanings.QUOTA_ID:
        if pattern.search(quota_id):
            return ("tp" if "token" in quota_id.lower() else "rp") + period, value
    return None


def _limit_value(case: _Case) -> int | None:
    if found := meanings.LIMIT.search(case.words):
        return _int(found[1])
    stated = case.said.headers.get("x-ratelimit-limit") or case.headers.get("x-ratelimit-limit") or ""
    return int(stated) if stated.isdigit() and len(stated) < 16 else None


def _empty_readings(case: _Case) -> list[Reading]:
    """Windows the headers show as used up, the longest first."""
    readings = [r for r in read_limits(case.target.provider, case.headers, case.now) if r.remaining == 0]
    order = ("month", "tpd", "rpd", "tpm", "rpm", "concurrency")
    return sorted(readings, key=lambda reading: order.index(reading.window))


def _stated_wait(case: _Case, limit: str | None) -> float | None:
    """Seconds until asking again makes sense, as the provider states them; 0 says nothing.

    Google states a short delay beside a spent day as well, which is not the day's reset: it is not believed there.
    """
    if case.said.quotas and limit in meanings.LONG_WINDOWS:
        return None
    return (
        _header_wait(case)
        or _reading_wait(case, limit)
        or find_wait("\n".join(case.said.messages), case.now)
        or _body_wait(case)
        or _plain_reset(case)
    )


def _header_wait(case: _Case) -> float | None:
    """``Retry-After`` counts on refusals that pass with time; on others, as on successes, it means nothing."""
    if case.status not in _WAITING and case.status < 500 and "in_flight_budget" not in case.words:
        return None
    milliseconds = parse_duration(case.headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    return _from_now(case.headers.get("retry-after"), case.now) or _from_now(
        case.said.headers.get("retry-after"), case.now
    )


def _reading_wait(case: _Case, limit: str | None) -> float | None:
    if limit is None:
        return None
    for reading in read_limits(case.target.provider, case.headers, case.now):
        if reading.window == limit and reading.reset_at is not None:
            return reading.reset_at - case.now or None
    return None


def _body_wait(case: _Case) -> float | None:
    return next((wait for text in case.said.waits.values() if (wait := _from_now(text, case.now))), None)


def _plain_reset(case: _Case) -> float | None:
    """``x-ratelimit-reset`` names no window, but on a refusal it can only be about the one that refused."""
    if case.status not in (0, 429):
        return None
    for headers in (case.said.headers, case.headers):
        for name in ("x-ratelimit-reset", "x-ratelimit-timeremaining"):
            if wait := _from_now(headers.get(name), case.now):
                return wait
    return None


def _from_now(text: str | None, now: float) -> float | None:
    moment = parse_moment(text, now) if text else None
    return moment - now if moment is not None and moment > now else None


# -- fields, and the status alone


def _by_value(case: _Case) -> Fault | None:
    """A number out of its range: nobody is asked again without it, or the caller would never know."""
    field = out_of_range(case.said) if case.status in (0, 400, 422) else None
    return _fault(case, Kind.BAD_REQUEST, Scope.REQUEST, field=field) if field else None


def _by_field(case: _Case) -> Fault | None:
    if case.status not in (0, 400, 404, 422):
        return None
    path = refused_field(case.said)
    if not path:
        return None
    top = path[0]
    if "strict" in path:
        return _fault(case, Kind.BAD_FIELD, Scope.MODEL, field="strict")
    if top in _CONVERSATION or (top in _CAPABILITIES and len(path) > 1):
        return _fault(case, Kind.UNSUPPORTED, Scope.REQUEST, field=top)
    if top in _CAPABILITIES:
        return _fault(case, Kind.UNSUPPORTED, Scope.MODEL, field=top)
    if top == "model":
        return _fault(case, Kind.NOT_FOUND, Scope.MODEL)
    return _fault(case, Kind.BAD_FIELD, Scope.MODEL, field=top if top in OPTIONAL or len(path) == 1 else path[0])


def _by_status(case: _Case) -> Fault:
    status = case.status
    kind = BY_STATUS.get(status, Kind.SERVER_ERROR if not 400 <= status < 500 else Kind.BAD_REQUEST)
    scope = SCOPES[kind]
    if kind is Kind.FORBIDDEN and meanings.ABOUT_A_MODEL.search(case.words):
        kind = Kind.NOT_ON_PLAN
    if status == 529 or (kind in (Kind.SERVER_ERROR, Kind.OVERLOADED) and not case.said.json):
        # JSON comes from the provider's application and is about this model; anything else from its front door.
        scope = Scope.PROVIDER
    field = _own_mistake(case) if kind is Kind.BAD_REQUEST else None
    return _fault(case, kind, scope, value=_size(kind, case.words), field=field)


def _own_mistake(case: _Case) -> str | None:
    """The field whose value the caller got wrong, where the provider names it: nobody else would take it either."""
    if case.said.params:
        return case.said.params[0]
    if case.said.locations:
        return ".".join(case.said.locations[0][0]) or None
    found = _VALUE_OF.match(case.said.headline or "")
    return found[1] if found else None


# -- putting it together


def _fault(
    case: _Case,
    kind: Kind,
    scope: Scope,
    *,
    limit: str | None = None,
    value: int | None = None,
    field: str | None = None,
) -> Fault:
    return Fault(
        kind=kind,
        scope=scope,
        message=_clean(
            case.said.headline or (f"HTTP {case.status}" if case.status else "an error without words"),
            case.target.secret,
        ),
        status=case.status or None,
        retry_after=_stated_wait(case, limit) if kind in _WAITS_FOR else None,
        limit=limit,
        value=value,
        field=field,
    )


def _clean(message: str, secret: str) -> str:
    """One line without anything that looks like a key, at most 300 characters."""
    if secret:
        edge = "" if len(secret) >= 8 else r"\b"
        message = re.sub(f"{edge}{re.escape(secret)}{edge}", _HIDDEN, message)
    message = _KEY_NAMED.sub(rf"\1{_HIDDEN}", message[:4000])
    message = _KEYS.sub(_HIDDEN, message)
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"
