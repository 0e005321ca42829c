"""What a model can do, as bits, so that filtering thousands of deployments is two integer operations each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .schema import ModelSpec, Quirks


class Ability:
    """Needs and abilities speak the same bits. Plain integers: two of an ``enum.Flag`` take a hundred times as long to
    combine, and every request does it."""

    TOOLS: Final = 1
    PARALLEL_TOOLS: Final = 2
    VISION: Final = 4
    IMAGE_URLS: Final = 8
    DOCUMENTS: Final = 16
    AUDIO: Final = 32
    JSON_SCHEMA: Final = 64
    SCHEMA_WITH_TOOLS: Final = 128
    SCHEMA_WITH_STREAM: Final = 256
    PREFILL: Final = 512
    DOCUMENT_URLS: Final = 1024
    JSON_OBJECT: Final = 2048


WORDS = {
    Ability.TOOLS: "tools",
    Ability.PARALLEL_TOOLS: "parallel tool calls",
    Ability.VISION: "images",
    Ability.IMAGE_URLS: "images by URL",
    Ability.DOCUMENTS: "documents",
    Ability.DOCUMENT_URLS: "documents by URL",
    Ability.AUDIO: "audio",
    Ability.JSON_SCHEMA: "json_schema",
    Ability.JSON_OBJECT: "json_object",
    Ability.SCHEMA_WITH_TOOLS: "json_schema together with tools",
    Ability.SCHEMA_WITH_STREAM: "json_schema in a stream",
    Ability.PREFILL: "continuing an assistant turn",
}


def abilities(model: ModelSpec, quirks: Quirks, carries: Collection[str]) -> tuple[int, int]:
    """(known to be able, known to be unable); what is in neither is unknown. ``carries`` is the wire's."""
    image = "image" in carries
    facts: dict[int, bool | None] = {
        Ability.TOOLS: model.tools,
        Ability.PARALLEL_TOOLS: False if model.tools is False else _unless(model.parallel_tools, model.tools),
        Ability.VISION: model.vision if image else False,
        Ability.IMAGE_URLS: "image_url" in carries and quirks.image_urls is not False and model.vision is not False,
        Ability.DOCUMENTS: model.documents if "document" in carries else False,
        Ability.DOCUMENT_URLS: model.documents if "document_url" in carries else False,
        Ability.AUDIO: model.audio if "audio" in carries else False,
        Ability.JSON_SCHEMA: model.json_schema,
        Ability.JSON_OBJECT: "json_object" in carries,
        Ability.SCHEMA_WITH_TOOLS: quirks.schema_with_tools is not False,
        Ability.SCHEMA_WITH_STREAM: quirks.schema_with_stream is not False,
        Ability.PREFILL: quirks.prefill != "refused",
    }
    can = cannot = 0
    for ability, fact in facts.items():
        if fact:
            can |= ability
        elif fact is False:
            cannot |= ability
    return can, cannot


def words(missing: int) -> list[str]:
    """The names of the abilities in ``missing``, for people."""
    return [word for ability, word in WORDS.items() if ability & missing]


def _unless(fact: bool | None, fallback: bool | None) -> bool | None:
    return fallback if fact is None else fact
