"""Embeddings: what is taken as input, what is refused, and that the official SDK reads the vectors back."""

from __future__ import annotations

import base64
import struct
from typing import Any

import httpx2
import openai
import orjson
import pytest

from hermes_router.core.errors import BadRequest
from hermes_router.core.events import Usage
from hermes_router.core.request import EmbeddingRequest
from hermes_router.dialects import embeddings
from hermes_router.dialects.base import Served

SERVED = Served(id="r1", provider="gemini", model="e-1", created=1, input_estimate=0)
VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -3.5]]


def read(**fields: Any) -> EmbeddingRequest:
    return embeddings.read(orjson.dumps({"model": "auto", "input": "a", **fields}), {})


@pytest.mark.parametrize(
    "given, inputs",
    [
        pytest.param("a", ("a",), id="string"),
        pytest.param(["a", "b"], ("a", "b"), id="strings"),
        pytest.param([1, 2], ((1, 2),), id="tokens"),
        pytest.param([[1, 2], [3]], ((1, 2), (3,)), id="token arrays"),
        pytest.param(["a"] * 2048, ("a",) * 2048, id="the most there may be"),
        pytest.param([1] * 5000, ((1,) * 5000,), id="many tokens in one input"),
    ],
)
def test_every_form_of_input_is_taken(given: Any, inputs: tuple[Any, ...]):
    assert read(input=given).inputs == inputs


def test_options_are_read_and_the_rest_is_kept():
    request = read(dimensions=256, encoding_format="base64", user="u", input_type="query", truncate=None)
    assert (request.dimensions, request.encoding, request.user) == (256, "base64", "u")
    assert request.extra == {"input_type": "query"}
    assert read(encoding_format=None).encoding == "float"


@pytest.mark.parametrize(
    "fields, param",
    [
        pytest.param({"model": None}, "model", id="no model"),
        pytest.param({"model": ""}, "model", id="empty model"),
        pytest.param({"input": None}, "input", id="no input"),
        pytest.param({"input": ""}, "input", id="empty string"),
        pytest.param({"input": []}, "input", id="empty list"),
        pytest.param({"input": 5}, "input", id="number"),
        pytest.param({"input": {"text": "a"}}, "input", id="object"),
        pytest.param({"input": ["a", ""]}, "input[1]", id="empty string in a list"),
        pytest.param({"input": ["a", 5]}, "input[1]", id="mixed"),
        pytest.param({"input": ["a", [5]]}, "input[1]", id="mixed with tokens"),
        pytest.param({"input": [None]}, "input[0]", id="null"),
        pytest.param({"input": [True]}, "input[0]", id="boolean"),
        pytest.param({"input": [1, "a"]}, "input[1]", id="string among tokens"),
        pytest.param({"input": [1, True]}, "input[1]", id="boolean among tokens"),
        pytest.param({"input": [1, -1]}, "input[1]", id="negative token"),
        pytest.param({"input": [[1], []]}, "input[1]", id="empty token array"),
        pytest.param({"input": [[1], [1, 1.5]]}, "input[1][1]", id="fraction of a token"),
        pytest.param({"input": ["a"] * 2049}, "input", id="too many"),
        pytest.param({"dimensions": 0}, "dimensions", id="no dimensions"),
        pytest.param({"dimensions": "5"}, "dimensions", id="dimensions a string"),
        pytest.param({"encoding_format": "int8"}, "encoding_format", id="encoding"),
    ],
)
def test_a_bad_embedding_field_is_named(fields: dict[str, Any], param: str):
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_an_answer_has_the_shape_of_the_api():
    body = embeddings.answer(read(input=["a", "b"]), VECTORS, Usage(input=9), SERVED)
    assert orjson.loads(body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": VECTORS[0]},
            {"object": "embedding", "index": 1, "embedding": VECTORS[1]},
        ],
        "model": "e-1",
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    }


def test_base64_is_little_endian_float32():
    body = orjson.loads(embeddings.answer(read(encoding_format="base64"), VECTORS[:1], Usage(), SERVED))
    assert base64.b64decode(body["data"][0]["embedding"]) == struct.pack("<3f", *VECTORS[0])


@pytest.mark.parametrize("encoding", ["float", None])
def test_the_sdk_reads_the_vectors_back(encoding: Any):
    """Where no encoding is named the SDK asks for base64 and decodes it."""

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked = embeddings.read(request.read(), {})
        return httpx2.Response(200, content=embeddings.answer(asked, VECTORS, Usage(input=2), SERVED))

    client = openai.OpenAI(
        api_key="k-test-1",
        base_url="http://x.test/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(serve)),
    )
    with client:
        answer = client.embeddings.create(model="auto", input=["a", "b"], encoding_format=encoding or openai.omit)
    assert [item.embedding for item in answer.data] == VECTORS
