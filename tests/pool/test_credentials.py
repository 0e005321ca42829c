"""Where keys are found and in which order, and what auth.json survives."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from fakes.configured import load_from
from hermes_router.catalogue.schema import ProviderSpec
from hermes_router.pool.credentials import Found, add_keys, gather, read_auth, remove_keys, write_auth
from hermes_router.settings import SettingsError

SPEC = ProviderSpec(wire="openai", base_url="http://127.0.0.1:1/v1", env=("GLM_API_KEY", "HF_TOKEN"))


def found_in(folder: Path, spec: ProviderSpec = SPEC, **said: Any) -> Found:
    loaded = load_from(folder, **said)
    return gather("zai", spec, loaded, read_auth(loaded.settings.router_auth_file))


def secrets_in(folder: Path, spec: ProviderSpec = SPEC, **said: Any) -> list[str]:
    return [one.secret for one in found_in(folder, spec, **said).credentials]


FORMS: list[tuple[str, dict[str, str], list[str]]] = [
    ("one", {"ZAI_API_KEY": "k1"}, ["k1"]),
    ("several", {"ZAI_API_KEYS": "k1, k2,,k3"}, ["k1", "k2", "k3"]),
    ("several under the singular", {"ZAI_API_KEY": "k1,k2"}, ["k1", "k2"]),
    ("one to a line", {"ZAI_API_KEYS": "k1\nk2\n"}, ["k1", "k2"]),
    ("by number", {"ZAI_API_KEY_10": "k10", "ZAI_API_KEY_2": "k2", "ZAI_API_KEY": "k1"}, ["k1", "k2", "k10"]),
    ("another name", {"GLM_API_KEY": "k1"}, ["k1"]),
    ("another name, several", {"GLM_API_KEYS": "k1,k2", "HF_TOKENS": "k3"}, ["k1", "k2", "k3"]),
    ("another name, by number", {"HF_TOKEN_2": "k2"}, ["k2"]),
    ("its own name first", {"GLM_API_KEY": "k2", "ZAI_API_KEY": "k1"}, ["k1", "k2"]),
    ("twice the same", {"ZAI_API_KEY": "k1", "ZAI_API_KEYS": "k2,k1", "GLM_API_KEY": "k2"}, ["k1", "k2"]),
    ("empty", {"ZAI_API_KEY": " ", "GLM_API_KEY": ""}, []),
    ("quotes that docker leaves on", {"ZAI_API_KEY": '"k1"'}, ["k1"]),
    ("another provider's", {"XZAI_API_KEY": "k1", "ZAI_API_KEY_X": "k2", "ZAI_API_KEY_2_SUPPORTS_TOOLS": "1"}, []),
]


@pytest.mark.parametrize("env,secrets", [c[1:] for c in FORMS], ids=[c[0] for c in FORMS])
def test_keys_are_found_under_every_name_people_use(tmp_path: Path, env: dict[str, str], secrets: list[str]):
    assert secrets_in(tmp_path, env=env) == secrets


def test_sources_are_united_in_order_and_each_key_is_there_once(tmp_path: Path):
    found = found_in(
        tmp_path,
        auth={"zai": ["k-file", "k-both"], "groq": ["k-other"]},
        env={"ZAI_API_KEY": "k-env", "GLM_API_KEY": "k-both"},
        dotenv="ZAI_API_KEY=k-dotenv\n",
        home_dotenv="ZAI_API_KEY=k-home\nZAI_API_KEY_2=k-env\n",
    )
    assert [(one.secret, one.origin) for one in found.credentials] == [
        ("k-file", "auth.json"),
        ("k-both", "auth.json"),
        ("k-env", "ZAI_API_KEY"),
        ("k-dotenv", "ZAI_API_KEY in .env"),
        ("k-home", f"ZAI_API_KEY in {tmp_path / 'home/.env'}"),
    ]


OWN: list[tuple[str, dict[str, Any], list[str]]] = [
    ("keys replace all others", {"keys": ("k-own",)}, ["k-own"]),
    ("key_env replaces all others", {"key_env": "MINE"}, ["k-m1", "k-m2"]),
    ("several variables", {"key_env": ("MINE", "MORE")}, ["k-m1", "k-m2", "k-m3"]),
    ("both", {"keys": ("k-own",), "key_env": "MORE"}, ["k-own", "k-m3"]),
    ("a variable that is not set", {"key_env": "GONE"}, []),
    ("no keys: keyless", {"keys": ()}, [""]),
]


@pytest.mark.parametrize("table,secrets", [c[1:] for c in OWN], ids=[c[0] for c in OWN])
def test_what_the_table_says_of_keys_counts_alone(tmp_path: Path, table: dict[str, Any], secrets: list[str]):
    env = {"ZAI_API_KEY": "k-env", "MINE": "k-m1,k-m2", "MORE": "k-m3"}
    spec = msgspec.structs.replace(SPEC, **table)
    assert secrets_in(tmp_path, spec, env=env, auth={"zai": ["k-file"]}) == secrets


def test_a_keyless_provider_uses_a_key_where_there_is_one(tmp_path: Path):
    spec = ProviderSpec(keyless=True)
    assert secrets_in(tmp_path, spec) == [""]
    assert secrets_in(tmp_path, spec, env={"ZAI_API_KEY": "k1"}) == ["k1"]


def test_a_credential_has_a_stable_id_that_gives_nothing_away(tmp_path: Path):
    (one,) = found_in(tmp_path, env={"ZAI_API_KEY": "k-test-12345"}).credentials
    assert one.id == "zai:" + hashlib.sha256(b"zai\0k-test-12345").hexdigest()[:12]
    assert one.tail == "2345"
    assert "k-test" not in repr(one)


@pytest.mark.parametrize("secret,reason", [("a b", "holds a space"), ("schlüssel", "no key has"), ("a\tb", "space")])
def test_what_is_no_key_is_left_out_with_a_reason(tmp_path: Path, secret: str, reason: str):
    found = found_in(tmp_path, env={"ZAI_API_KEYS": f"{secret},k2"})
    assert [one.secret for one in found.credentials] == ["k2"]
    assert reason in found.notices[0].message
    assert secret not in found.notices[0].message


def test_the_routers_own_key_is_no_providers(tmp_path: Path):
    found = found_in(tmp_path, env={"ZAI_API_KEY": "sk-router-1"})
    assert (found.credentials, found.meant) == ((), False)
    assert "PROXY_API_KEYS" in found.notices[0].message


# --- auth.json


def test_a_mode_open_to_others_is_repaired_with_a_warning(tmp_path: Path):
    path = tmp_path / "auth.json"
    path.write_text('{"providers": {"groq": ["k-test-1"]}}')
    path.chmod(0o644)
    auth = read_auth(path)
    assert auth.providers == {"groq": ("k-test-1",)}
    assert "0600" in auth.warnings[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "k-test" not in repr(auth) + repr(auth.__rich_repr__())


BROKEN: list[tuple[str, str, str]] = [
    ("not JSON", '{"providers": {\n  "groq": ["k-test-1"\n}}', "auth.json, line 3: not valid JSON"),
    ("a list", "[]", "must hold an object"),
    ("providers a list", '{"providers": []}', "providers must be an object"),
    ("a key for a list of keys", '{"providers": {"groq": "k-test-1"}}', "providers.groq must be a list of keys"),
    ("a number for a key", '{"providers": {"groq": [1]}}', "providers.groq must be a list of keys"),
    ("a provider twice", '{"providers": {"groq": ["k-test-1"], "groq": []}}', "'groq' is there twice"),
    ("a caller key twice", '{"proxy_keys": {"k-test-1": {}, "k-test-1": {}}}', "a name is there twice"),
]


@pytest.mark.parametrize("text,message", [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_a_broken_file_is_refused_with_the_place_and_without_a_key(tmp_path: Path, text: str, message: str):
    path = tmp_path / "auth.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_auth(path)
    assert message in str(error.value)
    assert "k-test" not in str(error.value)


def test_no_file_and_an_empty_one_hold_nothing(tmp_path: Path):
    assert read_auth(tmp_path / "auth.json").providers == {}
    (tmp_path / "auth.json").touch(0o600)
    assert read_auth(tmp_path / "auth.json").providers == {}


def test_what_we_do_not_know_is_kept(tmp_path: Path):
    path = tmp_path / "auth.json"
    path.write_text('{"codex_accounts": [{"id": 1}], "providers": {"groq": ["k1"]}, "proxy_keys": {"sk": {"rpm": 6}}}')
    write_auth(read_auth(path))
    assert orjson.loads(path.read_bytes()) == {
        "providers": {"groq": ["k1"]},
        "codex_accounts": [{"id": 1}],
        "proxy_keys": {"sk": {"rpm": 6}},
    }


def test_keys_are_added_behind_the_others_and_taken_out_again(tmp_path: Path):
    path = tmp_path / "new/auth.json"
    assert add_keys(path, "groq", ["k1", " k2 ", "", "k1"]) == 2
    assert add_keys(path, "groq", ["k2", "k3"]) == 1
    assert read_auth(path).providers == {"groq": ("k1", "k2", "k3")}
    assert remove_keys(path, "groq", ["k1", "k9"]) == 1
    assert remove_keys(path, "groq", ["k2", "k3"]) == 2
    assert read_auth(path).providers == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_adds_at_once_lose_nothing(tmp_path: Path):
    path = tmp_path / "auth.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_keys(path, "groq", [f"k{number}"]), range(40)))
    assert sorted(read_auth(path).providers["groq"]) == sorted(f"k{number}" for number in range(40))
