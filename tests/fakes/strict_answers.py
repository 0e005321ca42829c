"""What ``fakes.strict`` answers: it echoes the last user turn, calls every tool it is offered, and quotes results.

One word is one token. A model that is told to think, or is of a style that does, thinks "Let me see." first;
Anthropic's thinking is signed ``sig-1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

Table = dict[str, Any]
Named = tuple[str, Table]

THOUGHT = "Let me see."
SIGNATURE = "sig-1"


def made(schema: Any) -> Any:
    """A value of the schema, each text naming its field."""
    return _made(schema, "value")


def _made(schema: Any, name: str) -> Any:
    if not isinstance(schema, dict):
        return name
    if "enum" in schema:
        return schema["enum"][0]
    said = schema.get("type")
    kinds = [one for one in said if one != "null"] if isinstance(said, list) else [said]
    kind = kinds[0] if kinds else "null"
    match kind or ("object" if "properties" in schema else "string"):
        case "object":
            fields = schema.get("properties", {})
            required: list[str] = schema.get("required") or list(fields)
            return {key: _made(fields.get(key, {}), key) for key in required}
        case "array":
            return [_made(schema.get("items"), name)]
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return f"some {name}"


def words(text: str) -> list[str]:
    """Joined they are the text."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _cut(text: str, most: int, stops: list[str]) -> tuple[str, str, str | None]:
    """(text, why it ends: stop, length or stop_sequence, the sequence)"""
    hit = min(((text.find(one), one) for one in stops if one in text), default=None)
    if hit is not None:
        text = text[: hit[0]]
    if len(words(text)) > most:
        return "".join(words(text)[:most]), "length", None
    return text, "stop_sequence" if hit else "stop", hit[1] if hit else None


# --- OpenAI


def openai_completion(body: Table, *, thinks: bool = False) -> Table:
    """A ``chat.completion``."""
    last = body["messages"][-1]
    calls = _openai_calls(body) if last["role"] == "user" else []
    most = body.get("max_tokens") or body.get("max_completion_tokens") or 10**6
    stop = body.get("stop") or []
    text, ended, _ = _cut(_openai_text(body), most, [stop] if isinstance(stop, str) else stop)
    message: Table = {"role": "assistant", "content": None if calls else text}
    if thinks:
        message["reasoning_content"] = THOUGHT
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else "length" if ended == "length" else "stop"
    spent = len(words(text))
    return {
        "id": "chatcmpl-strict",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": spent, "total_tokens": 11 + spent},
    }


def openai_chunks(body: Table, answer: Table) -> Iterator[Table]:
    """The same answer in pieces."""
    message = answer["choices"][0]["message"]
    head = {key: answer[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: Table, finish: str | None = None) -> Table:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in words(message.get("reasoning_content") or ""):
        yield chunk({"reasoning_content": word})
    for word in words(message["content"] or ""):
        yield chunk({"content": word})
    for at, call in enumerate(message.get("tool_calls", ())):
        arguments = call["function"]["arguments"]
        opened = {**call, "function": {**call["function"], "arguments": ""}}
        yield chunk({"tool_calls": [{"index": at, **opened}]})
        for piece in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, answer["choices"][0]["finish_reason"])
    yield {**head, "choices": [], "usage": answer["usage"]}


def _openai_calls(body: Table) -> list[Table]:
    choice = body.get("tool_choice", "auto")
    tools = [tool["function"] for tool in body.get("tools", ())]
    if choice == "none":
        tools = []
    if isinstance(choice, dict):
        tools = [tool for tool in tools if tool["name"] == choice["function"]["name"]]
    if body.get("parallel_tool_calls") is False:
        tools = tools[:1]
    return [
        {
            "id": f"call_{len(body['messages'])}_{at}",
            "type": "function",
            "function": {"name": tool["name"], "arguments": orjson.dumps(made(tool.get("parameters"))).decode()},
        }
        for at, tool in enumerate(tools)
    ]


