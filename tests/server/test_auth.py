"""Who may call: keys in either header, on every route but health."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.router import Router, router
from fakes.served import user

BODY = {"model": "x", "max_tokens": 9, "messages": user("hi")}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with router(tmp_path_factory.mktemp("auth"), env={"PROXY_API_KEYS": "k-caller-1, k-caller-2"}) as routed:
        yield routed


GOOD = {
    "Bearer": {"authorization": "Bearer k-caller-1"},
    "bearer": {"authorization": "bearer k-caller-2"},
    "x-api-key": {"x-api-key": "k-caller-2"},
    "both, the Bearer counts": {"authorization": "Bearer k-caller-1", "x-api-key": "k-wrong"},
    "another scheme beside x-api-key": {"authorization": "Basic abc", "x-api-key": "k-caller-1"},
}
BAD = {
    "none": {},
    "wrong": {"authorization": "Bearer k-wrong"},
    "a part": {"authorization": "Bearer k-caller"},
    "more": {"authorization": "Bearer k-caller-11"},
    "the default one, which was replaced": {"authorization": "Bearer sk-router-1"},
    "empty": {"authorization": "Bearer "},
    "another scheme": {"authorization": "Basic k-caller-1"},
    "not ASCII": {"x-api-key": "k-caller-\xe9"},
    "all of them": {"authorization": "Bearer k-caller-1, k-caller-2"},
}


@pytest.mark.parametrize("headers", GOOD.values(), ids=GOOD.keys())
def test_a_known_key_opens(sandbox: Router, headers: dict[str, str]):
    assert sandbox.raw("GET", "/v1/models", headers=headers, key=None).status == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"])
@pytest.mark.parametrize("headers", BAD.values(), ids=BAD.keys())
def test_any_other_key_is_a_401_in_the_callers_dialect(sandbox: Router, path: str, headers: dict[str, str]):
    response = sandbox.raw("POST", path, BODY, headers, key=None)
    assert response.status == 401
    assert "www-authenticate" in response.headers
    kind = response.json["error"]["type"]
    assert kind == "authentication_error"
    assert b"k-caller" not in response.body


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/hermes-router"])
def test_models_need_a_key(sandbox: Router, path: str):
    assert sandbox.raw("GET", path, key=None).status == 401


def test_a_bad_key_is_told_before_the_body_is_read(sandbox: Router):
    connection = sandbox.connect()
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("content-length", "1000")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_needs_none(sandbox: Router, path: str):
    assert sandbox.raw("GET", path, key=None).status == 200


def test_the_default_key_is_the_documented_one(tmp_path_factory: pytest.TempPathFactory):
    with router(tmp_path_factory.mktemp("default")) as routed:
        assert routed.raw("GET", "/v1/models", key="sk-router-1").status == 200
