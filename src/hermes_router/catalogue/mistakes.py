"""Says where a table is wrong: file, line, path, and the nearest right name. Knows nothing of what a table is for.

Reading a right table costs one ``msgspec.convert``. Only once that has failed is the place worked out: msgspec names a
struct's fields but not a dict's keys, so the path is walked again beside the types.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")

_MESSAGE = re.compile(r"(?P<problem>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_NAME = re.compile(r"""(?P<bare>[A-Za-z0-9_-]+)|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'""")
_HEADER = re.compile(r"\s*(?P<open>\[\[?)(?P<name>[^\[\]]+)\]")
_ASSIGN = re.compile(r"""\s*(?P<name>(?:[A-Za-z0-9_.\s-]|"[^"]*"|'[^']*')+?)\s*=""")
_TOML_NAMES = {bool: "bool", int: "int", float: "float", str: "str", list: "array", dict: "object"}
_PLAIN = {
    "`str`": "a string",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
    "`null`": "nothing",
}

Path = tuple[str | int, ...]


class CatalogueError(ValueError):
    """A provider file or hermes-router.toml cannot be used as it stands. The message is for its author."""


class Origin(msgspec.Struct, frozen=True):
    """Where a table was read: ``source`` names the file, ``text`` is its content (empty: no line is named), ``root``
    the part of every path that is not written in the file itself."""

    source: str
    text: str = ""
    root: Path = ()

    def error(self, path: Path, problem: str) -> CatalogueError:
        """The error for ``problem`` at ``path``."""
        line = find_line(self.text, path[len(self.root) :]) if self.text else None
        place = f"{self.source}, line {line}" if line else self.source
        return CatalogueError(f"{place}: {dotted(path)}: {problem}" if path else f"{place}: {problem}")


def convert(raw: object, kind: type[T], path: Path, origin: Origin) -> T:
    """``raw`` as ``kind``. Raises ``CatalogueError`` with the place of the first mistake."""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(error, raw, kind, path, origin) from None


def nearest(word: str, words: Iterable[str]) -> str:
    """``; did you mean ...?``, or a short list of what there is, or nothing."""
    known = sorted(set(words))
    if close := difflib.get_close_matches(word, known, n=4, cutoff=0.5):
        swapped = [other for other in close if sorted(other) == sorted(word)]
        return f"; did you mean {(swapped or close)[0]}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 24 else ""


def sentence(text: str) -> str:
    """With a full stop, unless it ends in a question already."""
    return text if text.endswith("?") else f"{text}."


def dotted(path: Path) -> str:
    """``providers.groq.models[2].limits``: as a person would write it."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[\w-]+", step) else f'"{step}"'
            out += f".{name}" if out else name
    return out


def find_line(text: str, path: Path) -> int | None:
    """The number of the line that says ``path``, or else the one that opens the table it is in."""
    wanted = _flat(path)
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _indexed(_split(header["name"]), counts, new=header["open"] == "[[")
            here = table
        elif assign := _ASSIGN.match(line):
            here = table + _split(assign["name"])
        else:
            continue
        shared = min(len(here), len(wanted))
        if wanted[:shared] == here[:shared] and (best is None or shared > best[0]):
            best = (shared, number)
    return best[1] if best else None


def _flat(path: Path) -> tuple[str, ...]:
    return tuple(f"[{step}]" if isinstance(step, int) else step for step in path)


def _split(name: str) -> tuple[str, ...]:
    return tuple(next(part for part in m.group("bare", "double", "single") if part is not None)
                 for m in _NAME.finditer(name))  # fmt: skip


def _indexed(name: tuple[str, ...], counts: dict[tuple[str, ...], int], *, new: bool) -> tuple[str, ...]:
    """``name`` with the index of each list of tables in it; ``new`` opens one more of the last."""
    out: tuple[str, ...] = ()
    for position, part in enumerate(name, 1):
        out += (part,)
        if new and position == len(name):
            counts[out] = counts.get(out, -1) + 1
        if out in counts:
            out += (f"[{counts[out]}]",)
    return out


def _explain(error: msgspec.ValidationError, raw: object, kind: Any, path: Path, origin: Origin) -> CatalogueError:
    match = _MESSAGE.fullmatch(str(error))
    problem = match["problem"] if match else str(error)
    steps, at = _walk((match["path"] if match else None) or "$", raw, kind, problem)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        name = unknown[1]
        return origin.error((*path, *steps, name), f"unknown key{nearest(name, _fields(at))}")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return origin.error((*path, *steps), f"{missing[1]} is missing")
    if wrong := re.fullmatch(r"Invalid enum value '(.*)'", problem):
        return origin.error((*path, *steps), f"unknown word '{wrong[1]}'{nearest(wrong[1], _words(at))}")
    return origin.error((*path, *steps), _plain(problem))


def _walk(path: str, raw: Any, kind: Any, problem: str) -> tuple[Path, Any]:
    """The steps of a msgspec path, a dict's key filled in where it can be told, and the type at its end."""
    steps: list[str | int] = []
    for step in _STEP.finditer(path):
        kind = _below(kind, step["name"])
        key: str | int | None = step["name"]
        if step["index"]:
            key = int(step["index"])
        elif step["any"]:
            key = _guilty_key(raw, problem)
        if key is None:
            break
        steps.append(key)
        raw = _get(raw, key)
    return tuple(steps), kind


def _get(raw: Any, key: str | int) -> Any:
    if isinstance(raw, Mapping):
        return raw.get(key)
    return raw[key] if isinstance(raw, list) and isinstance(key, int) and key < len(raw) else None


def _guilty_key(raw: Any, problem: str) -> str | None:
    """The key of the first value that has the type the message complains of."""
    got = re.search(r"got `(\w+)`", problem)
    if not isinstance(raw, Mapping) or got is None:
        return None
    return next((key for key, value in raw.items() if _TOML_NAMES.get(type(value)) == got[1]), None)


def _below(kind: Any, name: str | None) -> Any:
    """The type of field ``name`` (None: of an element) of ``kind``; None where it cannot be told."""
    for option in _options(kind):
        if name is not None and isinstance(option, type) and issubclass(option, msgspec.Struct):
            return get_type_hints(option).get(name)
        if name is None and (arguments := get_args(option)):
            return arguments[1] if get_origin(option) is dict else arguments[0]
    return None


def _options(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in (Union, UnionType):
        return tuple(option for option in get_args(kind) if option is not type(None))
    return (kind,)


def _fields(kind: Any) -> list[str]:
    return [name for option in _options(kind) for name in getattr(option, "__struct_fields__", ())]


def _words(kind: Any) -> list[str]:
    return [str(word) for option in _options(kind) if get_origin(option) is Literal for word in get_args(option)]


def _plain(problem: str) -> str:
    """msgspec's sentence in the words of somebody who writes TOML."""
    problem = problem.replace(" | null", "")
    for theirs, ours in _PLAIN.items():
        problem = problem.replace(theirs, ours)
    return problem[:1].lower() + problem[1:]
