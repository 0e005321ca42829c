"""Aliases and profiles: the names that clients may send beside ours, checked against what can be named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..catalogue.mistakes import Path, nearest
from ..catalogue.schema import Profile
from ..settings import Loaded, SettingsError
from .world import Deployment, Notice

_WEAKEST = 5


def builtin_profiles() -> dict[str, Profile]:
    """The profiles that always exist; the user may redefine them."""
    return {
        "fast": Profile(order=("speed",)),
        "best": Profile(order=("tier",)),
        "cheap": Profile(order=("price",)),
        "local": Profile(providers=("local",)),
    }


def named_models(aliases: Mapping[str, Iterable[str]], provider: str) -> tuple[str, ...]:
    """The model ids of a provider that aliases name."""
    entries = (entry.partition("/") for chain in aliases.values() for entry in chain)
    return tuple(dict.fromkeys(model for name, slash, model in entries if slash and name == provider))


def check_aliases(loaded: Loaded, models: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The user's aliases. ``models``: the model ids of each provider there is. Raises SettingsError."""
    names = {f"{provider}/{model}" for provider, ids in models.items() for model in ids}
    own = loaded.settings.router_model_id
    for alias, chain in loaded.user.aliases.items():
        if alias == own or alias.startswith(f"{own}:"):
            raise _error(loaded, ("aliases", alias), f"'{alias}' is the router's own name; call the alias otherwise")
        for number, entry in enumerate(chain):
            provider, _, _ = entry.partition("/")
            if entry == "*" or entry in names:
                continue
            hint = nearest(provider, models)
            problem = f"'{entry}': there is no provider '{provider}'{hint}"
            if provider in models:
                problem = f"'{entry}' is not known{_nearest_name(entry, names)}"
            raise _error(loaded, ("aliases", alias, number), problem)
    return dict(loaded.user.aliases)


def unserved(aliases: Mapping[str, Iterable[str]], deployments: Iterable[Deployment]) -> list[Notice]:
    """The aliases that nothing configured can answer."""
    served = {deployment.name for deployment in deployments}
    return [
        Notice(f"alias {alias}", "none of its models is served now; requests for it are refused")
        for alias, chain in aliases.items()
        if not any(entry == "*" or entry in served for entry in chain)
    ]


def check_profiles(loaded: Loaded, providers: Iterable[str]) -> dict[str, Profile]:
    """The built-in profiles and the user's over them. Raises SettingsError."""
    known = frozenset(providers) | {"local"}
    for name, profile in loaded.user.profiles.items():
        for number, provider in enumerate(profile.providers):
            if provider not in known:
                problem = f"there is no provider '{provider}'{nearest(provider, known)}"
                raise _error(loaded, ("profiles", name, "providers", number), problem)
        if not profile.order:
            raise _error(loaded, ("profiles", name, "order"), "must name at least one of speed, tier, price, fit")
        if not all(1 <= tier <= _WEAKEST for tier in profile.tiers):
            raise _error(loaded, ("profiles", name, "tiers"), "tiers go from 1 (strongest) to 5 (weakest)")
    return builtin_profiles() | loaded.user.profiles


def _nearest_name(entry: str, names: Iterable[str]) -> str:
    provider = entry.partition("/")[0]
    return nearest(entry, [name for name in names if name.startswith(f"{provider}/")])


def _error(loaded: Loaded, path: Path, problem: str) -> SettingsError:
    return SettingsError(str(loaded.source.error(path, problem)))
