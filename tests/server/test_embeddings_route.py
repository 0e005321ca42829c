"""POST /v1/embeddings: one stable model, batches, both encodings, and what the headers say when another answers."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types import CreateEmbeddingResponse

from fakes.router import Router
from fakes.served import Start, provider
from fakes.strict import Strict
from fakes.upstream import Upstream, error, reply

EMBED = 'embed_model = "e1"'


def embedder(name: str = "mine", more: str = EMBED) -> str:
    return provider(name, more=more)


def ask(routed: Router, input_: Any, **more: Any) -> CreateEmbeddingResponse:
    answer: CreateEmbeddingResponse = routed.openai().embeddings.create(model="any", input=input_, **more)
    return answer


def post(routed: Router, input_: Any = "hi", **more: Any) -> Any:
    return routed.post("/v1/embeddings", {"model": "any", "input": input_, **more})


INPUTS: dict[str, tuple[Any, list[float]]] = {
    "a text": ("four", [4.0]),
    "a list": (["a", "bbb", "cc"], [1.0, 3.0, 2.0]),
    "tokens": ([1, 2, 3], [3.0]),
    "lists of tokens": ([[1, 2], [3]], [2.0, 1.0]),
}


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("input_, first", INPUTS.values(), ids=INPUTS.keys())
def test_vectors_come_in_the_order_of_their_inputs(start: Start, input_: Any, first: list[float], encoding: str):
    answer = ask(start(embedder()), input_, encoding_format=encoding)
    assert [row.index for row in answer.data] == list(range(len(first)))
    assert answer.model == "e1"
    if encoding == "float":
        assert [row.embedding for row in answer.data] == [[one] * 4 for one in first]
    else:
        assert all(isinstance(row.embedding, str) for row in answer.data)


def test_the_sdks_default_encoding_is_read_back(start: Start):
    assert ask(start(embedder()), ["a", "bb"]).data[1].embedding == [2.0] * 4


def test_dimensions_are_passed_on(start: Start, up: Upstream):
    assert len(ask(start(embedder()), "hi", dimensions=2).data[0].embedding) == 2
    assert up.requests[0].body["dimensions"] == 2


def test_a_batch_over_the_providers_limit_is_split_and_put_together(start: Start, up: Upstream):
    more = f'{EMBED}\nembeddings = [{{ id = "e1", dimensions = 4, batch = 3 }}]'
    assert isinstance(up.default, Strict)
    answer = ask(start(embedder(more=more)), ["x" * length for length in range(1, 9)])
    assert [row.embedding[0] for row in answer.data] == [float(length) for length in range(1, 9)]
    assert [len(seen.body["input"]) for seen in up.requests] == [3, 3, 2]
    assert answer.usage.total_tokens == 8


def test_the_headers_say_who_served(start: Start):
    response = post(start(embedder()))
    assert response.headers["x-hermes-provider"] == "mine"
    assert response.headers["x-hermes-model"] == "e1"
    assert response.headers["x-hermes-attempts"] == "1"
    assert "x-hermes-embedding-instead-of" not in response.headers


def test_another_key_of_the_same_model_comes_before_another_model(start: Start, up: Upstream):
    up.script(error(401), key="k-test-1", for_ever=True)
    routed = start(provider("mine", keys=["k-test-1", "k-test-2"], more=EMBED) + embedder("other"))
    response = post(routed)
    assert response.headers["x-hermes-provider"] == "mine"
    assert "x-hermes-embedding-instead-of" not in response.headers


def test_another_model_answers_only_where_the_usual_one_cannot_and_the_headers_say_so(start: Start, up: Upstream):
    up.script(error(401), path="/mine/", for_ever=True)
    response = post(start(embedder() + embedder("other")))
    assert response.status == 200
    assert response.headers["x-hermes-provider"] == "other"
    assert response.headers["x-hermes-embedding-instead-of"] == "mine/e1"


def test_strict_refuses_a_change_of_model(start: Start, up: Upstream):
    up.script(error(401), path="/mine/", for_ever=True)
    response = post(start(embedder() + embedder("other"), env={"EMBEDDINGS_STRICT": "1"}))
    assert response.status == 503
    assert "EMBEDDINGS_STRICT" in response.json["error"]["message"]
    assert up.asked("other") == []


def test_the_order_of_providers_is_stable(start: Start):
    toml = "".join(
        f'[providers.{name}]\nbase_url = "{{up}}/{name}/v1"\nkeys = ["k-test-1"]\n' for name in ("cohere", "gemini")
    )
    routed = start(embedder() + toml + '[providers.mistral]\nbase_url = "{up}/mistral/v1"\nkeys = ["k-test-1"]\n')
    assert post(routed).headers["x-hermes-provider"] == "gemini"


def test_an_empty_variable_takes_a_provider_out(start: Start):
    toml = '[providers.gemini]\nbase_url = "{up}/gemini/v1"\nkeys = ["k-test-1"]\n'
    routed = start(embedder() + toml, env={"GEMINI_EMBED_MODEL": ""})
    assert post(routed).headers["x-hermes-provider"] == "mine"


def test_nobody_with_an_embedding_model_is_a_400(start: Start):
    response = post(start(provider("mine")))
    assert (response.status, response.json["error"]["code"]) == (400, "no_embedding_model")


def test_a_size_that_the_model_has_not_is_refused(start: Start, up: Upstream):
    more = f'{EMBED}\nembeddings = [{{ id = "e1", dimensions = 4, sizes = [2, 4] }}]'
    with pytest.raises(openai.BadRequestError) as caught:
        ask(start(embedder(more=more)), "hi", dimensions=3)
    assert caught.value.param == "dimensions"
    assert up.requests == []


BROKEN: dict[str, Any] = {
    "no vectors": {"object": "list", "data": []},
    "fewer than inputs": {"object": "list", "data": [{"index": 0, "embedding": [1.0]}]},
    "an error in a 200": {"error": {"message": "overloaded", "code": 503}},
    "a page": b"<html></html>",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_tried_again_elsewhere(start: Start, up: Upstream, body: Any):
    up.script(reply(body), path="/mine/", key="k-test-1", for_ever=True)
    routed = start(provider("mine", keys=["k-test-1", "k-test-2"], more=EMBED))
    response = post(routed, ["a", "bb"])
    assert response.status == 200
    assert [row["embedding"][0] for row in response.json["data"]] == [1.0, 2.0]


async def test_the_async_client(start: Start):
    async with start(embedder()).async_openai() as client:
        answer = await client.embeddings.create(model="any", input=["a", "bb"])
    assert answer.data[1].embedding == [2.0] * 4


def test_the_sandbox_gives_unit_vectors(start: Start):
    vector = ask(start(""), "hello world", dimensions=16).data[0].embedding
    assert len(vector) == 16
    assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
