"""What a caller is told where nobody answers: who was considered, why not, and when the next one is free."""

from __future__ import annotations

import math

from ..core.errors import CannotServe, Exhausted, Refused
from ..core.faults import Fault, Kind
from ..pool.states import DeploymentState
from .room import Nobody

_LISTED = 5


def exhausted(nobody: Nobody, now: float) -> Exhausted:
    """503 with every candidate's reason; Retry-After is the soonest moment one is free, where one ever is."""
    candidates = [
        {
            "provider": held.state.provider.key,
            "model": held.state.deployment.target.model.id,
            "key": held.state.deployment.credential.tail,
            "reason": held.reason,
            "free_in": None if held.returns == math.inf else round(max(0.0, held.returns - now), 1),
        }
        for held in nobody.held
    ]
    soonest = min((held.returns for held in nobody.held), default=math.inf)
    headers = {} if soonest == math.inf else {"retry-after": str(max(1, math.ceil(soonest - now)))}
    when = f"the next is free in {headers['retry-after']} s" if headers else "none is expected back"
    listed = "; ".join(f"{one['provider']}/{one['model']}: {one['reason']}" for one in candidates[:_LISTED])
    more = f" (and {len(candidates) - _LISTED} more)" if len(candidates) > _LISTED else ""
    return Exhausted(
        f"None of {len(candidates)} candidates can answer now; {when}. {listed}{more}",
        details={"candidates": candidates},
        headers=headers,
    )


def interrupted(state: DeploymentState, fault: Fault) -> Exhausted:
    """The answer broke off and nobody could go on with it."""
    what = fault.message or fault.kind.value
    return Exhausted(f"The answer of {state.model.key} broke off: {what}.", code="stream_interrupted")


def too_long(largest: int) -> CannotServe:
    """The conversation fits no model here."""
    return CannotServe(
        f"The request is too long: the largest context window available to it is {largest} tokens.",
        code="context_length_exceeded",
        param="messages",
    )


def refused(fault: Fault) -> Refused:
    """The provider's verdict on the request itself, in its own words."""
    status = fault.status if fault.status is not None and 400 <= fault.status < 500 else 400
    code = "content_filter" if fault.kind is Kind.FILTERED else "invalid_request"
    return Refused(
        fault.message or "The provider refused the request.",
        status=status if status in (400, 403, 422) else 400,
        code=code,
        param=fault.field,
    )
