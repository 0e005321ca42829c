"""Typed access to a caller's JSON. Every refusal is a BadRequest that names the field by its path.

A path is written as in JavaScript: ``messages[2].content[0].type``. ``where`` is the path of the table a field is
read from, "" for the body itself. A field that is null counts as absent: clients send null for what they do not set.
The plain readers return None for an absent field, those called ``need_...`` refuse it. A boolean is never a number;
``5.0`` is an integer. Only types, bounds and words are checked here; what a field means is the dialect's matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from ..core.errors import BadRequest

Table = dict[str, Any]


class Unusual(ValueError):
    """This body is none of the usual ones, and may be mistaken: the general reader is needed."""


def parse_json(body: bytes) -> Table:
    """The body as a JSON object."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise BadRequest(f"body must be a JSON object, not {kind(value)}", code="invalid_json")
    return value


def at(where: str, key: str | int) -> str:
    """The path of ``key`` below ``where``."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    return f"{where}.{key}" if where else key


def kind(value: object) -> str:
    """What a JSON value is, for a sentence: ``a string``, ``null`` ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names: dict[type, str] = {str: "a string", int: "an integer", float: "a number", list: "an array"}
    return names.get(type(value), "an object")


def bad(path: str, problem: str) -> BadRequest:
    """A refusal of one field: ``bad("top_p", "must be ...")``."""
    return BadRequest(f"{path} {problem}", param=path)


def wrong_type(path: str, expected: str, value: object) -> BadRequest:
    """A refusal of one field's type."""
    return bad(path, f"must be {expected}, not {kind(value)}")


def missing(path: str) -> BadRequest:
    """A refusal because a required field is not there."""
    return bad(path, "is required")


def text(table: Mapping[str, Any], key: str, where: str = "") -> str | None:
    """A string."""
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise wrong_type(at(where, key), "a string", value)


def need_text(table: Mapping[str, Any], key: str, where: str = "") -> str:
    """A string that must be there; it may be empty."""
    value = text(table, key, where)
    if value is None:
        raise missing(at(where, key))
    return value


def integer(
    table: Mapping[str, Any], key: str, where: str = "", *, minimum: int | None = None, maximum: int | None = None
) -> int | None:
    """An integer within bounds (inclusive)."""
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(at(where, key), "an integer", value)
    _within(value, at(where, key), minimum, maximum)
    return value


def need_integer(
    table: Mapping[str, Any], key: str, where: str = "", *, minimum: int | None = None, maximum: int | None = None
) -> int:
    """An integer that must be there."""
    value = integer(table, key, where, minimum=minimum, maximum=maximum)
    if value is None:
        raise missing(at(where, key))
    return value


def number(
    table: Mapping[str, Any], key: str, where: str = "", *, minimum: float | None = None, maximum: float | None = None
) -> float | None:
    """A number within bounds (inclusive); an integer stays one."""
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(at(where, key), "a number", value)
    _within(value, at(where, key), minimum, maximum)
    return value


def boolean(table: Mapping[str, Any], key: str, where: str = "") -> bool | None:
    """true or false."""
    value = table.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(at(where, key), "a boolean", value)


def choice(table: Mapping[str, Any], key: str, where: str = "", *, among: Collection[str]) -> str | None:
    """One of a few words."""
    value = text(table, key, where)
    if value is None or value in among:
        return value
    words = ", ".join(among)
    raise bad(at(where, key), f"must be one of {words}, not {shown(value)}")


def need_choice(table: Mapping[str, Any], key: str, where: str = "", *, among: Collection[str]) -> str:
    """One of a few words, which must be there."""
    value = choice(table, key, where, among=among)
    if value is None:
        raise missing(at(where, key))
    return value


def object_(table: Mapping[str, Any], key: str, where: str = "") -> Table | None:
    """An object."""
    value = table.get(key)
    if value is None:
        return None
    return as_object(value, at(where, key))


def need_object(table: Mapping[str, Any], key: str, where: str = "") -> Table:
    """An object that must be there."""
    value = object_(table, key, where)
    if value is None:
        raise missing(at(where, key))
    return value


def items(table: Mapping[str, Any], key: str, where: str = "") -> list[Any] | None:
    """An array of anything."""
    value = table.get(key)
    if value is None or isinstance(value, list):
        return value
    raise wrong_type(at(where, key), "an array", value)


def need_items(table: Mapping[str, Any], key: str, where: str = "") -> list[Any]:
    """An array that must be there; it may be empty."""
    value = items(table, key, where)
    if value is None:
        raise missing(at(where, key))
    return value


def objects(table: Mapping[str, Any], key: str, where: str = "") -> Iterator[tuple[str, Table]]:
    """Each object of an array with its path; nothing where the array is absent."""
    path = at(where, key)
    for index, value in enumerate(items(table, key, where) or ()):
        yield at(path, index), as_object(value, at(path, index))


def strings(table: Mapping[str, Any], key: str, where: str = "") -> tuple[str, ...]:
    """An array of strings; empty where absent."""
    path = at(where, key)
    return tuple(as_text(value, at(path, index)) for index, value in enumerate(items(table, key, where) or ()))


def as_object(value: object, path: str) -> Table:
    """A value that must be an object."""
    if isinstance(value, dict):
        return value
    raise wrong_type(path, "an object", value)


def as_text(value: object, path: str) -> str:
    """A value that must be a string."""
    if isinstance(value, str):
        return value
    raise wrong_type(path, "a string", value)


def leftovers(table: Mapping[str, Any], known: Collection[str]) -> Table:
    """The fields nobody read, nulls left out: a dialect keeps them in ``extra``."""
    return {key: value for key, value in table.items() if key not in known and value is not None}


def shown(value: str, limit: int = 60) -> str:
    """A caller's word in quotes, cut, for a message."""
    return repr(value if len(value) <= limit else value[:limit] + "...")


def _within(value: float, path: str, minimum: float | None, maximum: float | None) -> None:
    if minimum is not None and value < minimum:
        raise bad(path, f"must be at least {minimum}, not {value}")
    if maximum is not None and value > maximum:
        raise bad(path, f"must be at most {maximum}, not {value}")
