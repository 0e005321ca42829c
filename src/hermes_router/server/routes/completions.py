"""POST /v1/completions: the legacy surface, served by chat models."""

from __future__ import annotations

from ...dialects.completions import OpenAICompletions
from ..http import Call
from ..runtime import Runtime
from .chat import chat


async def completions(runtime: Runtime, call: Call) -> None:
    """One text in, its continuation out."""
    await chat(runtime, call, OpenAICompletions())
