"""Our conversation as Chat Completions ``messages``, with a provider's quirks applied.

Source: OpenAI API reference, "Create chat completion", messages. Tool messages take text only, so pictures and files
in a tool's answer follow in a user message of their own. Earlier thinking goes back only to the provider it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..core.errors import BadRequest
from ..core.request import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from .base import Target
from .quirks import tool_id

Table = dict[str, Any]

_BREAK = "\n\n"
# An enum's member costs as much to look up as the rest of a short message's way: here they are looked up once.
_USER, _ASSISTANT, _TOOL = Role.USER, Role.ASSISTANT, Role.TOOL
_SPOKEN = {Role.USER: "user", Role.ASSISTANT: "assistant"}
_WORDS = {**_SPOKEN, Role.SYSTEM: "system", Role.DEVELOPER: "system"}
# OpenAI reads system as developer where it matters; providers without the word refuse it.
_DEVELOPER = {**_WORDS, Role.DEVELOPER: "developer"}
_NO_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""What Google documents for histories that another model wrote (Gemini API docs, thought signatures, 2026-08)."""
_EXTENSIONS = {"application/pdf": "pdf", "text/plain": "txt", "text/html": "html", "text/csv": "csv"}


_BRIDGE = "OK."
"""What a model says that heard a tool's result and is to be spoken to before it says more."""


def write_messages(request: Request, target: Target) -> list[Table]:
    """The whole conversation."""
    quirks = target.quirks
    words = _SPOKEN if quirks.system_role is False else _DEVELOPER if quirks.developer_role else _WORDS
    out: list[Table] = []
    writer: _Writer | None = None
    for message in request.messages:
        parts = message.parts
        if len(parts) == 1 and type(part := parts[0]) is Text and part.text and not message.name:
            word = words.get(message.role)
            if word is not None:  # what most messages are: one text
                if writer is not None and writer.attached:
                    writer.attach()
                out.append({"role": word, "content": part.text})
                continue
        if writer is None:
            writer = _Writer(target, words, out)
        writer.add(message)
    if writer is not None:
        out = writer.done()
    if quirks.prefill == "prefix" and out and out[-1]["role"] == "assistant" and "tool_calls" not in out[-1]:
        out[-1]["prefix"] = True
    return out


