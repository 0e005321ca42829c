from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from hermes_router.catalogue.checks import check_provider
from hermes_router.catalogue.mistakes import CatalogueError, Origin
from hermes_router.sandbox.load import load_sandbox
from hermes_router.sandbox.transport import SandboxTransport
from hermes_router.transport.base import HttpRequest, TransportError, chunks


class Bench:
    """A sandbox whose time passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0
        self.transport = SandboxTransport(clock=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def ask(self, provider: str, path: str, body: object) -> tuple[int, Any, dict[str, str]]:
        request = HttpRequest("POST", f"sandbox://{provider}/v1{path}", {}, orjson.dumps(body))
        response = await self.transport.send(request)
        data = b"".join([chunk async for chunk in chunks(response)])
        return response.status, data, dict(response.headers)


def chat(model: str, text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def cosine(one: list[float], other: list[float]) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def test_the_files_load_and_name_their_own_hosts():
    specs = load_sandbox()
    assert {name: spec.base_url for name, spec in specs.items()} == {name: f"sandbox://{name}/v1" for name in specs}
    assert all(name.startswith("sandbox-") and spec.keyless for name, spec in specs.items())


def test_all_but_their_addresses_pass_the_catalogues_checks():
    for name, spec in load_sandbox().items():
        with pytest.raises(CatalogueError, match="base_url: must be an address"):
            check_provider(spec, ("providers", name), Origin(name, ""))


async def test_a_stream_comes_word_by_word_and_ends_with_usage():
    body = chat("fast-1", stream=True, stream_options={"include_usage": True})
    status, data, headers = await Bench().ask("sandbox-fast", "/chat/completions", body)
    frames = [orjson.loads(line[6:]) for line in data.split(b"\n\n")[:-2]]
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in frames if one["choices"])
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert text.startswith("You said: Hi")
    assert frames[-1]["usage"]["completion_tokens"] == len(text.split())
    assert data.endswith(b"data: [DONE]\n\n")


async def test_a_longer_answer_takes_longer():
    bench = Bench()
    await bench.ask("sandbox-plain", "/chat/completions", chat("plain-1"))
    short = bench.now
    await bench.ask("sandbox-plain", "/chat/completions", chat("plain-1", "word " * 50))
    assert bench.now - short > short > 0.05


async def test_the_busy_one_refuses_the_seventh_request_of_a_minute():
    bench = Bench()
    answers = [await bench.ask("sandbox-busy", "/chat/completions", chat("busy-1")) for _ in range(7)]
    assert [status for status, _, _ in answers] == [200] * 6 + [429]
    assert orjson.loads(answers[6][1])["error"]["code"] == "rate_limit_exceeded"
    assert 50 <= int(answers[6][2]["retry-after"]) <= 60
    bench.now += 60
    assert (await bench.ask("sandbox-busy", "/chat/completions", chat("busy-1")))[0] == 200


async def test_limits_are_announced_where_they_are_stated():
    _, _, headers = await Bench().ask("sandbox-strong", "/chat/completions", chat("strong-1"))
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"


async def test_tools_are_refused_by_the_one_without():
    body = chat("plain-1", tools=[{"type": "function", "function": {"name": "t"}}])
    status, data, _ = await Bench().ask("sandbox-plain", "/chat/completions", body)
    assert (status, orjson.loads(data)["error"]["param"]) == (400, "tools")


async def test_pictures_are_refused_by_those_that_do_not_see():
    body = chat("fast-1")
    body["messages"][0]["content"] = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    assert (await Bench().ask("sandbox-fast", "/chat/completions", body))[0] == 400


async def test_the_thinker_shows_its_thinking():
    _, data, _ = await Bench().ask("sandbox-thinker", "/chat/completions", chat("thinker-1"))
    assert orjson.loads(data)["choices"][0]["message"]["reasoning_content"].startswith("The user says: Hi.")


@pytest.mark.parametrize("size", [None, 8, 1024])
async def test_vectors_have_the_size_asked_for_and_length_one(size: int | None):
    body = {"model": "fast-embed", "input": ["one text", "another"]} | ({"dimensions": size} if size else {})
    _, data, _ = await Bench().ask("sandbox-fast", "/embeddings", body)
    vectors = [row["embedding"] for row in orjson.loads(data)["data"]]
    assert [len(one) for one in vectors] == [size or 256] * 2
    assert all(math.isclose(math.fsum(x * x for x in one), 1) for one in vectors)


async def test_texts_that_share_words_are_closer():
    body = {"model": "fast-embed", "input": ["the red house", "a red house", "green boats sail"]}
    _, data, _ = await Bench().ask("sandbox-fast", "/embeddings", body)
    first, near, far = (row["embedding"] for row in orjson.loads(data)["data"])
    assert cosine(first, near) > 0.4 > cosine(first, far)


REFUSALS: dict[str, tuple[str, object, int]] = {
    "an unknown path": ("/audio", {}, 404),
    "an unknown model": ("/chat/completions", chat("gpt"), 404),
    "no messages": ("/chat/completions", {"model": "fast-1", "messages": []}, 400),
    "no object": ("/chat/completions", [], 400),
    "a batch too big": ("/embeddings", {"model": "fast-embed", "input": ["x"] * 65}, 400),
    "a size it has not": ("/embeddings", {"model": "fast-embed", "input": "x", "dimensions": 5000}, 400),
}


@pytest.mark.parametrize("path, body, status", REFUSALS.values(), ids=REFUSALS.keys())
async def test_refusal(path: str, body: object, status: int):
    assert (await Bench().ask("sandbox-fast", path, body))[0] == status


async def test_an_unknown_host_cannot_be_reached():
    with pytest.raises(TransportError) as caught:
        await Bench().ask("example", "/models", {})
    assert caught.value.kind == "connect"


async def test_an_abandoned_answer_is_cut():
    bench = Bench()
    body = orjson.dumps(chat("fast-1", stream=True))
    response = await bench.transport.send(HttpRequest("POST", "sandbox://sandbox-fast/v1/chat/completions", {}, body))
    pieces = chunks(response)
    await anext(pieces)
    await bench.transport.aclose()
    with pytest.raises(TransportError) as caught:
        await anext(pieces)
    assert caught.value.kind == "cut"
