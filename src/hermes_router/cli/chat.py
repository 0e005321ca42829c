"""``hr chat``: a playground in the terminal: asks the running router, prints as it streams, says who answered."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Failed, Json, count, plain_errors, print_json, say, span

if TYPE_CHECKING:
    from .asking import Reply
    from .client import Router

_HELP = "Type a message; /new starts over, /quit (or Ctrl-D) ends."


@plain_errors()
def chat(
    prompt: Annotated[list[str] | None, typer.Argument(help="What to ask; left out, a conversation begins.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A model name, as a client would send it.")] = "",
    system: Annotated[str, typer.Option("--system", "-s", help="Instructions for the model.")] = "",
    pin: Annotated[bool, typer.Option("--pin", help="Exactly this provider/model.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the running router, and see who answers.

    Example: hr chat "Name three rivers." --model hermes-router:fast
    """
    from .asking import ask
    from .client import running
    from .loading import load_here

    router = running(load_here())
    text = " ".join(prompt or ()) or ("" if sys.stdin.isatty() else sys.stdin.read().strip())
    start: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []
    asked = model or router.loaded.settings.router_model_id
    if text:
        messages = [*start, {"role": "user", "content": text}]
        reply = ask(router, messages, asked, pin=pin, echo=not as_json)
        print_json(reply) if as_json else print(footer(reply))
    elif sys.stdin.isatty():
        _converse(router, start, asked, pin=pin)
    else:
        raise Failed("Nothing to ask: stdin is empty.")


def _converse(router: Router, start: list[dict[str, str]], model: str, *, pin: bool) -> None:
    say(_HELP)
    messages = list(start)
    while True:
        try:
            text = input("\n> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if text in ("/quit", "/exit", "/q"):
            return
        if text == "/new":
            messages = list(start)
            say("A new conversation.")
        elif text.startswith("/"):
            say(_HELP)
        elif text:
            _turn(router, messages, text, model, pin=pin)


def _turn(router: Router, messages: list[dict[str, str]], text: str, model: str, *, pin: bool) -> None:
    """One question and its answer; what fails is said, and not kept."""
    from .asking import ask

    messages.append({"role": "user", "content": text})
    try:
        reply = ask(router, messages, model, pin=pin, echo=True)
    except Failed as error:
        print(f"! {error}")
    except KeyboardInterrupt:
        print("\n(stopped)")
    else:
        print(footer(reply))
        messages.append({"role": "assistant", "content": reply.text})
        return
    messages.pop()


def footer(reply: Reply) -> str:
    """Who answered, and where the rest of the story is; dim on a terminal."""
    who = f"{reply.provider}/{reply.model}" if reply.provider else "somebody"
    first = f" (first word {span(reply.first_word)})" if reply.first_word is not None else ""
    facts = [who, f"{span(reply.took)}{first}"]
    if reply.attempts is not None:
        facts.append(count(reply.attempts, "attempt"))
    if reply.output is not None:
        facts.append(f"{reply.input} + {reply.output} tokens")
    lines = f"-- {', '.join(facts)}\n   hr why {reply.request_id}"
    return f"\033[2m{lines}\033[0m" if _may_style() else lines


def _may_style() -> bool:
    from ..settings import environment

    return sys.stdout.isatty() and not environment().get("NO_COLOR")
