"""GET /v1/models and /v1/models/{id}, for both SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from fakes.router import Router, router
from fakes.served import provider
from fakes.upstream import Upstream

TOML = (
    provider("mine", "m1", "org/m2", more='embed_model = "e1"')
    + '[aliases]\nchain = ["mine/m1", "*"]\n[profiles.own]\norder = ["tier"]\n'
)


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with Upstream() as upstream, router(tmp_path_factory.mktemp("models"), toml=TOML, upstream=upstream) as one:
        yield one


def test_every_name_that_a_client_may_send_is_listed(routed: Router):
    ids = [model.id for model in routed.openai().models.list()]
    assert ids[0] == "hermes-router"
    assert {"hermes-router:fast", "hermes-router:best", "hermes-router:cheap", "hermes-router:local"} <= set(ids)
    assert {"hermes-router:own", "chain", "mine/m1", "mine/org/m2", "mine/e1"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_anthropics_sdk_gets_its_own_shape(routed: Router):
    page = routed.anthropic().models.list()
    assert page.data[0].id == "hermes-router"
    assert page.data[0].type == "model"
    assert page.has_more is False


@pytest.mark.parametrize("id_", ["hermes-router", "mine/m1", "mine/org/m2", "chain"])
def test_one_model(routed: Router, id_: str):
    assert routed.openai().models.retrieve(id_).id == id_
    assert routed.anthropic().models.retrieve(id_).id == id_


def test_an_unknown_model_is_a_404(routed: Router):
    with pytest.raises(openai.NotFoundError) as caught:
        routed.openai().models.retrieve("mine/m9")
    assert caught.value.code == "model_not_found"
    with pytest.raises(anthropic.NotFoundError):
        routed.anthropic().models.retrieve("mine/m9")


def test_no_key_is_in_the_list(routed: Router):
    assert b"k-test" not in routed.raw("GET", "/v1/models").body


def test_windows_and_abilities_are_listed_for_models_profiles_and_aliases(routed: Router):
    rows = {row["id"]: row for row in routed.raw("GET", "/v1/models").json["data"]}
    for name in ("mine/m1", "hermes-router", "hermes-router:own", "chain"):
        assert rows[name]["context_window"] == 100000
        assert rows[name]["max_output_tokens"] == 8000
        assert {"tools", "vision", "json_schema"} <= set(rows[name]["capabilities"])
    assert rows["hermes-router:local"]["context_window"] is None
    anthropics = routed.raw("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"}).json["data"]
    assert {row["id"]: row["max_input_tokens"] for row in anthropics}["chain"] == 100000
