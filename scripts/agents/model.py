"""The scripted model behind the router: it reads a file, runs a command, writes a file; asked to go on, adds a line.

It speaks Chat Completions as strictly as ``fakes.strict``, and knows the tools of each agent by their names. An agent
without tools (aider) is answered with a whole file in its edit format. Requests that are no part of the task (titles,
topics, summaries) get a short text.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import orjson

from fakes.strict import Strict, check_openai
from fakes.strict_answers import openai_chunks
from fakes.upstream import Peer, Seen, reply, sse

SOURCE, TARGET = "notes.txt", "answer.txt"
MORE = "END-OF-FILE"
"""What the second prompt of a conversation asks to add."""
_SECRET = re.compile(r"SECRET-[0-9a-f]{8}")
_READ = {"Read": "file_path", "read": "filePath", "read_file": "path"}
_WRITE = {"Write": ("file_path", "content"), "write": ("filePath", "content"), "write_file": ("path", "content")}
_SHELL = {"Bash": "command", "bash": "command", "shell": "command", "exec_command": "cmd", "shell_command": "command"}

Table = dict[str, Any]


class Model(Strict):
    """``folder`` is where the agent works. ``steps`` are what it was told to do, ``refused`` what a strict provider
    would have refused of what the router sent."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.steps: list[str] = []

    async def __call__(self, peer: Peer, seen: Seen) -> None:
        if seen.method != "POST" or not seen.path.endswith("/chat/completions"):
            await super().__call__(peer, seen)
            return
        try:
            check_openai(seen.body)
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the table says so
            self.refused.append(str(wrong))
            await reply({"error": {"message": str(wrong), "type": "invalid_request_error"}}, 400)(peer, seen)
            return
        answer = _completion(seen.body, self._message(seen.body))
        step = sse(list(openai_chunks(seen.body, answer))) if seen.body.get("stream") else reply(answer)
        await step(peer, seen)

    def _message(self, body: Table) -> Table:
        said = [_text(message) for message in body["messages"]]
        if not any(SOURCE in text for text in said):
            return {"content": "A short task"}
        offered = {tool["function"]["name"]: tool["function"] for tool in body.get("tools", ())}
        secret = next((found[0] for text in said if (found := _SECRET.search(text))), "")
        if not offered:
            return self._without_tools(secret)
        task = max(at for at, message in enumerate(body["messages"]) if message["role"] == "user" and _asks(said[at]))
        done = sum(message["role"] == "tool" for message in body["messages"][task:])
        calls = (self._add,) if MORE in said[task] else (self._read, self._run, self._write)
        call = calls[done] if done < len(calls) else None
        if call is None:
            self.steps.append("end")
            return {"content": f"Done: {TARGET} holds {secret}."}
        name, arguments = call(offered, secret)
        self.steps.append(name)
        function = {"name": name, "arguments": orjson.dumps(_completed(arguments, offered[name])).decode()}
        return {
            "content": None,
            "tool_calls": [{"id": f"call_{task}_{done}", "type": "function", "function": function}],
        }

    def _without_tools(self, secret: str) -> Table:
        self.steps.append("file")
        return {"content": f"I put it there.\n\n{TARGET}\n```\n{secret}\n```\n"}

    def _read(self, offered: Table, secret: str) -> tuple[str, Table]:
        for name, field in _READ.items():
            if name in offered:
                return name, {field: str(self.folder / SOURCE)}
        return self._shell(offered, f"cat {SOURCE}")

    def _run(self, offered: Table, secret: str) -> tuple[str, Table]:
        return self._shell(offered, f"wc -c {SOURCE}")

    def _write(self, offered: Table, secret: str) -> tuple[str, Table]:
        for name, (path, content) in _WRITE.items():
            if name in offered:
                return name, {path: str(self.folder / TARGET), content: f"{secret}\n"}
        return self._shell(offered, f"echo {secret} > {TARGET}")

    def _add(self, offered: Table, secret: str) -> tuple[str, Table]:
        return self._shell(offered, f"echo {MORE} >> {TARGET}")

    def _shell(self, offered: Table, command: str) -> tuple[str, Table]:
        name = next(name for name in _SHELL if name in offered)
        field = _SHELL[name]
        kind = offered[name]["parameters"]["properties"][field].get("type")
        here = f"cd {shlex.quote(str(self.folder))} && {command}"
        return name, {field: ["bash", "-lc", here] if kind == "array" else here}


def _asks(text: str) -> bool:
    return SOURCE in text or MORE in text


def _completed(arguments: Table, tool: Table) -> Table:
    """With what else the tool requires."""
    schema = tool["parameters"]
    rest = [name for name in schema.get("required", ()) if name not in arguments]
    return arguments | {name: _value(schema["properties"][name]) for name in rest}


def _value(schema: Table) -> Any:
    kind = schema.get("type")
    return {"string": "as asked", "integer": 1, "number": 1, "boolean": False, "array": []}.get(str(kind))


def _completion(body: Table, message: Table) -> Table:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": "chatcmpl-agent",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020},
    }


def _text(message: Table) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
