"""What the router says when it has started: where it is, who serves, what deserves a look, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from .. import __version__
from ..pool.world import Deployment, World
from ..settings import DEFAULT_KEY
from .output import columns, count, masked, say

_EVERYWHERE = ("0.0.0.0", "::", "[::]")
_SUGGESTED = ("gemini", "groq", "mistral")


def announce(world: World, host: str, port: int) -> None:
    """Print the welcome. ``port`` is the one that was bound."""
    say(welcome(world, host, port))


def welcome(world: World, host: str, port: int) -> str:
    """The text, without colour; blocks are separated by empty lines."""
    url = f"http://{_reachable(host)}:{port}"
    heading = f"hermes-router {__version__} is at {url}"
    if host in _EVERYWHERE:
        heading += f" and listens on {host}"
    blocks = (heading, _providers(world), _sandbox(world), _notices(world), _next(world, url))
    return "\n\n".join(block for block in blocks if block)


def _reachable(host: str) -> str:
    if host in _EVERYWHERE:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _providers(world: World) -> str:
    rows = list(_rows(world))
    if not rows:
        return "! Nobody can serve a request: no provider is configured, or none of those that are can be used."
    return "Providers:\n" + columns(rows, indent="  ")


def _rows(world: World) -> Iterator[tuple[str, str, str, str]]:
    everyone = (*world.deployments, *world.embedders)
    for provider in dict.fromkeys(one.provider for one in everyone):
        ours = [one for one in world.deployments if one.provider == provider]
        embed = [one for one in world.embedders if one.provider == provider]
        models = count(len({one.name for one in ours}), "model")
        yield provider, models, _keys([*ours, *embed]), f"embeddings: {embed[0].target.model.id}" if embed else ""


def _keys(deployments: list[Deployment]) -> str:
    keys = {one.credential.id for one in deployments if one.credential.secret}
    return count(len(keys), "key") if keys else "no key needed"


def _sandbox(world: World) -> str:
    if not world.sandbox:
        return ""
    if any(not one.sandbox for one in world.deployments):
        return "! The sandbox runs too (SANDBOX=1): its simulated providers come last."
    suggested = [(name, world.providers[name]) for name in _SUGGESTED if name in world.providers]
    rows = [(f"{name.upper()}_API_KEY=...", f"from {spec.signup or spec.title or name}") for name, spec in suggested]
    return (
        "! No provider is configured, so the sandbox answers: simulated providers in this process, no real model.\n"
        "! It goes away with the first real key: `hr setup`, or put a free one into .env (no restart needed):\n"
        + columns(rows, indent="!   ")
    )


def _notices(world: World) -> str:
    return "\n".join(f"! {notice.subject}: {notice.message}" for notice in world.notices)


def _next(world: World, url: str) -> str:
    key = world.settings.proxy_api_keys[0]
    shown = key if key == DEFAULT_KEY else "$ROUTER_KEY"
    about = "" if key == DEFAULT_KEY else f"  ROUTER_KEY: one of PROXY_API_KEYS, such as {masked(key)}\n"
    body = '{"model": "hermes-router", "messages": [{"role": "user", "content": "Hello"}]}'
    return (
        "Try it:\n"
        f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        f'    -H "Authorization: Bearer {shown}" \\\n'
        f"    -d '{body}'\n"
        f"{about}\n"
        "Point an app at it:\n"
        f"  OpenAI     base URL {url}/v1   key {shown}\n"
        f"  Anthropic  base URL {url}      key {shown}"
    )
