"""``hr update``: whether there is a newer release, and how to get it. Asks the network only when it is run."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .. import __version__
from .output import Failed, Json, plain_errors, print_json, say, working

INDEX = "https://index.invalid/pypi/hermes-router/json"
_SECONDS = 10.0


@plain_errors()
def update(
    check: Annotated[bool, typer.Option("--check", help="Only say whether there is a newer release.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install it without asking.")] = False,
    as_json: Json = False,
    index: Annotated[str, typer.Option(hidden=True)] = INDEX,
) -> None:
    """Look for a newer release, and install it with pip.

    Example: hr update --check
    """
    with working("Asking the package index ..."):
        newest = latest(index)
    newer = order(newest) > order(__version__)
    if as_json:
        print_json({"installed": __version__, "latest": newest, "newer": newer})
        return
    if not newer:
        say(f"hermes-router {__version__} is the newest release.")
        return
    say(f"hermes-router {newest} is out; {__version__} is installed.")
    if is_checkout():
        say("This is a source checkout. To update it: git pull && make run")
    elif check:
        say("To install it: hr update")
    elif yes or (sys.stdin.isatty() and typer.confirm("Install it now?")):
        _install(newest)
    else:
        say(f"To install it: {sys.executable} -m pip install hermes-router=={newest}")


def latest(index: str) -> str:
    """The newest release of this program that the index names. Raises Failed where it cannot be asked, or has none."""
    import urllib.error
    import urllib.request

    import orjson

    try:
        with urllib.request.urlopen(index, timeout=_SECONDS) as answer:  # noqa: S310 - a constant https address
            content: Any = orjson.loads(answer.read(5_000_000))
        info = content["info"]
        summary, version = str(info["summary"] or ""), str(info["version"])
    except urllib.error.HTTPError as error:
        error.close()
        raise Failed(
            f"The package index answered {error.code}: no release of hermes-router can be seen there."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Failed(f"The package index cannot be reached ({reason}). Are you offline? Try again later.") from None
    except (KeyError, TypeError):
        raise Failed("The package index gave no version.") from None
    if summary != own_summary():
        # A name on an index belongs to whoever took it first: what is there may be somebody else's program.
        raise Failed(
            f"The package that the index has under this name is not this program (it says: {summary[:80]!r}). "
            "Update from where you installed it."
        )
    return version


def own_summary() -> str:
    """What the installed package says of itself."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        said = metadata("hermes-router")
    except PackageNotFoundError:
        raise Failed("This is not an installed package. Update from where you got it.") from None
    return str(said.json.get("summary", ""))


def order(version: str) -> tuple[int, ...]:
    """A version for comparing: its numbers; what follows them does not count."""
    import re

    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def is_checkout() -> bool:
    """Whether the program runs from its source tree."""
    from pathlib import Path

    return (Path(__file__).parents[3] / "pyproject.toml").is_file()


def _install(version: str) -> None:
    import subprocess

    command = [sys.executable, "-m", "pip", "install", "--upgrade", f"hermes-router=={version}"]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own interpreter's pip
    if done.returncode:
        raise Failed(f"pip ended with {done.returncode}; the installed version is unchanged.")
    say("Installed. To use it in the running router: hr restart")
