"""Values that fit a JSON Schema, made from the words of a prompt. The same schema and prompt give the same value.

Covers what tools and answer formats use: types, enum, const, default, required and nested fields, arrays, local
``$ref``, ``anyOf`` / ``oneOf`` / ``allOf``, bounds of numbers and lengths, the common string formats. Patterns are not
read.
"""

from __future__ import annotations

import math
import re
from typing import Any

Schema = dict[str, Any]

_DEEP = 8
_QUOTED = re.compile(r"[\"“'`]([^\"”'`\n]{1,80})[\"”'`]")
_NAME = re.compile(r"(?<![.!?\w])(?<!^)(?:[A-ZÀ-Þ][\w-]+)(?: [A-ZÀ-Þ][\w-]+)*")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_WORD = re.compile(r"\w{4,}")
_NOT_NAMES = frozenset(("What", "How", "Who", "Where", "When", "Which", "Please", "The", "Tell", "And", "Use", "Call"))
# A coding agent may run what it is told to: what looks like code or a path never comes from the prompt.
_RUNNABLE = re.compile(r"command|cmd|code|script|shell|sql|query_string|expression|program|patch|diff", re.IGNORECASE)
_PLACE = re.compile(r"path|file|folder|dir", re.IGNORECASE)
_FORMATS = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "sandbox@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Prompt:
    """The words of a prompt that may serve as values. ``turn`` picks the next of several names."""

    def __init__(self, text: str, turn: int = 0) -> None:
        self.text = text
        self._low = text.lower()
        self.names = _names(text)
        self._turn = turn
        self._numbers = [float(found) for found in _NUMBER.findall(text)]

    def mentions(self, word: str) -> bool:
        return bool(word) and re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", self._low) is not None

    def string(self) -> str:
        """A name or quoted text, else the last long word, else the whole."""
        if self.names:
            return self.names[self._turn % len(self.names)]
        words = _WORD.findall(self.text)
        return words[-1] if words else self.text.strip()[:80] or "sandbox"

    def number(self, schema: Schema) -> float:
        """The first number that is within the schema's bounds, else the smallest that is."""
        low, high = _bounds(schema)
        for number in self._numbers:
            if low <= number <= high:
                return number
        return low if math.isfinite(low) else min(1.0, high)


def invent(schema: Any, prompt: Prompt) -> Any:
    """A value that fits ``schema``."""
    root = schema if isinstance(schema, dict) else {}
    return _value(root, root, prompt, "", 0)


def _names(text: str) -> list[str]:
    quoted = _QUOTED.findall(text)
    names = [name for name in _NAME.findall(text) if name not in _NOT_NAMES]
    return list(dict.fromkeys(quoted or names))


def _value(schema: Any, root: Schema, prompt: Prompt, name: str, depth: int) -> Any:
    if not isinstance(schema, dict):
        return prompt.string()
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return next((one for one in options if isinstance(one, str) and prompt.mentions(one)), options[0])
    if "default" in schema:
        return schema["default"]
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return _value(_simplest(branches, depth), root, prompt, name, depth + 1)
    match _type(schema, depth):
        case "object":
            return _object(schema, root, prompt, depth)
        case "array":
            return _array(schema, root, prompt, name, depth)
        case "integer":
            return math.ceil(prompt.number(schema))
        case "number":
            return prompt.number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema, prompt, name)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with a local ``$ref`` followed and ``allOf`` laid together."""
    for _ in range(_DEEP):
        ref = schema.get("$ref")
        if not isinstance(ref, str):
            break
        schema = {**_find(ref, root), **{key: value for key, value in schema.items() if key != "$ref"}}
    whole: Schema = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf") or ():
        piece = _resolved(part, root) if isinstance(part, dict) else {}
        properties = {**whole.get("properties", {}), **piece.get("properties", {})}
        required = [*whole.get("required", ()), *piece.get("required", ())]
        whole = {**whole, **piece}
        whole |= ({"properties": properties} if properties else {}) | ({"required": required} if required else {})
    return whole


def _find(ref: str, root: Schema) -> Schema:
    found: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) and key else found
    return found if isinstance(found, dict) else {}


def _simplest(branches: list[Any], depth: int) -> Any:
    """The first branch that is not null; null where it has gone deep enough."""
    nulls = [branch for branch in branches if isinstance(branch, dict) and branch.get("type") == "null"]
    others = [branch for branch in branches if branch not in nulls]
    return nulls[0] if nulls and (depth >= _DEEP or not others) else (others or branches)[0]


def _type(schema: Schema, depth: int) -> str:
    said = schema.get("type")
    if isinstance(said, list):
        kinds = [kind for kind in said if kind != "null"]
        said = "null" if not kinds or (depth >= _DEEP and "null" in said) else kinds[0]
    if said is None:
        said = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(said)


def _object(schema: Schema, root: Schema, prompt: Prompt, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    made = {}
    for name, inner in properties.items():
        if name in required or (depth < _DEEP and _is_named(inner, prompt)):
            made[name] = _value(inner, root, prompt, name, depth + 1)
    made |= {name: prompt.string() for name in required if name not in properties}
    return made


def _is_named(schema: Any, prompt: Prompt) -> bool:
    """An optional field is filled where the prompt names one of its words."""
    options = schema.get("enum") if isinstance(schema, dict) else None
    return any(isinstance(one, str) and prompt.mentions(one) for one in options or ())


def _array(schema: Schema, root: Schema, prompt: Prompt, name: str, depth: int) -> list[Any]:
    if isinstance(schema.get("prefixItems"), list):
        return [_value(inner, root, prompt, name, depth + 1) for inner in schema["prefixItems"]]
    least = int(schema.get("minItems") or 0)
    count = least if depth >= _DEEP else max(1, least)
    count = min(count, int(schema.get("maxItems", count)))
    return [_value(schema.get("items"), root, prompt, name, depth + 1) for _ in range(count)]


def _string(schema: Schema, prompt: Prompt, name: str) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    if _RUNNABLE.search(name):
        text = "echo hermes-router sandbox"
    elif _PLACE.search(name):
        text = "hermes-router-sandbox.txt"
    else:
        text = prompt.string()
    return text.ljust(int(schema.get("minLength") or 0), ".")[: int(schema.get("maxLength", len(text) + 1000))]


def _bounds(schema: Schema) -> tuple[float, float]:
    low, high = -math.inf, math.inf
    if isinstance(schema.get("minimum"), int | float):
        low = schema["minimum"]
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = max(low, schema["exclusiveMinimum"] + 1)
    if isinstance(schema.get("maximum"), int | float):
        high = schema["maximum"]
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = min(high, schema["exclusiveMaximum"] - 1)
    return low, high
