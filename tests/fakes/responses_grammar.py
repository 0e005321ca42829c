"""Checks a stream of Responses events, as sent by the API or by us: framing, numbers, states and fields.

Source: OpenAI API reference, "Streaming events" (2025-11), and what recorded streams of the API show. Items may be open
side by side, since every event says which one it is about; nothing else is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from hermes_router.sse import SseParser

Event = dict[str, Any]

_ENDS = {"completed": "completed", "incomplete": "incomplete", "failed": "failed"}
_RESPONSE_FIELDS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "created_at": (int, float),
    "status": (str,),
    "error": (dict, type(None)),
    "incomplete_details": (dict, type(None)),
    "instructions": (str, list, type(None)),
    "metadata": (dict, type(None)),
    "model": (str,),
    "output": (list,),
    "parallel_tool_calls": (bool,),
    "temperature": (int, float, type(None)),
    "tool_choice": (str, dict),
    "tools": (list,),
    "top_p": (int, float, type(None)),
    "usage": (dict, type(None)),
}
_STRINGS: dict[str, tuple[str, ...]] = {
    "message": ("id", "status", "role"),
    "reasoning": ("id",),
    "function_call": ("id", "call_id", "name", "arguments"),
    "custom_tool_call": ("id", "call_id", "name", "input"),
    "tool_search_call": ("id", "execution", "status"),
}
_PREFIXES = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_", "custom_tool_call": "ctc_"}
_CODES = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}


class BadStream(AssertionError):
    """The stream breaks the grammar."""


def check_responses_stream(raw: bytes) -> list[Event]:
    """The events of one stream of ``POST /v1/responses``, to its end. Raises BadStream with the number of the event."""
    _require(raw.endswith(b"\n\n"), "the last frame is not closed")
    grammar = _Grammar()
    for number, frame in enumerate(SseParser().feed(raw)):
        try:
            grammar.take(frame.event, orjson.loads(frame.data))
        except (BadStream, KeyError, TypeError) as error:
            raise BadStream(f"event {number}: {error!r}: {frame.data[:300]!r}") from None
    _require(grammar.over, "the stream has no end")
    return grammar.events


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise BadStream(problem)


class _Item:
    """One item of the output, open or done."""

    def __init__(self, item: Event) -> None:
        self.given = item
        self.done: Event | None = None
        self.parts: list[Event] = []
        self.open_part: int | None = None
        self.said = ""
        self.said_done = False
        self.summaries: list[Event] = []
        self.summary_open = False


class _Grammar:
    """Where a stream stands."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.over = False
        self._phase = ""
        self._id = ""
        self._error = False
        self._items: list[_Item] = []

    def take(self, name: str, event: Event) -> None:
        _require(not self.over, "something follows the end")
        _require(name == event["type"], f"the frame is named {name!r}")
        _require(event["sequence_number"] == len(self.events), f"number {len(self.events)} was due")
        _require(not self._error or name == "response.failed", "only response.failed follows an error")
        self._take(name, event)
        self.events.append(event)

    def _take(self, name: str, event: Event) -> None:
        short = name.removeprefix("response.")
        if name == "error":
            self._failed(event)
        elif short in ("created", "queued", "in_progress"):
            self._lifecycle(short, event)
        elif short in _ENDS:
            self._end(short, event)
        else:
            _require(self._phase != "", f"{name} before response.created")
            self._inside(short, event)

    def _inside(self, name: str, event: Event) -> None:
        if name == "output_item.added":
            self._added(event)
            return
        item = self._item(event)
        if name == "output_item.done":
            self._done(item, event)
        elif name.partition(".")[0].endswith("_call") or name.startswith("mcp_list_tools."):
            pass  # progress of a hosted tool
        elif name.startswith(("image_generation_call.", "code_interpreter_call", "mcp_call")):
            pass
        else:
            _require(name in _STEPS, f"unknown event response.{name}")
            _STEPS[name](self, item, event)

    def _item(self, event: Event) -> _Item:
        index = event["output_index"]
        _require(0 <= index < len(self._items), f"no item {index}")
        item = self._items[index]
        _require(item.done is None, f"item {index} is done already")
        if "item_id" in event:
            _require(event["item_id"] == item.given["id"], "item_id is another item's")
        return item

    def _lifecycle(self, name: str, event: Event) -> None:
        due = {"": ("created",), "created": ("queued", "in_progress"), "queued": ("in_progress",)}
        _require(name in due.get(self._phase, ()), f"response.{name} after {self._phase or 'nothing'}")
        response = event["response"]
        self._response(response)
        _require(response["status"] in ("in_progress", "queued"), "the status is that of a beginning")
        _require(response["output"] == [] and response["usage"] is None, "nothing is there yet")
        self._phase = name

    def _response(self, response: Event) -> None:
        for field, types in _RESPONSE_FIELDS.items():
            _require(field in response, f"response.{field} is missing")
            _require(isinstance(response[field], types), f"response.{field} is of a wrong type")
        _require(response["object"] == "response", "object is response")
        _require(response["id"].startswith("resp_"), "id starts with resp_")
        _require(self._id in ("", response["id"]), "the id changes")
        self._id = response["id"]

    def _failed(self, event: Event) -> None:
        """The reference puts code, message and param into the event; the API puts them into ``error`` (recorded)."""
        error = event.get("error", event)
        _require({"code", "message", "param"} <= set(error), "an error has code, message and param")
        _require(isinstance(error["message"], str) and error["message"] != "", "an error has a message")
        self._error = True

    def _end(self, name: str, event: Event) -> None:
        _require(self._phase == "in_progress", f"response.{name} before response.in_progress")
        response = event["response"]
        self._response(response)
        _require(response["status"] == _ENDS[name], "the status is not that of the event")
        if name == "failed":
            _require({"code", "message"} <= set(response["error"] or ()), "response.error has code and message")
        else:
            _require(not self._error, f"response.{name} after an error")
            self._whole(response)
        incomplete = response["incomplete_details"]
        _require((incomplete is not None) == (name == "incomplete"), "incomplete_details belong to incomplete")
        if incomplete:
            _require(incomplete["reason"] in ("max_output_tokens", "content_filter"), "the reason is one of the API's")
        self.over = True

    def _whole(self, response: Event) -> None:
        _require(response["error"] is None, "response.error is set")
        usage = response["usage"]
        _require(usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"], "total_tokens is not the sum")
        _require(isinstance(usage["input_tokens_details"]["cached_tokens"], int), "cached_tokens is missing")
        _require(isinstance(usage["output_tokens_details"]["reasoning_tokens"], int), "reasoning_tokens is missing")
        undone = [at for at, item in enumerate(self._items) if item.done is None and item.given["type"] in _STRINGS]
        _require(undone == [], f"items {undone} are not done")
        _require(len(response["output"]) == len(self._items), "the output has other items than were sent")
        for item, final in zip(self._items, response["output"], strict=True):
            # A hosted tool's item may end without a word (recorded: mcp_list_tools).
            _require(item.done is None or _same(item.done, final), f"{final['id']} is not what was sent")

    def _added(self, event: Event) -> None:
        _require(self._phase == "in_progress", "an item before response.in_progress")
        _require(event["output_index"] == len(self._items), f"output_index {len(self._items)} was due")
        item = event["item"]
        _check_item(item)
        _require(item.get("status", "in_progress") in ("in_progress", "generating"), "a new item is in progress")
        _require(item.get("content") in ([], None), "a new item is empty")
        _require(item.get("arguments", "") in ("", {}) and item.get("input", "") == "", "a new call is empty")
        _require(item.get("summary", []) == [], "a new item has no summary")
        _require(all(item["id"] != other.given["id"] for other in self._items), "the id is another item's")
        self._items.append(_Item(item))

    def _done(self, item: _Item, event: Event) -> None:
        final = event["item"]
        _check_item(final)
        for field in ("id", "type", "call_id", "name", "role"):
            _require(final.get(field) == item.given.get(field), f"{field} changes")
        # A call that a hosted program makes is done while the program waits for it (recorded).
        waiting = ("in_progress",) if (final.get("caller") or {}).get("type") == "program" else ()
        ends = ("completed", "incomplete", "failed", *waiting)
        _require(final.get("status", "completed") in ends, "the item is not done")
        _require(item.open_part is None and not item.summary_open, "a part of it is not done")
        if final["type"] == "message":
            said = [_bare(part) for part in item.parts]
            _require([_bare(part) for part in final["content"]] == said, "its content is not what was sent")
        if final["type"] == "reasoning" and item.summaries:
            _require(final["summary"] == item.summaries, "its summary is not what was sent")
        if final["type"] == "function_call" and final["status"] == "completed":
            _require(item.said_done and final["arguments"] == item.said, "its arguments are not what was sent")
            _require(isinstance(orjson.loads(final["arguments"]), dict), "its arguments are not an object")
        if final["type"] == "custom_tool_call":
            _require(item.said_done and final["input"] == item.said, "its input is not what was sent")
        item.done = final

    def part_added(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] in ("message", "reasoning"), "such an item has no parts")
        _require(item.open_part is None, "a part is open already")
        _require(event["content_index"] == len(item.parts), f"content_index {len(item.parts)} was due")
        part = event["part"]
        _check_part(part, item)
        _require(part[_CODES[part["type"]]] == "", "a new part is empty")
        item.parts.append(dict(part))
        item.open_part = event["content_index"]
        item.said, item.said_done = "", False

    def _part(self, item: _Item, event: Event, kind: str) -> Event:
        _require(item.open_part == event["content_index"], "that part is not open")
        part = item.parts[-1]
        _require(part["type"] == kind, f"the open part is {part['type']}")
        return part

    def text_delta(self, item: _Item, event: Event) -> None:
        self._part(item, event, "output_text")
        _require(isinstance(event["logprobs"], list), "logprobs is a list")
        _say(item, event)

    def refusal_delta(self, item: _Item, event: Event) -> None:
        self._part(item, event, "refusal")
        _say(item, event)

    def text_done(self, item: _Item, event: Event) -> None:
        self._part(item, event, "output_text")
        _require(isinstance(event["logprobs"], list), "logprobs is a list")
        _said(item, event["text"])

    def refusal_done(self, item: _Item, event: Event) -> None:
        self._part(item, event, "refusal")
        _said(item, event["refusal"])

    def annotation(self, item: _Item, event: Event) -> None:
        part = self._part(item, event, "output_text")
        _require(event["annotation_index"] == len(part["annotations"]), "annotation_index counts up")
        part["annotations"] = [*part["annotations"], event["annotation"]]

    def part_done(self, item: _Item, event: Event) -> None:
        final = event["part"]
        _check_part(final, item)
        part = self._part(item, event, final["type"])
        _require(item.said_done, "the part's text is not done")
        _require(final[_CODES[final["type"]]] == item.said, "the part is not what was sent")
        _require(len(final.get("annotations", ())) == len(part.get("annotations", ())), "its annotations were not sent")
        item.parts[-1] = final
        item.open_part = None

    def reasoning_delta(self, item: _Item, event: Event) -> None:
        self._part(item, event, "reasoning_text")
        _say(item, event)

    def reasoning_done(self, item: _Item, event: Event) -> None:
        self._part(item, event, "reasoning_text")
        _said(item, event["text"])

    def summary_added(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] == "reasoning" and not item.summary_open, "no summary can begin here")
        _require(event["summary_index"] == len(item.summaries), f"summary_index {len(item.summaries)} was due")
        _require(event["part"] == {"type": "summary_text", "text": ""}, "a new summary is empty")
        item.summaries.append(event["part"])
        item.summary_open, item.said, item.said_done = True, "", False

    def summary_delta(self, item: _Item, event: Event) -> None:
        self._summary(item, event)
        _say(item, event)

    def summary_text_done(self, item: _Item, event: Event) -> None:
        self._summary(item, event)
        _said(item, event["text"])

    def summary_done(self, item: _Item, event: Event) -> None:
        self._summary(item, event)
        _require(item.said_done, "the summary's text is not done")
        _require(event["part"] == {"type": "summary_text", "text": item.said}, "the summary is not what was sent")
        item.summaries[-1] = event["part"]
        item.summary_open = False

    def _summary(self, item: _Item, event: Event) -> None:
        _require(item.summary_open and event["summary_index"] == len(item.summaries) - 1, "no such summary is open")

    def arguments_delta(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] == "function_call", "the item is no function_call")
        _say(item, event)

    def arguments_done(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] == "function_call", "the item is no function_call")
        _require(event.get("name", item.given["name"]) == item.given["name"], "the name changes")
        _said(item, event["arguments"])

    def input_delta(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] == "custom_tool_call", "the item is no custom_tool_call")
        _say(item, event)

    def input_done(self, item: _Item, event: Event) -> None:
        _require(item.given["type"] == "custom_tool_call", "the item is no custom_tool_call")
        _said(item, event["input"])


