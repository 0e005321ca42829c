"""``hr features``: the optional features, by the names of the original hermes-router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from .output import Json, Misused, columns, plain_errors, print_json, say

if TYPE_CHECKING:
    from ..settings import Loaded

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Optional features.\n\nExample: hr features list")
Name = Annotated[str, typer.Argument(help="A feature; hr features list shows all.")]


class Feature(NamedTuple):
    """``variable`` switches it with ``on`` and ``off``; ``on`` None: it takes a value of the user's own. ``works``:
    it has an effect in this version."""

    variable: str
    on: str | None
    off: str
    about: str
    works: bool
    enabled: bool


def known(loaded: Loaded) -> dict[str, Feature]:
    """Name -> feature: what the router can switch, and the names of the original that it cannot yet. Raises
    SettingsError."""
    from ..server.routes.features import feature_rows
    from .loading import build_here

    rows = {row.name: row for row in feature_rows(build_here(loaded))}
    found = {
        name: Feature(row.setting, "1", "0", row.about, works=True, enabled=row.enabled)
        for name, row in rows.items()
        if row.available and row.setting
    }
    for name, (variable, on, off, about) in _ORIGINAL.items():
        if name not in found:
            row = rows.get(name)
            works = row is not None and row.available
            enabled = row.enabled if row is not None and works else _is_on(loaded, variable, off)
            found[name] = Feature(variable, on, off, about, works=works, enabled=enabled)
    return found


_ORIGINAL: dict[str, tuple[str, str | None, str, str]] = {
    "response_cache": ("CACHE_TTL_SECONDS", "300", "0", "a repeated question is answered from the cache"),
    "semantic_cache": ("SEMANTIC_CACHE", "1", "0", "so is a question that means the same"),
    "persistent_cache": ("CACHE_PERSIST", "1", "0", "the cache outlives a restart"),
    "fast_routing": ("FAST_ROUTE_THRESHOLD", "1000", "0", "small requests go to the local model"),
    "model_discovery": ("AUTO_DISCOVER_MODELS", "1", "0", "models that a provider lists are added"),
    "metrics_auth": ("METRICS_REQUIRE_AUTH", "1", "0", "/metrics asks for a key"),
    "cost_currency": ("COST_CURRENCY", None, "USD", "costs in another currency: set COST_CURRENCY"),
    "key_budgets": ("", None, "", "limits of caller keys: hr limit set"),
    "local_model": ("", None, "", "a server of your own: set LOCAL_BASE_URL and LOCAL_MODEL"),
}


def _is_on(loaded: Loaded, variable: str, off: str) -> bool:
    """What the variable says, though nothing reads it yet."""
    value = loaded.env.get(variable, "").strip()
    return bool(value) and value.lower() not in ("0", "false", "no", "off", off.lower())


@app.command("list")
@plain_errors()
def list_(as_json: Json = False) -> None:
    """Show every feature, whether it is on, and whether it has an effect in this version.

    Example: hr features list
    """
    from .loading import load_here

    loaded = load_here()
    rows = [
        {
            "name": name,
            "enabled": feature.enabled,
            "has_effect": feature.works,
            "variable": feature.variable,
            "about": feature.about,
        }
        for name, feature in known(loaded).items()
    ]
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            str(row["name"]),
            "on" if row["enabled"] else "off",
            f"{row['about']}{'' if row['has_effect'] else ' [no effect in this version yet]'}",
        )
        for row in rows
    ]
    say(columns(shown))


@app.command()
@plain_errors()
def enable(name: Name) -> None:
    """Switch a feature on.

    Example: hr features enable pin
    """
    _switch(name, on=True)


@app.command()
@plain_errors()
def disable(name: Name) -> None:
    """Switch a feature off.

    Example: hr features disable stream_resume
    """
    _switch(name, on=False)


def _switch(name: str, *, on: bool) -> None:
    from .. import envfile
    from ..catalogue.mistakes import nearest, sentence
    from .applying import applied
    from .loading import load_here

    loaded = load_here()
    features = known(loaded)
    feature = features.get(name.replace("-", "_"))
    if feature is None:
        wrong = sentence(f"There is no feature '{name}'{nearest(name, features)}")
        raise Misused(f"{wrong} All of them: hr features list")
    if not feature.variable or (on and feature.on is None):
        raise Misused(f"{name} has no switch. {feature.about[0].upper()}{feature.about[1:]}")
    path = envfile.place(loaded, feature.variable)
    value = (feature.on if on else feature.off) or None
    envfile.change(path, {feature.variable: value})
    said = f"{feature.variable}={value}" if value else f"{feature.variable} is taken out"
    say(f"{name} is {'on' if on else 'off'}: {said} in {path}.")
    if not feature.works:
        say("! It has no effect in this version yet; the setting is kept for when it has.")
    else:
        say(applied(loaded))
