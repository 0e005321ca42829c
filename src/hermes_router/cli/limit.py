"""``hr limit``: what each caller key may use. Kept in auth.json under ``proxy_keys``, as the original does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Failed, Json, Misused, columns, masked, plain_errors, print_json, say

if TYPE_CHECKING:
    from ..settings import Loaded

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Limits of caller keys.\n\nExample: hr limit list")
Key = Annotated[str, typer.Argument(help="A caller key: the whole, or the last characters of one that is known.")]
FIELDS = {"rpm": "rpm", "req_day": "req_per_day", "tokens_day": "tokens_per_day", "cost_day": "cost_per_day"}
"""Option -> its name in auth.json."""


@app.command("list")
@plain_errors()
def list_(as_json: Json = False) -> None:
    """Show the limits of each caller key, and what it has used where a router runs.

    Example: hr limit list
    """
    from .client import find
    from .loading import load_here

    loaded = load_here()
    router = find(loaded)
    rows = router.get("/admin/api/limits") if router is not None else _from_files(loaded)
    if as_json:
        print_json(rows)
        return
    headings = ("key", "requests a minute", "requests a day", "tokens a day", "cost a day")
    say(columns([headings, *(_line(row) for row in rows)]))


@app.command("set")
@plain_errors()
def set_(
    key: Key,
    *,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0: no limit.")] = None,
    req_day: Annotated[int | None, typer.Option(min=0, help="Requests a day.")] = None,
    tokens_day: Annotated[int | None, typer.Option(min=0, help="Tokens a day.")] = None,
    cost_day: Annotated[float | None, typer.Option(min=0, help="Cost a day, in USD.")] = None,
) -> None:
    """Set limits of one caller key; what is not named stays. A key that is new becomes one that apps may come with.

    Example: hr limit set sk-team-1 --rpm 60 --req-day 500
    """
    from .client import find
    from .loading import load_here

    given = {"rpm": rpm, "req_day": req_day, "tokens_day": tokens_day, "cost_day": cost_day}
    said = {FIELDS[name]: value for name, value in given.items() if value is not None}
    if not said:
        raise Misused("Which limit? For instance: hr limit set sk-team-1 --rpm 60")
    loaded = load_here()
    router = find(loaded)
    if router is not None:
        _unproblematic(router.admin("PUT", "/admin/api/limits", {"key": key, **said}))
        shown = f"...{key[-4:]}"
    else:
        whole = _whole(key, loaded)
        _change(loaded, lambda table: table.update({whole: {**table.get(whole, {}), **said}}))
        shown = masked_key(whole)
    say(f"{shown}: {', '.join(f'{name} {_shown(value)}' for name, value in said.items())}")


@app.command()
@plain_errors()
def clear(
    key: Key,
    remove: Annotated[bool, typer.Option("--remove", help="Take the key away too, if auth.json made it one.")] = False,
) -> None:
    """Take all limits off a caller key.

    Example: hr limit clear sk-team-1
    """
    from .client import find
    from .loading import load_here

    loaded = load_here()
    router = find(loaded)
    if router is not None:
        path = router.path("/admin/api/limits", key=key, remove="1" if remove else "")
        _unproblematic(router.admin("DELETE", path))
        shown = f"...{key[-4:]}"
    else:
        whole = _whole(key, loaded)
        _cleared(loaded, whole, remove=remove)
        shown = masked_key(whole)
    say(f"{shown} {'is no caller key any more' if remove else 'has no limits any more'}.")


def _unproblematic(said: Any) -> None:
    if problem := said["config"].get("problem"):
        raise Failed(f"The change is saved, but the router keeps its former configuration: {problem}")


def _cleared(loaded: Loaded, key: str, *, remove: bool) -> None:
    elsewhere = key in loaded.settings.proxy_api_keys
    if remove and elsewhere:
        raise Misused("That key is in PROXY_API_KEYS: take it out there.")

    def edit(table: dict[str, Any]) -> None:
        # Its entry is what makes it a caller key, unless PROXY_API_KEYS says so too.
        if key in table and not elsewhere and not remove:
            table[key] = {}
        else:
            table.pop(key, None)

    _change(loaded, edit)


def _from_files(loaded: Loaded) -> list[dict[str, Any]]:
    """In the shape of the admin API, without what was used."""
    kept = _kept(loaded)
    keys = dict.fromkeys((*loaded.settings.proxy_api_keys, *kept))
    return [
        {
            "caller": f"...{key[-4:]}",
            "limits": {name: kept.get(key, {}).get(name, 0) for name in FIELDS.values()},
            "own": key in kept and key not in loaded.settings.proxy_api_keys,
        }
        for key in keys
    ]


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    used = row.get("used") or {}
    amounts = {
        "rpm": used.get("last_minute"),
        "req_per_day": used.get("requests"),
        "tokens_per_day": used.get("tokens"),
        "cost_per_day": used.get("cost"),
    }
    limits = row["limits"]
    cells = [
        f"{amounts[name]} of {limits[name]:g}" if limits.get(name) and used else _shown(limits.get(name))
        for name in amounts
    ]
    return (str(row["caller"]), *cells)


def masked_key(key: str) -> str:
    """Like ``masked``; the default key, which is known to all, in full."""
    from ..settings import DEFAULT_KEY

    return key if key == DEFAULT_KEY else masked(key)


def _whole(given: str, loaded: Loaded) -> str:
    """The key that is meant. Raises Misused where several end so."""
    known = list(dict.fromkeys((*loaded.settings.proxy_api_keys, *_kept(loaded))))
    if given in known:
        return given
    ending = [key for key in known if key.endswith(given.removeprefix("..."))]
    if len(ending) > 1:
        raise Misused("Several keys end so; give more of it.")
    if ending:
        return ending[0]
    if len(given) < 8:
        raise Misused("No caller key ends so (hr limit list shows them); a new one has at least 8 characters.")
    return given


def _kept(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """``proxy_keys`` of auth.json. Raises SettingsError where they cannot be used."""
    from ..limits.callers import read_callers
    from ..pool.credentials import read_auth

    auth = read_auth(loaded.settings.router_auth_file)
    said = auth.rest.get("proxy_keys")
    read_callers(said, str(auth.path))
    return dict(said or {})


def _change(loaded: Loaded, edit: Callable[[dict[str, Any]], None]) -> None:
    from ..pool.credentials import change_callers

    try:
        change_callers(loaded.settings.router_auth_file, edit)
    except OSError as error:
        raise Failed(f"{loaded.settings.router_auth_file} cannot be written: {error.strerror or error}") from error


def _shown(value: Any) -> str:
    return "-" if value in (None, 0) else f"{value:g}"
