"""The built-in files: each loads, says where its facts come from, and contradicts itself nowhere."""

from __future__ import annotations

from functools import cache

import pytest

from hermes_router.catalogue.checks import check_provider
from hermes_router.catalogue.load import builtin_names, env_names, load_builtin, load_heads
from hermes_router.catalogue.mistakes import Origin
from hermes_router.catalogue.schema import LimitHeaders, ProviderSpec

NAMES = builtin_names()
PROMISED = frozenset((
    *("gemini", "openrouter", "sambanova", "github_models", "cerebras", "groq", "mistral", "cohere", "zai", "naga"),
    *("nvidia", "huggingface", "kimi", "opencode", "opencode_go", "openai", "anthropic", "codex", "local"),
    *("cloudflare", "ovhcloud", "ollama_cloud"),
))  # fmt: skip
TODAY = "2026-11-25"
NOT_SERVING = {"github_models": "retired", "opencode": "gated", "sambanova": "gated", "codex": "reserved"}
BELOW_THE_HEAD = frozenset({"models", "embeddings", "quirks", "errors", "limit_headers", "limits", "timeouts"})
FREE_TIERS = (
    *("gemini", "openrouter", "groq", "mistral", "cohere"),
    *("nvidia", "zai", "naga", "cloudflare", "ovhcloud", "ollama_cloud"),
)


@cache
def catalogue() -> dict[str, ProviderSpec]:
    return load_builtin()


def test_every_promised_provider_is_built_in():
    assert set(NAMES) == PROMISED


@pytest.mark.parametrize("name", NAMES)
def test_a_file_passes_every_check(name: str):
    check_provider(catalogue()[name], ("providers", name), Origin(f"{name}.toml", root=("providers", name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_when_and_where_its_facts_were_found(name: str):
    spec = catalogue()[name]
    assert spec.title
    assert spec.source
    assert "2025" < spec.as_of <= TODAY
    assert spec.signup or name == "local"


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_that_does_not_serve_says_why_and_one_that_does_can(name: str):
    spec = catalogue()[name]
    assert spec.status == NOT_SERVING.get(name, "live")
    assert bool(spec.status_note) is (spec.status != "live")
    assert spec.wire in ("openai", "anthropic")
    assert spec.base_url
    assert spec.base_url.startswith("https://") or name == "local"
    assert all(f"{{{variable}}}" in spec.base_url for variable in spec.base_url_env)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_SERVING and name != "local"])
def test_the_defaults_are_listed_here_and_exist_today(name: str):
    spec = catalogue()[name]
    models = {model.id: model for model in spec.models or ()}
    assert spec.defaults
    for id_ in spec.defaults:
        assert (models[id_].ends or "9999") > TODAY, id_
        assert models[id_].tier, id_


@pytest.mark.parametrize("name", FREE_TIERS)
def test_the_defaults_of_a_free_tier_are_free(name: str):
    models = {model.id: model for model in catalogue()[name].models or ()}
    assert [id_ for id_ in catalogue()[name].defaults if not models[id_].free] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_free_costs_nothing_unless_it_is_paid_from_a_credit(name: str):
    for model in catalogue()[name].models or ():
        if model.free and name != "mistral":
            assert model.price == (0.0, 0.0), model.id
        if model.free is False:
            assert model.price is None or sum(model.price) > 0, model.id


@pytest.mark.parametrize("name", NAMES)
def test_the_embedding_model_asked_by_default_is_described(name: str):
    spec = catalogue()[name]
    if spec.embed_model is not None:
        assert spec.embed_model in [embed.id for embed in spec.embeddings]
        assert all(embed.dimensions for embed in spec.embeddings)


def test_a_model_whose_end_has_come_is_not_listed():
    for name in NAMES:
        assert [m.id for m in catalogue()[name].models or () if (m.ends or "9999") <= TODAY] == [], name


def test_one_header_name_means_what_its_provider_says():
    windows = {}
    for name in ("groq", "openai", "sambanova"):
        maps: tuple[LimitHeaders, ...] = catalogue()[name].limit_headers
        windows[name] = next(m.window for m in maps if m.remaining == "x-ratelimit-remaining-requests")
    assert windows == {"groq": "rpd", "openai": "rpm", "sambanova": "rpm"}


@pytest.mark.parametrize(
    "name, window, expected",
    [("openrouter", "rpd", 50), ("openrouter", "rpm", 20), ("naga", "rpd", 100), ("cohere", "month", 1000)],
)
def test_what_all_models_share_is_limited_at_the_provider(name: str, window: str, expected: int):
    assert getattr(catalogue()[name].limits, window) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_head_says_the_same_as_the_whole_file(name: str):
    head, whole = load_heads([name])[name], catalogue()[name]
    fields = set(ProviderSpec.__struct_fields__) - BELOW_THE_HEAD
    assert {field for field in fields if getattr(head, field) != getattr(whole, field)} == set()
    assert not head.errors


def test_only_the_files_asked_for_are_read_and_unknown_names_passed_over():
    assert list(load_builtin(["groq", "no-such-provider", "gemini"])) == ["gemini", "groq"]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("groq", ("GROQ_API_KEY",)),
        ("gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY")),
        ("zai", ("ZAI_API_KEY", "GLM_API_KEY", "Z_AI_API_KEY", "ZHIPU_API_KEY")),
        ("huggingface", ("HUGGINGFACE_API_KEY", "HF_TOKEN", "HUGGINGFACE_HUB_TOKEN")),
        ("github_models", ("GITHUB_MODELS_API_KEY", "GITHUB_MODELS_TOKEN")),
    ],
)
def test_a_key_may_come_under_the_provider_s_own_variable_and_those_people_use(name: str, expected: tuple[str, ...]):
    assert env_names(name, catalogue()[name]) == expected


def test_a_provider_of_the_user_s_own_gets_a_variable_from_its_name():
    assert env_names("my-box.2", ProviderSpec()) == ("MY_BOX_2_API_KEY",)
