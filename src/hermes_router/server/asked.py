"""What a caller asks of the router itself, in headers."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import BadRequest
from ..settings import Settings

_YES = ("1", "true", "yes", "on")


def wants_pin(headers: Mapping[str, str], settings: Settings) -> bool:
    """X-Hermes-Pin, or the ``pin`` setting: provider/model as a model name means exactly that one."""
    said = headers.get("x-hermes-pin")
    return settings.pin or (said is not None and said.lower() in _YES)


def wait_seconds(headers: Mapping[str, str], settings: Settings) -> float:
    """X-Hermes-Max-Wait, or MAX_WAIT_SECONDS: how long the request may wait for quota. Raises BadRequest."""
    text = headers.get("x-hermes-max-wait")
    if text is None:
        return settings.max_wait_seconds
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise BadRequest(
            f"X-Hermes-Max-Wait is {text!r}; it must be a number of seconds from 0 to 86400.", param="X-Hermes-Max-Wait"
        )
    return seconds
