"""The user's tables over the built-in ones: what stays, what goes."""

from __future__ import annotations

import pytest

from hermes_router.catalogue.load import CatalogueError, embed_spec, load_builtin, merge, parse_user_config
from hermes_router.catalogue.schema import (
    EmbedSpec,
    ErrorRule,
    LimitHeaders,
    Limits,
    ModelSpec,
    ProviderSpec,
    Quirks,
    UserConfig,
)

BASE = ProviderSpec(
    wire="openai",
    base_url="https://api.example/v1",
    account="shared",
    reset="UTC",
    limits=Limits(rpm=20, rpd=50),
    models=(
        ModelSpec(id="a", tier=1, price=(1.0, 2.0), context=9000, limits=Limits(rpd=7), quirks=Quirks(sampling=False)),
        ModelSpec(id="b", tier=2),
    ),
    defaults=("a",),
    embed_model="e",
    embeddings=(EmbedSpec(id="e", dimensions=8, batch=4, limits=Limits(rpm=9)), EmbedSpec(id="f", dimensions=16)),
    quirks=Quirks(rename={"seed": "random_seed"}, max_tokens_field="max_tokens"),
    errors=(ErrorRule(kind="auth", status=(401,)),),
    limit_headers=(LimitHeaders(window="rpm", remaining="left"),),
    paths={"chat": "/c"},
)
GONE = ProviderSpec(wire="openai", base_url="https://gone.example/v1", status="retired", status_note="closed")
GATED = ProviderSpec(wire="openai", base_url="https://gate.example/v1", status="gated", status_note="paid only")
STRANGER = ProviderSpec(wire="openai", base_url="https://open.example/v1", keyless=True, opt_in=True)
CATALOGUE = {"base": BASE, "gone": GONE, "gated": GATED, "stranger": STRANGER}


def over(name: str, **said: object) -> ProviderSpec:
    table = ProviderSpec(**said)  # type: ignore[arg-type]
    return merge(CATALOGUE, UserConfig(providers={name: table}))[name]


def test_a_table_that_says_nothing_changes_nothing_but_the_switch():
    assert over("base") == BASE
    assert over("stranger").opt_in is False


def test_providers_nobody_wrote_about_stay_as_they_are_and_keep_their_order():
    merged = merge(CATALOGUE, UserConfig(providers={"gone": ProviderSpec(keys=("k-test-1",))}))
    assert list(merged) == list(CATALOGUE)
    assert merged["base"] is BASE


@pytest.mark.parametrize(
    "said, field, expected",
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "base_url", "http://127.0.0.1:1/v1"),
        ({"wire": "anthropic"}, "wire", "anthropic"),
        ({"keys": ("k-test-1",)}, "keys", ("k-test-1",)),
        ({"key_env": "X"}, "key_env", "X"),
        ({"account": "per-key"}, "account", "per-key"),
        ({"reset": "rolling"}, "reset", "rolling"),
        ({"limits": Limits(rpd=1000)}, "limits", Limits(rpm=20, rpd=1000)),
        ({"quirks": Quirks(image_urls=False)}, "quirks", Quirks(image_urls=False).over(BASE.quirks)),
        ({"paths": {"models": "/m"}}, "paths", {"chat": "/c", "models": "/m"}),
        ({"keys": ()}, "keyless", True),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_that_is_said_wins_and_all_others_stay(said: dict[str, object], field: str, expected: object):
    merged = over("base", **said)
    assert getattr(merged, field) == expected
    untouched = {"errors", "limit_headers", "models", "embeddings", "defaults"} - {field}
    assert [name for name in untouched if getattr(merged, name) != getattr(BASE, name)] == []


def test_the_user_s_error_rules_are_tried_first():
    mine = ErrorRule(kind="retired", status=(401,))
    assert over("base", errors=(mine,)).errors == (mine, *BASE.errors)


