"""The wires there are, by the name a provider's ``wire`` has."""

from __future__ import annotations

from collections.abc import Mapping

from .anthropic import AnthropicWire
from .base import Wire
from .openai import OpenAIWire

WIRES: Mapping[str, Wire] = {"openai": OpenAIWire(), "anthropic": AnthropicWire()}