def _say(item: _Item, event: Event) -> None:
    _require("item_id" in event, "item_id is missing")
    _require(isinstance(event["delta"], str), "delta is text")
    _require(not item.said_done, "a delta after done")
    item.said += event["delta"]


def _said(item: _Item, whole: str) -> None:
    _require(not item.said_done, "done comes once")
    _require(whole == item.said, f"done says {whole[:80]!r}, the deltas said {item.said[:80]!r}")
    item.said_done = True


def _check_item(item: Event) -> None:
    kind = item["type"]
    for field in _STRINGS.get(kind, ("id",)):
        _require(isinstance(item.get(field), str), f"{kind}.{field} is missing or no text")
    _require(item["id"].startswith(_PREFIXES.get(kind, "")), f"the id of a {kind} starts with {_PREFIXES.get(kind)}")
    if kind == "message":
        _require(item["role"] == "assistant" and isinstance(item["content"], list), "a message is the assistant's")
    if kind == "reasoning":
        _require(isinstance(item["summary"], list), "reasoning has a summary")


def _check_part(part: Event, item: _Item) -> None:
    allowed = ("output_text", "refusal") if item.given["type"] == "message" else ("reasoning_text",)
    _require(part["type"] in allowed, f"{part['type']} in a {item.given['type']}")
    _require(isinstance(part[_CODES[part["type"]]], str), "a part has its text")
    if part["type"] == "output_text":
        _require(isinstance(part["annotations"], list), "annotations is a list")


