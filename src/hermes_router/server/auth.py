"""Who calls: keys compared in constant time, never shown."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from ..core.errors import Unauthorized


class Keys:
    """The keys that open a surface. ``check`` names the caller by the key's last four characters, with a little more
    where two keys end alike."""

    def __init__(self, keys: Iterable[str], setting: str) -> None:
        self._names = _named(dict.fromkeys(key for key in keys if key))
        self._keys = [(key.encode(), name) for key, name in self._names.items()]
        self._setting = setting

    @property
    def names(self) -> Mapping[str, str]:
        """Key -> the caller's name."""
        return self._names

    def check(self, headers: Mapping[str, str]) -> str:
        """Raises Unauthorized."""
        given = _given(headers)
        if not given:
            raise Unauthorized(
                "No API key. Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`.", code="missing_api_key"
            )
        found = self._find(given)
        if not found:
            raise Unauthorized(f"This API key is not one of {self._setting}.")
        return found

    def find(self, headers: Mapping[str, str]) -> str:
        """The caller's name; empty where the key is none of these."""
        return self._find(_given(headers))

    def _find(self, given: str) -> str:
        found = ""
        raw = given.encode("utf-8", "replace")
        for key, name in self._keys:
            if hmac.compare_digest(raw, key):
                found = name
        return found


def _named(keys: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for key in keys:
        name = f"...{key[-4:]}"
        names[key] = name if name not in names.values() else f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:6]}"
    return names


def _given(headers: Mapping[str, str]) -> str:
    bearer = headers.get("authorization", "")
    scheme, _, key = bearer.partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key", "").strip()
