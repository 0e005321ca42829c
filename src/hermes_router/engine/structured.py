"""A format for the answer where the provider has none of its own: told in words, and asked for again once where the
answer does not fit. Checking is ``schemas.py``; who has formats of its own is routing's to know.
"""

from __future__ import annotations

import msgspec
import orjson

from ..catalogue.abilities import Ability
from ..core.request import Message, Part, Request, ResponseFormat, Role, Text
from ..pool.states import DeploymentState
from ..routing.needs import Needs

_FORMATS = Ability.JSON_SCHEMA | Ability.JSON_OBJECT | Ability.SCHEMA_WITH_TOOLS
_SHOWN_MOST = 20_000
"""Characters of a wrong answer that are shown again."""


def lacks_format(needs: Needs, state: DeploymentState) -> bool:
    """It is known to have no such format of its own, or not together with what else is asked."""
    return bool(needs.soft) and bool(needs.soft & _FORMATS & (state.cannot | state.model.unable))


def may_lack_format(needs: Needs, state: DeploymentState) -> bool:
    """The same, or nobody knows."""
    return bool(needs.soft & _FORMATS & ~state.can) or lacks_format(needs, state)


def told(request: Request) -> Request:
    """The request with its format as an instruction at the end of the system prompt."""
    wanted = request.response_format
    if wanted is None:
        return request
    text = Text(text=_instruction(wanted, tools=bool(request.tools)))
    messages = request.messages
    leading = next((at for at, one in enumerate(messages) if one.role not in (Role.SYSTEM, Role.DEVELOPER)), 0)
    if leading:
        last = messages[leading - 1]
        parts: tuple[Part, ...] = (*last.parts, text)
        messages = (*messages[: leading - 1], msgspec.structs.replace(last, parts=parts), *messages[leading:])
    else:
        messages = (Message(role=Role.SYSTEM, parts=(text,)), *messages)
    return msgspec.structs.replace(request, messages=messages, response_format=None)


def asked_again(request: Request, answer: str, problem: str) -> Request:
    """The request with the answer that did not fit, and what is wrong with it."""
    turns = (
        Message(role=Role.ASSISTANT, parts=(Text(text=answer[:_SHOWN_MOST]),)),
        Message(role=Role.USER, parts=(Text(text=_complaint(problem)),)),
    )
    return msgspec.structs.replace(request, messages=(*request.messages, *turns))


def _instruction(wanted: ResponseFormat, *, tools: bool) -> str:
    when = "When you answer instead of calling a tool, answer" if tools else "Answer"
    said = f"{when} with a single JSON object and nothing else: no words before or after it, no code fence."
    if wanted.schema is None:
        return said
    about = f" It is {wanted.description.rstrip('.')}." if wanted.description else ""
    schema = orjson.dumps(wanted.schema).decode()
    return f"{said.replace('object', 'value')}{about} It must be valid against this JSON Schema:\n{schema}"


def _complaint(problem: str) -> str:
    return (
        f"That answer cannot be used: {problem}. Give the whole answer again, put right, as JSON that fits the format "
        "and nothing else: no apology, no words around it, no code fence."
    )
