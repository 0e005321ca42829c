"""Puts the commands together. Each command file imports late what it works with, so that asking for help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    auth,
    chat,
    completion,
    config,
    connect,
    doctor,
    features,
    help,
    launch,
    limit,
    logs,
    mode,
    model,
    models,
    quota,
    restart,
    serve,
    service,
    setup,
    status,
    stop,
    update,
    usage,
    version,
    why,
)

app = typer.Typer(
    name="hermes-router",
    help="One OpenAI and Anthropic endpoint in front of every LLM quota you have. New here? hr setup",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("setup")(setup.setup)
app.command("serve")(serve.serve)
app.command("start", help="The same as serve.\n\nExample: hr start --daemon")(serve.serve)
app.command("stop")(stop.stop)
app.command("restart")(restart.restart)
app.command("status")(status.status)
app.command("why")(why.why)
app.command("logs")(logs.logs)
app.command("usage")(usage.usage)
app.add_typer(quota.app, name="quota")
app.command("models")(models.models)
app.command("chat")(chat.chat)
app.command("doctor")(doctor.doctor)
app.add_typer(auth.app, name="auth")
app.add_typer(model.app, name="model")
app.command("mode")(mode.mode)
app.add_typer(limit.app, name="limit")
app.add_typer(features.app, name="features")
app.add_typer(config.app, name="config")
app.command(
    "launch",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)(launch.launch)
app.command("connect")(connect.connect)
app.add_typer(service.app, name="service")
app.command("update")(update.update)
app.command("completion")(completion.completion)
app.command("version")(version.version)
app.command("help")(help.help_)


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
