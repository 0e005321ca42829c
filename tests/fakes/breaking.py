"""A recorded or written stream, broken off after each of its events, and another provider that is asked to go on.

``Broken`` is one case: which stream, after how many events, cut or stalled, in which dialect, and what the other does.
``problem`` runs it through the whole router in virtual time and says what is wrong with what the caller got.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from .lab import DIALECTS, Heard, Lab
from .memory_transport import EVENT_STREAM, SILENCE, Told, broken, refusal
from .plain_reader import Said, read_chat, read_messages
from .speaker import OTHER, Mode, speaker
from .virtual_time import run

How = Literal["cut", "stall"]
HOWS: tuple[How, ...] = ("cut", "stall")
ODD = frozenset({"gemini/thought_signature"})
"""Whole, though the plain reader finds no whole calls in it."""
MODES: tuple[Mode, ...] = ("repeat", "restart", "other")


class Stream(msgspec.Struct, frozen=True):
    """``provider`` by the catalogue's name; ``wire`` is openai or anthropic; ``said`` the whole answer."""

    name: str
    provider: str
    wire: str
    frames: tuple[bytes, ...]
    said: Said
    known: bool = True
    """Whether the catalogue has this provider."""


class Broken(msgspec.Struct, frozen=True):
    """One case."""

    stream: Stream
    after: int
    how: How
    dialect: str
    mode: Mode
    streamed: bool = True

    def __str__(self) -> str:
        form = "streamed" if self.streamed else "whole"
        return f"{self.stream.name} {self.how} after {self.after}, {self.dialect} {form}, the other: {self.mode}"


def stream_of(name: str, provider: str, wire: str, body: bytes, *, known: bool) -> Stream | None:
    """None where the body is no stream, or says nothing, or is not whole. One frame that is no JSON is skipped."""
    frames = split(body)
    sane = [frame for frame in frames if _is_sane(frame)]
    if len(sane) < len(frames) - 1:
        return None
    said = (read_messages if wire == "anthropic" else read_chat)(b"".join(sane).decode())
    if len(frames) < 2 or said.error or said.finish is None or said.refusal or not (said.text or said.calls):
        return None
    if any(isinstance(arguments, str) for _, arguments in said.calls) and name not in ODD:
        return None
    return Stream(name, provider, wire, frames, said, known)


def split(body: bytes) -> tuple[bytes, ...]:
    """The frames of an event stream, each with the blank line that ends it."""
    return tuple(re.findall(rb".+?(?:\r\n\r\n|\n\n|\r\r|\Z)", body, re.DOTALL))


def cases(
    stream: Stream,
    *,
    dialects: Iterable[str] = DIALECTS,
    hows: Iterable[How] = HOWS,
    modes: Iterable[Mode] = MODES,
    streamed: bool = True,
) -> Iterator[Broken]:
    """Every place, in every way."""
    hows, modes = tuple(hows), tuple(modes)
    for dialect in dialects:
        for after in range(len(stream.frames) + 1):
            for how in hows:
                for mode in modes:
                    yield Broken(stream, after, how, dialect, mode, streamed)


def problem(case: Broken) -> str | None:
    """What is wrong with the caller's answer; None where it is as it must be."""
    try:
        heard = run(lambda: _ask(case))
    except AssertionError as error:
        return f"{type(error).__name__}: {error}"
    return judge(case, heard)


def judge(case: Broken, heard: Heard) -> str | None:
    """The whole answer exactly once, or an error without an ending."""
    said = case.stream.said
    if heard.error is not None:
        if heard.finish is not None:
            return "an ending after an error"
        if heard.calls:
            return "calls before an error"
        if not said.text.startswith(heard.text):
            return f"an error after words that were never said: {heard.text!r}"
        return None if case.mode == "other" else f"an error: {heard.error.get('message')}"
    if heard.finish is None:
        return "neither an ending nor an error"
    if (heard.text, heard.calls) == (said.text, said.calls):
        return None
    if case.mode == "other" and heard.text == OTHER and not heard.calls:
        return None
    return f"it got {heard.text!r} {heard.calls!r} instead of {said.text!r} {said.calls!r}"


async def _ask(case: Broken) -> Heard:
    stream, said = case.stream, case.stream.said
    lab = Lab(_toml(stream))
    body = list(stream.frames[: case.after])
    end = broken() if case.how == "cut" else SILENCE
    first = Told(headers=EVENT_STREAM, steps=[*body, end])
    lab.up.script("first", first, refusal(503))
    lab.up.script("second", speaker(said.text, said.calls, mode=case.mode, step=11))
    more: dict[str, Any] = {"tools": _tools(case.dialect, said)} if said.calls else {}
    headers = {"x-hermes-max-wait": "20"}
    heard = await lab.ask(case.dialect, stream=case.streamed, headers=headers, **more)
    assert not lab.up.open, "an upstream was left open"
    assert lab.app.runtime.engine.open == 0
    assert lab.app.runtime.pool.ledger.open_leases == 0
    return heard


def _toml(stream: Stream) -> str:
    wire = "" if stream.known else f'wire = "{stream.wire}"\n'
    return (
        f'[providers.{stream.provider}]\n{wire}base_url = "http://first.test/v1"\nkeys = ["k-test-1"]\n'
        f'[[providers.{stream.provider}.models]]\nid = "m"\ntools = true\nparallel_tools = true\n'
        '[providers.other]\nwire = "openai"\nbase_url = "http://second.test/v1"\nkeys = ["k-test-2"]\n'
        '[[providers.other.models]]\nid = "m"\ntools = true\nparallel_tools = true\n'
        f'[aliases]\nchain = ["{stream.provider}/m", "other/m"]\n'
    )


def _tools(dialect: str, said: Said) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for name, _ in said.calls)
    if dialect == "anthropic":
        return [{"name": name, "input_schema": {"type": "object"}} for name in names]
    return [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names]


def _is_sane(frame: bytes) -> bool:
    lines = re.findall(rb"^data: ?(.*?)\r?$", frame, re.MULTILINE)
    try:
        for line in lines:
            if line.strip() not in (b"", b"[DONE]"):
                json.loads(line)
    except json.JSONDecodeError:
        return False
    return True