def test_listed_models_replace_the_built_in_ones_and_what_the_catalogue_says_of_them():
    merged = over("base", models=(ModelSpec(id="a", tier=5), ModelSpec(id="new")))
    assert merged.models is not None
    first, second = merged.models
    assert (first.tier, first.price, first.context, first.limits) == (5, None, 0, Limits())
    assert second == ModelSpec(id="new")
    assert (merged.limits, merged.reset) == (None, None)
    assert merged.defaults == ("a", "new")


def test_quirks_headers_and_errors_stay_when_models_are_listed():
    merged = over("base", models=(ModelSpec(id="a", quirks=Quirks(reserve=5)),))
    assert merged.models is not None
    assert merged.models[0].quirks == Quirks(sampling=False, reserve=5)
    assert (merged.quirks, merged.errors, merged.limit_headers) == (BASE.quirks, BASE.errors, BASE.limit_headers)
    assert merged.account == "shared"
    assert merged.embeddings == BASE.embeddings


def test_limits_and_calendar_said_beside_listed_models_are_the_user_s_alone():
    merged = over("base", models=(ModelSpec(id="a"),), limits=Limits(rpm=3), reset="rolling")
    assert (merged.limits, merged.reset) == (Limits(rpm=3), "rolling")


@pytest.mark.parametrize("name", ["gone", "gated"])
def test_a_listed_model_serves_as_listed_whatever_became_of_the_provider(name: str):
    merged = over(name, models=(ModelSpec(id="m"),))
    assert (merged.status, merged.status_note) == ("live", "")


@pytest.mark.parametrize("name", ["gone", "gated"])
def test_another_address_makes_a_retired_or_gated_provider_serve(name: str):
    merged = over(name, base_url="http://127.0.0.1:1/v1")
    assert (merged.status, merged.status_note) == ("live", "")


@pytest.mark.parametrize("name", ["gone", "gated"])
def test_a_key_alone_does_not(name: str):
    assert over(name, keys=("k-test-1",)).status == CATALOGUE[name].status


@pytest.mark.parametrize(
    "said, expected",
    [
        ({"embed_model": "e"}, (BASE.embeddings[0],)),
        ({"embed_model": "f"}, (BASE.embeddings[1],)),
        ({"embed_model": "unheard-of"}, (EmbedSpec(id="unheard-of"),)),
        ({"embed_model": ""}, ()),
        ({"embed_model": "e", "models": (ModelSpec(id="a"),)}, (EmbedSpec(id="e", dimensions=8, batch=4),)),
    ],
    ids=["default", "another known", "unknown", "none", "with models of one's own"],
)
def test_an_embedding_model_keeps_the_facts_that_are_known(said: dict[str, object], expected: tuple[EmbedSpec, ...]):
    assert over("base", **said).embeddings == expected


def test_a_model_known_from_another_provider_brings_its_sizes_but_not_that_provider_s_limits():
    catalogue = {"base": BASE}
    assert embed_spec(catalogue, ProviderSpec(), "e") == EmbedSpec(id="e", dimensions=8)


def test_an_address_of_one_s_own_needs_no_variable_of_the_built_in_one():
    merged = merge(load_builtin(["cloudflare"]), parse_user_config(
        '[providers.cloudflare]\nbase_url = "http://127.0.0.1:1/{MY_ID}/v1"', "hermes-router.toml"))  # fmt: skip
    assert merged["cloudflare"].base_url_env == ("MY_ID",)


def test_a_new_provider_comes_after_the_built_in_ones():
    new = ProviderSpec(wire="openai", base_url="http://127.0.0.1:1/v1", keys=(), models=(ModelSpec(id="m"),))
    merged = merge(CATALOGUE, UserConfig(providers={"mine": new}))
    assert list(merged) == [*CATALOGUE, "mine"]
    assert merged["mine"].keyless
    assert merged["mine"].defaults == ("m",)


def test_a_new_provider_needs_an_address_and_a_wire():
    with pytest.raises(CatalogueError, match=r"providers\.mine: a new provider needs base_url and wire"):
        over("mine", keys=("k-test-1",))
