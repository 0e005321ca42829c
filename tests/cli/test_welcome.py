"""What is said at the start."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fakes.configured import load_from
from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec
from hermes_router.cli.welcome import welcome
from hermes_router.pool.build import build
from hermes_router.pool.world import World

SANDBOX = {
    "sandbox-a": ProviderSpec(
        wire="openai",
        base_url="sandbox://a",
        keyless=True,
        models=(ModelSpec(id="m"),),
        embed_model="e",
        embeddings=(EmbedSpec(id="e"),),
    )
}


def world(folder: Path, env: dict[str, str] | None = None, **said: Any) -> World:
    loaded = load_from(folder, env, **said)
    return build(loaded, load_builtin(), today=date(2026, 11, 25), sandbox=SANDBOX)


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_without_a_key_the_sandbox_is_announced_with_the_way_out(tmp_path: Path):
    text = welcome(world(tmp_path), "127.0.0.1", 8319)
    assert "No provider is configured, so the sandbox answers" in text
    assert ["!", "GEMINI_API_KEY=...", "from", "aistudio.google.com"] in lines(text)
    assert ["sandbox-a", "1", "model", "no", "key", "needed", "embeddings:", "e"] in lines(text)


def test_a_request_to_copy_and_the_base_urls_are_given(tmp_path: Path):
    text = welcome(world(tmp_path), "127.0.0.1", 8319)
    assert "curl http://127.0.0.1:8319/v1/chat/completions" in text
    assert '"Authorization: Bearer sk-router-1"' in text
    assert "OpenAI     base URL http://127.0.0.1:8319/v1   key sk-router-1" in text
    assert "Anthropic  base URL http://127.0.0.1:8319 " in text


def test_who_is_configured_is_counted_in_models_and_keys(tmp_path: Path):
    built = world(tmp_path, {"GROQ_API_KEYS": "k-test-1,k-test-2", "GROQ_MODEL": "a,b,c", "LOCAL_MODEL": "llama"})
    text = welcome(built, "127.0.0.1", 8319)
    assert ["groq", "3", "models", "2", "keys"] in lines(text)
    assert ["local", "1", "model", "no", "key", "needed"] in lines(text)
    assert "sandbox" not in text


def test_the_sandbox_beside_real_providers_says_that_it_comes_last(tmp_path: Path):
    text = welcome(world(tmp_path, {"LOCAL_MODEL": "llama", "SANDBOX": "1"}), "127.0.0.1", 8319)
    assert "its simulated providers come last" in text
    assert "No provider is configured" not in text


def test_what_does_not_serve_is_said_at_the_start(tmp_path: Path):
    text = welcome(world(tmp_path, {"GITHUB_MODELS_TOKEN": "k-test-1"}), "127.0.0.1", 8319)
    assert "! Nobody can serve a request" in text
    assert "! github_models: GitHub closed the service" in text


def test_no_key_of_the_users_own_is_shown(tmp_path: Path):
    env = {"PROXY_API_KEYS": "k-test-12345", "GROQ_API_KEY": "k-test-67890"}
    text = welcome(world(tmp_path, env), "127.0.0.1", 8319)
    assert "Bearer $ROUTER_KEY" in text
    assert "ROUTER_KEY: one of PROXY_API_KEYS, such as ...2345" in text
    assert "k-test" not in text


@pytest.mark.parametrize(
    "host,url",
    [
        ("127.0.0.1", "is at http://127.0.0.1:8319\n"),
        ("0.0.0.0", "is at http://127.0.0.1:8319 and listens on 0.0.0.0\n"),
        ("::1", "is at http://[::1]:8319\n"),
        ("localhost", "is at http://localhost:8319\n"),
    ],
)
def test_the_address_is_one_that_can_be_reached(tmp_path: Path, host: str, url: str):
    assert url in welcome(world(tmp_path), host, 8319)
