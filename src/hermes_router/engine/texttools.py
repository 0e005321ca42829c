"""Calls that a model writes as text become real ones, strictly: nothing but calls in the text, each of an offered
tool, with arguments that fit its schema. Everything else stays text.

Read are the forms that chat templates of open models use and that leak where a server does not know the template:
``<tool_call>{"name": .., "arguments": {..}}</tool_call>`` (Hermes, Qwen), ``<function=name>{..}</function>`` (Llama
3.1), ``[TOOL_CALLS] [{..}]`` and ``[TOOL_CALLS]name[ARGS]{..}`` (Mistral), and the same objects bare or in a JSON
fence. Sources: the templates in these models' repositories. Text is held back only while it may still be such a call,
which mostly its first character decides.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

import orjson

from ..core.events import Citations, Event, Failed, Finish, FinishReason, TextDelta, ToolCallDelta, ToolCallStart
from ..core.request import Request, Tool, ToolMode
from .toolcalls import arguments_problem

_HELD_MOST = 262_144
_NAMES = ("name", "tool", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "input", "args")
_OTHERS = ("id", "type")
_TYPES = ("function", "tool_use", "tool_call")
_TELLS = 512
"""By this many characters it is clear whether text may be a call."""
_MARKS = ("<tool_call>", "<function=", "[TOOL_CALLS]", "```", "{")
_FENCE = re.compile(r"```(?:json|tool_call|tool_code)?[ \t]*\n")
_FENCE_BEGUN = re.compile(r"```[a-z_]*[ \t]*")
_FENCE_WORDS = ("json", "tool_call", "tool_code")
_FIRST_KEY = re.compile(r'[\[\s]*\{\s*"([^"\\]*)("?)(?:\s*:\s*(?:"([^"\\]*)("?)|(\S))?)?')
_ITEM = {
    "<tool_call>": re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)\s*", re.DOTALL),
    "<function=": re.compile(r"<function=(?P<name>[^>\s]+)>\s*(.*?)\s*(?:</function>|\Z)\s*", re.DOTALL),
    "[TOOL_CALLS]": re.compile(
        r"\[TOOL_CALLS\]\s*(?P<name>[\w.-]+?)?\s*(?:\[ARGS\])?\s*([\[{].*?)\s*(?=\[TOOL_CALLS\]|\Z)", re.DOTALL
    ),
    "```": re.compile(r"```(?:json|tool_call|tool_code)?[ \t]*\n\s*(.*?)\s*```\s*", re.DOTALL),
    "{": re.compile(r"(.*)", re.DOTALL),
}


class _Call(NamedTuple):
    name: str
    arguments: dict[str, Any]


def text_calls(request: Request) -> TextCalls | None:
    """The screen for a request; None where no tool may be called."""
    choice = request.tool_choice
    if not request.tools or (choice is not None and choice.mode is ToolMode.NONE):
        return None
    tools = [tool for tool in request.tools if choice is None or choice.name in (None, tool.name)]
    return TextCalls(tools, salt=str(len(request.messages)), bare=request.response_format is None)


class TextCalls:
    """The screen. ``salt`` keeps ids of equal calls in different turns apart. ``bare``: JSON without a mark may be a
    call; not where JSON was asked for as the answer."""

    def __init__(self, tools: list[Tool], *, salt: str = "", bare: bool = True) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._salt = salt
        self._bare = bare
        self._held: list[TextDelta] = []
        self._begun = ""
        self._size = 0
        self._open = True

    def feed(self, events: list[Event]) -> list[Event]:
        if not self._open:
            return events
        out: list[Event] = []
        for event in events:
            out += self._one(event)
        return out

    def _one(self, event: Event) -> list[Event]:
        match event:
            case TextDelta() if self._open:
                self._held.append(event)
                self._size += len(event.text)
                self._begun += event.text[: _TELLS - len(self._begun)]
                return [] if self._may_be_a_call() else self._let_go()
            case ToolCallStart() | Citations():
                return [*self._let_go(), event]
            case Finish():
                return self._finish(event)
            case Failed():
                self._held, self._open = [], False
                return [event]
        return [event]

    def _let_go(self) -> list[Event]:
        held: list[Event] = [*self._held]
        self._held, self._open = [], False
        return held

    def _finish(self, finish: Finish) -> list[Event]:
        complete = finish.reason in (FinishReason.STOP, FinishReason.TOOL_CALLS, FinishReason.STOP_SEQUENCE)
        calls = self._calls() if self._held and complete else []
        if not calls:
            return [*self._let_go(), finish]
        self._held, self._open = [], False
        return [*self._events(calls), Finish(FinishReason.TOOL_CALLS, raw=finish.raw)]

    def _events(self, calls: list[_Call]) -> list[Event]:
        events: list[Event] = []
        for index, call in enumerate(calls):
            arguments = orjson.dumps(call.arguments).decode()
            digest = hashlib.sha256(f"{self._salt} {index} {call.name} {arguments}".encode()).hexdigest()
            events += [ToolCallStart(index, f"call_{digest[:24]}", call.name), ToolCallDelta(index, arguments)]
        return events

    # ---- while it comes

    def _may_be_a_call(self) -> bool:
        if len(self._begun) == _TELLS and self._size > 2 * _TELLS:
            return self._size <= _HELD_MOST
        text = self._begun.lstrip()
        if not text:
            return self._size < _TELLS
        mark = next((one for one in _MARKS if one.startswith(text[: len(one)])), None)
        if mark is None or (mark in ("{", "```") and not self._bare):
            return False
        if mark == "```":
            return self._may_be_fenced(text)
        return mark != "{" or self._may_be_object(text)

    def _may_be_fenced(self, text: str) -> bool:
        if len(text) < 3:
            return True
        begun = _FENCE.match(text)
        if begun is not None:
            return self._may_be_object(text[begun.end() :])
        word = text[3:].rstrip(" \t")
        return _FENCE_BEGUN.fullmatch(text) is not None and any(one.startswith(word) for one in _FENCE_WORDS)

    def _may_be_object(self, text: str) -> bool:
        """Whether JSON that begins like this may name a tool; its first key, or the name, tells."""
        if not text.strip("[{ \t\r\n"):
            return text.count("{") <= 1 and text.count("[") <= 1
        found = _FIRST_KEY.match(text)
        if found is None:
            return False
        key, closed, value, ended, other = found.groups()
        if not closed:
            return any(one.startswith(key) for one in (*_NAMES, *_ARGUMENTS, *_OTHERS))
        if key in _NAMES and value is not None:
            return value in self._tools if ended else any(name.startswith(value) for name in self._tools)
        if key in _NAMES and other is not None:
            return key == "function" and other == "{"
        if key == "type" and value is not None:
            return value in _TYPES if ended else any(one.startswith(value) for one in _TYPES)
        return key in (*_NAMES, *_ARGUMENTS, *_OTHERS)

    # ---- when it is complete

    def _calls(self) -> list[_Call]:
        """The calls that the text is; none where it is anything else."""
        text = "".join(delta.text for delta in self._held).strip()
        mark = next((one for one in _MARKS if text.startswith(one)), None)
        calls: list[_Call] = []
        at = 0
        while mark is not None and at < len(text):
            found = _ITEM[mark].match(text, at)
            if found is None:
                return []
            read = self._read(found[found.re.groups], found.groupdict().get("name"))
            if not read:
                return []
            calls += read
            at = found.end()
        return calls

    def _read(self, text: str, name: str | None) -> list[_Call]:
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return []
        if name is not None:
            said = {"name": name, "arguments": said}
        calls = [_call(one) for one in (said if isinstance(said, list) else [said])]
        fitting = [call for call in calls if call is not None and self._fits(call)]
        return fitting if len(fitting) == len(calls) else []

    def _fits(self, call: _Call) -> bool:
        tool = self._tools.get(call.name)
        return tool is not None and arguments_problem(tool, call.arguments) is None


def _call(said: object) -> _Call | None:
    """The call that a JSON value is: a name, arguments, perhaps an id and a type, and nothing else."""
    if not isinstance(said, dict) or said.get("type", "function") not in _TYPES:
        return None
    inner = said.get("function")
    if isinstance(inner, dict):
        return _call(inner) if said.keys() <= {"function", *_OTHERS} else None
    names = [key for key in _NAMES if key in said]
    arguments = [key for key in _ARGUMENTS if key in said]
    if len(names) != 1 or len(arguments) > 1 or said.keys() - {*names, *arguments, *_OTHERS}:
        return None
    name, given = said[names[0]], said[arguments[0]] if arguments else None
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(name, str) or not isinstance(given, dict):
        return None
    return _Call(name, given)
