"""Reasoning as the opaque text of ``encrypted_content``, so that a caller who keeps its own history brings it back.

It is packed, not secret: it holds what a provider wants to see again (text, signatures, encrypted blocks) and who wrote
it, for the caller whose answer it was. Text sealed by somebody else is not ours to open.
"""

from __future__ import annotations

import base64
import zlib

import msgspec

from ..core.request import Reasoning

_MARK = "hr1."
_LIMIT = 8 << 20
"""Bytes one item may unpack to: a small text must not become a large one."""


class _Sealed(msgspec.Struct, frozen=True):
    origin: str
    parts: tuple[Reasoning, ...]


def seal(parts: tuple[Reasoning, ...], origin: str) -> str:
    """The opaque text; ``origin`` is ``provider/model``."""
    packed = zlib.compress(msgspec.json.encode(_Sealed(origin, parts)), 1)
    return _MARK + base64.urlsafe_b64encode(packed).decode()


def unseal(text: str) -> tuple[tuple[Reasoning, ...], str] | None:
    """(parts, origin) of what ``seal`` made; None for anything else, a damaged one too."""
    if not text.startswith(_MARK):
        return None
    try:
        packed = base64.urlsafe_b64decode(text[len(_MARK) :])
        opener = zlib.decompressobj()
        raw = opener.decompress(packed, _LIMIT)
        if not opener.eof:
            return None
        sealed = msgspec.json.decode(raw, type=_Sealed)
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return None
    return sealed.parts, sealed.origin
