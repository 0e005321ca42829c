"""``hr model``: which models of a provider serve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .output import Json, Misused, columns, plain_errors, print_json, say

if TYPE_CHECKING:
    from ..pool.world import Deployment
    from ..settings import Loaded

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Which models of a provider serve.\n\nExample: hr model list groq"
)


class Model(msgspec.Struct, frozen=True):
    """None: unknown."""

    id: str
    context: int | None
    tools: bool | None
    tier: int | None


class Row(msgspec.Struct, frozen=True):
    """The models of a provider that serve, and who chose them."""

    provider: str
    chosen_by: str
    models: list[Model]


Provider = Annotated[str, typer.Argument(help="A provider, such as groq.")]


@app.command("list")
@plain_errors()
def list_(
    provider: Annotated[str, typer.Argument(help="Only this provider; left out, all that are configured.")] = "",
    as_json: Json = False,
) -> None:
    """Show the models that serve, and who chose them.

    Example: hr model list
    """
    from .loading import build_here, load_here, provider_named, providers_here

    loaded = load_here()
    world = build_here(loaded)
    only = provider_named(provider, providers_here(loaded)) if provider else ""
    names = [name for name in dict.fromkeys(one.provider for one in world.deployments) if only in ("", name)]
    rows = [Row(name, _chosen_by(name, loaded), _models(name, world.deployments)) for name in names]
    if only and not names:
        reasons = " ".join(notice.message for notice in world.notices if notice.subject == only)
        say(f"{only} does not serve: {reasons or f'no key; add one with: hr auth add {only}'}")
        return
    if as_json:
        print_json(rows)
    elif not rows:
        say("No provider is configured. Add a key with: hr setup")
    else:
        say("\n\n".join(f"{row.provider} (from {row.chosen_by}):\n{_lines(row.models)}" for row in rows))


@app.command("set")
@plain_errors()
def set_(
    provider: Provider,
    models: Annotated[list[str], typer.Argument(help="Model ids, separated by spaces or commas, best first.")],
) -> None:
    """Let these models of a provider serve, in this order, instead of the default ones.

    Example: hr model set groq openai/gpt-oss-120b,qwen/qwen3.8-27b
    """
    from .. import envfile
    from .applying import applied
    from .loading import build_here, load_here, provider_named, providers_here

    loaded = load_here()
    specs = providers_here(loaded)
    name = provider_named(provider, specs)
    wanted = list(dict.fromkeys(part.strip() for item in models for part in item.split(",") if part.strip()))
    if not wanted:
        raise Misused("Which models? For instance: hr model set groq openai/gpt-oss-120b")
    variable = _variable(name)
    path = envfile.place(loaded, variable)
    envfile.change(path, {variable: ",".join(wanted)})
    say(f"{name} serves {', '.join(wanted)} now: {variable} in {path}.")
    known = {model.id for model in specs[name].models or ()}
    strangers = [id_ for id_ in wanted if id_ not in known]
    if strangers and known:
        say(f"! Not in the catalogue, so nothing is known of what they can do: {', '.join(strangers)}")
    for notice in build_here(load_here()).notices:
        if notice.subject == name or notice.subject.startswith(f"{name}/"):
            say(f"! {notice.subject}: {notice.message}")
    say(applied(loaded))


@app.command()
@plain_errors()
def reset(provider: Provider) -> None:
    """Go back to the models that the catalogue, or hermes-router.toml, names for a provider.

    Example: hr model reset groq
    """
    from .. import envfile
    from .applying import applied
    from .loading import load_here, provider_named, providers_here

    loaded = load_here()
    name = provider_named(provider, providers_here(loaded))
    variable = _variable(name)
    changed = [path for path in loaded.env_files if path.exists() and envfile.change(path, {variable: None})]
    if loaded.layers[0].values.get(variable, "").strip():
        raise Misused(f"{variable} is set in the environment, which wins over every file: unset it there.")
    if not changed:
        say(f"{name} already serves its default models.")
        return
    say(f"{name} serves its default models again: {variable} is taken out of {', '.join(map(str, changed))}.")
    say(applied(loaded))


def _variable(provider: str) -> str:
    from ..pool.overrides import variable_name

    return f"{variable_name(provider)}_MODEL"


def _chosen_by(provider: str, loaded: Loaded) -> str:
    if loaded.env.get(_variable(provider), "").strip():
        return _variable(provider)
    table = loaded.user.providers.get(provider)
    if table is not None and table.models is not None:
        return loaded.config_file.name
    return "the catalogue"


def _models(provider: str, deployments: Iterable[Deployment]) -> list[Model]:
    seen: dict[str, Model] = {}
    for one in deployments:
        spec = one.target.model
        if one.provider == provider:
            seen.setdefault(spec.id, Model(spec.id, spec.context or None, spec.tools, spec.tier))
    return list(seen.values())


def _lines(models: list[Model]) -> str:
    tools = {True: "tools", False: "no tools", None: "tools unknown"}
    rows = [
        (one.id, f"context {one.context}" if one.context else "context unknown", tools[one.tools]) for one in models
    ]
    return columns(rows, "  ")
