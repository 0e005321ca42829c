"""What the commands read from the machine they run on: settings, the catalogue, today's date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from ..catalogue.load import CatalogueError, load_builtin, merge
from ..catalogue.mistakes import Origin as Source
from ..catalogue.mistakes import nearest, sentence
from ..catalogue.schema import ProviderSpec, UserConfig
from ..pool.build import build
from ..pool.world import World
from ..sandbox.load import load_sandbox
from ..settings import Loaded, Settings, SettingsError, environment, load
from . import runfile
from .output import Misused


def load_here(flags: Mapping[str, object] | None = None) -> Loaded:
    """Settings from the flags, this process's variables and the working folder. Raises SettingsError."""
    return load(flags or {}, environment(), Path.cwd())


def load_leniently() -> Loaded:
    """Like ``load_here``, for commands that only want to find the running router: where the files cannot be used it
    serves on from what they said before, so that only HERMES_HOME and the administration key matter."""
    try:
        return load_here()
    except SettingsError:
        environ = environment()
        home = Path(environ.get("HERMES_HOME") or platformdirs.user_data_dir("hermes-router", appauthor=False))
        settings = Settings(hermes_home=home.expanduser().absolute(), admin_api_key=environ.get("ADMIN_API_KEY", ""))
        if runfile.read(settings.hermes_home) is None:
            raise
        nothing = Source(str(home / "hermes-router.toml"), "")
        return Loaded(
            settings=settings,
            env={},
            origins={},
            user=UserConfig(),
            source=nothing,
            layers=(),
            config_file=Path(nothing.source),
            env_files=(),
        )


def build_here(loaded: Loaded, *, sandbox: bool = False) -> World:
    """The World, without the sandbox unless it is asked for. Raises SettingsError."""
    simulated = load_sandbox() if sandbox else None
    return build(loaded, load_builtin(), today=datetime.now(UTC).date(), sandbox=simulated)


def providers_here(loaded: Loaded) -> dict[str, ProviderSpec]:
    """Every provider there is: the built-in ones and the user's tables over them. Raises SettingsError."""
    try:
        return merge(load_builtin(), loaded.user)
    except CatalogueError as error:
        raise SettingsError(str(error)) from error


def provider_named(name: str, specs: Mapping[str, object]) -> str:
    """The provider as the catalogue writes it (``github-models`` is ``github_models``). Raises Misused."""
    for form in (name, name.lower().replace("-", "_"), name.lower()):
        if form in specs:
            return form
    wrong = sentence(f"There is no provider '{name}'{nearest(name.lower(), specs)}")
    raise Misused(f"{wrong} All of them: hr auth list --all")
