"""``hr auth``: keys of providers. They live in auth.json; where else keys come from is shown, and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import FAILED, Failed, Json, Misused, columns, count, plain_errors, print_json, say, show

if TYPE_CHECKING:
    from ..catalogue.schema import ProviderSpec
    from ..pool.world import Credential
    from ..settings import Loaded

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Keys of providers.\n\nExample: hr auth add groq")
Provider = Annotated[str, typer.Argument(help="A provider, such as groq.")]


@app.command()
@plain_errors()
def add(
    provider: Provider,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read the keys from stdin, one a line.")] = False,
    check_: Annotated[bool, typer.Option("--check/--no-check", help="Ask the provider first; it is free.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Keep a key that the provider refuses.")] = False,
) -> None:
    """Add one or several keys of a provider. They are asked for, and not shown; lines of a .env work too.

    Example: hr auth add groq
    """
    from . import keyring
    from .applying import applied
    from .client import find
    from .loading import load_here, provider_named, providers_here
    from .paste import recognise

    loaded = load_here()
    specs = providers_here(loaded)
    name = provider_named(provider, specs)
    text = keyring.read_keys(f"Keys of {name} (hidden; several at once are fine): ", from_stdin=key_stdin)
    pasted = recognise(text, specs, name)
    if not pasted.keys:
        raise Misused("No key was given; nothing is changed.")
    if check_:
        findings = keyring.probe(loaded, pasted.keys)
        if findings:
            show(keyring.report(findings))
        if (bad := keyring.refused(findings)) and not force:
            raise Failed(f"{count(len(bad), 'key')} refused, so nothing is saved. To save all the same: --force")
    router = find(loaded)
    for owner, keys in pasted.keys.items():
        new = keyring.store(loaded, router, owner, keys)
        known = f" ({len(keys) - new} known already)" if new < len(keys) else ""
        say(f"{owner}: {count(new, 'new key')} in {loaded.settings.router_auth_file}{known}")
    _replaced(loaded, list(pasted.keys))
    say(applied(loaded))


@app.command("list")
@plain_errors()
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also the providers that have no key.")] = False,
    as_json: Json = False,
) -> None:
    """Show providers and their keys: the last four characters, and where each was found.

    Example: hr auth list
    """
    from .loading import load_here, providers_here

    loaded = load_here()
    specs = providers_here(loaded)
    rows = [
        {
            "provider": name,
            "status": spec.status,
            "signup": spec.signup,
            "keys": [{"tail": one.tail, "origin": one.origin} for one in keys if one.secret],
        }
        for (name, spec), keys in zip(specs.items(), _keys(loaded, specs), strict=True)
    ]
    shown = [row for row in rows if every or row["keys"]]
    if as_json:
        print_json(shown)
    elif not shown:
        say("No key yet. Add one with: hr setup, or: hr auth add <provider>")
    else:
        say(columns([_line(row) for row in shown]))


@app.command()
@plain_errors()
def remove(
    provider: Provider,
    tail: Annotated[str, typer.Argument(help="The last four characters of the key.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All keys of the provider.")] = False,
) -> None:
    """Take keys of a provider out of auth.json.

    Example: hr auth remove groq k3Yz
    """
    from ..pool.credentials import read_auth
    from . import keyring
    from .applying import applied
    from .client import find
    from .loading import load_here, provider_named, providers_here

    if bool(tail) == every:
        raise Misused("Which key? Give its last four characters (hr auth list), or --all.")
    loaded = load_here()
    path = loaded.settings.router_auth_file
    specs = providers_here(loaded)
    name = provider if provider in read_auth(path).providers else provider_named(provider, specs)
    ending = tail.removeprefix("...")
    gone = keyring.take_out(loaded, find(loaded), name, ending)
    if not gone:
        (found,) = _keys(loaded, {name: specs[name]}) if name in specs else ((),)
        elsewhere = [one.origin for one in found if one.secret and one.secret.endswith(ending)]
        hint = f" It comes from {elsewhere[0]}: take it out there." if elsewhere else ""
        raise Failed(f"{path.name} has no such key of {name}.{hint}")
    say(f"{name}: {count(gone, 'key')} taken out of {path}.")
    say(applied(loaded))


@app.command()
@plain_errors()
def check(
    provider: Annotated[str, typer.Argument(help="Only this provider; left out, all.")] = "",
    as_json: Json = False,
) -> None:
    """Ask the providers whether the keys are good, by calls that cost nothing. Exit code 1 where one is refused.

    Example: hr auth check
    """
    from . import keyring
    from .client import find
    from .loading import load_leniently, provider_named, providers_here
    from .output import working

    loaded = load_leniently()
    only = provider_named(provider, providers_here(loaded)) if provider else ""
    with working("Asking the providers ..."):
        router = find(loaded)
        findings, notices = keyring.through(router, only) if router is not None else keyring.directly(only)
    if as_json:
        print_json(findings)
    elif not findings:
        say("No provider can be asked: none has a key. Add one with: hr setup")
    else:
        show(keyring.report(findings))
    for notice in notices if not as_json else ():
        say(f"! {notice}")
    if keyring.refused(findings):
        raise typer.Exit(FAILED)


@app.command("import-env")
@plain_errors()
def import_env() -> None:
    """Copy the provider keys of the environment and of .env into auth.json, so that every start has them.

    Example: hr auth import-env
    """
    from . import keyring
    from .applying import applied
    from .client import find
    from .loading import load_here, providers_here

    loaded = load_here()
    found: dict[str, list[str]] = {}
    specs = providers_here(loaded)
    for name, keys in zip(specs, _keys(loaded, specs), strict=True):
        for one in keys:
            if one.secret and one.origin not in (loaded.settings.router_auth_file.name, loaded.config_file.name):
                found.setdefault(name, []).append(one.secret)
    if not found:
        say("The environment and .env hold no provider keys that auth.json lacks.")
        return
    router = find(loaded)
    for name, secrets in found.items():
        new = keyring.store(loaded, router, name, secrets)
        say(f"{name}: {count(new, 'new key')} in {loaded.settings.router_auth_file}")
    say(applied(loaded))


@app.command("import-codex")
@plain_errors()
def import_codex(
    folder: Annotated[str, typer.Option(help="Codex's folder; else CODEX_HOME, else ~/.codex.")] = "",
) -> None:
    """Take over the login of the Codex CLI. It is kept; the codex provider cannot use it in this version yet.

    Example: hr auth import-codex
    """
    from .codexlogin import import_login
    from .loading import load_here

    loaded = load_here()
    for line in import_login(loaded, folder):
        say(line)


def _keys(loaded: Loaded, specs: Mapping[str, ProviderSpec]) -> list[tuple[Credential, ...]]:
    """The usable keys of each provider, in the same order."""
    from ..pool.credentials import gather, read_auth

    auth = read_auth(loaded.settings.router_auth_file)
    return [gather(name, spec, loaded, auth).credentials for name, spec in specs.items()]


def _line(row: dict[str, Any]) -> tuple[str, str, str]:
    keys = row["keys"]
    if keys:
        shown = ", ".join(
            f"...{key['tail']} ({key['origin']})" if key["tail"] else f"... ({key['origin']})" for key in keys
        )
        return row["provider"], count(len(keys), "key"), shown
    return row["provider"], "no key", f"sign up: {row['signup']}" if row["signup"] else ""


def _replaced(loaded: Loaded, names: list[str]) -> None:
    for name in names:
        table = loaded.user.providers.get(name)
        if table is not None and (table.keys is not None or table.key_env is not None):
            say(f"! {name} takes its keys from {loaded.config_file.name} only; those in auth.json are not used.")
