"""Who calls: keys compared in constant time, never shown."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from ..core.errors import Unauthorized


class Keys:
    """The keys that open a surface. ``check`` names the caller by the key's last four characters."""

    def __init__(self, keys: tuple[str, ...], setting: str) -> None:
        self._keys = [(key.encode(), f"...{key[-4:]}") for key in keys if key]
        self._setting = setting

    def check(self, headers: Mapping[str, str]) -> str:
        """Raises Unauthorized."""
        given = _given(headers)
        if not given:
            raise Unauthorized(
                "No API key. Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`.", code="missing_api_key"
            )
        found = ""
        raw = given.encode("utf-8", "replace")
        for key, name in self._keys:
            if hmac.compare_digest(raw, key):
                found = name
        if not found:
            raise Unauthorized(f"This API key is not one of {self._setting}.")
        return found


def _given(headers: Mapping[str, str]) -> str:
    bearer = headers.get("authorization", "")
    scheme, _, key = bearer.partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key", "").strip()
