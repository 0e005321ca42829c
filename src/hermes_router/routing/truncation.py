"""Leaves out the oldest turns of a conversation that is too long for everybody, where its caller allowed that."""

from __future__ import annotations

import msgspec

from ..core.request import Request, Role
from ..core.tokens import count_request

_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)


def shortened(request: Request, room: int) -> Request | None:
    """The request with as few of its oldest turns left out as fit into ``room`` tokens; None where even the last turn
    alone does not. Instructions stay, and a turn goes as a whole: from one user message up to the next, so that no
    tool result is left without its call."""
    messages = request.messages
    head = tuple(message for message in messages if message.role in _INSTRUCTIONS)
    turns = [message for message in messages if message.role not in _INSTRUCTIONS]
    begins = [at for at, message in enumerate(turns) if message.role is Role.USER]
    for at in begins:
        shorter = msgspec.structs.replace(request, messages=head + tuple(turns[at:]))
        if at and count_request(shorter) <= room:
            return shorter
    return None
