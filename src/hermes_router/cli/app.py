"""Puts the commands together. Each command file imports late what it works with, so that asking for help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from . import config, serve, version

app = typer.Typer(
    name="hermes-router",
    help="One OpenAI and Anthropic endpoint in front of every LLM quota you have.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("start", help="The same as serve.")(serve.serve)
app.command("version")(version.version)
app.add_typer(config.app, name="config")


def _print_version(asked: bool) -> None:
    if asked:
        version.version()
        raise typer.Exit


@app.callback()
def _options(
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    app()
