"""What serves, with which models, keys and facts, for what was configured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fakes.configured import load_from
from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import EmbedSpec, Limits, ModelSpec, Profile, ProviderSpec, Quirks
from hermes_router.pool.build import build
from hermes_router.pool.world import Deployment, World
from hermes_router.settings import SettingsError

TODAY = date(2026, 11, 25)
BIG = ModelSpec(id="org/big-1.5", tier=1, tools=True, max_output=9000, limits=Limits(rpm=5))
SMALL = ModelSpec(id="small", tier=4, tools=False)
CATALOGUE = {
    "groq": ProviderSpec(
        wire="openai",
        base_url="https://groq.invalid/v1/",
        models=(BIG, SMALL, ModelSpec(id="paid", price=(1, 2))),
        defaults=("org/big-1.5", "small"),
        env=("GROQ_TOKEN",),
        quirks=Quirks(headers={"x-fixed": "1"}, header_env={"x-site": "GROQ_SITE"}, drop=("seed",)),
    ),
    "cohere": ProviderSpec(
        wire="openai", base_url="https://cohere.invalid", embed_model="c1", embeddings=(EmbedSpec(id="c1"),), models=()
    ),
    "gemini": ProviderSpec(
        wire="openai",
        base_url="https://gemini.invalid",
        models=(ModelSpec(id="free", free=True), ModelSpec(id="dear", free=False)),
        embed_model="g1",
        embeddings=(EmbedSpec(id="g1", dimensions=3072, limits=Limits(rpm=3)), EmbedSpec(id="g2")),
    ),
    "gone": ProviderSpec(
        wire="openai", base_url="https://gone.invalid", status="retired", status_note="It closed.", models=(SMALL,)
    ),
    "gated": ProviderSpec(
        wire="openai", base_url="https://gated.invalid", status="gated", status_note="Pay first.", models=(SMALL,)
    ),
    "kept": ProviderSpec(status="reserved", status_note="Not yet."),
    "local": ProviderSpec(wire="openai", base_url="http://localhost:11434/v1", keyless=True, opt_in=True, models=()),
    "ovhcloud": ProviderSpec(
        wire="openai", base_url="https://ovhcloud.invalid", keyless=True, opt_in=True, models=(SMALL,)
    ),
    "sky": ProviderSpec(
        wire="openai", base_url="https://sky.invalid/{SKY_ID}/v1", base_url_env=("SKY_ID",), models=(SMALL,)
    ),
    "tired": ProviderSpec(
        wire="openai",
        base_url="https://tired.invalid",
        models=(ModelSpec(id="old", ends="2026-11-24"), ModelSpec(id="last-day", ends="2026-11-25")),
    ),
}
SANDBOX = {
    "sandbox-a": ProviderSpec(
        wire="openai",
        base_url="sandbox://a",
        keyless=True,
        models=(SMALL,),
        embed_model="e",
        embeddings=(EmbedSpec(id="e"),),
    )
}


def world(folder: Path, env: Mapping[str, str] | None = None, **said: Any) -> World:
    return build(load_from(folder, env, **said), CATALOGUE, today=TODAY, sandbox=SANDBOX)


def names(deployments: tuple[Deployment, ...]) -> list[str]:
    return [one.name for one in deployments]


def notices(built: World) -> str:
    return "\n".join(f"{notice.subject}: {notice.message}" for notice in built.notices)


SERVING: list[tuple[str, dict[str, Any], list[str]]] = [
    ("the default models", {"env": {"GROQ_API_KEY": "k1"}}, ["groq/org/big-1.5", "groq/small"]),
    ("the free ones without defaults", {"env": {"GEMINI_API_KEY": "k1"}}, ["gemini/free"]),
    (
        "each with each key",
        {"env": {"GROQ_API_KEYS": "k1,k2"}},
        ["groq/org/big-1.5"] * 2 + ["groq/small"] * 2,
    ),
    (
        "named ones in order",
        {"env": {"GROQ_TOKEN": "k1", "GROQ_MODEL": "new, small,new"}},
        ["groq/new", "groq/small"],
    ),
    ("auth.json", {"auth": {"groq": ["k1"]}, "env": {"GROQ_MODEL": "paid"}}, ["groq/paid"]),
    ("a retired provider", {"env": {"GONE_API_KEY": "k1", "GONE_MODEL": "small"}}, []),
    ("a retired one elsewhere", {"env": {"GONE_API_KEY": "k1", "GONE_BASE_URL": "http://127.0.0.1:1"}}, ["gone/small"]),
    ("a gated provider", {"env": {"GATED_API_KEY": "k1"}}, []),
    ("a gated one by name", {"env": {"GATED_API_KEY": "k1", "GATED_MODEL": "small"}}, ["gated/small"]),
    ("a reserved name", {"env": {"KEPT_API_KEY": "k1", "KEPT_MODEL": "x"}}, []),
    ("a retired model", {"env": {"TIRED_API_KEY": "k1"}}, ["tired/last-day"]),
    (
        "a retired model elsewhere",
        {"env": {"TIRED_API_KEY": "k1", "TIRED_BASE_URL": "http://127.0.0.1:1"}},
        ["tired/old", "tired/last-day"],
    ),
    ("an address without its part", {"env": {"SKY_API_KEY": "k1"}}, []),
    ("local by address alone", {"env": {"LOCAL_BASE_URL": "http://127.0.0.1:1"}}, []),
    ("local by model", {"env": {"LOCAL_MODEL": "llama"}}, ["local/llama"]),
    ("keyless asked for", {"env": {"OVHCLOUD_ENABLED": "1"}}, ["ovhcloud/small"]),
    ("keyless by table", {"toml": "[providers.ovhcloud]"}, ["ovhcloud/small"]),
    ("keyless not asked for", {"env": {"OVHCLOUD_MODEL": "small", "SANDBOX": "0"}}, []),
    ("a table without key", {"toml": "[providers.groq]\nreset = 'UTC'"}, []),
]


@pytest.mark.parametrize("said,serving", [c[1:] for c in SERVING], ids=[c[0] for c in SERVING])
def test_what_serves(tmp_path: Path, said: Any, serving: list[str]):
    built = world(tmp_path, **said)
    assert names(built.deployments) == serving
    assert not built.sandbox


REASONS: list[tuple[str, dict[str, Any], str]] = [
    ("retired", {"env": {"GONE_API_KEY": "k1"}}, "gone: It closed."),
    ("gated", {"env": {"GATED_API_KEY": "k1"}}, "gated: Pay first. (to ask it all the same, set GATED_MODEL)"),
    ("reserved", {"env": {"KEPT_API_KEY": "k1"}}, "kept: Not yet."),
    ("a retired model", {"env": {"TIRED_API_KEY": "k1"}}, "tired/old: left out: it was retired on 2026-11-24"),
    ("part of the address", {"env": {"SKY_API_KEY": "k1"}}, "sky: set SKY_ID"),
    ("no model", {"env": {"LOCAL_BASE_URL": "http://127.0.0.1:1"}}, "local: no model is known: set LOCAL_MODEL"),
    ("no key", {"toml": "[providers.groq]\nreset = 'UTC'"}, "groq: no key: set GROQ_API_KEY"),
    ("no key there", {"toml": "[providers.groq]\nkey_env = 'MINE'"}, "groq: no key: set MINE"),
    (
        "a misspelt provider",
        {"auth": {"grok": ["k1"]}},
        "grok: auth.json has a key for it, but there is no such provider",
    ),
    (
        "the router itself",
        {"env": {"GROQ_API_KEY": "k1", "GROQ_BASE_URL": "http://localhost:8319/v1"}},
        "this router: requests would go round in circles",
    ),
    (
        "an alias of nobody",
        {"toml": '[aliases]\na = ["groq/small"]'},
        "alias a: none of its models is served now",
    ),
]


@pytest.mark.parametrize("said,reason", [c[1:] for c in REASONS], ids=[c[0] for c in REASONS])
def test_what_does_not_serve_says_why(tmp_path: Path, said: Any, reason: str):
    assert reason in notices(world(tmp_path, **said))


def test_another_address_moves_everything(tmp_path: Path):
    built = world(tmp_path, {"SKY_API_KEY": "k1", "SKY_BASE_URL": "http://127.0.0.1:1/v1/"})
    (one,) = built.deployments
    assert one.target.base_url == one.target.provider.base_url == "http://127.0.0.1:1/v1"
    assert built.providers["sky"].base_url == "http://127.0.0.1:1/v1"


def test_a_variable_fills_the_address(tmp_path: Path):
    (one,) = world(tmp_path, {"SKY_API_KEY": "k1", "SKY_ID": "abc"}).deployments
    assert one.target.base_url == "https://sky.invalid/abc/v1"


@pytest.mark.parametrize("url", ["groq.invalid/v1", "ftp://x", "http://", "http://me:k-test-1@x/v1", "http://x/v1?a=1"])
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(tmp_path: Path, url: str):
    with pytest.raises(SettingsError, match="GROQ_BASE_URL must be an address") as error:
        world(tmp_path, {"GROQ_API_KEY": "k1", "GROQ_BASE_URL": url})
    assert "k-test" not in str(error.value)


def test_named_models_keep_what_the_catalogue_knows_and_others_know_nothing(tmp_path: Path):
    built = world(tmp_path, {"GROQ_API_KEY": "k1", "GROQ_MODEL": "new,org/big-1.5"})
    assert [one.target.model for one in built.deployments] == [ModelSpec(id="new"), BIG]


FACTS: list[tuple[str, dict[str, str], tuple[bool | None, bool | None, int]]] = [
    ("the catalogue's", {}, (True, None, 9000)),
    ("of all models", {"GROQ_SUPPORTS_TOOLS": "0", "GROQ_REASONING": "1"}, (False, True, 9000)),
    ("of one over all", {"GROQ_SUPPORTS_TOOLS": "0", "GROQ_ORG_BIG_1_5_SUPPORTS_TOOLS": "1"}, (True, None, 9000)),
    ("of one", {"GROQ_ORG_BIG_1_5_REASONING": "no"}, (True, False, 9000)),
    ("of another", {"GROQ_SMALL_REASONING": "yes"}, (True, None, 9000)),
    ("a smaller answer", {"GROQ_MAX_OUTPUT_TOKENS": "500"}, (True, None, 500)),
    ("not a larger one", {"GROQ_MAX_OUTPUT_TOKENS": "9999"}, (True, None, 9000)),
]


@pytest.mark.parametrize("env,facts", [c[1:] for c in FACTS], ids=[c[0] for c in FACTS])
def test_the_user_knows_better(tmp_path: Path, env: dict[str, str], facts: tuple[bool | None, bool | None, int]):
    model = world(tmp_path, {"GROQ_API_KEY": "k1", **env}).deployments[0].target.model
    assert (model.tools, model.reasoning, model.max_output) == facts


@pytest.mark.parametrize(
    "name,value",
    [("SUPPORTS_TOOLS", "maybe"), ("SMALL_REASONING", "2"), ("SKIP_TOKENS_OVER", "5k"), ("MAX_OUTPUT_TOKENS", "-1")],
)
def test_a_variable_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, value: str):
    with pytest.raises(SettingsError, match=f"GROQ_{name} in .env is '{value}'; it must be"):
        world(tmp_path, {"GROQ_API_KEY": "k1"}, dotenv=f"GROQ_{name}={value}")


def test_larger_requests_can_be_kept_away(tmp_path: Path):
    built = world(tmp_path, {"GROQ_API_KEY": "k1", "GROQ_SKIP_TOKENS_OVER": "5500"})
    assert {one.skip_tokens_over for one in built.deployments} == {5500}


def test_headers_are_filled_from_variables(tmp_path: Path):
    env = {"GROQ_API_KEY": "k1"}
    assert world(tmp_path, env).deployments[0].target.headers == {"x-fixed": "1"}
    headers = world(tmp_path, env | {"GROQ_SITE": "https://me.invalid"}).deployments[0].target.headers
    assert headers == {"x-fixed": "1", "x-site": "https://me.invalid"}
    assert "x-site" not in world(tmp_path, env | {"GROQ_SITE": "a\r\nb: c"}).deployments[0].target.headers


def test_keys_count_apart_unless_they_share_an_account(tmp_path: Path):
    apart = world(tmp_path, {"GROQ_API_KEYS": "k1,k2"}).deployments
    assert len({one.account for one in apart}) == 2
    shared = world(tmp_path, {"GROQ_API_KEYS": "k1,k2"}, toml='[providers.groq]\naccount = "shared"').deployments
    assert {one.account for one in shared} == {"groq:shared"}


def test_ids_are_unique_and_the_same_the_next_time(tmp_path: Path):
    env = {"GROQ_API_KEYS": "k1,k2", "GEMINI_API_KEY": "k1"}
    built, again = world(tmp_path, env), world(tmp_path, env)
    ids = [one.id for one in (*built.deployments, *built.embedders)]
    assert len(set(ids)) == len(ids)
    assert ids == [one.id for one in (*again.deployments, *again.embedders)]


def test_only_the_local_provider_is_local(tmp_path: Path):
    built = world(tmp_path, {"LOCAL_MODEL": "llama", "GROQ_API_KEY": "k1"})
    assert {one.provider for one in built.deployments if one.local} == {"local"}


# --- embeddings


def test_embedders_come_in_their_own_order_each_key_for_itself(tmp_path: Path):
    mine = '[providers.aaa]\nwire = "openai"\nbase_url = "http://127.0.0.1:1"\nembed_model = "g1"\nmodels = []\n'
    built = world(tmp_path, {"COHERE_API_KEY": "k1", "GEMINI_API_KEYS": "k1,k2"}, toml=mine)
    assert names(built.embedders) == ["gemini/g1", "gemini/g1", "cohere/c1", "aaa/g1"]
    target = built.embedders[0].target
    assert target.embed == EmbedSpec(id="g1", dimensions=3072, limits=Limits(rpm=3))
    assert target.model == ModelSpec(id="g1", limits=Limits(rpm=3))
    assert all(one.target.embed is None for one in built.deployments)


EMBED: list[tuple[str, dict[str, str], list[str]]] = [
    ("as the catalogue says", {}, ["gemini/g1"]),
    ("another", {"GEMINI_EMBED_MODEL": "g2"}, ["gemini/g2"]),
    ("one nobody knows", {"GEMINI_EMBED_MODEL": "g9"}, ["gemini/g9"]),
    ("none", {"GEMINI_EMBED_MODEL": ""}, []),
]


@pytest.mark.parametrize("env,serving", [c[1:] for c in EMBED], ids=[c[0] for c in EMBED])
def test_the_embedding_model_can_be_changed_and_taken_out(tmp_path: Path, env: dict[str, str], serving: list[str]):
    assert names(world(tmp_path, {"GEMINI_API_KEY": "k1", **env}).embedders) == serving


# --- the sandbox

SIMULATED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("nothing configured", {}, ["sandbox-a/small"]),
    ("switched off", {"env": {"SANDBOX": "0"}}, []),
    ("beside real ones, last", {"env": {"LOCAL_MODEL": "x", "SANDBOX": "1"}}, ["local/x", "sandbox-a/small"]),
    ("not beside real ones", {"env": {"LOCAL_MODEL": "x"}}, ["local/x"]),
    ("not for a key that serves nothing", {"env": {"GONE_API_KEY": "k1"}}, []),
    ("not for a table that serves nothing", {"toml": "[providers.groq]"}, []),
    ("not for a misspelt provider", {"auth": {"grok": ["k1"]}}, []),
    ("for an app's own variables", {"env": {"GROQ_API_KEY": "sk-router-1"}}, ["sandbox-a/small"]),
    ("for settings that are no provider", {"toml": "[router]\npin = true"}, ["sandbox-a/small"]),
]


@pytest.mark.parametrize("said,serving", [c[1:] for c in SIMULATED], ids=[c[0] for c in SIMULATED])
def test_the_sandbox_serves_while_nothing_is_configured(tmp_path: Path, said: Any, serving: list[str]):
    built = world(tmp_path, **said)
    assert names(built.deployments) == serving
    assert built.sandbox == any(one.sandbox for one in built.deployments) == ("sandbox-a/small" in serving)
    assert all(one.sandbox == one.provider.startswith("sandbox-") for one in built.embedders)


def test_simulated_embedders_come_last(tmp_path: Path):
    built = world(tmp_path, {"COHERE_API_KEY": "k1", "SANDBOX": "1"})
    assert names(built.embedders) == ["cohere/c1", "sandbox-a/e"]


# --- aliases and profiles


def test_profiles_are_the_built_in_ones_and_the_users(tmp_path: Path):
    toml = (
        '[profiles.mine]\norder = ["price", "speed"]\nproviders = ["groq"]\ntiers = [1, 2]\n'
        "[profiles.best]\ntiers = [1]\n"
    )
    built = world(tmp_path, toml=toml).profiles
    assert built["fast"].order == ("speed",)
    assert built["cheap"].order == ("price",)
    assert built["local"].providers == ("local",)
    assert built["best"] == Profile(tiers=(1,))
    assert built["mine"] == Profile(order=("price", "speed"), providers=("groq",), tiers=(1, 2))


def test_a_model_that_only_an_alias_names_serves_for_that_alone(tmp_path: Path):
    built = world(tmp_path, {"GROQ_API_KEY": "k1"}, toml='[aliases]\na = ["groq/paid", "groq/small", "*"]')
    assert {one.name: one.by_name for one in built.deployments} == {
        "groq/org/big-1.5": False,
        "groq/small": False,
        "groq/paid": True,
    }
    assert built.aliases == {"a": ("groq/paid", "groq/small", "*")}


MISTAKES: list[tuple[str, str, str]] = [
    (
        "an alias to no provider",
        '[aliases]\na = ["grok/small"]',
        "line 2: aliases.a[0]: 'grok/small': there is no provider",
    ),
    ("its nearest", '[aliases]\na = ["grok/small"]', "groq"),
    ("an alias to no model", '[aliases]\na = ["groq/smal"]', "'groq/smal' is not known; did you mean groq/small?"),
    ("the pool before the end", '[aliases]\na = ["*", "groq/small"]', "can only be the last"),
    ("the router's own name", '[aliases]\nhermes-router = ["groq/small"]', "the router's own name"),
    ("a profile of no provider", '[profiles.p]\nproviders = ["grok"]', "there is no provider 'grok'"),
    ("a profile of no tier", "[profiles.p]\ntiers = [6]", "tiers go from 1"),
    ("a profile without order", "[profiles.p]\norder = []", "at least one of"),
]


@pytest.mark.parametrize("toml,message", [c[1:] for c in MISTAKES], ids=[c[0] for c in MISTAKES])
def test_names_that_lead_nowhere_are_refused(tmp_path: Path, toml: str, message: str):
    with pytest.raises(SettingsError, match=re.escape(message)):
        world(tmp_path, toml=toml)


def test_an_alias_may_name_a_model_that_a_variable_added(tmp_path: Path):
    built = world(tmp_path, {"GROQ_API_KEY": "k1", "GROQ_MODEL": "new"}, toml='[aliases]\na = ["groq/new"]')
    assert names(built.deployments) == ["groq/new"]


# --- the contract, as printed

CONTRACT = """
[providers.mine]                      # a new provider, or an override of a built-in one (its quirks stay)
wire = "openai"                       # openai | anthropic | ...
base_url = "http://127.0.0.1:9100/mine/v1"
keys = ["k1", "k2"]                   # or key_env = "MINE_API_KEYS"; [] = keyless
account = "per-key"                   # or "shared": all keys draw on one account's limits; absent: the catalogue's rule, else per-key
embed_model = "e1"                    # optional: serves /v1/embeddings
reset = "UTC"                         # optional: the day's calendar: rolling | UTC | an IANA zone
[providers.mine.limits]               # optional: counted over all its models together; same keys as below, and month = N calls
rpm = 20
[[providers.mine.models]]             # if present, replaces the built-in list
id = "m1"
context = 131072
max_output = 8192
tools = true
vision = false
reasoning = false
json_schema = true
tier = 2                              # 1 strongest .. 5 weakest
price = [0.0, 0.0]                    # USD per 1M tokens in, out
limits = { rpm = 30, rpd = 1000, tpm = 12000, tpd = 0, concurrency = 0 }   # 0 or absent: unknown
[aliases]
fast-chain = ["groq/openai/gpt-oss-120b", "mine/m1"]      # a model name clients may send; tried in this order
"""  # noqa: E501


def contract(folder: Path, env: Mapping[str, str] | None = None, toml: str = CONTRACT) -> World:
    return build(load_from(folder, env, toml=toml), load_builtin(), today=TODAY, sandbox=SANDBOX)


def test_the_contract_as_printed_serves(tmp_path: Path):
    built = contract(tmp_path)
    assert names(built.deployments) == ["mine/m1", "mine/m1"]
    assert names(built.embedders) == ["mine/e1", "mine/e1"]
    assert [one.credential.secret for one in built.deployments] == ["k1", "k2"]
    assert built.aliases == {"fast-chain": ("groq/openai/gpt-oss-120b", "mine/m1")}
    assert built.notices == ()
    one = built.deployments[0]
    assert one.target.base_url == "http://127.0.0.1:9100/mine/v1"
    assert one.target.provider.limits == Limits(rpm=20)
    assert one.target.provider.reset == "UTC"
    assert one.account == one.credential.id
    assert one.target.model == ModelSpec(
        id="m1",
        context=131072,
        max_output=8192,
        tools=True,
        vision=False,
        reasoning=False,
        json_schema=True,
        tier=2,
        price=(0.0, 0.0),
        limits=Limits(rpm=30, rpd=1000, tpm=12000),
    )


def test_its_alias_also_reaches_the_built_in_provider(tmp_path: Path):
    assert "groq/openai/gpt-oss-120b" in names(contract(tmp_path, {"GROQ_API_KEY": "k-test-1"}).deployments)


@pytest.mark.parametrize(
    "keys,secrets", [('key_env = "MINE_API_KEYS"', ["k5", "k6"]), ("keys = []", [""]), ("", ["k5", "k6"])]
)
def test_its_keys_may_come_otherwise(tmp_path: Path, keys: str, secrets: list[str]):
    toml = CONTRACT.replace('keys = ["k1", "k2"]', keys)
    assert [
        one.credential.secret for one in contract(tmp_path, {"MINE_API_KEYS": "k5,k6"}, toml).deployments
    ] == secrets


def test_a_new_provider_without_any_word_of_keys_is_asked_without_one(tmp_path: Path):
    toml = CONTRACT.replace('keys = ["k1", "k2"]', "")
    assert [one.credential.secret for one in contract(tmp_path, toml=toml).deployments] == [""]


@pytest.mark.parametrize(
    "before,after,message",
    [
        ("max_output = 8192", "max_ouput = 8192", "max_output"),
        ("tier = 2 ", 'tier = "2"', "tier"),
        ("base_url", "#", "base_url"),
        ('id = "m1"', "", "id is missing"),
    ],
    ids=["unknown key", "wrong type", "required of a provider", "required of a model"],
)
def test_its_mistakes_name_the_file_and_the_key(tmp_path: Path, before: str, after: str, message: str):
    with pytest.raises(SettingsError, match=message) as error:
        contract(tmp_path, toml=CONTRACT.replace(before, after))
    assert "hermes-router.toml" in str(error.value)


def test_every_built_in_provider_serves_or_says_why(tmp_path: Path):
    catalogue = load_builtin()
    env = {f"{name.upper()}_API_KEY": f"k-test-{name}" for name in catalogue} | {"CLOUDFLARE_ACCOUNT_ID": "a1"}
    built = build(load_from(tmp_path, env), catalogue, today=TODAY)
    serving = {one.provider for one in built.deployments}
    silent = {notice.subject.partition("/")[0] for notice in built.notices} | serving
    assert silent == set(catalogue)
    assert len(serving) > 12


@pytest.mark.parametrize("name", sorted(load_builtin()))
def test_every_built_in_provider_goes_where_its_address_is_moved(tmp_path: Path, name: str):
    url = "http://127.0.0.1:9/x/v1"
    env = {f"{name.upper()}_API_KEY": "k-test-1", f"{name.upper()}_BASE_URL": url, f"{name.upper()}_MODEL": "m1"}
    built = build(load_from(tmp_path, env), load_builtin(), today=TODAY)
    # A key may be known to two providers by one name, as OPENCODE_API_KEY is.
    ours = [one for one in (*built.deployments, *built.embedders) if one.provider == name]
    assert ours[0].name == f"{name}/m1"
    assert {one.target.base_url for one in ours} == {url}


def test_what_stands_in_for_a_closed_service_serves_what_that_served(tmp_path: Path):
    env = {"GITHUB_MODELS_TOKEN": "k-test-1"}
    closed = build(load_from(tmp_path, env), load_builtin(), today=TODAY)
    assert closed.deployments == ()
    assert any("GitHub closed the service" in notice.message for notice in closed.notices)
    moved = env | {"GITHUB_MODELS_BASE_URL": "http://127.0.0.1:9100/v1"}
    built = build(load_from(tmp_path, moved), load_builtin(), today=TODAY)
    assert [one.name for one in built.deployments] == ["github_models/gpt-4o-mini", "github_models/gpt-4o"]
    assert {one.target.base_url for one in built.deployments} == {"http://127.0.0.1:9100/v1"}
