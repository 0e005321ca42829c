"""What our own edge raises. A dialect renders each in its own shape.

::

    RouterError                  status, code, message, details
     +- CallerError              4xx: the request itself
     |   +- BadRequest           400, names the field
     |   +- Unauthorized         401
     |   +- NotFound             404
     |   +- MethodNotAllowed     405
     |   +- TooLarge             413
     |   +- OverBudget           429: the caller's own limits
     +- CannotServe              400: no configured deployment has what the request needs
     +- Exhausted                503: some could, none can now; says when
     +- Refused                  the provider's verdict on this very request, passed on (400, 422 ...)
     +- Internal                 500: our bug
"""

from __future__ import annotations

from typing import Any


class RouterError(Exception):
    """Base. ``status`` is the HTTP status, ``code`` a stable word for programs, ``message`` a sentence for people,
    ``param`` the field it is about, ``details`` more for programs, ``headers`` extra response headers."""

    status = 500
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param
        self.details = details or {}
        self.headers = headers or {}


class CallerError(RouterError):
    """The request itself is at fault."""

    status = 400
    code = "invalid_request"


class BadRequest(CallerError):
    """A field is missing, of the wrong type or out of range."""


class Unauthorized(CallerError):
    """No key, or one we do not know."""

    status = 401
    code = "invalid_api_key"


class NotFound(CallerError):
    """No such route or model."""

    status = 404
    code = "not_found"


class MethodNotAllowed(CallerError):
    """The route exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class TooLarge(CallerError):
    """The body is over MAX_REQUEST_BYTES."""

    status = 413
    code = "request_too_large"


class OverBudget(CallerError):
    """The caller's key has reached one of its own limits. ``headers`` carries Retry-After."""

    status = 429
    code = "caller_limit_reached"


class CannotServe(CallerError):
    """No configured deployment has what this request needs; the message names what is missing."""

    code = "unsupported_capability"


class Exhausted(RouterError):
    """Deployments that could serve this exist, but none can now. ``headers`` carries Retry-After."""

    status = 503
    code = "all_candidates_exhausted"


class Refused(RouterError):
    """A provider found the request itself wrong or unacceptable: asking others with the same request is no use."""

    def __init__(self, message: str, *, status: int, code: str, param: str | None = None) -> None:
        super().__init__(message, code=code, param=param)
        self.status = status


class Internal(RouterError):
    """A bug of ours. The message holds the request id, never the cause."""
