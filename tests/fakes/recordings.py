"""The recorded provider traffic, one loader for every test that replays it.

The folder (``RECORDINGS_DIR``) holds ``<provider>.<endpoint>.jsonl``, one exchange a line; its README says what the
fields are and which bodies are not byte for byte what was received. Nothing here is read before a test asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.wires.base import Target

Record = dict[str, Any]

needs_recordings = [
    pytest.mark.recordings,
    pytest.mark.skipif("RECORDINGS_DIR" not in os.environ, reason="RECORDINGS_DIR names no folder of recordings"),
]
"""For ``pytestmark``."""

_NAMES = {"nvidia_nim": "nvidia", "moonshot": "kimi", "chatgpt_codex": "codex", "gemini_openai": "gemini"}
"""Where the catalogue calls a recorded provider by another name."""


def files(endpoint: str = "*") -> list[str]:
    """The names (without suffix) of what was recorded of an endpoint; nothing where there are no recordings."""
    folder = os.environ.get("RECORDINGS_DIR")
    return sorted(path.stem for path in Path(folder).glob(f"*.{endpoint}.jsonl")) if folder else []


def load(name: str) -> Iterator[Record]:
    """The exchanges of one file."""
    path = Path(os.environ["RECORDINGS_DIR"]) / f"{name}.jsonl"
    for line in path.read_bytes().splitlines():
        yield orjson.loads(line)


def everything(endpoint: str = "*") -> Iterator[Record]:
    """The exchanges of every provider."""
    for name in files(endpoint):
        yield from load(name)


def catalogue_name(record: Record) -> str:
    """The provider by the catalogue's name, or its own where the catalogue has none."""
    name: str = record["provider"]
    return _NAMES.get(name, name)


def is_answer(record: Record) -> bool:
    """Whether it is a chat or messages call that was answered, which counting tokens is not."""
    return record["response"]["status"] == 200 and "count_tokens" not in record["request"]["url"]


def answer_bytes(record: Record) -> bytes:
    """The response's body."""
    body: str = record["response"]["body"]
    return body.encode()


def plain_target(name: str, quirks: Quirks | None = None) -> Target:
    """A provider of which nothing is known but its quirks."""
    return Target(
        name=name,
        provider=ProviderSpec(),
        model=ModelSpec(id="m"),
        quirks=quirks or Quirks(),
        base_url="http://127.0.0.1:9",
    )
