"""hermes-router.toml read: what passes, and how a mistake is told to whoever made it."""

from __future__ import annotations

import pytest

from hermes_router.catalogue.load import CatalogueError, parse_user_config
from hermes_router.catalogue.schema import Limits, Profile

EXAMPLE = """\
[router]
pin = true

[providers.mine]
wire = "openai"
base_url = "http://127.0.0.1:9100/mine/v1"
keys = ["k-test-1", "k-test-2"]
account = "per-key"
embed_model = "e1"
reset = "UTC"
[providers.mine.limits]
rpm = 20
month = 1000
[[providers.mine.models]]
id = "m1"
context = 131072
max_output = 8192
tools = true
vision = false
reasoning = false
json_schema = true
tier = 2
price = [0, 0.5]
limits = { rpm = 30, rpd = 1000, tpm = 12000, tpd = 0, concurrency = 0 }

[aliases]
fast-chain = ["groq/openai/gpt-oss-120b", "mine/m1", "*"]

[profiles.night]
order = ["price", "tier"]
providers = ["mine"]
"""

NEW = 'wire = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'


def test_the_documented_example_says_what_it_says():
    config = parse_user_config(EXAMPLE, "hermes-router.toml")
    mine = config.providers["mine"]
    assert config.router == {"pin": True}
    assert mine.keys == ("k-test-1", "k-test-2")
    assert mine.limits == Limits(rpm=20, month=1000)
    assert mine.models is not None
    assert mine.models[0].price == (0.0, 0.5)
    assert mine.models[0].limits == Limits(rpm=30, rpd=1000, tpm=12000)
    assert mine.models[0].parallel_tools is None
    assert config.aliases["fast-chain"][-1] == "*"
    assert config.profiles["night"] == Profile(order=("price", "tier"), providers=("mine",))


def test_an_empty_file_says_nothing():
    assert parse_user_config("", "hermes-router.toml").providers == {}


