"""``hr setup``: from nothing to a first answer: keys, a check, the router started, one request."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .output import Failed, Misused, console, count, masked, plain_errors, say, show
from .tables import clip, table

if TYPE_CHECKING:
    from rich.table import Table

    from ..catalogue.schema import ProviderSpec
    from ..settings import Loaded
    from .client import Router
    from .offers import Offer

QUESTION = "Say in one short sentence that you are ready."
OFFERED = "Free today, the most worth first (facts as of the date shown):"
CHOOSE = "Choose by number or name to enter its keys, or paste lines of a .env right here."
NONE_YET = "Enter: go on without any; then simulated providers answer (the sandbox)."
_WIDE = 110


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What was said on the command line."""

    provider: str = ""
    key_stdin: bool = False
    yes: bool = False
    start: bool = True
    check: bool = True
    host: str | None = None
    port: int | None = None


@plain_errors()
def setup(
    *,
    provider: Annotated[str, typer.Option(help="The provider of the keys, such as groq.")] = "",
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read keys, or a .env, from stdin.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every default.")] = False,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start the router and try it.")] = True,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the providers whether the keys are good.")
    ] = True,
    host: Annotated[str | None, typer.Option(help="Address to listen on; instead of HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; instead of PORT.")] = None,
) -> None:
    """Take keys, check them for free, start the router and show a first answer.

    Example: hr setup

    Without a terminal: echo "$GROQ_KEY" | hr setup --provider groq --key-stdin --yes
    """
    from .loading import load_here, providers_here

    said = Answers(provider=provider, key_stdin=key_stdin, yes=yes, start=start, check=check, host=host, port=port)
    if not (yes or key_stdin) and not sys.stdin.isatty():
        raise Misused("Nobody can be asked here. For instance: hr setup --provider groq --key-stdin --yes < key.txt")
    loaded = load_here({"host": host, "port": port})
    specs = providers_here(loaded)
    say(f"hermes-router sets itself up in {loaded.settings.hermes_home}\n")
    _keys(loaded, specs, said)
    loaded = load_here({"host": host, "port": port})
    made = make_caller_key(loaded)
    _admin(loaded)
    if made:
        loaded = load_here({"host": host, "port": port})
        show_key = made if console().is_terminal and not said.yes else masked(made)
        say(f"Your apps' key, made just now (PROXY_API_KEYS in {loaded.env_files[-1]}):\n  {show_key}")
    if not said.start or not (said.yes or _agreed("Start the router now?")):
        say("To start it: hr start --daemon")
        return
    router = started(loaded, said)
    _first_answer(router)
    _next(router, loaded)


# --- keys


def _keys(loaded: Loaded, specs: Mapping[str, ProviderSpec], said: Answers) -> None:
    if said.key_stdin:
        _take(loaded, specs, sys.stdin.read(), said)
        return
    if said.yes:
        return
    configured = [name for name in _with_keys(loaded) if name in specs]
    if configured:
        say(f"Keys are there for: {', '.join(configured)}\n")
    offered = _offered(specs, configured)
    say(OFFERED)
    show(draw(offered, console().width))
    say(f"\n{CHOOSE}\n{'Enter: go on.' if configured else NONE_YET}")
    _ask_for_keys(loaded, specs, said, offered)


def _offered(specs: Mapping[str, ProviderSpec], configured: list[str]) -> list[Offer]:
    from .offers import offers

    return offers(specs, configured)


def draw(offered: list[Offer], width: int) -> Table:
    """The providers to choose from."""
    wide = width >= _WIDE
    headings = ["#", "name", *(["provider", "best tier"] if wide else []), "gives", "sign up", "as of"]
    drawn = table(*headings, right=("#", "best tier"), gap=2 if wide else 1)
    for at, one in enumerate(offered, 1):
        gives = f"{one.in_words()}, {count(one.models, 'model')}"
        cells = [str(at), f"[bold]{clip(one.name, 12)}[/]", *([clip(one.title, 24), str(one.best)] if wide else [])]
        drawn.add_row(*cells, clip(gives, 30), clip(one.signup, 20 if not wide else 30), one.as_of)
    return drawn


def _ask_for_keys(loaded: Loaded, specs: Mapping[str, ProviderSpec], said: Answers, offered: list[Offer]) -> None:
    from . import hidden
    from .loading import provider_named

    chosen = said.provider
    while True:
        try:
            text = chosen or hidden.shown("\nProvider: ")
        except EOFError:
            return
        chosen = ""
        if not text.strip():
            return
        if "=" in text:
            _try(loaded, specs, text, said, "")
            continue
        try:
            word = text.strip()
            at = int(word) if word.isdigit() else 0
            name = offered[at - 1].name if 0 < at <= len(offered) else provider_named(word, specs)
        except Failed as error:
            say(f"! {error}")
            continue
        where = f" (from {specs[name].signup})" if specs[name].signup else ""
        try:
            keys = hidden.lines(f"Keys of {name}{where}, hidden; several at once are fine: ")
        except EOFError:
            return
        _try(loaded, specs, keys, said, name)