def _openai_text(body: Table) -> str:
    wanted = body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        return orjson.dumps(made(wanted["json_schema"]["schema"])).decode()
    if wanted.get("type") == "json_object":
        return '{"echo":true}'
    results = [_text(one) for one in body["messages"] if one["role"] == "tool"]
    if body["messages"][-1]["role"] == "tool":
        return f"Results: {', '.join(results)}"
    said = next((one for one in reversed(body["messages"]) if one["role"] == "user"), {"content": ""})
    pictures = sum(part["type"] != "text" for part in said["content"] if isinstance(part, dict))
    return f"Echo: {_text(said)}" + (f" ({pictures} attached)" if pictures else "")


def _text(message: Table) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content).strip()


# --- Anthropic


def anthropic_message(body: Table) -> Table:
    """A ``message``."""
    blocks, stop_reason, sequence = _anthropic_blocks(body)
    return {
        "id": "msg_strict",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": sequence,
        "usage": {"input_tokens": 11, "output_tokens": 4},
    }


def anthropic_events(body: Table) -> Iterator[Named]:
    """The same answer in pieces."""
    whole = anthropic_message(body)
    start = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
    yield _named("message_start", message=start)
    yield _named("ping")
    for at, block in enumerate(whole["content"]):
        yield from _block_events(at, block)
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    yield _named("message_delta", delta=ending, usage={"output_tokens": 4})
    yield _named("message_stop")


def _block_events(at: int, block: Table) -> Iterator[Named]:
    deltas: list[Table]
    empty: Table
    match block["type"]:
        case "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": word} for word in words(block["text"])]
        case "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            empty = {**block, "input": {}}
            text = orjson.dumps(block["input"]).decode()
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:3], text[3:])]
    yield _named("content_block_start", index=at, content_block=empty)
    for delta in deltas:
        yield _named("content_block_delta", index=at, delta=delta)
    yield _named("content_block_stop", index=at)


def _named(name: str, **fields: Any) -> Named:
    return name, {"type": name, **fields}


def _anthropic_blocks(body: Table) -> tuple[list[Table], str, str | None]:
    blocks: list[Table] = []
    if body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        blocks.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    last = body["messages"][-1]["content"]
    parts = [{"type": "text", "text": last}] if isinstance(last, str) else last
    results = [part for part in parts if part["type"] == "tool_result"]
    tools = [] if results else _anthropic_tools(body)
    if tools:
        turn = len(body["messages"])
        for at, tool in enumerate(tools):
            input_ = made(tool["input_schema"])
            blocks.append({"type": "tool_use", "id": f"toolu_{turn}_{at}", "name": tool["name"], "input": input_})
        return blocks, "tool_use", None
    text, ended, sequence = _cut(
        _anthropic_text(body, parts, results), body["max_tokens"], body.get("stop_sequences", [])
    )
    reason = {"stop": "end_turn", "length": "max_tokens", "stop_sequence": "stop_sequence"}[ended]
    return [*blocks, {"type": "text", "text": text}], reason, sequence


def _anthropic_tools(body: Table) -> list[Table]:
    choice = body.get("tool_choice", {"type": "auto"})
    tools: list[Table] = [] if choice["type"] == "none" else body.get("tools", [])
    if choice["type"] == "tool":
        tools = [tool for tool in tools if tool["name"] == choice["name"]]
    return tools[:1] if choice.get("disable_parallel_tool_use") else tools


def _anthropic_text(body: Table, parts: list[Table], results: list[Table]) -> str:
    schema = body.get("output_config", {}).get("format", {}).get("schema")
    if schema is not None:
        return orjson.dumps(made(schema)).decode()
    if results:
        return f"Results: {', '.join(_result_text(one.get('content', '')) for one in results)}"
    said = " ".join(part["text"] for part in parts if part["type"] == "text")
    pictures = sum(part["type"] != "text" for part in parts)
    return f"Echo: {said}" + (f" ({pictures} attached)" if pictures else "")


def _result_text(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


# --- embeddings


def embeddings(body: Table, size: int) -> Table:
    """Each vector is the length of its input, over and over; rows come in the wrong order, as they may."""
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    wanted = body.get("dimensions") or size
    rows = [
        {"object": "embedding", "index": at, "embedding": [float(len(one))] * wanted} for at, one in enumerate(inputs)
    ]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return {"object": "list", "data": rows[::-1], "model": body["model"], "usage": usage}
