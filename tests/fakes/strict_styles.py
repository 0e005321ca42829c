"""What each strict provider of the catalogue refuses, for ``fakes.strict``: facts of the providers' documentation and
of recorded refusals, said again without the catalogue's quirks, so that a mistake in those shows.

A field that is merely ignored is not listed as refused.
"""

from __future__ import annotations

import re
from typing import Any

from .strict import Style, Wrong, check_anthropic, check_openai

# fmt: off
_COMMON = frozenset((
    "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "tools", "tool_choice", "response_format",
))
_PENALTIES = frozenset(("frequency_penalty", "presence_penalty"))
_SAID = frozenset(("tool_calls", "tool_call_id"))
_ROLES = frozenset(("system", "user", "assistant", "tool"))
_ENDS = ("system", "developer", "user", "assistant", "tool")

STYLES: dict[str, Style] = {
    # No name but on tool messages, random_seed, ids of nine, nothing it does not know (422 extra_forbidden). A user's
    # turn after a tool's is taken (recorded, 2025-26).
    "mistral": Style(
        (_COMMON - {"stream_options"}) | _PENALTIES | {"random_seed", "parallel_tool_calls", "reasoning_effort"},
        tool_id=r"[a-zA-Z0-9]{9}", keywords=frozenset(("$schema", "$id")), last=("user", "assistant", "tool"),
        roles=_ROLES, message_fields=_SAID | {"name", "prefix"},
    ),
    # Reference and definition keywords unknown, no parallel_tool_calls, no logprobs, pictures as base64.
    "gemini": Style(
        _COMMON | _PENALTIES | {"seed", "reasoning_effort", "max_completion_tokens"},
        keywords=frozenset(("$schema", "$id", "$ref", "$defs", "$comment", "additionalProperties")), last=_ENDS,
        roles=_ROLES, message_fields=_SAID | {"name"},
    ),
    # No logprobs, no logit_bias, no name on messages.
    "groq": Style(
        _COMMON | _PENALTIES | {
            "seed", "max_completion_tokens", "parallel_tool_calls", "reasoning_effort", "reasoning_format", "user",
        },
        last=_ENDS, roles=_ROLES, message_fields=_SAID,
    ),
    # No penalties, no logit_bias, no parallel_tool_calls on older models.
    "cerebras": Style(
        (_COMMON - {"max_tokens"}) | {"max_completion_tokens", "seed", "reasoning_effort", "user"},
        last=_ENDS, roles=_ROLES, message_fields=_SAID | {"name"},
    ),
    # No parallel_tool_calls, n, store, metadata, service_tier, logprobs; no additionalProperties or $schema in tools.
    "cohere": Style(
        _COMMON | _PENALTIES | {"seed", "reasoning_effort"},
        keywords=frozenset(("$schema", "additionalProperties")), last=_ENDS, roles=_ROLES,
        message_fields=_SAID | {"name"},
    ),
    # Fields of OpenAI's own; no max_tokens beside max_completion_tokens.
    "openai": Style(
        (_COMMON - {"max_tokens"}) | _PENALTIES | {
            "max_completion_tokens", "logit_bias", "logprobs", "top_logprobs", "n", "seed", "user", "metadata", "store",
            "reasoning_effort", "service_tier", "verbosity", "modalities", "prediction", "parallel_tool_calls",
            "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "web_search_options", "moderation",
        },
        last=_ENDS, message_fields=_SAID | {"name", "refusal"},
    ),
    # A content that is a string; a budget always; no logprobs.
    "cloudflare": Style(
        _COMMON | _PENALTIES | {"seed", "parallel_tool_calls"}, last=_ENDS, roles=_ROLES,
        message_fields=_SAID | {"name"},
    ),
    # thinking as a switch, no seed, no logprobs, no penalties.
    "zai": Style(_COMMON | {"thinking"}, last=_ENDS, roles=_ROLES, message_fields=_SAID | {"name"}),
}
# fmt: on
EMBED_FIELDS: dict[str, frozenset[str]] = {
    "gemini": frozenset(("dimensions", "encoding_format")),
    "mistral": frozenset(("encoding_format",)),
    "cohere": frozenset(("dimensions", "encoding_format", "input_type")),
    "nvidia": frozenset(("encoding_format", "input_type", "truncate")),
    "openai": frozenset(("dimensions", "encoding_format", "user")),
    "cloudflare": frozenset(("encoding_format",)),
}
_NEWER = frozenset(("cache_control", "context_management"))
"""Fields of Anthropic's that ``check_anthropic`` does not know (recorded with 200, 2026)."""
_DATA_ONLY = frozenset(("gemini", "cohere"))
"""They fetch no picture by its URL."""


def check_body(provider: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    """Raises Wrong where ``provider`` would answer 400 or 422."""
    if provider == "anthropic":
        return check_anthropic({name: value for name, value in body.items() if name not in _NEWER}, headers)
    check_openai(body, STYLES[provider])
    if provider == "mistral":
        _mistral(body)
    if provider == "cloudflare" and not body.get("max_tokens"):
        raise Wrong("max_tokens: the default is tiny")
    if provider == "cloudflare" and any("content" not in message for message in body["messages"]):
        raise Wrong("content: null is not taken")
    if provider in _DATA_ONLY:
        _no_urls(body)
    return None


def check_embedding(provider: str, body: dict[str, Any]) -> None:
    """Raises Wrong where ``provider`` would refuse an embedding request."""
    unknown = body.keys() - {"model", "input"} - EMBED_FIELDS[provider]
    if unknown:
        raise Wrong(f"Unrecognized request arguments: {sorted(unknown)}")
    if "input_type" in EMBED_FIELDS[provider] and "input_type" not in body:
        raise Wrong("input_type is required")
    if not body["input"] or not all(body["input"]):
        raise Wrong("input: at least one, none empty")


def _mistral(body: dict[str, Any]) -> None:
    last = body["messages"][-1]
    if last["role"] == "assistant" and not last.get("prefix"):
        raise Wrong("Expected last role User or Tool (or Assistant with prefix True)")
    if body.get("tool_choice") not in (None, "auto", "any", "none"):
        raise Wrong("tool_choice: auto, any or none")
    if any("name" in message for message in body["messages"] if message["role"] != "tool"):
        raise Wrong("name: only on tool messages")
    if any("strict" in tool["function"] for tool in body.get("tools", ())):
        raise Wrong("tools: strict is not permitted")


def _no_urls(body: dict[str, Any]) -> None:
    for message in body["messages"]:
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if re.match("https?:", part.get("image_url", {}).get("url", "")):
                raise Wrong("image_url: only data URLs")
