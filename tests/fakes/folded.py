"""An event stream put together into what the same answer is when it is not streamed, as far as a next turn needs it."""

from __future__ import annotations

from typing import Any

import orjson

from .grammar import check_anthropic_stream
from .openai_grammar import check_openai_stream
from .responses_grammar import check_responses_stream

Table = dict[str, Any]


def folded(path: str, raw: bytes) -> Table:
    """A ``chat.completion``, ``message`` or ``response``."""
    if path == "/v1/messages":
        return _message(raw)
    if path == "/v1/responses":
        last = [line for line in raw.split(b"\n") if line.startswith(b"data: ")][-1]
        check_responses_stream(raw)
        whole: Table = orjson.loads(last[6:])["response"]
        return whole
    return _completion(raw)


def _completion(raw: bytes) -> Table:
    text, calls = "", dict[int, Table]()
    for chunk in check_openai_stream(raw):
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(
                    piece["index"], {**piece, "function": {"name": piece["function"].get("name"), "arguments": ""}}
                )
                call["function"]["arguments"] += piece["function"].get("arguments") or ""
    made = [{key: value for key, value in call.items() if key != "index"} for call in calls.values()]
    return {"choices": [{"message": {"role": "assistant", "content": text or None, "tool_calls": made or None}}]}


def _message(raw: bytes) -> Table:
    blocks: list[Table] = []
    inputs: dict[int, str] = {}
    for event in check_anthropic_stream(raw):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            _add(blocks[event["index"]], event["delta"], event["index"], inputs)
    for index, text in inputs.items():
        blocks[index]["input"] = orjson.loads(text or "{}")
    return {"content": blocks}


def _add(block: Table, delta: Table, index: int, inputs: dict[int, str]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            inputs[index] = inputs.get(index, "") + delta["partial_json"]
