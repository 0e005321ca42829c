"""Renders ``GET /v1/models`` and ``GET /v1/models/{id}`` in OpenAI's shape or Anthropic's. What is listed is the
caller's choice (models, aliases, profiles).

Sources (2025-11): https://platform.openai.com/docs/api-reference/models and
https://docs.claude.com/en/api/models-list. Beyond OpenAI's four fields go ``context_window``, ``max_output_tokens``
and ``capabilities``, null or empty where nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One name a caller may send. ``created`` is wall-clock seconds, 0 where unknown; windows are in tokens;
    ``capabilities`` are words like ``tools`` or ``vision``. ``title`` is for people, the id where empty."""

    id: str
    owned_by: str
    created: int = 0
    title: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()


def models_list(rows: Sequence[ModelRow], *, anthropic: bool = False) -> bytes:
    """The whole list, on one page."""
    if not anthropic:
        return orjson.dumps({"object": "list", "data": [_openai(row) for row in rows]})
    return orjson.dumps(
        {
            "data": [_anthropic(row) for row in rows],
            "has_more": False,
            "first_id": rows[0].id if rows else None,
            "last_id": rows[-1].id if rows else None,
        }
    )


def model(row: ModelRow, *, anthropic: bool = False) -> bytes:
    """One of them."""
    return orjson.dumps(_anthropic(row) if anthropic else _openai(row))


def _openai(row: ModelRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "model",
        "created": row.created,
        "owned_by": row.owned_by,
        "context_window": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "capabilities": list(row.capabilities),
    }


def _anthropic(row: ModelRow) -> dict[str, Any]:
    """``capabilities`` is left out: Anthropic's is a closed table that our words do not fill."""
    return {
        "type": "model",
        "id": row.id,
        "display_name": row.title or row.id,
        "created_at": datetime.fromtimestamp(row.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": row.context_window,
        "max_tokens": row.max_output_tokens,
    }
