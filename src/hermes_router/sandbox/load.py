"""The simulated providers as the catalogue sees them: one TOML file each, in the catalogue's own schema.

How fast they are and what they refuse beyond their stated limits: ``traits.py``.
"""

from __future__ import annotations

from importlib.resources import files

from ..catalogue.load import read_provider
from ..catalogue.schema import ProviderSpec

_SUFFIX = ".toml"


def load_sandbox() -> dict[str, ProviderSpec]:
    """All of them by name, in alphabetical order."""
    folder = files(__package__).joinpath("providers")
    found = sorted((item for item in folder.iterdir() if item.name.endswith(_SUFFIX)), key=lambda item: item.name)
    names = ((item.name.removesuffix(_SUFFIX), item) for item in found)
    return {name: read_provider(name, item.read_text(encoding="utf-8")) for name, item in names}
