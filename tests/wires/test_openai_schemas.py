from __future__ import annotations

from typing import Any

import pytest

from hermes_router.wires.schemas import close_objects, drop_keywords

REFS = ("$ref", "$defs", "additionalProperties")

DROPPED: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]] = {
    "at the top and deep": (
        ("$schema", "additionalProperties"),
        {
            "$schema": "x",
            "type": "object",
            "properties": {"a": {"type": "array", "items": {"type": "object", "additionalProperties": False}}},
        },
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}},
    ),
    "in alternatives": (
        ("title",),
        {"anyOf": [{"title": "A", "type": "string"}, {"type": "null"}, True]},
        {"anyOf": [{"type": "string"}, {"type": "null"}, True]},
    ),
    "never a property's name": (
        ("title", "format"),
        {"type": "object", "title": "T", "properties": {"title": {"type": "string", "format": "uri"}, "format": {}}},
        {"type": "object", "properties": {"title": {"type": "string"}, "format": {}}},
    ),
    "never inside a value": (
        ("title",),
        {"enum": [{"title": 1}], "default": {"title": 2}, "title": "T"},
        {"enum": [{"title": 1}], "default": {"title": 2}},
    ),
    "a constant becomes an enumeration": (("const",), {"const": "a"}, {"enum": ["a"]}),
    "one of becomes any of": (("oneOf", "title"), {"oneOf": [{"title": "x"}]}, {"anyOf": [{}]}),
    "a reference is written out": (
        REFS,
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "here"}},
            "$defs": {
                "A": {"type": "object", "additionalProperties": False, "properties": {"b": {"$ref": "#/$defs/B"}}},
                "B": {"type": "string"},
            },
        },
        {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}, "description": "here"}},
        },
    ),
    "an old-style definition": (
        REFS,
        {"items": {"$ref": "#/definitions/A~1B"}, "definitions": {"A/B": {"type": "number"}}},
        {"items": {"type": "number"}},
    ),
    "a reference at the top": (
        REFS,
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
        {"type": "object"},
    ),
    "a reference into itself": (
        REFS,
        {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "$defs": {
                "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "v": {"type": "integer"}}}
            },
        },
        {
            "type": "object",
            "properties": {
                "next": {"type": "object", "properties": {"next": {"type": "object"}, "v": {"type": "integer"}}}
            },
        },
    ),
    "a reference to the whole": (
        REFS,
        {"type": "object", "properties": {"child": {"$ref": "#"}}},
        {"type": "object", "properties": {"child": {"type": "object", "properties": {"child": {"type": "object"}}}}},
    ),
    "a reference to nowhere": (REFS, {"items": {"$ref": "#/$defs/Gone"}}, {"items": {}}),
    "a reference to elsewhere": (REFS, {"items": {"$ref": "https://example.org/x"}}, {"items": {}}),
    "references that may stay": (
        ("title",),
        {"items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"title": "x", "type": "string"}}},
        {"items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"type": "string"}}},
    ),
}


@pytest.mark.parametrize("keywords, schema, expected", DROPPED.values(), ids=DROPPED)
def test_keywords_are_dropped(keywords: tuple[str, ...], schema: dict[str, Any], expected: dict[str, Any]):
    assert drop_keywords(schema, keywords) == expected


def test_the_callers_schema_is_left_alone():
    schema = {"type": "object", "properties": {"a": {"title": "x"}}}
    drop_keywords(schema, ("title",))
    close_objects(schema)
    assert schema == {"type": "object", "properties": {"a": {"title": "x"}}}


def test_references_that_multiply_end():
    levels = {
        f"L{n}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/L{n + 1}"} for k in "abcd"}} for n in range(20)
    }
    written = drop_keywords({"$ref": "#/$defs/L0", "$defs": levels}, REFS)
    assert written["type"] == "object"
    assert str(written).count("type") < 100_000


def test_a_schema_nested_out_of_measure_is_cut():
    schema: dict[str, Any] = {"type": "string", "title": "x"}
    for _ in range(900):
        schema = {"type": "array", "items": schema}
    assert "title" not in str(drop_keywords(schema, ("title",)))
    close_objects(schema)


CLOSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every object": (
        {"type": "object", "properties": {"a": {"type": ["object", "null"]}, "b": {"type": "string"}}},
        {
            "type": "object",
            "properties": {"a": {"type": ["object", "null"], "additionalProperties": False}, "b": {"type": "string"}},
            "additionalProperties": False,
        },
    ),
    "in definitions and lists": (
        {"anyOf": [{"properties": {}}], "$defs": {"A": {"type": "object", "additionalProperties": True}}},
        {
            "anyOf": [{"properties": {}, "additionalProperties": False}],
            "$defs": {"A": {"type": "object", "additionalProperties": False}},
        },
    ),
    "not what says what else may come": (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
}


@pytest.mark.parametrize("schema, expected", CLOSED.values(), ids=CLOSED)
def test_objects_are_closed(schema: dict[str, Any], expected: dict[str, Any]):
    assert close_objects(schema) == expected
