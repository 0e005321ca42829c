"""``hr completion``: the script that lets a shell complete commands and options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells that can."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell you use.")] = Shell.bash,
    command: Annotated[str, typer.Option(help="The command to complete: hr or hermes-router.")] = "hr",
) -> None:
    """Print a script for your shell that completes commands and options.

    Example: hr completion bash > ~/.local/share/bash-completion/completions/hr
    """
    from typer._completion_shared import get_completion_script

    variable = f"_{command.replace('-', '_').upper()}_COMPLETE"
    print(get_completion_script(prog_name=command, complete_var=variable, shell=shell.value))
