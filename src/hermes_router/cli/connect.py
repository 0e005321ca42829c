"""``hr connect``: what a tool that keeps a configuration file has to be told; printed, or written after a backup."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Failed, Misused, plain_errors, say

if TYPE_CHECKING:
    from .agents import Place

_HIDDEN = "<your key: hr connect ... --show-key>"


@plain_errors()
def connect(
    tool: Annotated[
        str, typer.Argument(help="cline, continue, zed, cursor, opencode or codex; left out, all are listed.")
    ] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Write it into the tool's file; a copy of that is kept.")
    ] = False,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the apps' key whole.")] = False,
    model: Annotated[str, typer.Option(help="The model name it sends; default: the router chooses.")] = "",
) -> None:
    """Print, or write, the configuration of a tool that is to use the router.

    Example: hr connect opencode --write
    """
    from ..settings import DEFAULT_KEY
    from .agents import places
    from .client import Router, find
    from .loading import load_here

    known = places(Path.home(), sys.platform)
    if not tool:
        say("\n".join(f"{name}: {place.path or place.steps[0]}" for name, place in known.items()))
        return
    place = known.get(tool)
    if place is None:
        raise Misused(f"hr connect knows {', '.join(known)}, not '{tool}'. Agents in a terminal: hr launch")
    loaded = load_here()
    settings = loaded.settings
    router = find(loaded) or Router(loaded, settings.host, settings.port, None)
    key = router.caller_key
    name = model or settings.router_model_id
    if write:
        if place.path is None:
            raise Misused(f"{place.title} keeps this in its own window; hr connect {tool} says what to enter.")
        _write(tool, place.path, router.url, key, name)
    else:
        _print(tool, place, router.url, key if show_key or key == DEFAULT_KEY else _HIDDEN, name)
    _about_key(tool, key, show=show_key or key == DEFAULT_KEY)


def _print(tool: str, place: Place, url: str, key: str, model: str) -> None:
    if place.path is None:
        for step in place.steps:
            say(f"{place.title}: {step}")
        say(f"  base URL  {url}/v1\n  key       {key}\n  model     {model}")
        return
    say(f"{place.title}, in {place.path} (hr connect {tool} --write does it):\n")
    print(piece(tool, url, key, model), end="")


def piece(tool: str, url: str, key: str, model: str) -> str:
    """The tool's configuration, as a file of its own would hold it."""
    from . import agents

    match tool:
        case "opencode":
            return json.dumps(agents.opencode(url, model), indent=2) + "\n"
        case "zed":
            return json.dumps(agents.zed(url, model), indent=2) + "\n"
        case "continue":
            return agents.continue_yaml(url, key, model, whole=True)
        case _:
            return codex_toml("", url, model)


def _about_key(tool: str, key: str, *, show: bool) -> None:
    from .agents import KEY_VARIABLE
    from .output import masked

    if tool in ("opencode", "zed", "codex"):
        value = key if show else f"(the key that ends in {masked(key)}; --show-key prints it)"
        say(f"\nIt takes the key from a variable: export {KEY_VARIABLE}={value}")


# --- writing


def _write(tool: str, path: Path, url: str, key: str, model: str) -> None:
    from .. import files

    before = path.read_text("utf-8-sig") if path.exists() else ""
    after = merged(tool, before, url, key, model)
    if after == before:
        say(f"{path} says so already.")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else files.PRIVATE
    if before:
        copy = path.with_name(f"{path.name}.before-hermes-{time.strftime('%Y%m%d-%H%M%S')}")
        files.write_atomic(copy, path.read_bytes(), mode)
        say(f"The file as it was: {copy}")
    files.write_atomic(path, after, mode)
    say(f"Written: {path}")


def merged(tool: str, before: str, url: str, key: str, model: str) -> str:
    """The file after the change; what it holds of the router already is replaced. Raises Failed where that would lose
    something, such as comments in JSON."""
    from . import agents

    match tool:
        case "opencode":
            return _json(before, agents.opencode(url, model), tool)
        case "zed":
            return _json(before, agents.zed(url, model), tool)
        case "continue":
            return _yaml(before, url, key, model)
        case _:
            return codex_toml(before, url, model)


def _json(before: str, ours: dict[str, Any], tool: str) -> str:
    try:
        content = json.loads(before or "{}")
    except ValueError:
        raise Failed(
            "The file is not plain JSON (comments, perhaps), and rewriting it would lose them. Put it in by hand: "
            f"hr connect {tool}"
        ) from None
    if not isinstance(content, dict):
        raise Failed(f"The file does not hold an object. Put it in by hand: hr connect {tool}")
    return json.dumps(_over(content, ours), indent=2, ensure_ascii=False) + "\n"


def _over(base: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """``ours`` into ``base``, table by table."""
    result = dict(base)
    for name, value in ours.items():
        old = result.get(name)
        result[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _yaml(before: str, url: str, key: str, model: str) -> str:
    from .agents import continue_yaml

    if not before.strip():
        return continue_yaml(url, key, model, whole=True)
    entry = continue_yaml(url, key, model, whole=False)
    lines = before.splitlines(keepends=True)
    if _unindented(entry) in _unindented(before):
        return before
    at = next((number for number, line in enumerate(lines) if line.rstrip() == "models:"), None)
    if "name: hermes-router" in before or at is None:
        raise Failed(
            "The file has its own order that cannot be extended safely. Put it in by hand: hr connect continue"
        )
    first = next((line for line in lines[at + 1 :] if line.strip() and not line.lstrip().startswith("#")), "")
    indent = len(first) - len(first.lstrip()) if first.lstrip().startswith("- ") else 2
    shifted = "".join(f"{' ' * indent}{line[2:]}" for line in entry.splitlines(keepends=True))
    return "".join([*lines[: at + 1], shifted, *lines[at + 1 :]])


def _unindented(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.splitlines())


def codex_toml(before: str, url: str, model: str) -> str:
    """config.toml with the router as provider and its model chosen. Raises Failed where that cannot be done."""
    import tomllib

    from .agents import codex_provider

    head = f'model = {json.dumps(model)}\nmodel_provider = "hermes"\n'
    table = "[model_providers.hermes]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in codex_provider(url).items()
    )
    rest = _without_ours(before).strip("\n")
    after = f"{head}{chr(10) if rest else ''}{rest}{chr(10) if rest else ''}\n{table}"
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise Failed(f"The file cannot be extended safely ({error}). Put it in by hand: hr connect codex") from None
    return after


def _without_ours(text: str) -> str:
    """Without the two top-level choices and the table of ours that are set anew."""
    kept: list[str] = []
    table = ""
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped.startswith("["):
            table = stripped
        name = stripped.partition("=")[0].strip()
        if table == "[model_providers.hermes]" or (not table and name in ("model", "model_provider")):
            continue
        kept.append(line)
    return "".join(kept)
