"""A fault is a classified upstream failure: a value, not an exception. What follows from it: engine/verdict.py."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What went wrong, by meaning."""

    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH = "auth"
    PAYMENT_REQUIRED = "payment_required"
    FORBIDDEN = "forbidden"
    NOT_ON_PLAN = "not_on_plan"
    NOT_FOUND = "not_found"
    RETIRED = "retired"
    CLIENT_NOT_WELCOME = "client_not_welcome"
    CONTEXT_TOO_LONG = "context_too_long"
    TOO_LARGE = "too_large"
    OUTPUT_TOO_LONG = "output_too_long"
    UNSUPPORTED = "unsupported"
    BAD_FIELD = "bad_field"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    CONNECT = "connect"
    FIRST_EVENT_TIMEOUT = "first_event_timeout"
    STALLED = "stalled"
    CUT = "cut"
    MALFORMED = "malformed"
    FILTERED = "filtered"
    BAD_REQUEST = "bad_request"


class Scope(StrEnum):
    """Who else the fault is about."""

    REQUEST = "request"
    DEPLOYMENT = "deployment"
    MODEL = "model"
    CREDENTIAL = "credential"
    ACCOUNT = "account"
    PROVIDER = "provider"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream failure.

    ``retry_after`` is seconds from the moment it was classified, None where nobody said. ``limit`` names the window
    that refused (``rpm``, ``rpd``, ``tpm``, ``tpd``, ``month``, ``concurrency``) and ``value`` its size, where said.
    ``field`` is the request field the provider named. ``message`` is the provider's own words, cut to a line and
    cleaned of anything that looks like a key.
    """

    kind: Kind
    scope: Scope
    message: str = ""
    status: int | None = None
    retry_after: float | None = None
    limit: str | None = None
    value: int | None = None
    field: str | None = None
