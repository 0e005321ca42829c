"""A conversation that changes providers at any turn: no strict provider refuses it, and nothing is lost on the way.

Each turn is pinned to a provider. A conversation has a picture, a document, two calls at once, a tool's error, a
tool's picture and thinking in it; all three APIs speak it, streaming and not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.folded import folded
from fakes.router import Router, router
from fakes.served import ABLE, PNG, anthropic_tool, provider, tool
from fakes.strict import Strict, Wrong
from fakes.strict_answers import SIGNATURE
from fakes.strict_styles import STYLES, check_body
from fakes.upstream import Peer, Seen, Upstream, reply

PROVIDERS = ("anthropic", *STYLES)
THINKS = f"{ABLE}reasoning = true\ndocuments = true\n"
TOMLS = [
    provider(name, "m1", wire="anthropic" if name == "anthropic" else "openai", facts=THINKS) for name in PROVIDERS
]
ENV = {"CLOUDFLARE_ACCOUNT_ID": "a1", "BREAKER_THRESHOLD": "1000"}
PDF = "JVBERi0xLjQKJWRvY3VtZW50Cg=="
TOOL_PNG = PNG[:-6] + "AAAA=="


class AsReal(Strict):
    """Each provider of the catalogue as strict as it is, and Anthropic about thinking too."""

    async def __call__(self, peer: Peer, seen: Seen) -> None:
        name = seen.path.split("/")[1]
        try:
            check_body(name, seen.body, seen.headers)
            if name == "anthropic":
                _thinking_stays(seen.body)
        except Wrong as wrong:
            self.refused.append(f"{name}: {wrong}")
            await reply({"error": {"message": str(wrong), "type": "invalid_request_error"}}, 400)(peer, seen)
        else:
            await self._answer(peer, seen, STYLES.get(name, STYLES["openai"]))


def _thinking_stays(body: dict[str, Any]) -> None:
    """400 "Expected `thinking` or `redacted_thinking`, but found `tool_use`"; 400 "Invalid `signature`"."""
    blocks = [block for turn in body["messages"] for block in turn["content"] if isinstance(block, dict)]
    if any(block["type"] == "thinking" and block["signature"] != SIGNATURE for block in blocks):
        raise Wrong("Invalid `signature` in `thinking` block")
    last = next((turn for turn in reversed(body["messages"]) if turn["role"] == "assistant"), None)
    answered = body["messages"][-1]["content"]
    loop = isinstance(answered, list) and answered[0]["type"] == "tool_result"
    thinks = body.get("thinking", {}).get("type") == "enabled"
    if thinks and loop and last and last["content"][0]["type"] not in ("thinking", "redacted_thinking"):
        raise Wrong("Expected `thinking` or `redacted_thinking`, but found `tool_use`")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(AsReal()) as one:
        yield one


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("portability")
    with router(folder, toml="\n".join(TOMLS), env=ENV, upstream=upstream) as one:
        yield one


class Talk:
    """A conversation as one API has it. ``say`` adds what a user says, ``ask`` has the next turn answered by a
    provider, and gives the ids of the calls it made; ``answer`` gives their results."""

    def __init__(self, routed: Router, *, thinks: bool, streamed: bool = False) -> None:
        self.routed = routed
        self.streamed = streamed
        self.thinks = thinks
        self.messages: list[Any] = []

    def _post(self, path: str, name: str, body: dict[str, Any]) -> Any:
        said = {"model": f"{name}/m1", "stream": self.streamed, **body}
        reply = self.routed.post(path, said, x_hermes_pin="true")
        assert reply.status == 200, reply.body
        return folded(path, reply.body) if self.streamed else reply.json


class OpenAITalk(Talk):
    def say(self, text: str, *, picture: bool) -> None:
        parts: list[Any] = [{"type": "text", "text": text}]
        if picture:
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
            data = f"data:application/pdf;base64,{PDF}"
            parts.append({"type": "file", "file": {"filename": "a.pdf", "file_data": data}})
        self.messages.append({"role": "user", "content": parts if picture else text})

    def ask(self, name: str) -> list[str]:
        body: dict[str, Any] = {
            "messages": self.messages,
            "tools": [tool("look", at="string"), tool("go", to="string")],
        }
        if self.thinks:
            body["reasoning_effort"] = "low"
        message = self._post("/v1/chat/completions", name, body | {"max_tokens": 4000})["choices"][0]["message"]
        kept = {key: message[key] for key in ("role", "content", "tool_calls") if message.get(key)}
        self.messages.append(kept)
        return [call["id"] for call in message.get("tool_calls") or ()]

    def answer(self, ids: list[str], texts: list[str]) -> None:
        self.messages += [
            {"role": "tool", "tool_call_id": id_, "content": text} for id_, text in zip(ids, texts, strict=True)
        ]


class AnthropicTalk(Talk):
    def say(self, text: str, *, picture: bool) -> None:
        parts: list[Any] = [{"type": "text", "text": text}]
        if picture:
            source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
            parts += [_picture(PNG), {"type": "document", "source": source}]
        self.messages.append({"role": "user", "content": parts})

    def ask(self, name: str) -> list[str]:
        tools = [anthropic_tool("look", at="string"), anthropic_tool("go", to="string")]
        body: dict[str, Any] = {"messages": self.messages, "tools": tools, "max_tokens": 4000, "system": "Be brief."}
        if self.thinks:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        message = self._post("/v1/messages", name, body)
        self.messages.append({"role": "assistant", "content": message["content"]})
        return [block["id"] for block in message["content"] if block["type"] == "tool_use"]

    def answer(self, ids: list[str], texts: list[str]) -> None:
        results: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": id_, "content": [{"type": "text", "text": text}]}
            for id_, text in zip(ids, texts, strict=True)
        ]
        results[0]["content"].append(_picture(TOOL_PNG))
        results[-1]["is_error"] = True
        self.messages.append({"role": "user", "content": results})


class ResponsesTalk(Talk):
    def say(self, text: str, *, picture: bool) -> None:
        parts: list[Any] = [{"type": "input_text", "text": text}]
        if picture:
            parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"})
            data = f"data:application/pdf;base64,{PDF}"
            parts.append({"type": "input_file", "filename": "a.pdf", "file_data": data})
        self.messages.append({"role": "user", "content": parts})

    def ask(self, name: str) -> list[str]:
        tools = [
            {"type": "function", "strict": False, **tool(word, at="string")["function"]} for word in ("look", "go")
        ]
        body: dict[str, Any] = {"input": self.messages, "tools": tools, "max_output_tokens": 4000, "store": False}
        if self.thinks:
            body |= {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        output = self._post("/v1/responses", name, body)["output"]
        self.messages += output
        return [item["call_id"] for item in output if item["type"] == "function_call"]

    def answer(self, ids: list[str], texts: list[str]) -> None:
        for id_, text in zip(ids, texts, strict=True):
            shown = {"type": "input_image", "image_url": f"data:image/png;base64,{TOOL_PNG}"}
            output = [{"type": "input_text", "text": text}, *([shown] if id_ == ids[0] else [])]
            self.messages.append({"type": "function_call_output", "call_id": id_, "output": output})


def _picture(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


AnyTalk = OpenAITalk | AnthropicTalk | ResponsesTalk
TALKS: dict[str, type[AnyTalk]] = {"openai": OpenAITalk, "anthropic": AnthropicTalk, "responses": ResponsesTalk}


def hold(talk: AnyTalk, upstream: Upstream, names: list[str]) -> None:
    """A conversation of as many turns as there are names; after each, everything said so far was in what was sent."""
    assert isinstance(upstream.default, AsReal)
    upstream.default.refused.clear()
    said: list[str] = []
    due: list[str] = []
    signed = False
    for number, name in enumerate(names):
        if due:
            texts = [f"result {number}.{at}" for at in range(len(due))]
            talk.answer(due, texts)
            said += texts
            if not isinstance(talk, OpenAITalk):
                said.append(TOOL_PNG)
        else:
            talk.say(f"question {number}", picture=number == 0)
            said += [f"question {number}", *([PNG, PDF] if number == 0 else [])]
        due = talk.ask(name)
        sent = upstream.requests[-1]
        assert sent.path.startswith(f"/{name}/")
        assert upstream.default.refused == []
        assert [one for one in said if one.encode() not in sent.raw] == []
        if name == "anthropic":
            assert (SIGNATURE.encode() in sent.raw) == signed
            signed = signed or "thinking" in sent.body
        upstream.requests.clear()


PAIRS = list(permutations(PROVIDERS, 2))
CASES = {f"{one}-{other}, thinking": (one, other, True) for one, other in PAIRS}
CASES |= {f"{one}-{other}, plain": (one, other, False) for one, other in PAIRS if "anthropic" in (one, other)}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", TALKS)
@pytest.mark.parametrize("one, other, thinks", CASES.values(), ids=CASES.keys())
def test_a_conversation_goes_back_and_forth(
    routed: Router, upstream: Upstream, one: str, other: str, thinks: bool, dialect: str, streamed: bool
):
    hold(TALKS[dialect](routed, thinks=thinks, streamed=streamed), upstream, [one, other, other, one, other])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(PROVIDERS), min_size=2, max_size=8), thinks=st.booleans(), streamed=st.booleans())
@pytest.mark.parametrize("dialect", TALKS)
def test_a_conversation_goes_anywhere(
    routed: Router, upstream: Upstream, dialect: str, names: list[str], thinks: bool, streamed: bool
):
    hold(TALKS[dialect](routed, thinks=thinks, streamed=streamed), upstream, names)
