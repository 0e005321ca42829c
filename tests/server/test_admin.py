from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.inside import ADMIN, KEY, GatedTransport, Inside, running

TOML = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111"]
[[providers.mine.models]]
id = "m1"
tier = 3
context = 100000
limits = { rpm = 1 }
"""
ROUTES = [
    ("GET", "config"),
    ("GET", "credentials"),
    ("GET", "features"),
    ("GET", "limits"),
    ("GET", "mode"),
    ("GET", "providers"),
    ("POST", "config/reload"),
    ("POST", "credentials"),
    ("POST", "credentials/check"),
    ("POST", "quota/reset"),
    ("POST", "rests/reset"),
    ("PUT", "limits"),
    ("PUT", "mode"),
    ("PUT", "features"),
    ("DELETE", "credentials"),
    ("DELETE", "limits"),
]


def auth_file(folder: Path) -> Any:
    return orjson.loads((folder / "home" / "auth.json").read_bytes())


async def good(inside: Inside, method: str, path: str, body: object = None) -> Any:
    answer = await inside.admin(method, path, body)
    assert answer.status == 200, answer.body
    return answer.json


def error(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json["error"]["message"]


@pytest.mark.parametrize("method, path", ROUTES, ids=lambda part: part)
@pytest.mark.parametrize("key", [KEY, "sk-wrong", None], ids=["caller", "unknown", "none"])
async def test_the_admin_api_opens_to_the_admin_key_only(tmp_path: Path, method: str, path: str, key: str | None):
    async with running(tmp_path, toml=TOML) as inside:
        answer = await inside.ask(method, f"/admin/api/{path}", {}, key=key)
    assert answer.status == 401
    assert "error" in answer.json


@pytest.mark.parametrize("method, path, status", [("GET", "nothing", 404), ("DELETE", "mode", 405)])
async def test_unknown_routes_and_methods_are_told_apart(tmp_path: Path, method: str, path: str, status: int):
    async with running(tmp_path, toml=TOML) as inside:
        answer = await inside.admin(method, path)
    assert answer.status == status
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "quota/reset", {"provder": "mine"}),
        ("POST", "credentials", {"provider": "mine", "keys": "k"}),
        ("POST", "credentials", {"provider": "mine", "keys": []}),
        ("POST", "credentials", {"provider": "mine", "keys": ["two words"]}),
        ("PUT", "mode", {"mode": "random"}),
        ("PUT", "limits", {"key": "er-1", "rpm": -1}),
        ("PUT", "limits", {"key": "er-1", "rpm": "many"}),
    ],
)
async def test_a_body_that_cannot_be_meant_is_a_400(tmp_path: Path, method: str, path: str, body: object):
    async with running(tmp_path, toml=TOML) as inside:
        assert (await inside.admin(method, path, body)).status == 400


# --- the pool


@pytest.mark.parametrize("body", [{}, {"provider": "mine"}], ids=["all", "one"])
async def test_a_spent_quota_can_be_forgotten(tmp_path: Path, body: object):
    async with running(tmp_path, toml=TOML, env={"MAX_WAIT_SECONDS": "0"}) as inside:
        assert (await inside.chat()).status == 200
        assert (await inside.chat()).status == 503
        assert await good(inside, "POST", "quota/reset", body) == {"providers": ["mine"]}
        assert (await inside.chat()).status == 200


async def test_rests_can_be_forgotten(tmp_path: Path):
    transport = GatedTransport()
    transport.refuse["k-test-1111"] = (401, {"error": {"message": "no"}})
    async with running(
        tmp_path, toml=TOML.replace("rpm = 1", "rpm = 99"), transport=transport, env={"MAX_WAIT_SECONDS": "0"}
    ) as inside:
        assert (await inside.chat()).status == 503
        transport.refuse.clear()
        assert (await inside.chat()).status == 503
        await good(inside, "POST", "rests/reset", {"provider": "mine"})
        assert (await inside.chat()).status == 200


@pytest.mark.parametrize("path", ["quota/reset", "rests/reset"])
async def test_an_unknown_provider_is_a_404_with_the_nearest_name(tmp_path: Path, path: str):
    async with running(tmp_path, toml=TOML) as inside:
        status, message = error(await inside.admin("POST", path, {"provider": "grok"}))
    assert status == 404
    assert "groq" in message


# --- credentials


async def test_an_added_key_serves_at_once_and_is_written_for_its_owner_alone(tmp_path: Path):
    transport = GatedTransport()
    async with running(tmp_path, transport=transport, env={"SANDBOX": "0"}) as inside:
        assert (await inside.ask("GET", "/ready", key=None)).status == 503
        said = await good(inside, "POST", "credentials", {"provider": "groq", "keys": ["k-test-4444", " k-test-5555 "]})
        assert (await inside.chat()).status == 200
        listed = await good(inside, "GET", "credentials")
    assert (said["changed"], said["config"]["ok"]) == (2, True)
    assert [one["tail"] for one in said["provider"]["credentials"]] == ["4444", "5555"]
    assert [(one["provider"], len(one["credentials"])) for one in listed] == [("groq", 2)]
    assert auth_file(tmp_path)["providers"] == {"groq": ["k-test-4444", "k-test-5555"]}
    assert stat.S_IMODE((tmp_path / "home" / "auth.json").stat().st_mode) == 0o600
    assert b"k-test-4444" not in orjson.dumps([said, listed])
    assert transport.requests[0].headers["authorization"].endswith(("k-test-4444", "k-test-5555"))


@pytest.mark.parametrize("by", ["id", "tail"])
async def test_a_removed_key_is_asked_no_more(tmp_path: Path, by: str):
    async with running(tmp_path, auth={"groq": ["k-test-4444", "k-test-5555"]}) as inside:
        (groq,) = await good(inside, "GET", "credentials?provider=groq")
        gone = groq["credentials"][0]
        said = await good(inside, "DELETE", f"credentials?provider=groq&{by}={gone[by]}")
        used = {state.deployment.credential.tail for state in inside.app.runtime.roster.chat}
    assert said["changed"] == 1
    assert used == {"5555"}
    assert auth_file(tmp_path)["providers"] == {"groq": ["k-test-5555"]}


async def test_a_key_that_is_set_elsewhere_is_not_removed_but_named(tmp_path: Path):
    async with running(tmp_path, env={"GROQ_API_KEY": "k-test-6666"}) as inside:
        status, message = error(await inside.admin("DELETE", "credentials?provider=groq&tail=6666"))
        (groq,) = await good(inside, "GET", "credentials?provider=groq")
    assert status == 409
    assert "GROQ_API_KEY" in message
    assert groq["credentials"][0]["removable"] is False


@pytest.mark.parametrize(
    "query, status",
    [
        ("provider=groq&tail=0000", 404),
        ("provider=groq", 400),
        ("provider=nobody&tail=1", 404),
        ("provider=groq&tail=4444", 409),
    ],
)
async def test_a_key_to_remove_must_be_one_and_known(tmp_path: Path, query: str, status: int):
    async with running(tmp_path, auth={"groq": ["k-test-a4444", "k-test-b4444"]}) as inside:
        assert (await inside.admin("DELETE", f"credentials?{query}")).status == status


async def test_keys_are_checked_by_the_list_of_models(tmp_path: Path):
    transport = GatedTransport()
    transport.refuse["k-test-5555"] = (401, {})
    async with running(tmp_path, auth={"groq": ["k-test-4444", "k-test-5555"]}, transport=transport) as inside:
        said = await good(inside, "POST", "credentials/check", {"provider": "groq"})
        other = await good(inside, "POST", "credentials/check", {"provider": "mistral", "key": "k-test-7777"})
    fine, bad = said["results"]
    assert (fine["tail"], fine["ok"], fine["proven"], fine["models"]) == ("4444", True, True, ["m1", "m2"])
    assert (bad["tail"], bad["ok"], bad["kind"]) == ("5555", False, "auth")
    assert other["results"][0]["ok"] is True
    assert all(one.method == "GET" and one.url.endswith("/models") for one in transport.requests)


async def test_a_list_that_anybody_gets_proves_no_key(tmp_path: Path):
    transport = GatedTransport()
    transport.models_need_key = False
    async with running(tmp_path, transport=transport) as inside:
        said = await good(inside, "POST", "credentials/check", {"provider": "groq", "key": "k-test-7777"})
    assert (said["results"][0]["ok"], said["results"][0]["proven"]) == (True, False)


async def test_a_provider_whose_address_needs_more_says_so(tmp_path: Path):
    async with running(tmp_path) as inside:
        said = await good(inside, "POST", "credentials/check", {"provider": "cloudflare", "key": "k-test-7777"})
    assert said["results"][0]["kind"] == "not_configured"


# --- configuration


async def test_each_setting_has_its_origin_and_no_secret(tmp_path: Path):
    env = {"PROXY_API_KEYS": "sk-team-secret-1234", "GAP_TIMEOUT": "7"}
    async with running(tmp_path, toml="[router]\npin = true\n", env=env) as inside:
        answer = await inside.admin("GET", "config")
    settings = answer.json["settings"]
    assert settings["PIN"] == {"value": True, "origin": "hermes-router.toml"}
    assert settings["GAP_TIMEOUT"] == {"value": 7.0, "origin": "environment"}
    assert settings["PROXY_API_KEYS"]["value"] == ["...1234"]
    assert settings["ADMIN_API_KEY"]["value"] == f"...{ADMIN[-4:]}"
    assert {"path": str(tmp_path / "home" / "hermes-router.toml"), "exists": True} in answer.json["files"]
    assert b"sk-team-secret" not in answer.body


async def test_providers_are_described_as_the_catalogue_knows_them(tmp_path: Path):
    async with running(tmp_path, auth={"groq": ["k-test-4444"]}) as inside:
        rows = {one["name"]: one for one in await good(inside, "GET", "providers")}
    groq = rows["groq"]
    assert (groq["title"], groq["signup"], groq["status"]) == ("Groq", "console.groq.com", "live")
    assert (groq["configured"], groq["keys"], groq["variables"]) == (True, 1, ["GROQ_API_KEY"])
    assert groq["free_models"] > 0
    assert any(one["serves"] for one in groq["models"])
    assert rows["mistral"]["configured"] is False
    assert rows["github_models"]["status_note"]


async def test_the_mode_is_changed_at_once_and_stays(tmp_path: Path):
    async with running(tmp_path, toml=TOML) as inside:
        assert await good(inside, "GET", "mode") == {"mode": "round-robin"}
        assert await good(inside, "PUT", "mode", {"mode": "sequential"}) == {"mode": "sequential"}
    assert (tmp_path / "home" / ".env").read_text() == "ROTATION_MODE=sequential\n"
    async with running(tmp_path) as inside:
        assert await good(inside, "GET", "mode") == {"mode": "sequential"}


async def test_the_mode_is_changed_in_the_file_that_sets_it_and_nothing_else_there_is(tmp_path: Path):
    (tmp_path / "work").mkdir()
    path = tmp_path / "work" / ".env"
    path.write_text("# mine\nROTATION_MODE=sequential\nGAP_TIMEOUT=9")
    async with running(tmp_path, toml=TOML) as inside:
        await good(inside, "PUT", "mode", {"mode": "round-robin"})
    assert path.read_text() == "# mine\nROTATION_MODE=round-robin\nGAP_TIMEOUT=9"


async def test_a_mode_that_the_environment_sets_is_not_changed(tmp_path: Path):
    async with running(tmp_path, toml=TOML, env={"ROTATION_MODE": "sequential"}) as inside:
        status, message = error(await inside.admin("PUT", "mode", {"mode": "round-robin"}))
    assert status == 409
    assert "environment" in message


async def test_features_are_listed_and_switched(tmp_path: Path):
    async with running(tmp_path, toml=TOML) as inside:
        before = {one["name"]: one for one in await good(inside, "GET", "features")}
        after = {
            one["name"]: one
            for one in await good(inside, "PUT", "features", {"name": "stream_resume", "enabled": False})
        }
        absent = await inside.admin("PUT", "features", {"name": "no_such_thing", "enabled": True})
        derived = await inside.admin("PUT", "features", {"name": "key_budgets", "enabled": True})
    assert (before["stream_resume"]["enabled"], after["stream_resume"]["enabled"]) == (True, False)
    assert before["key_budgets"]["enabled"] is False
    assert (absent.status, derived.status) == (404, 409)
