"""JSON Schemas made fit for providers that refuse parts of the language.

Only what the caller's schema says less precisely afterwards is changed: keywords go, references are written out in
place. Names of properties are never taken for keywords, values (``enum``, ``default``) never for schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

Schema = dict[str, Any]

_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value maps names to schemas."""
_VALUES = frozenset({"enum", "const", "default", "examples", "example", "required", "dependentRequired"})
"""Keywords whose value is no schema, whatever it looks like."""
_MAX_NODES = 20_000
_MAX_DEPTH = 100
"""References may multiply and schemas nest: beyond these the rest is cut to its type."""


def drop_keywords(schema: Schema, keywords: Collection[str]) -> Schema:
    """``schema`` without ``keywords``. Where ``$ref`` or ``$defs`` is among them, references are written out; one that
    leads back into itself is cut to its type. ``const`` becomes an ``enum``, ``oneOf`` an ``anyOf``."""
    return _Dropper(schema, keywords).schema(schema)


def close_objects(schema: Schema, depth: int = 0) -> Schema:
    """``schema`` with ``additionalProperties: false`` on every object in it that says nothing else."""
    if depth > _MAX_DEPTH:
        return schema
    closed = {key: _inside(key, value, lambda inner: close_objects(inner, depth + 1)) for key, value in schema.items()}
    if _is_object(schema) and not isinstance(schema.get("additionalProperties"), dict):
        closed["additionalProperties"] = False
    return closed


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _inside(key: str, value: Any, change: Callable[[Schema], Schema]) -> Any:
    """``value`` of the keyword ``key`` with ``change`` applied to every schema directly in it."""
    if key in _VALUES:
        return value
    if isinstance(value, dict):
        if key in _NAMED:
            return {name: change(inner) if isinstance(inner, dict) else inner for name, inner in value.items()}
        return change(value)
    if isinstance(value, list):
        return [change(inner) if isinstance(inner, dict) else inner for inner in value]
    return value


class _Dropper:
    def __init__(self, root: Schema, keywords: Collection[str]) -> None:
        self._root = root
        self._inline = "$ref" in keywords or "$defs" in keywords
        self._drop = frozenset(keywords) | ({"$ref", "$defs", "definitions"} if self._inline else frozenset())
        self._nodes = 0

    def schema(self, schema: Schema, opened: tuple[str, ...] = (), depth: int = 0) -> Schema:
        """``opened``: the references that led here."""
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            return _stub(schema)
        reference = schema.get("$ref")
        if self._inline and isinstance(reference, str):
            found = self._find(reference)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            if reference in opened:
                return self.schema(_stub(found) | beside, opened, depth + 1)
            return self.schema(found | beside, (*opened, reference), depth + 1)
        kept = {key: value for key, value in self._renamed(schema).items() if key not in self._drop}
        return {
            key: _inside(key, value, lambda inner: self.schema(inner, opened, depth + 1)) for key, value in kept.items()
        }

    def _renamed(self, schema: Schema) -> Schema:
        if "const" in schema and "const" in self._drop and "enum" not in schema:
            schema = schema | {"enum": [schema["const"]]}
        if "oneOf" in schema and "oneOf" in self._drop and "anyOf" not in schema:
            schema = schema | {"anyOf": schema["oneOf"]}
        return schema

    def _find(self, reference: str) -> Schema:
        """What a JSON pointer into this schema names (RFC 6901), an empty schema where it leads nowhere."""
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) and reference.startswith("#") else {}


def _stub(schema: Schema) -> Schema:
    return {key: schema[key] for key in ("type", "description") if key in schema}
