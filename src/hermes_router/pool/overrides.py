"""What variables say about one provider: ``GROQ_MODEL``, ``GROQ_BASE_URL`` and kin. Reads only what settings loaded."""

from __future__ import annotations

import re

import msgspec

from ..catalogue.schema import ModelSpec
from ..settings import Loaded, as_count, as_switch


class Overrides:
    """The variables that begin with a provider's name. Empty means unset, except where said otherwise."""

    def __init__(self, provider: str, loaded: Loaded) -> None:
        self.prefix = variable_name(provider)
        self._loaded = loaded

    def name(self, what: str) -> str:
        return f"{self.prefix}_{what}"

    def text(self, what: str) -> str:
        return self._loaded.env.get(self.name(what), "").strip()

    def is_empty(self, what: str) -> bool:
        """Whether it is set to nothing, which for some is a way to say "none"."""
        return self.name(what) in self._loaded.env and not self.text(what)

    def listed(self, what: str) -> tuple[str, ...]:
        """The entries of a list, each once."""
        return tuple(dict.fromkeys(item.strip() for item in self.text(what).split(",") if item.strip()))

    def switch(self, what: str) -> bool | None:
        text = self.text(what)
        return as_switch(text, self._said(what)) if text else None

    def count(self, what: str) -> int:
        """0 where it is not set."""
        text = self.text(what)
        return as_count(text, self._said(what)) if text else 0

    def over(self, model: ModelSpec) -> ModelSpec:
        """A model with what the user knows better; what is said of one model wins over what is said of all."""
        one = variable_name(model.id)
        facts = {
            "tools": _first(self.switch(f"{one}_SUPPORTS_TOOLS"), self.switch("SUPPORTS_TOOLS"), model.tools),
            "reasoning": _first(self.switch(f"{one}_REASONING"), self.switch("REASONING"), model.reasoning),
            "max_output": _smaller(self.count("MAX_OUTPUT_TOKENS"), model.max_output),
        }
        return msgspec.structs.replace(model, **facts)

    def _said(self, what: str) -> str:
        name = self.name(what)
        where = next(layer.where for layer in self._loaded.layers if layer.values.get(name, "").strip())
        return f"{name} in {where}"


def variable_name(text: str) -> str:
    """A provider or model id as part of a variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", text).upper()


def _first(*facts: bool | None) -> bool | None:
    return next((fact for fact in facts if fact is not None), None)


def _smaller(clamp: int, known: int) -> int:
    return min(clamp, known) if clamp and known else clamp or known
