"""/health and /ready: without a key, without asking any provider."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.served import Start, provider, user
from fakes.upstream import Upstream, error, hang

BODY = {"model": "x", "messages": user("hi")}


def test_health_is_200_whatever_else_holds(start: Start):
    response = start("", env={"SANDBOX": "0"}).raw("GET", "/health", key=None)
    assert (response.status, response.json["status"]) == (200, "ok")


def test_ready_asks_nobody(start: Start, up: Upstream):
    up.script(hang(), for_ever=True)
    assert start(provider("mine")).raw("GET", "/ready", key=None).status == 200
    assert up.requests == []


def test_the_sandbox_counts_and_is_announced(start: Start):
    response = start("").raw("GET", "/ready", key=None)
    assert response.status == 200
    assert response.json["sandbox"] is True
    assert "simulated" in response.json["note"]


def test_a_sandbox_beside_a_provider_does_not_say_that_there_is_none(start: Start):
    response = start(provider("mine"), env={"SANDBOX": "1"}).raw("GET", "/ready", key=None)
    assert response.json["sandbox"] is True
    assert "simulated" in response.json["note"].lower()
    assert "no real one is configured" not in response.json["note"]


def test_a_configured_provider_ends_the_sandbox(start: Start):
    routed = start(provider("mine"))
    assert routed.raw("GET", "/ready").json["sandbox"] is False
    assert routed.raw("POST", "/v1/chat/completions", BODY).headers["x-hermes-provider"] == "mine"


def test_no_provider_is_a_503_with_reasons(start: Start):
    response = start("", env={"SANDBOX": "0", "GITHUB_MODELS_TOKEN": "k-test-1"}).raw("GET", "/ready", key=None)
    assert response.status == 503
    assert any("github_models" in reason for reason in response.json["reasons"])
    assert not any("no provider is configured" in reason for reason in response.json["reasons"])


def test_draining_is_a_503(start: Start):
    routed = start("")
    routed.runtime.draining = True
    response = routed.raw("GET", "/ready", key=None)
    assert response.status == 503
    assert "shutting down" in response.json["reasons"][0]


def test_cooldowns_do_not_change_it(start: Start, up: Upstream):
    up.script(error(401), for_ever=True)
    routed = start(provider("mine"))
    assert routed.raw("POST", "/v1/chat/completions", BODY).status == 503
    assert routed.raw("GET", "/ready").status == 200


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_no_key_is_named(start: Start, path: str):
    routed = start(provider("mine", keys=["k-test-secret-1234"]), env={"GROQ_API_KEY": "k-test-secret-5678"})
    body = routed.raw("GET", path, key=None).body
    assert b"secret" not in body
    assert b"1234" not in body
    assert b"5678" not in body


def sandbox_answer(start: Start, **env: str) -> Any:
    return start("", env=env).raw("POST", "/v1/chat/completions", BODY)


def test_the_sandbox_answers_without_any_provider(start: Start):
    response = sandbox_answer(start)
    assert response.status == 200
    assert response.headers["x-hermes-provider"].startswith("sandbox-")
    assert "sandbox" in response.json["choices"][0]["message"]["content"]


def test_the_sandbox_can_be_switched_off(start: Start):
    assert sandbox_answer(start, SANDBOX="0").status == 503


def test_the_sandbox_beside_a_provider_comes_last(start: Start, up: Upstream):
    routed = start(provider("mine"), env={"SANDBOX": "1"})
    assert routed.raw("POST", "/v1/chat/completions", BODY).headers["x-hermes-provider"] == "mine"
    up.script(error(401), for_ever=True)
    assert routed.raw("POST", "/v1/chat/completions", BODY).headers["x-hermes-provider"].startswith("sandbox-")


def test_the_busy_simulated_provider_fails_over_in_sight(start: Start):
    routed = start("")
    answers = [routed.raw("POST", "/v1/chat/completions", BODY) for _ in range(7)]
    assert [one.headers["x-hermes-provider"] for one in answers] == ["sandbox-busy"] * 6 + ["sandbox-fast"]
    assert answers[6].headers["x-hermes-attempts"] == "2"
