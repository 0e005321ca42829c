from __future__ import annotations

from typing import Any

import pytest

from hermes_router.sandbox.invent import Prompt, invent

ASKED = Prompt("What is the weather in Paris for 3 days, in celsius?")
NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}}

VALUES = {
    "a name of the prompt where text is wanted": ({"type": "string"}, "Paris"),
    "the enum value that the prompt names": ({"enum": ["fahrenheit", "celsius"]}, "celsius"),
    "the first enum value where it names none": ({"type": "string", "enum": ["red", "blue"]}, "red"),
    "a number of the prompt": ({"type": "integer"}, 3),
    "a number within bounds": ({"type": "integer", "minimum": 5, "maximum": 9}, 5),
    "more than an exclusive bound": ({"type": "integer", "exclusiveMinimum": 7}, 8),
    "a constant": ({"const": "x"}, "x"),
    "a default": ({"type": "string", "default": "d"}, "d"),
    "a type list": ({"type": ["null", "integer"]}, 3),
    "a union": ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
    "a date": ({"type": "string", "format": "date"}, "2026-01-31"),
    "a list": ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [3, 3]),
    "a text cut to its length": ({"type": "string", "maxLength": 2}, "Pa"),
    "a reference": ({"$ref": "#/$defs/c", "$defs": {"c": {"type": "string"}}}, "Paris"),
    "required and nested fields only": (
        {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "note": {"type": "string"},
                "when": {"type": "object", "properties": {"days": {"type": "number"}}, "required": ["days"]},
            },
            "required": ["city", "when"],
        },
        {"city": "Paris", "when": {"days": 3.0}},
    ),
    "an optional enum that the prompt names": (
        {"type": "object", "properties": {"unit": {"enum": ["kelvin", "celsius"]}}},
        {"unit": "celsius"},
    ),
    "parts laid together": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"const": 1}}, "required": ["b"]},
            ]
        },
        {"a": 3, "b": 1},
    ),
}


@pytest.mark.parametrize("schema, value", VALUES.values(), ids=VALUES.keys())
def test_invented_value(schema: dict[str, Any], value: object):
    assert invent(schema, ASKED) == value


def test_a_schema_that_holds_itself_ends():
    deep = {"$defs": {"n": NODE | {"required": ["next"]}}, "$ref": "#/$defs/n"}
    assert "next" in invent(deep, ASKED)


@pytest.mark.parametrize("name", ["command", "script_code", "sql"])
def test_what_could_be_run_never_comes_from_the_prompt(name: str):
    schema = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
    assert invent(schema, Prompt('do not run "rm -rf /" here')) == {name: "echo hermes-router sandbox"}


def test_a_path_never_comes_from_the_prompt():
    schema = {"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]}
    assert invent(schema, Prompt('keep "/etc/passwd"')) == {"file_path": "hermes-router-sandbox.txt"}
