"""Where settings come from, which source wins, what is refused and in which words."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from fakes.configured import load_from
from hermes_router.settings import Settings, SettingsError, admin_key, is_loopback, load

ROOT = Path(__file__).parent.parent

SOURCES: list[tuple[str, dict[str, Any], object, str]] = [
    ("nothing said", {}, 8319, "default"),
    ("toml", {"toml": "[router]\nport = 1"}, 1, "hermes-router.toml"),
    ("home .env over toml", {"toml": "[router]\nport = 1", "home_dotenv": "PORT=2"}, 2, ".env"),
    (".env over home .env", {"home_dotenv": "PORT=2", "dotenv": "PORT=3"}, 3, ".env"),
    ("environment over .env", {"dotenv": "PORT=3", "env": {"PORT": "4"}}, 4, "environment"),
    ("flag over environment", {"env": {"PORT": "4"}, "flags": {"port": 5}}, 5, "flag"),
    ("a flag not given says nothing", {"env": {"PORT": "4"}, "flags": {"port": None}}, 4, "environment"),
    ("empty means unset", {"dotenv": "PORT=3", "env": {"PORT": ""}}, 3, ".env"),
    ("blank means unset", {"env": {"PORT": "  "}}, 8319, "default"),
]


@pytest.mark.parametrize("said,port,origin", [c[1:] for c in SOURCES], ids=[c[0] for c in SOURCES])
def test_the_strongest_source_that_says_something_wins(tmp_path: Path, said: Any, port: int, origin: str):
    loaded = load_from(tmp_path, **said)
    assert (loaded.settings.port, loaded.origins["port"]) == (port, origin)


CONVERSIONS: list[tuple[str, str, object]] = [
    ("PIN", "yes", True),
    ("PIN", "Off", False),
    ("SANDBOX", "0", False),
    ("SANDBOX", "on", True),
    ("MAX_WAIT_SECONDS", "2.5", 2.5),
    ("ATTEMPTS_MAX", "3", 3),
    ("LOG_LEVEL", "debug", "DEBUG"),
    ("ROTATION_MODE", "Sequential", "sequential"),
    ("PROXY_API_KEYS", "sk-a, sk-b", ("sk-a", "sk-b")),
]


@pytest.mark.parametrize("name,text,value", CONVERSIONS)
def test_text_becomes_a_value(tmp_path: Path, name: str, text: str, value: object):
    assert getattr(load_from(tmp_path, {name: text}).settings, name.lower()) == value


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("not a number", {"dotenv": "PORT=abc"}, "PORT in .env is 'abc'; it must be a whole number between 0 and 65535"),
    ("port too large", {"env": {"PORT": "70000"}}, "PORT in the environment is '70000'"),
    ("digits of another script", {"env": {"PORT": "８３"}}, "PORT in the environment"),
    ("underscores", {"env": {"PORT": "8_3"}}, "PORT in the environment"),
    ("a flag", {"flags": {"port": -1}}, "--port is -1"),
    ("neither on nor off", {"env": {"PIN": "maybe"}}, "PIN in the environment is 'maybe'; it must be 1, true"),
    ("no such word", {"env": {"LOG_LEVEL": "LOUD"}}, "one of DEBUG, INFO, WARNING, ERROR"),
    ("a share over one", {"env": {"BREAKER_ERROR_RATE": "1.5"}}, "a number between 0 and 1"),
    ("infinity", {"env": {"MAX_WAIT_SECONDS": "inf"}}, "a number of at least 0"),
    ("a negative time", {"env": {"GAP_TIMEOUT": "-1"}}, "GAP_TIMEOUT"),
    ("text for a switch in toml", {"toml": '[router]\npin = "maybe"'}, "line 2: router.pin is 'maybe'"),
    ("true for a number in toml", {"toml": "[router]\nport = true"}, "router.port is True"),
    (
        "an unknown setting",
        {"toml": "[router]\n\nprot = 1"},
        "line 3: router.prot: unknown setting; did you mean",
    ),
    ("home from its own file", {"toml": '[router]\nhermes_home = "/x"'}, "set HERMES_HOME in the environment"),
    ("an empty caller key", {"env": {"PROXY_API_KEYS": "sk-a,,sk-b"}}, "empty entry"),
    ("the same caller key twice", {"env": {"PROXY_API_KEYS": "sk-a,sk-a"}}, "one key twice"),
    ("a caller key with a space", {"env": {"PROXY_API_KEYS": "sk a"}}, "holds a space"),
    ("callers as administrators", {"env": {"ADMIN_API_KEY": "sk-router-1"}}, "callers would be administrators"),
    ("the default key for all", {"env": {"HOST": "0.0.0.0"}}, "set PROXY_API_KEYS to keys of your own"),
    ("the default key among others", {"env": {"HOST": "::", "PROXY_API_KEYS": "sk-router-1,sk-a"}}, "PROXY_API_KEYS"),
    ("a config that is not there", {"env": {"HERMES_CONFIG": "no.toml"}}, "HERMES_CONFIG in the environment names"),
]


@pytest.mark.parametrize("said,message", [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_what_cannot_be_meant_is_refused_in_words_that_help(tmp_path: Path, said: Any, message: str):
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_from(tmp_path, **said)


def test_an_error_about_keys_shows_none(tmp_path: Path):
    with pytest.raises(SettingsError) as error:
        load_from(tmp_path, {"PROXY_API_KEYS": "k-test-1,k-test-1"})
    assert "k-test" not in str(error.value)


def test_an_address_for_all_is_fine_with_keys_of_ones_own(tmp_path: Path):
    assert load_from(tmp_path, {"HOST": "0.0.0.0", "PROXY_API_KEYS": "k-test-1"}).settings.host == "0.0.0.0"


@pytest.mark.parametrize(
    "host,only_here",
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("::", False),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("example.com", False),
    ],
)
def test_loopback_addresses_are_told_from_others(host: str, only_here: bool):
    assert is_loopback(host) is only_here


def test_files_lie_in_home_unless_moved(tmp_path: Path):
    settings = load_from(tmp_path, {"ROUTER_AUTH_FILE": "keys/auth.json"}).settings
    assert settings.router_auth_file == tmp_path / "work/keys/auth.json"
    assert settings.router_state_file == tmp_path / "home/state.sqlite"


def test_a_path_is_relative_to_the_file_that_says_it(tmp_path: Path):
    settings = load_from(tmp_path, toml='[router]\nrouter_auth_file = "a.json"').settings
    assert settings.router_auth_file == tmp_path / "home/a.json"


def test_home_may_be_said_in_the_working_folders_env(tmp_path: Path):
    (tmp_path / ".env").write_text("HERMES_HOME=elsewhere\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/.env").write_text("PORT=7\n")
    loaded = load({}, {}, tmp_path)
    assert (loaded.settings.hermes_home, loaded.settings.port) == (tmp_path / "elsewhere", 7)


def test_another_env_file_takes_the_place_of_the_working_folders(tmp_path: Path):
    (tmp_path / "other.env").write_text("PORT=7\n")
    loaded = load_from(tmp_path, {"HR_ENV_FILE": str(tmp_path / "other.env")}, dotenv="PORT=3")
    assert loaded.settings.port == 7


def test_one_env_file_is_read_once(tmp_path: Path):
    loaded = load_from(tmp_path, {"HR_ENV_FILE": str(tmp_path / "home/.env")}, home_dotenv="PORT=7")
    assert len(loaded.layers) == 2
    assert loaded.env_files == (tmp_path / "home/.env",)


def test_an_env_file_that_is_named_but_missing_is_a_warning(tmp_path: Path):
    assert "does not exist" in load_from(tmp_path, {"HR_ENV_FILE": "gone.env"}).warnings[0]


def test_another_toml_takes_the_place_of_the_one_in_home(tmp_path: Path):
    (tmp_path / "mine.toml").write_text("[router]\npin = true\n")
    loaded = load_from(tmp_path, {"HERMES_CONFIG": str(tmp_path / "mine.toml")}, toml="[router]\npin = false")
    assert loaded.settings.pin
    assert loaded.settings.hermes_config == tmp_path / "mine.toml"


def test_env_files_know_exports_quotes_comments_and_a_byte_order_mark(tmp_path: Path):
    text = "\ufeff# mine\nexport PORT=7 # here\nPROXY_API_KEYS='sk-$A'\n"
    settings = load_from(tmp_path, dotenv=text).settings
    assert (settings.port, settings.proxy_api_keys) == (7, ("sk-$A",))


def test_a_broken_line_in_an_env_file_is_a_warning_with_its_number(tmp_path: Path):
    loaded = load_from(tmp_path, dotenv="PORT=7\n'oops\nPIN=1\n")
    assert loaded.warnings == (".env, line 2, is not NAME=value and was left out",)
    assert loaded.settings.pin


def test_a_stronger_empty_variable_hides_nothing_except_where_it_means_none(tmp_path: Path):
    env = load_from(tmp_path, {"A": "", "X_EMBED_MODEL": ""}, dotenv="A=1\nX_EMBED_MODEL=e1").env
    assert (env["A"], env["X_EMBED_MODEL"]) == ("1", "")


def test_no_secret_is_in_a_repr(tmp_path: Path):
    loaded = load_from(
        tmp_path, {"PROXY_API_KEYS": "k-test-1", "ADMIN_API_KEY": "k-test-2", "GROQ_API_KEY": "k-test-3"}
    )
    shown = repr(loaded) + repr(loaded.settings) + repr(loaded.layers)
    assert "k-test" not in shown + repr(loaded.settings.__rich_repr__()) + repr(loaded.__rich_repr__())


def test_the_admin_key_is_made_once_and_for_the_owner_alone(tmp_path: Path):
    settings = load_from(tmp_path).settings
    key = admin_key(settings)
    assert len(key) >= 32
    assert admin_key(settings) == key
    assert stat.S_IMODE((tmp_path / "home/admin.key").stat().st_mode) == 0o600


def test_an_admin_key_open_to_others_is_closed(tmp_path: Path):
    path = tmp_path / "home/admin.key"
    settings = load_from(tmp_path).settings
    path.write_text("k-test-1\n")
    path.chmod(0o644)
    assert admin_key(settings) == "k-test-1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_admin_key_of_the_settings_wins(tmp_path: Path):
    assert admin_key(load_from(tmp_path, {"ADMIN_API_KEY": "k-test-1"}).settings) == "k-test-1"
    assert not (tmp_path / "home/admin.key").exists()


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_is_documented(name: str):
    assert f"| `{name.upper()}` |" in (ROOT / "docs/configuration.md").read_text("utf-8")
    assert re.search(rf"^#{name.upper()}=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)


def test_the_defaults_in_env_example_are_the_defaults(tmp_path: Path):
    text = (ROOT / ".env.example").read_text("utf-8")
    said = {
        name: value for name, value in re.findall(r"^#([A-Z_]+)=(.+)$", text, re.MULTILINE) if name != "HR_ENV_FILE"
    }
    shown = {name: value for name, value in said.items() if name.lower() in Settings.__struct_fields__}
    assert load_from(tmp_path, shown).settings == load_from(tmp_path).settings


def test_only_settings_reads_the_environment():
    files = (ROOT / "src/hermes_router").rglob("*.py")
    readers = {path.name for path in files if re.search(r"os\.environ|os\.getenv|load_dotenv", path.read_text("utf-8"))}
    assert readers == {"settings.py"}
    assert os.environ
