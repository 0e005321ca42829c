"""Typed access to a caller's JSON: what is taken, what is refused, and how the refusal names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hermes_router.core.errors import BadRequest
from hermes_router.dialects import reading

TABLE: dict[str, Any] = {
    "word": "a", "five": 5, "whole": 5.0, "half": 0.5, "yes": True, "none": None, "list": ["a", 1], "table": {"k": 1}
}  # fmt: skip


@pytest.mark.parametrize(
    "body, message",
    [
        pytest.param(b"", "body is not valid JSON", id="empty"),
        pytest.param(b"{", "body is not valid JSON", id="cut"),
        pytest.param(b'{"a": NaN}', "body is not valid JSON", id="NaN"),
        pytest.param(b'{"a": "\xff"}', "body is not valid JSON", id="not UTF-8"),
        pytest.param(b"[1]", "body must be a JSON object, not an array", id="array"),
        pytest.param(b"null", "body must be a JSON object, not null", id="null"),
        pytest.param(b'"x"', "body must be a JSON object, not a string", id="string"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, message: str):
    with pytest.raises(BadRequest) as caught:
        reading.parse_json(body)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "read, value",
    [
        pytest.param(lambda: reading.text(TABLE, "word"), "a", id="text"),
        pytest.param(lambda: reading.integer(TABLE, "five"), 5, id="integer"),
        pytest.param(lambda: reading.integer(TABLE, "whole"), 5, id="integer written as a float"),
        pytest.param(lambda: reading.number(TABLE, "half"), 0.5, id="number"),
        pytest.param(lambda: reading.number(TABLE, "five"), 5, id="integer as a number"),
        pytest.param(lambda: reading.boolean(TABLE, "yes"), True, id="boolean"),
        pytest.param(lambda: reading.choice(TABLE, "word", among=("a", "b")), "a", id="choice"),
        pytest.param(lambda: reading.object_(TABLE, "table"), {"k": 1}, id="object"),
        pytest.param(lambda: reading.items(TABLE, "list"), ["a", 1], id="items"),
        pytest.param(lambda: reading.text(TABLE, "none"), None, id="null is absent"),
        pytest.param(lambda: reading.integer(TABLE, "absent"), None, id="absent"),
        pytest.param(lambda: reading.strings(TABLE, "absent"), (), id="no strings"),
        pytest.param(lambda: list(reading.objects(TABLE, "absent")), [], id="no objects"),
        pytest.param(lambda: reading.leftovers(TABLE, ("word", "five", "whole", "half", "yes", "list")),
                     {"table": {"k": 1}}, id="leftovers without nulls"),
    ],
)  # fmt: skip
def test_fields_are_read_by_type(read: Callable[[], object], value: object):
    assert read() == value


@pytest.mark.parametrize(
    "read, param, message",
    [
        pytest.param(lambda: reading.text(TABLE, "five", "messages[2]"), "messages[2].five",
                     "messages[2].five must be a string, not an integer", id="text"),
        pytest.param(lambda: reading.integer(TABLE, "yes"), "yes", "yes must be an integer, not a boolean",
                     id="boolean"),
        pytest.param(lambda: reading.integer(TABLE, "half"), "half", "half must be an integer, not a number", id="0.5"),
        pytest.param(lambda: reading.number(TABLE, "yes"), "yes", "yes must be a number, not a boolean", id="number"),
        pytest.param(lambda: reading.boolean(TABLE, "five"), "five", "five must be a boolean, not an integer",
                     id="five"),
        pytest.param(lambda: reading.integer(TABLE, "five", minimum=6), "five", "five must be at least 6, not 5",
                     id="min"),
        pytest.param(lambda: reading.number(TABLE, "half", maximum=0.1), "half", "half must be at most 0.1, not 0.5",
                     id="max"),
        pytest.param(lambda: reading.choice(TABLE, "word", among=("b", "c")), "word",
                     "word must be one of b, c, not 'a'", id="choice"),
        pytest.param(lambda: reading.strings(TABLE, "list"), "list[1]", "list[1] must be a string, not an integer",
                     id="strings"),
        pytest.param(lambda: list(reading.objects(TABLE, "list", "tools[0]")), "tools[0].list[0]",
                     "tools[0].list[0] must be an object, not a string", id="objects"),
        pytest.param(lambda: reading.need_text(TABLE, "none", "x"), "x.none", "x.none is required", id="needed"),
        pytest.param(lambda: reading.need_integer(TABLE, "max"), "max", "max is required", id="needed integer"),
        pytest.param(lambda: reading.need_items(TABLE, "m"), "m", "m is required", id="needed items"),
        pytest.param(lambda: reading.need_object(TABLE, "o"), "o", "o is required", id="needed object"),
        pytest.param(lambda: reading.need_choice(TABLE, "c", among=("a",)), "c", "c is required", id="needed choice"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field_what_was_due_and_what_was_found(
    read: Callable[[], object], param: str, message: str
):
    with pytest.raises(BadRequest) as caught:
        read()
    assert (caught.value.param, caught.value.message) == (param, message)


def test_a_long_word_is_cut_in_the_message():
    with pytest.raises(BadRequest) as caught:
        reading.choice({"type": "x" * 500}, "type", among=("a",))
    assert len(caught.value.message) < 120
