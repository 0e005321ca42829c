"""``hr launch``: starts a coding agent that talks to the router; nothing of the user's own configuration is touched."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .output import Failed, Misused, complain, plain_errors


@plain_errors()
def launch(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="claude, codex, opencode or aider.")],
    model: Annotated[str, typer.Option(help="The model name it sends; default: the router chooses.")] = "",
) -> None:
    """Start a coding agent with its environment pointing at the running router. What follows goes to the agent.

    Example: hr launch claude --continue
    """
    import shutil
    import subprocess

    from ..settings import environment
    from .agents import launches
    from .client import running
    from .loading import load_here

    router = running(load_here())
    known = launches(router.url, router.caller_key, model or router.loaded.settings.router_model_id, chosen=bool(model))
    chosen = known.get(agent)
    if chosen is None:
        raise Misused(f"hr launch knows {', '.join(known)}, not '{agent}'. For other tools: hr connect")
    program = shutil.which(chosen.program)
    if program is None:
        raise Failed(f"{chosen.program} is not on the PATH. To install it: {chosen.install}")
    variables = {name: value for name, value in environment().items() if name not in chosen.unset} | chosen.set
    complain(f"{agent} asks {router.url} from here on; hr status --watch in another terminal shows who answers.")
    command = [program, *chosen.arguments, *context.args]
    if sys.platform == "win32":  # there exec returns to the shell before the child has ended
        raise typer.Exit(subprocess.run(command, env=variables, check=False).returncode)  # noqa: S603
    sys.stdout.flush()
    os.execve(program, command, variables)  # noqa: S606 - the agent that was asked for