class _Writer:
    """Writes what is more than one text into ``out``. ``attached``: what tools sent beside text, not yet written."""

    __slots__ = (
        "_ids",
        "_instructions",
        "_named",
        "_names",
        "_out",
        "_provider",
        "_quirks",
        "_signed",
        "_words",
        "attached",
    )

    def __init__(self, target: Target, words: Mapping[Role, str], out: list[Table]) -> None:
        quirks = target.quirks
        self._quirks = quirks
        self._ids = quirks.tool_ids
        self._named = quirks.message_names in ("all", "tool")
        self._signed = quirks.replay == "thought_signature"
        self._words = words
        self._provider = target.name
        self._out = out
        self._instructions: list[str] = []
        self._names: dict[str, str] = {}
        self.attached: list[Table] = []

    def add(self, message: Message) -> None:
        """Write one message."""
        role = message.role
        if role is _TOOL:
            for part in message.parts:
                if type(part) is ToolResult:
                    self._result(part)
            return
        if self.attached:
            self.attach()
        if role is _USER:
            self._user(message)
        elif role is _ASSISTANT:
            self._assistant(message)
        else:
            self._system(message)

    def done(self) -> list[Table]:
        """All of it."""
        self.attach()
        if self._instructions:
            self._instruct(_BREAK.join(self._instructions))
        return list(_bridged(self._out)) if self._quirks.tool_then_user is False else self._out

    def attach(self) -> None:
        """What tools sent beside text, after the last of their messages."""
        if self.attached:
            self._out.append({"role": "user", "content": self.attached})
            self.attached = []

    def _system(self, message: Message) -> None:
        text = _joined([part.text for part in message.parts if type(part) is Text])
        if not text:
            return
        word = self._words.get(message.role)
        if word is None:
            self._instructions.append(text)
        else:
            self._say({"role": word, "content": text}, message)

    def _instruct(self, text: str) -> None:
        """Open the first user turn with the instructions."""
        first = self._out[0] if self._out else {}
        if first.get("role") != "user":
            self._out.insert(0, {"role": "user", "content": text})
        elif isinstance(first["content"], str):
            first["content"] = text + _BREAK + first["content"]
        else:
            first["content"] = [_text_part(text), *first["content"]]

    def _user(self, message: Message) -> None:
        parts = message.parts
        if len(parts) == 1 and type(parts[0]) is Text:
            content: str | list[Table] = parts[0].text
        else:
            content = self._content([self._part(part) for part in parts])
        self._say({"role": "user", "content": content}, message)

    def _say(self, table: Table, message: Message) -> None:
        if message.name and self._quirks.message_names in (None, "all"):
            table["name"] = message.name
        self._out.append(table)

    def _content(self, parts: list[Table]) -> str | list[Table]:
        texts = [part["text"] for part in parts if part["type"] == "text"]
        if len(texts) == len(parts) and (len(parts) <= 1 or self._quirks.flat_content):
            return _BREAK.join(texts)
        return parts

    def _part(self, part: Part) -> Table:
        match part:
            case Text() | Refusal():
                return _text_part(part.text)
            case Image():
                return self._image(part)
            case Audio():
                return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
            case Document():
                return _document(part)
        raise BadRequest(f"{type(part).__name__} does not belong into a user message", param="messages")

    def _image(self, part: Image) -> Table:
        url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data or ''}"
        if self._quirks.image_urls is False and not url.startswith("data:"):
            raise BadRequest(f"{self._provider} takes pictures only as base64 data, not as URLs", param="messages")
        image: Table = {"url": url}
        if part.detail:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}

    def _assistant(self, message: Message) -> None:
        own = message.origin is not None and message.origin.partition("/")[0] == self._provider
        texts: list[str] = []
        calls: list[Table] = []
        thoughts: list[Reasoning] = []
        for part in message.parts:
            if type(part) is ToolCall:
                calls.append(self._call(part, own, not calls))
            elif type(part) is Text or type(part) is Refusal:
                texts.append(part.text)
            elif own and type(part) is Reasoning:
                thoughts.append(part)
        text = _joined(texts)
        table: Table = {"role": "assistant"}
        replayed = bool(thoughts) and self._replay(thoughts, table, text)
        if text and "content" not in table:
            table["content"] = text
        elif calls and not text and self._quirks.flat_content:
            # Cloudflare refuses null there; everybody else takes a message without content (recorded, 12 providers).
            table.setdefault("content", "")
        if calls:
            table["tool_calls"] = calls
        elif not text and not replayed:
            return
        else:
            table.setdefault("content", "")
        self._say(table, message)

    def _call(self, call: ToolCall, own: bool, first: bool) -> Table:
        self._names[call.id] = call.name
        table: Table = {
            "id": tool_id(call.id, self._ids) if self._ids else call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }
        if self._signed:
            if own and call.opaque:
                table["extra_content"] = call.opaque
            elif first:
                table["extra_content"] = _NO_SIGNATURE
        return table

    def _replay(self, thoughts: list[Reasoning], table: Table, text: str) -> bool:
        """Put earlier thinking where its maker wants it; whether there was any to put."""
        thought = "".join(part.text for part in thoughts)
        details = _merged(item for part in thoughts for item in part.details or ())
        match self._quirks.replay:
            case "reasoning_details" if details:
                table["reasoning_details"] = details
            case "reasoning" | "reasoning_details" if thought:
                table["reasoning"] = thought
            case "reasoning_content" if thought:
                table["reasoning_content"] = thought
            case "think_tags" if thought:
                table["content"] = f"<think>\n{thought}\n</think>{_BREAK}{text}"
            case "content_list" if thought:
                thinking = {"type": "thinking", "thinking": [_text_part(thought)]}
                table["content"] = [thinking, _text_part(text)] if text else [thinking]
            case _:
                return False
        return True

    def _result(self, result: ToolResult) -> None:
        parts = result.parts
        short = tool_id(result.id, self._ids) if self._ids else result.id
        if len(parts) == 1 and type(parts[0]) is Text:
            text = parts[0].text or "(no output)"
        else:
            text = self._several(result, short)
        if result.is_error and not text.lower().startswith("error"):
            text = f"Error: {text}"
        table: Table = {"role": "tool", "tool_call_id": short, "content": text}
        if self._named and (name := self._tool_name(result)):
            table["name"] = name
        self._out.append(table)

    def _several(self, result: ToolResult, short: str) -> str:
        """The text of a result that is not just one; what else it holds is attached."""
        inside = [self._part(part) for part in result.parts]
        attached = [part for part in inside if part["type"] != "text"]
        if attached:
            name = self._tool_name(result) or "the tool"
            self.attached += [_text_part(f"Attached to the result of {name} ({short}):"), *attached]
        text = _BREAK.join([part["text"] for part in inside if part["type"] == "text"])
        return text or ("The result is attached to the next message." if attached else "(no output)")

    def _tool_name(self, result: ToolResult) -> str:
        return result.name or self._names.get(result.id, "")


def _joined(texts: list[str]) -> str:
    """Those that say something, apart from one another."""
    return texts[0] if len(texts) == 1 else _BREAK.join([text for text in texts if text])


def _text_part(text: str) -> Table:
    return {"type": "text", "text": text}


def _document(part: Document) -> Table:
    if part.text is not None:
        title = f"{part.title}{_BREAK}" if part.title else ""
        return _text_part(title + part.text)
    if part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.data is None:
        raise BadRequest("documents must be sent as data: this API takes no URLs for them", param="messages")
    media_type = part.media_type or "application/pdf"
    name = part.title or f"document.{_EXTENSIONS.get(media_type, 'bin')}"
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{media_type};base64,{part.data}"}}


def _merged(items: Iterable[Any]) -> list[Any]:
    """OpenRouter's details with the pieces of a streamed text put back into one item."""
    merged: list[Any] = []
    for item in items:
        last = merged[-1] if merged else None
        if isinstance(item, dict) and isinstance(last, dict) and _same_item(last, item):
            merged[-1] = {**last, **{key: value for key, value in item.items() if value is not None}}
            for key in ("text", "summary"):
                if isinstance(last.get(key), str) and isinstance(item.get(key), str):
                    merged[-1][key] = last[key] + item[key]
        else:
            merged.append(item)
    return merged


def _same_item(last: Table, item: Table) -> bool:
    kind = item.get("type")
    if kind not in ("reasoning.text", "reasoning.summary") or last.get("type") != kind:
        return False
    same_id = last.get("id") == item.get("id") or None in (last.get("id"), item.get("id"))
    return same_id and last.get("index") == item.get("index") and not last.get("signature")


def _bridged(messages: Iterable[Table]) -> Iterator[Table]:
    before = ""
    for message in messages:
        if before == "tool" and message["role"] not in ("tool", "assistant"):
            yield {"role": "assistant", "content": _BRIDGE}
        yield message
        before = message["role"]