def _try(loaded: Loaded, specs: Mapping[str, ProviderSpec], text: str, said: Answers, name: str) -> None:
    """Take what was entered; what does not work is said, and the conversation goes on."""
    try:
        _take(loaded, specs, text, msgspec.structs.replace(said, provider=name))
    except Failed as error:
        say(f"! {error}")


def _take(loaded: Loaded, specs: Mapping[str, ProviderSpec], text: str, said: Answers) -> None:
    """Check and save. Raises Failed where none was given or one is refused and nobody insists."""
    from . import keyring
    from .client import find
    from .loading import provider_named
    from .paste import recognise

    name = provider_named(said.provider, specs) if said.provider else ""
    pasted = recognise(text, specs, name)
    if pasted.strangers:
        say(f"! Not a provider's key, left out: {', '.join(pasted.strangers)}")
    if not pasted.keys:
        raise Misused("No key was found in what was given; name its provider with --provider, or write NAME=key.")
    findings = keyring.probe(loaded, pasted.keys) if said.check else []
    if findings:
        show(keyring.report(findings))
    bad = {(one.provider, one.tail) for one in keyring.refused(findings)}
    keep = {
        owner: tuple(key for key in keys if (owner, key[-4:] if len(key) >= 8 else "") not in bad)
        for owner, keys in pasted.keys.items()
    }
    if bad and not said.yes and _agreed("Save a refused key all the same?", default=False):
        keep = dict(pasted.keys)
    router = find(loaded)
    saved = {owner: keyring.store(loaded, router, owner, keys) for owner, keys in keep.items() if keys}
    for owner, new in saved.items():
        say(f"Saved: {owner}, {count(new, 'new key')} in {loaded.settings.router_auth_file}")
        _limits(specs[owner])
    if bad and not saved:
        raise Failed(
            "The provider refused what was given, so nothing was saved. Is it the whole key, of this provider?"
        )


def _limits(spec: ProviderSpec) -> None:
    """What is known of its models."""
    from .offers import sample

    models = [model for model in spec.models or () if model.free] or list(spec.models or ())
    if not models:
        return
    say(f"  models: {sample(models)}")
    stated = [
        f"{getattr(models[0].limits, name)} {name}"
        for name in ("rpm", "rpd", "tpm", "tpd")
        if getattr(models[0].limits, name)
    ]
    if stated:
        say(f"  limits of {models[0].id}: {', '.join(stated)} (as of {spec.as_of})")


def _with_keys(loaded: Loaded) -> list[str]:
    from .loading import build_here

    world = build_here(loaded)
    return list(dict.fromkeys(one.provider for one in (*world.deployments, *world.embedders)))


# --- the router's own keys


def make_caller_key(loaded: Loaded) -> str:
    """A random key for apps in place of the default one; "" where there is one of the user's own already."""
    from .. import envfile, files
    from ..settings import DEFAULT_KEY

    if loaded.settings.proxy_api_keys != (DEFAULT_KEY,) or loaded.origins["proxy_api_keys"] != "default":
        return ""
    key = f"sk-hermes-{secrets.token_urlsafe(24)}"
    envfile.change(loaded.env_files[-1], {"PROXY_API_KEYS": key})
    files.secure(loaded.env_files[-1])
    return key


def _admin(loaded: Loaded) -> None:
    from ..settings import admin_key

    admin_key(loaded.settings)
    if not loaded.settings.admin_api_key:
        say(f"The administration key is in {loaded.settings.hermes_home / 'admin.key'}")


# --- the first answer


def started(loaded: Loaded, said: Answers) -> Router:
    """The running router, with what was just set up; started where there was none. Raises Failed."""
    from .applying import reloaded
    from .background import launch, log_path
    from .client import find

    router = find(loaded)
    if router is not None:
        say(reloaded(router))
        return router
    router = launch(loaded, host=said.host, port=said.port)
    say(f"hermes-router runs in the background at {router.url}\n  log: {log_path(loaded)}")
    return router


def _first_answer(router: Router) -> None:
    from .asking import ask
    from .chat import footer

    say(f"\nA first request: {QUESTION}\n")
    reply = ask(router, [{"role": "user", "content": QUESTION}], router.loaded.settings.router_model_id, echo=True)
    print(footer(reply))


def _next(router: Router, loaded: Loaded) -> None:
    from ..settings import DEFAULT_KEY

    key = router.caller_key
    shown = key if key == DEFAULT_KEY else f"the one in PROXY_API_KEYS ({masked(key)})"
    say(
        f"\nPoint an app at it:\n"
        f"  OpenAI     base URL {router.url}/v1\n"
        f"  Anthropic  base URL {router.url}\n"
        f"  key        {shown}\n\n"
        "Next:\n"
        "  hr launch claude    a coding agent on it (codex, opencode, aider too)\n"
        "  hr status --watch   who serves, what is left\n"
        "  hr auth add <name>  another provider\n"
        "  hr stop             end it"
    )


def _agreed(question: str, *, default: bool = True) -> bool:
    return typer.confirm(question, default=default)
