"""What the configuration leaves unknown is asked of the provider's list of models, which costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.router import router
from fakes.upstream import Upstream, reply
from hermes_router.catalogue.metadata import ModelFacts, filled, read_models
from hermes_router.catalogue.schema import ModelSpec

SHAPES = {
    "openrouter": (
        {
            "id": "m",
            "context_length": 131072,
            "supported_parameters": ["tools", "reasoning"],
            "architecture": {"input_modalities": ["text", "image"]},
            "top_provider": {"max_completion_tokens": 8192},
        },
        ModelFacts(
            context=131072,
            max_output=8192,
            tools=True,
            reasoning=True,
            vision=True,
            documents=False,
            audio=False,
            json_schema=False,
        ),
    ),
    "mistral": (
        {
            "id": "m",
            "max_context_length": 32768,
            "capabilities": {"function_calling": True, "vision": False, "reasoning": False},
        },
        ModelFacts(context=32768, tools=True, vision=False, reasoning=False),
    ),
    "anthropic": (
        {
            "id": "m",
            "max_input_tokens": 200000,
            "capabilities": {"image_input": {"supported": True}, "thinking": {"supported": True}},
        },
        ModelFacts(context=200000, vision=True, reasoning=True),
    ),
    "groq": (
        {"id": "m", "context_window": 8192, "max_completion_tokens": 4096},
        ModelFacts(context=8192, max_output=4096),
    ),
    "llama.cpp": ({"id": "m", "meta": {"n_ctx": 4096}}, ModelFacts(context=4096)),
    "bare": ({"id": "m", "object": "model"}, ModelFacts()),
}


@pytest.mark.parametrize("row,facts", SHAPES.values(), ids=SHAPES)
def test_a_list_of_models_is_read(row: dict[str, object], facts: ModelFacts):
    assert read_models(orjson.dumps({"data": [row]})) == {"m": facts}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": 3}', b""])
def test_what_is_no_list_of_models_says_nothing(body: bytes):
    assert read_models(body) is None


def test_what_was_stated_stays():
    stated = ModelSpec(id="m", context=1000, tools=False)
    found = filled(stated, ModelFacts(context=5000, tools=True, vision=True, reasoning=False))
    assert (found.context, found.tools, found.vision, found.reasoning) == (1000, False, True, False)


def test_a_model_that_its_provider_says_has_tools_serves_them(tmp_path: Path):
    listed = {"data": [{"id": "m1", "supported_parameters": []}, {"id": "m2", "supported_parameters": ["tools"]}]}
    with Upstream() as upstream:
        upstream.script(reply(listed), path="/models", for_ever=True)
        toml = f"""
[providers.mine]
wire = "openai"
base_url = "{upstream.url}"
keys = ["k-test-1"]
[[providers.mine.models]]
id = "m1"
[[providers.mine.models]]
id = "m2"
"""
        with router(tmp_path, toml=toml, env={"STARTUP_DETECTION": "1"}) as running:
            upstream.wait_for(lambda: any(one.path.endswith("/models") for one in upstream.requests))
            upstream.wait_for(lambda: all(state.model.facts for state in running.runtime.roster.chat))
            tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
            answer = running.openai().chat.completions.create(
                model="any", messages=[{"role": "user", "content": "use f"}], tools=tools
            )
            assert answer.model == "m2"
