"""Whether JSON text is what a JSON Schema asks for, and the screen that checks a whole answer against its format.

A schema that the validator cannot take (not valid itself, an unknown draft, references to other documents) is the
caller's affair and never a model's fault: then only the JSON itself is checked, and so where a pattern takes too long.
``format`` words are not checked, as JSON Schema has it by default. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from ..core.events import Event, Finish, FinishReason, RefusalDelta, TextDelta, ToolCallStart
from ..core.request import ResponseFormat
from .screens import malformed

if TYPE_CHECKING:
    from jsonschema_rs import Validator

_KEPT_MOST = 65536
_BACKTRACK_MOST = 100_000
_CHECKED = (FinishReason.STOP, FinishReason.STOP_SEQUENCE)
_FENCED = re.compile(r"\s*```(?:json|JSON)?[ \t]*\n(.*)\n?[ \t]*```\s*", re.DOTALL)
_LONGEST = 200


def schema_problem(schema: dict[str, Any] | None, text: str) -> str | None:
    """Why ``text`` is not JSON that fits ``schema`` (None or empty: any JSON); None where it is."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "it is not valid JSON"
    return value_problem(schema, value)


def value_problem(schema: dict[str, Any] | None, value: object) -> str | None:
    """Why a JSON value does not fit ``schema``; None where it does or the schema cannot be used."""
    validator = _validator(schema) if schema else None
    if validator is None:
        return None
    import jsonschema_rs  # 9 MB and 80 ms: only for those who send schemas

    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded):
            return None
        place = "".join(f"[{step!r}]" for step in error.instance_path)
        said = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
        return f"{said} (at {place})" if place else said
    return None


def _validator(schema: dict[str, Any]) -> Validator | None:
    try:
        text = orjson.dumps(schema)
    except (orjson.JSONEncodeError, TypeError):
        return None
    return _compiled(text) if len(text) <= _KEPT_MOST else _compile(text)


def _compile(schema: bytes) -> Validator | None:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema),
            validate_formats=False,
            offline=True,  # a caller's "$ref" must not make us read files or call addresses
            mask="the value",  # what is said here is kept in records, and answers are not
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACK_MOST),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError):
        return None


_compiled = lru_cache(maxsize=256)(_compile)


class SchemaAnswer:
    """Holds a whole answer's text until it is known to be the JSON that was asked for; a code fence around it
    goes, and so do words around it where they are ``loose``.

    Only for answers that are given whole. One that the caller's own limit cut, a refusal, a filtered answer and one
    that calls tools are passed on as they are. ``rejected`` is told of an answer that does not fit, and why.
    """

    def __init__(
        self, wanted: ResponseFormat, rejected: Callable[[str, str], None] | None = None, *, loose: bool = False
    ) -> None:
        self._wanted = wanted
        self._loose = loose
        self._rejected = rejected
        self._held: list[TextDelta] = []
        self._exempt = False

    def feed(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            match event:
                case TextDelta():
                    self._held.append(event)
                case Finish():
                    out += self._finish(event)
                case RefusalDelta() | ToolCallStart():
                    out += self._held
                    out.append(event)
                    self._held, self._exempt = [], True
                case _:
                    out.append(event)
        return out

    def _finish(self, finish: Finish) -> list[Event]:
        held, self._held = self._held, []
        text = "".join(delta.text for delta in held)
        if self._exempt or finish.reason not in _CHECKED or not text.strip():
            return [*held, finish]
        problem = self._problem(text)
        if problem is None:
            return [*held, finish]
        for bare in _inside(text, self._loose):
            if self._problem(bare) is None:
                return [TextDelta(bare), finish]
        if self._rejected is not None:
            self._rejected(text, problem)
        return [malformed(f"the answer is not what response_format asks for: {problem}")]

    def _problem(self, text: str) -> str | None:
        schema = self._wanted.schema if self._wanted.kind == "json_schema" else {"type": "object"}
        return schema_problem(schema, text)


def _inside(text: str, loose: bool) -> list[str]:
    """The JSON that a code fence, or words where ``loose``, may stand around."""
    fenced = _FENCED.fullmatch(text)
    spans = [fenced[1].strip()] if fenced else []
    first, last = text.find("{"), text.rfind("}")
    return [*spans, text[first : last + 1]] if loose and 0 <= first < last else spans