def _bare(part: Event) -> Event:
    """``logprobs`` are rounded in some places and left out in others (recorded)."""
    return {name: value for name, value in part.items() if name != "logprobs"}


def _same(done: Event, final: Event) -> bool:
    """``encrypted_content`` may differ between the two (recorded)."""
    return {**done, "encrypted_content": None} == {**final, "encrypted_content": None}


_STEPS: dict[str, Callable[[_Grammar, _Item, Event], None]] = {
    "content_part.added": _Grammar.part_added,
    "content_part.done": _Grammar.part_done,
    "output_text.delta": _Grammar.text_delta,
    "output_text.done": _Grammar.text_done,
    "output_text.annotation.added": _Grammar.annotation,
    "refusal.delta": _Grammar.refusal_delta,
    "refusal.done": _Grammar.refusal_done,
    "reasoning_text.delta": _Grammar.reasoning_delta,
    "reasoning_text.done": _Grammar.reasoning_done,
    "reasoning_summary_part.added": _Grammar.summary_added,
    "reasoning_summary_part.done": _Grammar.summary_done,
    "reasoning_summary_text.delta": _Grammar.summary_delta,
    "reasoning_summary_text.done": _Grammar.summary_text_done,
    "function_call_arguments.delta": _Grammar.arguments_delta,
    "function_call_arguments.done": _Grammar.arguments_done,
    "custom_tool_call_input.delta": _Grammar.input_delta,
    "custom_tool_call_input.done": _Grammar.input_done,
}
