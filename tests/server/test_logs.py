from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.inside import GatedTransport, Inside, running
from hermes_router.storage.sqlite import SqliteWriter
from hermes_router.telemetry.database import SCHEMA, VERSION
from hermes_router.telemetry.story import Story

TOML = """
[providers.mine]
wire = "openai"
base_url = "http://mine.test/v1"
keys = ["k-test-1111"]
[[providers.mine.models]]
id = "m1"
tier = 3
context = 100000
[[providers.mine.models]]
id = "plain"
tier = 3
context = 100000
tools = false
[providers.other]
wire = "openai"
base_url = "http://other.test/v1"
keys = ["k-test-3333"]
[[providers.other.models]]
id = "m3"
tier = 3
context = 100000
[aliases]
only = ["mine/m1"]
third = ["other/m3"]
"""
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


async def logs(inside: Inside, query: str = "") -> list[dict[str, Any]]:
    answer = await inside.ask("GET", f"/v1/logs{query}")
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json["requests"]
    return rows


async def story(inside: Inside, request_id: str) -> Story:
    answer = await inside.ask("GET", f"/v1/logs/{request_id}")
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=Story)


async def test_requests_are_listed_newest_first_with_who_served_them(tmp_path: Path):
    async with running(tmp_path, toml=TOML) as inside:
        first = await inside.chat(model="only")
        second = await inside.chat(model="third", stream=True)
        rows = await logs(inside)
    assert [one["id"] for one in rows] == [one.headers["x-hermes-request-id"] for one in (second, first)]
    assert [(one["provider"], one["model"], one["stream"]) for one in rows] == [
        ("other", "m3", True),
        ("mine", "m1", False),
    ]
    assert rows[0]["endpoint"] == "chat/completions"
    assert rows[0]["asked"] == "third"
    assert (rows[0]["input"], rows[0]["output"], rows[0]["status"]) == (11, 5, 200)


@pytest.mark.parametrize(
    "query, expected",
    [
        ("?provider=mine", [503, 200]),
        ("?provider=other", [200]),
        ("?status=ok", [200, 200]),
        ("?status=error", [400, 503]),
        ("?status=4xx", [400]),
        ("?status=503", [503]),
        ("?limit=1", [400]),
        ("?endpoint=chat/completions", [400, 503, 200, 200]),
        ("?endpoint=/v1/chat/completions&limit=2", [400, 503]),
        ("?endpoint=messages", []),
        ("?caller=...er-1&limit=1", [400]),
        ("?caller=...nobody", []),
        ("?since=1h", [400, 503, 200, 200]),
        ("?since=99999999999", []),
    ],
)
@pytest.mark.parametrize("kept", ["memory", "disk"])
async def test_filters_find_the_same_in_memory_and_on_disk(tmp_path: Path, query: str, expected: list[int], kept: str):
    transport = GatedTransport()
    env = {"MAX_WAIT_SECONDS": "0", "REQUEST_LOG_SIZE": "500" if kept == "memory" else "1"}
    database = SqliteWriter(tmp_path / "log.sqlite", SCHEMA, VERSION) if kept == "disk" else None
    async with running(tmp_path, toml=TOML, transport=transport, env=env, database=database) as inside:
        await inside.chat(model="third")
        await inside.chat(model="only")
        transport.refuse["m1"] = (500, {"error": {"message": "broken"}})
        await inside.chat(model="only")
        await inside.ask("POST", "/v1/chat/completions", {"messages": []})
        rows = await logs(inside, query)
    assert [one["status"] for one in rows] == expected


@pytest.mark.parametrize(
    "query",
    ["?limit=0", "?limit=x", "?limit=100000", "?status=fine", "?since=yesterday", "?colour=red"],
)
async def test_a_parameter_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, query: str):
    async with running(tmp_path, toml=TOML) as inside:
        answer = await inside.ask("GET", f"/v1/logs{query}")
    assert answer.status == 400
    assert query[1:].partition("=")[0] in answer.json["error"]["message"]


