"""What each tool has to be told to use the router: variables for a child process, or a piece of its configuration.

Sources: Claude Code settings (code.claude.com/docs, environment variables); Codex configuration reference
(developers.openai.com/codex, 2026-10: ``wire_api`` takes only ``responses``); opencode.ai/docs/providers and config
(``OPENCODE_CONFIG_CONTENT`` is merged over the files); aider.chat/docs/llms/openai-compat; zed.dev/docs/ai (keys come
from ``<PROVIDER>_API_KEY``, never from settings.json); docs.continue.dev/reference (config.yaml, schema v1).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

KEY_VARIABLE = "HERMES_ROUTER_API_KEY"
CONTEXT = 131072
"""Context that tools are told: small enough for most of the pool."""


_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
"""Where one of these is set, Claude Code asks that cloud, whatever ANTHROPIC_BASE_URL says."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """``set`` and ``unset`` variables of the child, ``arguments`` before the user's own."""

    program: str
    set: dict[str, str]
    unset: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    install: str = ""

    def __repr__(self) -> str:
        return f"Launch({self.program})"


def launches(url: str, key: str, model: str, *, chosen: bool = False) -> dict[str, Launch]:
    """By the name that ``hr launch`` takes. ``chosen``: the user asked for this model; else Claude Code sends its own
    names, for which the router chooses."""
    return {
        "claude": Launch(
            program="claude",
            set={
                "ANTHROPIC_BASE_URL": url,
                "ANTHROPIC_AUTH_TOKEN": key,
                **({"ANTHROPIC_MODEL": model} if chosen else {}),
            },
            unset=("ANTHROPIC_API_KEY", *_CLOUDS),
            install="npm install -g @anthropic-ai/claude-code",
        ),
        "codex": Launch(
            program="codex",
            set={KEY_VARIABLE: key},
            arguments=tuple(word for pair in _codex_flags(url, model) for word in ("-c", pair)),
            install="npm install -g @openai/codex",
        ),
        "opencode": Launch(
            program="opencode",
            set={KEY_VARIABLE: key, "OPENCODE_CONFIG_CONTENT": json.dumps(opencode(url, model))},
            install="npm install -g opencode-ai",
        ),
        "aider": Launch(
            program="aider",
            set={"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": key, "AIDER_MODEL": f"openai/{model}"},
            unset=("AIDER_OPENAI_API_BASE", "AIDER_OPENAI_API_KEY"),
            install="python -m pip install aider-install && aider-install",
        ),
    }


def _codex_flags(url: str, model: str) -> list[str]:
    table = codex_provider(url)
    provider = ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items())
    return [
        'model_provider="hermes"',
        f"model={json.dumps(model)}",
        f"model_providers.hermes={{ {provider} }}",
    ]


def codex_provider(url: str) -> dict[str, str]:
    """``[model_providers.hermes]`` of Codex's config.toml."""
    return {"name": "hermes-router", "base_url": f"{url}/v1", "env_key": KEY_VARIABLE, "wire_api": "responses"}


def opencode(url: str, model: str) -> dict[str, Any]:
    """opencode.json; the key comes from a variable."""
    return {
        "$schema": "https://opencode.ai/config.json",
        "provider": {
            "hermes": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "hermes-router",
                "options": {"baseURL": f"{url}/v1", "apiKey": f"{{env:{KEY_VARIABLE}}}"},
                "models": {model: {"name": "hermes-router", "limit": {"context": CONTEXT, "output": 8192}}},
            }
        },
        "model": f"hermes/{model}",
    }


def zed(url: str, model: str) -> dict[str, Any]:
    """The part of Zed's settings.json; the provider's name makes the variable HERMES_ROUTER_API_KEY."""
    offered = {
        "name": model,
        "display_name": "hermes-router",
        "max_tokens": CONTEXT,
        "max_output_tokens": 8192,
        "capabilities": {"tools": True, "images": True, "parallel_tool_calls": True, "prompt_cache_key": False},
    }
    provider = {"api_url": f"{url}/v1", "available_models": [offered]}
    return {"language_models": {"openai_compatible": {"hermes-router": provider}}}


def continue_yaml(url: str, key: str, model: str, *, whole: bool) -> str:
    """Continue's config.yaml, or only the entry below ``models:``."""
    entry = (
        "  - name: hermes-router\n"
        "    provider: openai\n"
        f"    model: {json.dumps(model)}\n"
        f"    apiBase: {json.dumps(f'{url}/v1')}\n"
        f"    apiKey: {json.dumps(key)}\n"
        "    roles: [chat, edit, apply]\n"
    )
    return f"name: My config\nversion: 1.0.0\nschema: v1\nmodels:\n{entry}" if whole else entry


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tool keeps its configuration; ``path`` None: only in its own window."""

    title: str
    path: Path | None
    steps: tuple[str, ...] = ()


def places(user: Path, system: str) -> dict[str, Place]:
    """By the name that ``hr connect`` takes."""
    config = user / ".config"
    zed_folder = user / "AppData" / "Roaming" / "Zed" if system == "win32" else config / "zed"
    return {
        "cline": Place(title="Cline", path=None, steps=("Settings (gear) > API Provider: OpenAI Compatible",)),
        "continue": Place(title="Continue", path=user / ".continue" / "config.yaml"),
        "zed": Place(title="Zed", path=zed_folder / "settings.json"),
        "cursor": Place(
            title="Cursor",
            path=None,
            steps=("Settings > Models > API Keys: OpenAI API Key, then Override OpenAI Base URL",),
        ),
        "opencode": Place(title="opencode", path=config / "opencode" / "opencode.json"),
        "codex": Place(title="Codex", path=user / ".codex" / "config.toml"),
    }
