"""What a recorded answer says, read in the plainest way: the whole body at once, no events, no recovery.

Only to compare with: it shares no code with the readers under test, and knows just the shapes that recordings hold.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

Table = dict[str, Any]


class Said(msgspec.Struct):
    """``calls``: (name, parsed arguments), or their text where it is no JSON. ``usage``: (input, output) as stated."""

    text: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = []
    usage: tuple[int, int] | None = None
    finish: str | None = None
    error: bool = False


def read_chat(body: str) -> Said:
    """A Chat Completions answer, streamed or not."""
    said = Said()
    calls: list[list[str]] = []
    for chunk in _chunks(body):
        _chunk(chunk, said, calls)
    thought = re.match(r"\s*<think>.*?(?:</think>\s*|\Z)", said.text, re.DOTALL)
    said.text = said.text[thought.end() :] if thought else said.text
    said.calls = [(name, parsed(arguments)) for _, name, arguments in calls]
    return said


def read_messages(body: str) -> Said:
    """An Anthropic message, streamed or not."""
    said = Said()
    blocks: dict[int, Table] = {}
    for event in _chunks(body):
        if "content" in event:
            blocks = dict(enumerate(event["content"]))
            _message_end(event, said)
        match event.get("type"):
            case "error":
                said.error = True
            case "message_start":
                _message_end(event["message"], said)
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                _grow(blocks[event["index"]], event["delta"])
            case "message_delta":
                _message_end({**event["delta"], "usage": event.get("usage")}, said)
            case "message_stop":
                # One recorder put two answers into one body.
                break
    said.text = "".join(block["text"] for block in blocks.values() if block["type"] == "text")
    used = [block for block in blocks.values() if block["type"] == "tool_use"]
    said.calls = [(block["name"], parsed(block["json"]) if "json" in block else block["input"]) for block in used]
    return said


def _chunks(body: str) -> list[Table]:
    body = body.removeprefix("\ufeff").strip()
    if body.startswith(("{", "[")):
        whole = json.loads(body)
        return [whole] if isinstance(whole, dict) else [{"error": whole}]
    lines = re.findall(r"^data: ?(.*?)\r?$", body, re.MULTILINE)
    return [json.loads(line) for line in lines if line.strip() not in ("", "[DONE]")]


def _chunk(chunk: Table, said: Said, calls: list[list[str]]) -> None:
    choices = [one for one in chunk.get("choices") or () if not one.get("index")]
    said.error |= bool(chunk.get("error")) or any(one.get("error") for one in choices)
    for choice in choices:
        whole = chunk.get("object") == "chat.completion" or "delta" not in choice
        message = choice["message"] if whole and "message" in choice else choice.get("delta") or {}
        said.text += _content(message.get("content"))
        said.refusal += message.get("refusal") or ""
        legacy = message.get("function_call") or {}
        for call in message.get("tool_calls") or ([{"index": 0, "function": legacy}] if legacy.get("name") else ()):
            _call(call, calls, whole=whole)
        said.finish = choice.get("finish_reason") or said.finish
    for usage in (chunk.get("usage"), (chunk.get("x_groq") or {}).get("usage"), *(one.get("usage") for one in choices)):
        if usage and (usage.get("prompt_tokens") or usage.get("completion_tokens")):
            said.usage = (usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(item.get("text") or "" for item in content if item.get("type") in ("text", "output_text"))
    return json.dumps(content, separators=(",", ":")) if isinstance(content, dict) else content or ""


def _call(call: Table, calls: list[list[str]], *, whole: bool) -> None:
    """``calls``: [id or index, name, arguments]. A new name begins a call where its id or index is a new one too."""
    function = call.get("function") or {}
    name, arguments = function.get("name") or "", function.get("arguments") or ""
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    mark = f"{call.get('index')}"
    if whole or (name and (call.get("id") or all(known[0] != mark for known in calls))):
        calls.append([mark, name, arguments])
    elif calls:
        next((known for known in reversed(calls) if known[0] == mark), calls[-1])[2] += arguments


def _grow(block: Table, delta: Table) -> None:
    if delta["type"] == "text_delta":
        block["text"] += delta["text"]
    elif delta["type"] == "input_json_delta":
        block["json"] = block.get("json", "") + delta["partial_json"]


def _message_end(message: Table, said: Said) -> None:
    said.finish = message.get("stop_reason") or said.finish
    usage = message.get("usage")
    if usage:
        before = said.usage or (0, 0)
        said.usage = (usage.get("input_tokens") or before[0], usage.get("output_tokens") or before[1])


def parsed(arguments: str) -> Any:
    """The arguments, or their text where the output limit cut it."""
    try:
        return json.loads(arguments or "{}")
    except json.JSONDecodeError:
        return arguments
