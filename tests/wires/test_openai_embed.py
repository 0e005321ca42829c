from __future__ import annotations

import base64
from array import array
from typing import Any

import orjson
import pytest

from hermes_router.catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec, Quirks
from hermes_router.core.events import Event, Failed, Finish, FinishReason, Usage, Vectors
from hermes_router.core.faults import Kind, Scope
from hermes_router.core.request import EmbeddingRequest
from hermes_router.wires.base import Target
from hermes_router.wires.openai import OpenAIWire


def target(quirks: Quirks | None = None, embed: EmbedSpec | None = None, **provider: Any) -> Target:
    return Target(
        name="p",
        provider=ProviderSpec(**provider),
        model=ModelSpec(id="m"),
        quirks=quirks or Quirks(),
        base_url="https://api.example/v1",
        secret="k-test-1",
        embed=embed or EmbedSpec(id="e1"),
    )


def ask(**fields: Any) -> EmbeddingRequest:
    fields.setdefault("dialect", "openai")
    fields.setdefault("inputs", ("a", "b"))
    return EmbeddingRequest(model="any", **fields)


BASE = {"model": "e1", "input": ["a", "b"], "encoding_format": "float"}
BODIES: dict[str, tuple[EmbeddingRequest, Target, dict[str, Any]]] = {
    "texts": (ask(), target(), BASE),
    "token arrays": (ask(inputs=((1, 2), (3,))), target(), BASE | {"input": [[1, 2], [3]]}),
    "base64 is our own matter": (ask(encoding="base64"), target(), BASE),
    "dimensions": (
        ask(dimensions=256),
        target(embed=EmbedSpec(id="e1", dimensions=1024, sizes=(256, 1024))),
        BASE | {"dimensions": 256},
    ),
    "the only dimensions there are": (
        ask(dimensions=1024),
        target(embed=EmbedSpec(id="e1", dimensions=1024)),
        BASE,
    ),
    "dimensions, whatever is allowed": (
        ask(dimensions=256),
        target(Quirks(allow=("encoding_format",))),
        BASE | {"dimensions": 256},
    ),
    "encoding_format not allowed": (ask(), target(Quirks(allow=())), {"model": "e1", "input": ["a", "b"]}),
    "encoding_format dropped": (ask(), target(Quirks(drop=("encoding_format",))), {"model": "e1", "input": ["a", "b"]}),
    "user and unknown fields": (ask(user="u", extra={"x": 1}), target(), BASE | {"user": "u", "x": 1}),
    "unknown fields not allowed": (
        ask(user="u", extra={"x": 1}),
        target(Quirks(allow=("encoding_format",))),
        BASE,
    ),
    "embed_body": (
        ask(),
        target(Quirks(embed_body={"input_type": "passage"})),
        BASE | {"input_type": "passage"},
    ),
}


@pytest.mark.parametrize("request_, to, body", BODIES.values(), ids=BODIES)
def test_a_batch_is_written_as_the_provider_takes_it(request_: EmbeddingRequest, to: Target, body: dict[str, Any]):
    sent = OpenAIWire().embed(request_, to)
    assert (sent.method, sent.url) == ("POST", "https://api.example/v1/embeddings")
    assert sent.headers["authorization"] == "Bearer k-test-1"
    assert orjson.loads(sent.body) == body


def test_embeddings_may_have_their_own_path():
    assert OpenAIWire().embed(ask(), target(paths={"embeddings": "/embed"})).url == "https://api.example/v1/embed"


def read(body: bytes, cut: int = 0) -> list[Event]:
    reader = OpenAIWire().embed_reader(target(), content_type="application/json", now=0.0)
    return [*reader.feed(body[:cut]), *reader.feed(body[cut:]), *reader.end()]


def item(vector: Any, index: int | None) -> dict[str, Any]:
    return {"object": "embedding", "embedding": vector, **({} if index is None else {"index": index})}


def answer(*items: dict[str, Any], usage: Any = None) -> bytes:
    return orjson.dumps({"object": "list", "data": items, "model": "e1", "usage": usage})


PACKED = base64.b64encode(array("f", [0.5, -2.0]).tobytes()).decode()
DONE = Finish(FinishReason.STOP)
ANSWERS: dict[str, tuple[bytes, list[Event]]] = {
    "numbers": (answer(item([0.5, 1], 0)), [Vectors([[0.5, 1.0]]), DONE]),
    "base64": (answer(item(PACKED, 0)), [Vectors([[0.5, -2.0]]), DONE]),
    "out of order": (answer(item([2.0], 1), item([1.0], 0)), [Vectors([[1.0], [2.0]]), DONE]),
    "without indexes": (answer(item([1.0], None), item([2.0], None)), [Vectors([[1.0], [2.0]]), DONE]),
    "usage": (
        answer(item([1.0], 0), usage={"prompt_tokens": 4, "total_tokens": 4}),
        [Vectors([[1.0]]), Usage(input=4), DONE],
    ),
    "usage as a total": (
        answer(item([1.0], 0), usage={"total_tokens": 4}),
        [Vectors([[1.0]]), Usage(input=4), DONE],
    ),
}


@pytest.mark.parametrize("body, events", ANSWERS.values(), ids=ANSWERS)
def test_vectors_are_read_in_the_order_of_their_inputs(body: bytes, events: list[Event]):
    assert read(body) == events
    assert read(body, cut=len(body) // 2) == events


BAD = {
    "HTML": b"<html>",
    "half": answer(item([1.0], 0))[:-5],
    "no vectors": answer(),
    "an empty vector": answer(item([], 0)),
    "a hole in a vector": answer(item([1.0, None], 0)),
    "bad base64": answer(item("!!", 0)),
    "base64 of half a number": answer(item("YWI=", 0)),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_holds_no_vectors_is_the_models_fault(body: bytes):
    (failed,) = read(body)
    assert isinstance(failed, Failed)
    assert (failed.fault.kind, failed.fault.scope) == (Kind.MALFORMED, Scope.MODEL)


@pytest.mark.parametrize("body", [b'{"error": {"message": "overloaded", "code": 503}}', b'{"detail": "overloaded"}'])
def test_an_error_instead_of_vectors_is_a_fault(body: bytes):
    (failed,) = read(body)
    assert isinstance(failed, Failed)
    assert "overloaded" in failed.fault.message
