"""What a provider's own list of models says of them, in our words. It fills what nobody has stated; it never overrides.

Shapes seen in recorded lists (2026): OpenRouter (``context_length``, ``supported_parameters``, ``architecture``),
Mistral and Anthropic (``capabilities``, ``max_context_length`` / ``max_input_tokens``), Groq (``context_window``,
``max_completion_tokens``), GitHub Copilot (``capabilities.limits`` and ``.supports``), Gemini's native list
(``inputTokenLimit``), llama.cpp (``meta.n_ctx``), vLLM (``max_model_len``).
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from .schema import ModelSpec


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Windows in tokens, 0 where not said; abilities None where not said."""

    context: int = 0
    max_output: int = 0
    tools: bool | None = None
    vision: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    reasoning: bool | None = None
    json_schema: bool | None = None


_WINDOWS = ("context", "max_output")
_CONTEXT = ("context_length", "context_window", "max_context_length", "max_input_tokens", "max_model_len")
_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_output_length", "outputTokenLimit")
_ABILITIES = {
    "tools": ("function_calling", "tool_calls", "tools"),
    "vision": ("vision", "image_input"),
    "documents": ("pdf_input",),
    "reasoning": ("reasoning", "thinking", "adaptive_thinking"),
    "json_schema": ("structured_outputs",),
}
_PARAMETERS = {
    "tools": ("tools",),
    "reasoning": ("reasoning", "reasoning_effort", "include_reasoning"),
    "json_schema": ("structured_outputs",),
}
_INPUTS = {"vision": "image", "documents": "file", "audio": "audio"}


def read_models(body: bytes) -> dict[str, ModelFacts] | None:
    """Facts by model id, from ``{"data": [...]}``, ``{"models": [...]}`` or a bare list; None where it is no list."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    rows = said.get("data", said.get("models")) if isinstance(said, dict) else said
    if not isinstance(rows, list):
        return None
    facts: dict[str, ModelFacts] = {}
    for row in rows:
        table = row if isinstance(row, dict) else {"id": row}
        name = table.get("id") or table.get("name")
        if isinstance(name, str):
            facts[name.removeprefix("models/")] = _facts(table)
    return facts


def filled(spec: ModelSpec, facts: ModelFacts | None) -> ModelSpec:
    """The model with what was not known of it taken from ``facts``."""
    if facts is None:
        return spec
    news = {}
    for name in facts.__struct_fields__:
        known, said = getattr(spec, name), getattr(facts, name)
        if (known is None and said is not None) or (name in _WINDOWS and not known and said):
            news[name] = said
    return msgspec.structs.replace(spec, **news) if news else spec


def _facts(row: dict[str, Any]) -> ModelFacts:
    capabilities = _table(row, "capabilities")
    limits, supports = _table(capabilities, "limits"), _table(capabilities, "supports")
    places = (row, _table(row, "top_provider"), limits, _table(row, "meta"))
    values: dict[str, Any] = {
        "context": _number(places, (*_CONTEXT, "max_context_window_tokens", "inputTokenLimit", "n_ctx")),
        "max_output": _number(places, _OUTPUT),
    }
    for name, keys in _ABILITIES.items():
        values[name] = _ability((capabilities, supports), keys)
    _from_parameters(row.get("supported_parameters"), values)
    _from_inputs(row.get("input_modalities") or _table(row, "architecture").get("input_modalities"), values)
    return ModelFacts(**values)


def _from_parameters(said: object, values: dict[str, Any]) -> None:
    if isinstance(said, list):
        for name, keys in _PARAMETERS.items():
            values[name] = any(key in said for key in keys)


def _from_inputs(said: object, values: dict[str, Any]) -> None:
    if isinstance(said, list):
        for name, key in _INPUTS.items():
            values[name] = key in said


def _table(row: dict[str, Any], key: str) -> dict[str, Any]:
    said = row.get(key)
    return said if isinstance(said, dict) else {}


def _number(places: tuple[dict[str, Any], ...], keys: tuple[str, ...]) -> int:
    found = (place.get(key) for place in places for key in keys)
    return next((said for said in found if isinstance(said, int) and not isinstance(said, bool) and said > 0), 0)


def _ability(places: tuple[dict[str, Any], ...], keys: tuple[str, ...]) -> bool | None:
    for place in places:
        for key in keys:
            said = place.get(key)
            if isinstance(said, dict):
                said = said.get("supported")
            if isinstance(said, bool):
                return said
    return None
