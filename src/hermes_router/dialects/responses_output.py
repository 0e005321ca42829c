"""The items of a Response's output while they grow: each gives the events of its own and ends as a table.

An event is its name and its fields without type and number, which the stream adds. Shapes: OpenAI API reference,
"The response object" (2025-11) and recorded streams of the API.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..core.events import ReasoningDelta, ToolCallStart
from ..core.request import Part, Reasoning, Refusal, Text, ToolCall
from .responses_asked import CallForm
from .responses_sealed import seal
from .responses_tools import unwrap_input

Table = dict[str, Any]
Events = list[tuple[str, Table]]

_FUNCTION = CallForm("function", "")
_PREFIXES = {"function": "fc", "custom": "ctc", "search": "tsc"}


class MessageItem:
    """Text, or a refusal, or one after the other."""

    def __init__(self, item_id: str, index: int) -> None:
        self.id = item_id
        self.closed = False
        self._index = index
        self._status = "in_progress"
        self._content: list[Table] = []
        self._said: list[str] = []
        self._logprobs: list[Any] = []

    def added(self) -> Events:
        return [("response.output_item.added", {"output_index": self._index, "item": self.table()})]

    def add(self, text: str) -> None:
        """More text, whose event is written elsewhere."""
        self._said.append(text)

    def say(self, text: str, logprobs: list[Any] | None) -> Events:
        events = self._part("output_text")
        self._said.append(text)
        self._logprobs += logprobs or ()
        delta = {**self._place(), "delta": text, "logprobs": logprobs or []}
        return [*events, ("response.output_text.delta", delta)]

    def delta_head(self) -> bytes:
        """A text event up to its text, with ``%d`` for its number."""
        fields = orjson.dumps(self._place())[1:-1].replace(b"%", b"%%")
        name = b"response.output_text.delta"
        return b'event: %b\ndata: {"type":"%b","sequence_number":%%d,%b,"delta":' % (name, name, fields)

    def refuse(self, text: str) -> Events:
        events = self._part("refusal")
        self._said.append(text)
        return [*events, ("response.refusal.delta", {**self._place(), "delta": text})]

    def done(self, *, cut: bool) -> Events:
        events = self._end_part()
        self.closed = True
        self._status = "incomplete" if cut else "completed"
        return [*events, ("response.output_item.done", {"output_index": self._index, "item": self.table()})]

    def table(self) -> Table:
        return {
            "id": self.id,
            "type": "message",
            "status": self._status,
            "role": "assistant",
            "content": self._content if self.closed else [],
        }

    def again(self) -> Table:
        return self.table()

    def parts(self) -> list[Part]:
        return [
            Text(text=part["text"]) if part["type"] == "output_text" else Refusal(text=part["refusal"])
            for part in self._content
        ]

    def size(self) -> int:
        return sum(len(part.get("text") or part.get("refusal") or "") for part in self._content)

    def _part(self, kind: str) -> Events:
        """Open a part of this kind where another one, or none, is."""
        if self._content and self._content[-1]["type"] == kind:
            return []
        events = self._end_part()
        text: Table = {"annotations": [], "logprobs": [], "text": ""}
        self._content.append({"type": kind, **(text if kind == "output_text" else {"refusal": ""})})
        return [*events, ("response.content_part.added", {**self._place(), "part": dict(self._content[-1])})]

    def _end_part(self) -> Events:
        if not self._content:
            return []
        part, said = self._content[-1], "".join(self._said)
        self._said = []
        if part["type"] == "output_text":
            part["text"], part["logprobs"] = said, self._logprobs
            self._logprobs = []
            done = ("response.output_text.done", {**self._place(), "text": said, "logprobs": part["logprobs"]})
        else:
            part["refusal"] = said
            done = ("response.refusal.done", {**self._place(), "refusal": said})
        return [done, ("response.content_part.done", {**self._place(), "part": part})]

    def _place(self) -> Table:
        return {"item_id": self.id, "output_index": self._index, "content_index": len(self._content) - 1}


class ReasoningItem:
    """Thinking. ``shown``: as a summary of one part. ``sealed``: with what brings it back."""

    def __init__(self, item_id: str, index: int, origin: str, *, shown: bool, sealed: bool) -> None:
        self.id = item_id
        self.closed = False
        self._index = index
        self._origin = origin
        self._shown = shown
        self._sealed = sealed
        self._parts: list[Reasoning] = []
        self._texts: list[str] = []
        self._details: list[Any] = []
        self._summary: list[str] = []
        self._bytes = 0

    def added(self) -> Events:
        item = {"id": self.id, "type": "reasoning", "summary": []}
        return [("response.output_item.added", {"output_index": self._index, "item": item})]

    def think(self, event: ReasoningDelta) -> Events:
        if event.redacted is not None:
            self._end_part(None)
            self._parts.append(Reasoning(redacted=event.redacted))
            return []
        self._texts.append(event.text)
        self._details += event.details or ()
        self._bytes += len(event.text)
        if event.signature:
            self._end_part(event.signature)
        return self._show(event.text) if self._shown and event.text else []

    def done(self, *, cut: bool) -> Events:
        self._end_part(None)
        self.closed = True
        events: Events = []
        if self._summary:
            said = "".join(self._summary)
            events.append(("response.reasoning_summary_text.done", {**self._place(), "text": said}))
            part = {"type": "summary_text", "text": said}
            events.append(("response.reasoning_summary_part.done", {**self._place(), "part": part}))
        return [*events, ("response.output_item.done", {"output_index": self._index, "item": self.table()})]

    def table(self) -> Table:
        return self._table(sealed=self._sealed)

    def again(self) -> Table:
        return self._table(sealed=True)

    def parts(self) -> list[Part]:
        return list(self._parts)

    def size(self) -> int:
        return self._bytes

    def _table(self, *, sealed: bool) -> Table:
        summary = [{"type": "summary_text", "text": "".join(self._summary)}] if self._summary else []
        table: Table = {"id": self.id, "type": "reasoning", "summary": summary}
        if sealed and self._parts:
            table["encrypted_content"] = seal(tuple(self._parts), self._origin)
        return table

    def _show(self, text: str) -> Events:
        events: Events = []
        if not self._summary:
            part = {"type": "summary_text", "text": ""}
            events.append(("response.reasoning_summary_part.added", {**self._place(), "part": part}))
        self._summary.append(text)
        return [*events, ("response.reasoning_summary_text.delta", {**self._place(), "delta": text})]

    def _end_part(self, signature: str | None) -> None:
        said = "".join(self._texts)
        if said or signature or self._details:
            self._parts.append(Reasoning(text=said, signature=signature, details=self._details or None))
        self._texts, self._details = [], []

    def _place(self) -> Table:
        return {"item_id": self.id, "output_index": self._index, "summary_index": 0}


class CallItem:
    """One call, in the form in which its tool was offered."""

    def __init__(self, event: ToolCallStart, form: CallForm | None, answer_id: str, index: int) -> None:
        self._form = form or _FUNCTION
        self.id = f"{_PREFIXES[self._form.kind]}_{answer_id}{index:02x}"
        self.closed = False
        self._index = index
        self._event = event
        self._status = "in_progress"
        self._pieces: list[str] = []
        self._arguments = ""

    def added(self) -> Events:
        return [("response.output_item.added", {"output_index": self._index, "item": self.table()})]

    def add(self, arguments: str) -> Events:
        """A custom tool's input is known only when all of it is there: it comes wrapped in JSON."""
        self._pieces.append(arguments)
        if self._form.kind != "function":
            return []
        return [("response.function_call_arguments.delta", {**self._place(), "delta": arguments})]

    def whole(self) -> bool:
        """Whether the arguments so far are a JSON object."""
        try:
            return isinstance(orjson.loads("".join(self._pieces)), dict)
        except orjson.JSONDecodeError:
            return False

    def done(self, *, cut: bool) -> Events:
        events: Events = []
        if not "".join(self._pieces).strip() and not cut:
            # Clients parse what they collected as JSON.
            events = self.add("{}")
        self.closed = True
        self._status = "incomplete" if cut else "completed"
        self._arguments = "".join(self._pieces)
        events += self._input_done()
        return [*events, ("response.output_item.done", {"output_index": self._index, "item": self.table()})]

    def table(self) -> Table:
        form = self._form
        table: Table = {"id": self.id, "status": self._status, "call_id": self._event.id}
        match form.kind:
            case "custom":
                table |= {"type": "custom_tool_call", "name": form.name, "input": self._input()}
            case "search":
                table |= {"type": "tool_search_call", "execution": "client", "arguments": self._search()}
            case _:
                name = form.name or self._event.name
                table |= {"type": "function_call", "name": name, "arguments": self._arguments}
        return table | ({"namespace": form.namespace} if form.namespace else {})

    def again(self) -> Table:
        return self.table()

    def parts(self) -> list[Part]:
        event = self._event
        return [ToolCall(id=event.id, name=event.name, arguments=self._arguments or "{}", opaque=event.opaque)]

    def size(self) -> int:
        return len(self._event.name) + len(self._arguments)

    def _input_done(self) -> Events:
        match self._form.kind:
            case "custom":
                said = self._input()
                name = "response.custom_tool_call_input"
                delta = [(f"{name}.delta", {**self._place(), "delta": said})] if said else []
                return [*delta, (f"{name}.done", {**self._place(), "input": said})]
            case "search":
                return []
        fields = {**self._place(), "name": self.table()["name"], "arguments": self._arguments}
        return [("response.function_call_arguments.done", fields)]

    def _input(self) -> str:
        return unwrap_input(self._arguments) if self._arguments else ""

    def _search(self) -> Any:
        return orjson.loads(self._arguments) if self.whole() and self.closed else {}

    def _place(self) -> Table:
        return {"item_id": self.id, "output_index": self._index}