async def test_the_story_of_a_request_names_the_order_and_who_was_left_out_and_why(tmp_path: Path):
    async with running(tmp_path, toml=TOML) as inside:
        answer = await inside.chat(tools=TOOLS)
        told = await story(inside, answer.headers["x-hermes-request-id"])
    assert told.planned is not None
    assert {one.name for one in told.planned} == {"mine/m1", "other/m3"}
    assert told.planned[0].tails in (["1111"], ["3333"])
    assert [(one.name, one.reason, one.tails) for one in told.dropped or ()] == [("mine/plain", "no tools", ["1111"])]
    assert told.request.needs == ["tools"]
    assert [one.outcome for one in told.request.attempts] == ["ok"]


async def test_the_story_of_a_failure_has_attempts_candidates_and_the_error(tmp_path: Path):
    transport = GatedTransport()
    transport.refuse["m1"] = (500, {"error": {"message": "broken inside"}})
    async with running(tmp_path, toml=TOML, transport=transport, env={"MAX_WAIT_SECONDS": "0"}) as inside:
        answer = await inside.chat(model="only")
        told = await story(inside, answer.headers["x-hermes-request-id"])
    assert answer.status == 503
    assert told.failure is not None
    assert (told.failure.status, told.failure.code) == (503, "all_candidates_exhausted")
    assert told.failure.candidates[0]["model"] == "m1"
    assert told.request.attempts[0].outcome == "server_error"
    assert told.request.attempts[0].took >= 0
    assert ("other/m3", "not in the list that was asked for") in [(one.name, one.reason) for one in told.dropped or ()]


async def test_a_request_that_nobody_can_serve_has_a_story_too(tmp_path: Path):
    toml = TOML.replace("tier = 3\n", "tier = 3\nvision = false\n")
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    async with running(tmp_path, toml=toml) as inside:
        body = {"model": "x", "messages": [{"role": "user", "content": image}]}
        answer = await inside.ask("POST", "/v1/chat/completions", body)
        told = await story(inside, answer.headers["x-hermes-request-id"])
    assert answer.status == 400
    assert told.planned == []
    assert {one.name for one in told.dropped or ()} == {"mine/m1", "mine/plain", "other/m3"}
    assert {one.reason for one in told.dropped or ()} == {f"no {told.request.needs[0]}"}


async def test_what_the_log_keeps_on_disk_is_there_after_a_restart_and_holds_no_text(tmp_path: Path):
    path = tmp_path / "log.sqlite"
    transport = GatedTransport()

    def open_log() -> SqliteWriter:
        return SqliteWriter(path, SCHEMA, VERSION)

    async with running(tmp_path, toml=TOML, transport=transport, database=open_log()) as inside:
        served = await inside.chat("the secret plan", model="third")
        transport.refuse["m1"] = (500, {"error": {"message": "broken"}})
        failed = await inside.chat("the secret plan", model="only", x_hermes_max_wait="0")
    async with running(tmp_path, toml=TOML, database=open_log()) as inside:
        rows = await logs(inside)
        told = await story(inside, rows[0]["id"])
        straight = await story(inside, rows[1]["id"])
    assert [one["id"] for one in rows] == [one.headers["x-hermes-request-id"] for one in (failed, served)]
    assert told.dropped
    assert told.failure is not None
    assert straight.planned is None
    raw = b"".join(one.read_bytes() for one in tmp_path.glob("log.sqlite*"))
    for secret in (b"secret plan", b"one two", b"k-test-1111", b"sk-router-1"):
        assert secret not in raw


async def test_an_unknown_id_is_a_404(tmp_path: Path):
    async with running(tmp_path, toml=TOML) as inside:
        answer = await inside.ask("GET", "/v1/logs/req_nothing")
    assert (answer.status, answer.json["error"]["code"]) == (404, "request_not_found")


async def test_a_stream_that_breaks_for_good_is_an_error_in_the_log(tmp_path: Path):
    transport = GatedTransport(open_gate=False)
    async with running(
        tmp_path, toml=TOML, transport=transport, env={"GAP_TIMEOUT": "0.1", "STREAM_RESUME": "0"}
    ) as inside:
        await inside.chat(model="only", stream=True, x_hermes_max_wait="0")
        (one,) = await logs(inside)
    assert one["status"] == 200
    assert one["error"] == "stream_interrupted"
