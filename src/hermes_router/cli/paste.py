"""Finds keys in what somebody pasted: plain keys, several at once, or lines of a ``.env``."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ..catalogue.load import env_names
from ..catalogue.schema import ProviderSpec
from ..pool.credentials import clean

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+|set\s+|\$env:)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*,?\s*$")
_NUMBERED = re.compile(r"S$|_[0-9]{1,4}$")
_LISTED = re.compile(r"[\s,;]+")


class Pasted(msgspec.Struct, frozen=True):
    """``keys`` by provider, in the order they were found; ``strangers``: variables that are no provider's."""

    keys: dict[str, tuple[str, ...]] = {}
    strangers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Pasted({list(self.keys)}, {self.strangers})"


def recognise(text: str, specs: Mapping[str, ProviderSpec], provider: str = "") -> Pasted:
    """Keys in ``text``; a line that is no assignment holds keys of ``provider``, or nothing where that is empty."""
    names = _names(specs)
    found: dict[str, dict[str, None]] = {}
    strangers: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _ASSIGNMENT.match(line)
        if match is None:
            owner, value = provider, stripped
        else:
            owner = names.get(match[1].upper()) or names.get(_NUMBERED.sub("", match[1].upper()), "")
            value = match[2]
            if not owner:
                strangers.append(match[1])
        keys = [key for part in _LISTED.split(_bare(value)) if (key := clean(part))]
        if owner and keys:
            found.setdefault(owner, {}).update(dict.fromkeys(keys))
    return Pasted({name: tuple(keys) for name, keys in found.items()}, tuple(strangers))


def _bare(value: str) -> str:
    """Without quotes, or the comment behind an unquoted value."""
    if value[:1] in "\"'" and value[:1]:
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value[1:]
    return re.split(r"\s+#", value, maxsplit=1)[0]


def _names(specs: Mapping[str, ProviderSpec]) -> dict[str, str]:
    """Variable -> provider; where several read it, the first that serves."""
    names: dict[str, str] = {}
    for provider, spec in sorted(specs.items(), key=lambda item: item[1].status != "live"):
        for name in env_names(provider, spec):
            names.setdefault(name, provider)
    return names
