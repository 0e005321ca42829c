"""What a simulated model says: a pure function of the request's body, in the words of the Chat Completions API.

It echoes what was asked, calls the tools whose names the prompt comes near to, quotes what tools answered, and fills
in a schema where one is given. One word is one token.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
import orjson

from .invent import Prompt, invent

Body = dict[str, Any]

NOTICE = (
    "(This is the sandbox of hermes-router: a simulated provider, no real model. Add a real key with "
    "`hr auth add <provider>`, or put one such as GROQ_API_KEY=... into .env, and the sandbox goes away.)"
)
_ECHOED = 600
_MOST_CALLS = 4
_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")
_TERM = re.compile(r"[a-z]{3,}", re.IGNORECASE)


class Call(msgspec.Struct, frozen=True):
    """One tool call; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished answer. ``finish`` is the API's word; token counts are of words."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    reasoning_tokens: int = 0
    completion_tokens: int = 0


def words(text: str) -> list[str]:
    """The text in tokens: words with the space before them; joined they are the text."""
    return _WORD.findall(text)


def prompt_tokens(body: Body) -> int:
    """Tokens of everything the request says."""
    said = "\n".join(text_of(message) for message in body["messages"])
    return len(words(said)) + len(orjson.dumps(body.get("tools") or [])) // 6


def answer(body: Body, *, reasons: bool) -> Answer:
    """The answer to a request that was found to be well-formed. ``reasons``: the model thinks first."""
    asked = Prompt(last_question(body["messages"]))
    calls = _calls(body, asked)
    thought = _thought(asked.text, calls) if reasons and body.get("reasoning_effort") != "none" else ""
    text = "" if calls else _text(body, asked)
    return _within(body, thought, text, calls)


def text_of(message: Body) -> str:
    """The text of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def attached(messages: list[Body]) -> list[str]:
    """The types of what the last user turn holds beside text."""
    last = next((one for one in reversed(messages) if one.get("role") == "user"), {})
    content = last.get("content")
    return (
        [str(part.get("type")) for part in content if part.get("type") != "text"] if isinstance(content, list) else []
    )


def last_question(messages: list[Body]) -> str:
    """What the user said last."""
    return next((text_of(one) for one in reversed(messages) if one.get("role") == "user"), "").strip()


# --- text


def _text(body: Body, asked: Prompt) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
        return orjson.dumps(invent(schema, asked)).decode()
    results = _results(body["messages"])
    echo = results or _echo(asked.text, attached(body["messages"]))
    if wanted.get("type") == "json_object":
        return orjson.dumps({"answer": echo, "sandbox": True}).decode()
    return f"{echo} {NOTICE}"


def _echo(text: str, others: list[str]) -> str:
    short = text if len(text) <= _ECHOED else text[:_ECHOED] + "..."
    said = f"You said: {short}" if short else "You said nothing."
    kinds = {"image_url": "picture", "input_audio": "recording", "file": "document"}
    names = [kinds.get(kind, kind) for kind in others]
    counted = [f"{names.count(name)} {name}{'s' * (names.count(name) > 1)}" for name in dict.fromkeys(names)]
    return f"{said} You sent {' and '.join(counted)} with it." if counted else said


def _results(messages: list[Body]) -> str:
    """What the tools answered since the last user turn, quoted."""
    names: dict[str, str] = {}
    results: list[str] = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
        if message.get("role") == "tool":
            name = names.get(str(message.get("tool_call_id")), "the tool")
            results.append(f"{name} answered: {text_of(message)[:_ECHOED]}")
        elif message.get("role") == "user":
            results = []
    return " ".join(results)


def _thought(text: str, calls: tuple[Call, ...]) -> str:
    said = " ".join(words(text)[:12]).strip()
    plan = f"I will call {' and '.join(call.name for call in calls)}." if calls else "I will say it back."
    return f"The user says: {said}. {plan}"


# --- tools


def _calls(body: Body, asked: Prompt) -> tuple[Call, ...]:
    tools = [tool["function"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return ()
    if choice == "auto" and body["messages"][-1].get("role") != "user":
        return ()
    chosen = _chosen(tools, choice, asked)
    if body.get("parallel_tool_calls") is False:
        chosen = chosen[:1]
    elif len(chosen) == 1 and _wants_one_name(chosen[0]):
        chosen *= max(1, min(len(asked.names), _MOST_CALLS))
    repeated = len(chosen) > 1 and chosen[0] is chosen[1]
    return tuple(
        _call(tool, Prompt(asked.text, at if repeated else 0), at) for at, tool in enumerate(chosen[:_MOST_CALLS])
    )


def _chosen(tools: list[Body], choice: Any, asked: Prompt) -> list[Body]:
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        return [tool for tool in tools if tool["name"] == name]
    near = [tool for tool in tools if _is_near(tool, asked)]
    if near or choice == "auto":
        return near or (tools if len(tools) == 1 else [])
    return tools[:1]


def _is_near(tool: Body, asked: Prompt) -> bool:
    """The prompt has a word of the tool's name, or the whole name."""
    parts = [part for part in _TERM.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool["name"])) if len(part) > 3]
    return asked.mentions(tool["name"]) or any(asked.mentions(part) for part in parts)


def _wants_one_name(tool: Body) -> bool:
    """It takes one text and nothing else that must be there, so that several names are several calls."""
    schema = tool.get("parameters") or {}
    required = schema.get("required") or []
    field = (schema.get("properties") or {}).get(required[0], {}) if len(required) == 1 else {}
    return field.get("type") == "string" and "enum" not in field and "format" not in field


def _call(tool: Body, prompt: Prompt, at: int) -> Call:
    made = invent({"type": "object"} | (tool.get("parameters") or {}), prompt)
    arguments = orjson.dumps(made).decode()
    digest = hashlib.sha256(f"{at} {tool['name']} {arguments} {prompt.text}".encode()).hexdigest()
    return Call(f"call_{digest[:24]}", tool["name"], arguments)


# --- limits of the request


def _within(body: Body, thought: str, text: str, calls: tuple[Call, ...]) -> Answer:
    thinking, saying = words(thought), words(_until_stop(text, body.get("stop")))
    called = sum(len(words(call.name)) + len(words(call.arguments)) for call in calls)
    most = body.get("max_completion_tokens") or body.get("max_tokens") or 10**9
    cut = len(thinking) + len(saying) > most
    thinking = thinking[:most]
    saying = saying[: most - len(thinking)]
    finish = "length" if cut else "tool_calls" if calls else "stop"
    return Answer(
        text="".join(saying),
        reasoning="".join(thinking),
        calls=() if cut else calls,
        finish=finish,
        prompt_tokens=prompt_tokens(body),
        reasoning_tokens=len(thinking),
        completion_tokens=len(thinking) + len(saying) + (0 if cut else called),
    )


def _until_stop(text: str, stop: Any) -> str:
    """The text before the first of the stop texts."""
    stops = [stop] if isinstance(stop, str) else stop or []
    return text[: min((at for one in stops if one and (at := text.find(one)) >= 0), default=len(text))]
