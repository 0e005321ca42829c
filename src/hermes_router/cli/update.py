"""``hr update``: whether there is a newer release, and how to get it. Asks the network only when it is run."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .. import __version__
from .output import Failed, Json, plain_errors, print_json, say, working

_ASK = (
    "install --dry-run --no-deps --ignore-installed --only-binary=:all: --quiet --disable-pip-version-check "
    "--no-input --retries=0 --timeout=10 --report=- hermes-router"
)
_SECONDS = 60.0


@plain_errors()
def update(
    check: Annotated[bool, typer.Option("--check", help="Only say whether there is a newer release.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install it without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Look for a newer release where pip looks, and install it with pip.

    Example: hr update --check
    """
    with working("Asking the package index ..."):
        newest = latest()
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


def latest() -> str:
    """The newest release of this program on pip's own index. Raises Failed where it cannot be asked, or has none."""
    import subprocess

    import orjson

    command = [sys.executable, "-m", "pip", *_ASK.split()]
    try:
        # our own interpreter's pip, with its user's settings
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise Failed("The package index cannot be reached. Are you offline? Try again later.") from None
    if done.returncode:
        raise Failed(f"The package index cannot be reached, or has no release of hermes-router: {_why(done.stderr)}")
    try:
        said: Any = orjson.loads(done.stdout)["install"][0]["metadata"]
        version, summary = str(said["version"]), str(said.get("summary", ""))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        raise Failed("pip gave no version. Is it older than 22.2? To renew it: python -m pip install -U pip") from None
    if summary != own_summary():
        # A name on an index belongs to whoever took it first: what is there may be somebody else's program.
        raise Failed(
            f"The package that the index has under this name is not this program (it says: {summary[:80]!r}). "
            "Update from where you installed it."
        )
    return version


def _why(errors: bytes) -> str:
    """pip's own last word."""
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ")[:200] if lines else "pip says nothing"


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
