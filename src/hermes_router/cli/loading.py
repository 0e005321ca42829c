"""What the commands read from the machine they run on: settings, the catalogue, today's date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..catalogue.load import load_builtin
from ..pool.build import build
from ..pool.world import World
from ..settings import Loaded, environment, load


def load_here(flags: Mapping[str, object] | None = None) -> Loaded:
    """Settings from the flags, this process's variables and the working folder. Raises SettingsError."""
    return load(flags or {}, environment(), Path.cwd())


def build_here(loaded: Loaded) -> World:
    """The World without the sandbox. Raises SettingsError."""
    return build(loaded, load_builtin(), today=datetime.now(UTC).date())
