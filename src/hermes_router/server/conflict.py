"""The error of a change that something stronger is in the way of. No more than that."""

from __future__ import annotations

from ..core.errors import CallerError


class Conflict(CallerError):
    """What is asked for is ruled out by something that wins over it."""

    status = 409
    code = "conflict"
