"""``hr help``: the same as ``--help``, for a command too."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import Misused, plain_errors


@plain_errors()
def help_(
    context: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(help="A command; left out, all are listed.")] = None,
) -> None:
    """Explain the program, or one command.

    Example: hr help auth add
    """
    parent = context.parent or context
    current = parent.command
    for word in command or ():
        inner = getattr(current, "commands", {}).get(word)
        if inner is None:
            raise Misused(f"There is no command '{' '.join(command or ())}'. All of them: hr help")
        parent = typer.Context(inner, info_name=word, parent=parent)
        current = inner
    print(current.get_help(parent))