# name, text, what the error must say, in this order
MISTAKES = {
    "unknown key of a provider": ("[providers.groq]\nbase_ulr = 'x'", "line 2", "providers.groq.base_ulr", "base_url?"),
    "unknown key of limits": (
        f"[providers.x]\n{NEW}[[providers.x.models]]\nid = 'a'\n"
        "[[providers.x.models]]\nid = 'b'\nlimits = { rpmm = 3 }",
        "line 8", "providers.x.models[1].limits.rpmm", "rpm?",
    ),
    "unknown key in a table of its own": (
        "[providers.groq.limits]\nrpm = 1\nrdp = 2", "line 3", "providers.groq.limits.rdp", "rpd?",
    ),
    "unknown key of a profile": ("[profiles.p]\nordre = []", "line 2", "profiles.p.ordre", "order?"),
    "unknown table": ("[provider.groq]\nkeys = []", "line 1", "provider", "providers?"),
    "unknown quirk": ("[providers.groq.quirks]\nrenam = {}", "line 2", "providers.groq.quirks.renam", "rename?"),
    "wrong type": (
        "[[providers.groq.models]]\nid = 'a'\ncontext = 'big'", "line 3", "providers.groq.models[0].context",
        "expected a whole number, got a string",
    ),
    "one key where a list is due": ("[providers.groq]\nkeys = 'k'", "line 2", "providers.groq.keys", "a list"),
    "a date where text is due": (
        "[[providers.groq.models]]\nid = 'a'\nends = 2026-12-01", "line 3", "providers.groq.models[0].ends", "a string",
    ),
    "wrong type inside a table of names": (
        "[providers.groq.quirks]\nrename = { a = 'b', c = 3 }", "line 2", "providers.groq.quirks.rename.c", "a string",
    ),
    "price with one number": (
        "[[providers.groq.models]]\nid = 'a'\nprice = [1.0]", "line 3", "providers.groq.models[0].price", "length 2",
    ),
    "unknown wire": ("[providers.x]\nwire = 'opnai'", "line 2", "providers.x.wire", "'opnai'", "openai?"),
    "unknown account rule": ("[providers.groq]\naccount = 'share'", "line 2", "providers.groq.account", "shared?"),
    "model without an id": (
        "[[providers.groq.models]]\ntier = 1", "line 1", "providers.groq.models[0]", "id is missing",
    ),
    "the same id twice": (
        "[[providers.groq.models]]\nid = 'a'\n[[providers.groq.models]]\nid = 'a'",
        "line 4", "providers.groq.models[1].id", "'a' is there already, as models[0]",
    ),
    "tier 6": ("[[providers.groq.models]]\nid = 'a'\ntier = 6", "line 3", "providers.groq.models[0].tier", "1", "5"),
    "negative limit": ("[providers.groq.limits]\nrpm = -1", "line 2", "providers.groq.limits.rpm", "not be negative"),
    "unknown calendar": (
        "[providers.groq]\nreset = 'Europe/Berln'", "line 2", "providers.groq.reset", "Europe/Berlin?",
    ),
    "calendar that is a path": ("[providers.groq]\nreset = '../UTC'", "line 2", "providers.groq.reset", "no calendar"),
    "address without http": (
        "[providers.groq]\nbase_url = 'localhost:1'", "line 2", "providers.groq.base_url", "http://",
    ),
    "unknown kind": (
        "[providers.groq]\nerrors = [{ kind = 'rate_limit' }]", "line 2", "providers.groq.errors[0].kind",
        "rate_limited?",
    ),
    "no regular expression": (
        "[providers.groq]\nerrors = [{ kind = 'auth', match = '(' }]", "line 2", "providers.groq.errors[0].match",
        "no regular expression",
    ),
    "unknown time": (
        "[providers.groq]\nerrors = [{ kind = 'auth', until = 'soon' }]", "line 2", "providers.groq.errors[0].until",
        "60s",
    ),
    "unknown window": (
        "[providers.groq]\nlimit_headers = [{ window = 'rph' }]", "line 2", "providers.groq.limit_headers[0].window",
        "rph",
    ),
    "new provider without an address": (
        "[providers.mine]\nwire = 'openai'", "line 1", "providers.mine", "needs base_url",
    ),
    "mistyped built-in": ("[providers.grok]\nkeys = []", "line 1", "providers.grok", "base_url and wire", "groq?"),
    "slash in a name": (f"[providers.'a/b']\n{NEW}", "line 1", 'providers."a/b"', "letters"),
    "alias of a bare word": ("[aliases]\nfast = ['groq']", "line 2", "aliases.fast[0]", "provider/model"),
    "the pool before its end": ("[aliases]\nfast = ['*', 'a/b']", "line 2", "aliases.fast[0]", "last"),
    "empty alias": ("[aliases]\nfast = []", "line 2", "aliases.fast", "at least one"),
    "not TOML": ("[providers.groq]\nkeys = ", "line 2", "not TOML"),
    "not TOML at the end": ("a = 1\nb = {", "line 2", "not TOML"),
    "a word where a table is due": ("providers = 3", "line 1", "providers", "must be a table"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_by_file_line_path_and_nearest_name(name: str):
    text, *expected = MISTAKES[name]
    with pytest.raises(CatalogueError) as caught:
        parse_user_config(text, "hermes-router.toml")
    message = str(caught.value)
    assert message.startswith("hermes-router.toml, line ")
    at = 0
    for part in expected:
        assert part in message[at:], message
        at = message.index(part, at) + len(part)


def test_no_key_of_the_user_s_stands_in_an_error():
    text = "[providers.groq]\nkeys = ['k-test-secret', 3]"
    with pytest.raises(CatalogueError) as caught:
        parse_user_config(text, "hermes-router.toml")
    assert "providers.groq.keys[1]" in str(caught.value)
    assert "k-test-secret" not in str(caught.value)
