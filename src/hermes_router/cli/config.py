"""``hr config``: each setting, its value and where it came from; ``hr config check``: whether it can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from .output import CONFIG_ERROR, Json, columns, count, masked, plain_errors, print_json, say

if TYPE_CHECKING:
    from ..pool.world import World
    from ..settings import Loaded

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Show each setting and where its value came from.\n\nExample: hr config --json",
)


@app.callback()
def config(context: typer.Context, as_json: Json = False) -> None:
    """Show each setting and where its value came from.

    Example: hr config --json
    """
    if context.invoked_subcommand:
        return
    with plain_errors():
        from .loading import build_here, load_here

        loaded = load_here()
        facts = describe(loaded, build_here(loaded))
        print_json(facts) if as_json else say(_text(facts))


@app.command()
def check(as_json: Json = False) -> None:
    """Read every file and variable as a start would. Exit code 2 where the router would not start.

    Example: hr config check
    """
    with plain_errors():
        from ..settings import SettingsError
        from .loading import build_here, load_here

        try:
            world = build_here(load_here())
        except SettingsError as error:
            if not as_json:
                raise
            print_json({"ok": False, "problem": str(error), "notices": []})
            raise typer.Exit(CONFIG_ERROR) from None
        notices = [{"subject": one.subject, "message": one.message} for one in world.notices]
        print_json({"ok": True, "notices": notices}) if as_json else say(_verdict(world))


def describe(loaded: Loaded, world: World) -> dict[str, Any]:
    """Settings, keys and files for people and programs; secrets by their last four characters."""
    from ..pool.credentials import gather, read_auth
    from ..settings import SECRET

    settings = {}
    for name, origin in loaded.origins.items():
        value = getattr(loaded.settings, name)
        settings[name.upper()] = {"value": _shown(value, secret=name in SECRET), "origin": origin}
    auth = read_auth(loaded.settings.router_auth_file)
    keys = [
        {"provider": name, "key": masked(one.secret), "origin": one.origin}
        for name, spec in world.providers.items()
        for one in gather(name, spec, loaded, auth).credentials
        if one.secret
    ]
    files = (loaded.config_file, *loaded.env_files, loaded.settings.router_auth_file)
    return {
        "settings": settings,
        "keys": keys,
        "files": [{"path": str(path), "exists": path.exists()} for path in files],
    }


def _shown(value: Any, *, secret: bool) -> Any:
    if isinstance(value, tuple):
        return [masked_key(item) if secret else item for item in value]
    if secret:
        return masked_key(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def masked_key(key: str) -> str:
    """Like ``masked``; the default key, which is known to all, in full."""
    from ..settings import DEFAULT_KEY

    return key if key == DEFAULT_KEY else masked(key)


def _text(facts: dict[str, Any]) -> str:
    rows = [(name, _plain(item["value"]), item["origin"]) for name, item in facts["settings"].items()]
    keys = [(item["provider"], item["key"], item["origin"]) for item in facts["keys"]]
    files = [(item["path"], "read" if item["exists"] else "not there") for item in facts["files"]]
    blocks = ["Settings:\n" + columns(rows, "  "), "Files:\n" + columns(files, "  ")]
    if keys:
        blocks.insert(1, "Keys:\n" + columns(keys, "  "))
    return "\n\n".join(blocks)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(value) if isinstance(value, list) else str(value)


def _verdict(world: World) -> str:
    providers = count(len({one.provider for one in world.deployments}), "provider")
    models = count(len({one.name for one in world.deployments}), "model")
    return "\n".join(
        (
            f"The configuration can be used: {providers}, {models}.",
            *(f"! {notice.subject}: {notice.message}" for notice in world.notices),
        )
    )
