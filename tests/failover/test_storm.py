"""Ten minutes of everything at once in virtual time: random faults, random callers. Each answer is whole or ends in an
error, and when all is over nothing is held."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fakes.lab import DIALECTS, Caller, Lab, heard, toml_of
from fakes.memory_transport import (
    EVENT_STREAM,
    SILENCE,
    Asked,
    Step,
    Told,
    broken,
    failing,
    refusal,
    silent,
    streamed,
)
from fakes.speaker import is_continuation, partial, repeated, spoken
from fakes.upstream import frame
from fakes.virtual_time import run

NAMES = ("north", "east", "south", "west")
REQUESTS = 250
ARGUMENTS = {"city": "Lisbon", "words": "x" * 50}


def text_of(number: int) -> str:
    return " ".join(f"w{number}x{at}" for at in range(10 + number % 30)) + "."


def world(draw: random.Random, met: Counter[str]) -> Callable[[Asked], Told]:
    """An entry for every provider."""

    def entry(asked: Asked) -> Told:
        question = next(one["content"] for one in asked.body["messages"] if one["role"] == "user")
        text = text_of(int(str(question).split()[-1]))
        calls: list[tuple[str, object]] = [("note", ARGUMENTS)] if asked.body.get("tools") else []
        said = "" if calls else text
        if is_continuation(asked):
            said = repeated(asked, text)
            if draw.random() < 0.1:
                met["starts over"] += 1
                said = text
            assert text.startswith(partial(asked))
        kind = draw.choices(KINDS, WEIGHTS)[0]
        met[kind] += 1
        frames: list[bytes] = [frame(chunk) for chunk in spoken(said, calls, draw.randint(3, 15))]
        return told(kind, frames, draw) if asked.body.get("stream") else whole(kind, said, calls)

    return entry


SIMPLE = {
    "429": lambda: refusal(429, "slow down", {"retry-after": "20"}),
    "500": lambda: refusal(500),
    "503": lambda: refusal(503),
    "refused": lambda: failing("connect"),
    "reset": lambda: failing("closed"),
    "silent": silent,
}
KINDS = ("well", *SIMPLE, "cut", "stall", "drip", "slow", "no done", "malformed", "empty", "error")
WEIGHTS = (50, 4, 3, 4, 3, 3, 2, 9, 3, 2, 4, 3, 3, 2, 3)


def told(kind: str, frames: list[bytes], draw: random.Random) -> Told:
    if kind in SIMPLE:
        return SIMPLE[kind]()
    place = draw.randrange(len(frames))
    steps: list[Step] = []
    for one in frames:
        steps += [one, draw.uniform(0.0, 0.2)]
    done: list[Step] = [b"data: [DONE]\n\n"]
    match kind:
        case "cut":
            steps = [*steps[: 2 * place], broken()]
        case "stall":
            steps = [*steps[: 2 * place], SILENCE]
        case "drip":
            dripping: list[Step] = [b": x\n\n", 5.0] * 100
            steps = [*steps[: 2 * place], *dripping]
        case "slow":
            steps = [draw.uniform(1, 9), *steps, *done]
        case "malformed":
            steps = [*steps[: 2 * place], b'data: {"choi\n\n', *steps[2 * place :], *done]
        case "empty":
            steps = [frames[0], frames[-1], *done]
        case "error":
            steps = [*steps[: 2 * place], b'data: {"error": {"message": "failed", "code": 500}}\n\n']
        case "well":
            steps += done
    return Told(headers=EVENT_STREAM, steps=steps)


def whole(kind: str, said: str, calls: list[tuple[str, object]]) -> Told:
    if kind in SIMPLE:
        return SIMPLE[kind]()
    return streamed(spoken(said, calls, 10))


async def one_request(lab: Lab, number: int, draw: random.Random, told: Counter[str]) -> None:
    await asyncio.sleep(draw.uniform(0, 600))
    dialect, stream, leaves = draw.choice(DIALECTS), draw.random() < 0.7, draw.random() < 0.1
    more: dict[str, Any] = {"tools": tools(dialect)} if draw.random() < 0.25 else {}
    caller: Caller = lab.begin(dialect, f"question {number}", stream=stream, model="auto", **more)
    if leaves:
        await asyncio.sleep(draw.uniform(0, 12))
        caller.left.set()
    await caller.task
    if caller.left.is_set():
        told["left"] += 1
        return
    got = heard(dialect, caller)
    if got.error is not None:
        told["error"] += 1
        assert got.finish is None
        assert not got.calls
        assert text_of(number).startswith(got.text)
        return
    told["whole"] += 1
    assert got.finish is not None
    if more:
        assert (got.text, got.calls) == ("", [("note", ARGUMENTS)])
    else:
        assert got.text == text_of(number)


def tools(dialect: str) -> list[dict[str, object]]:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    if dialect == "anthropic":
        return [{"name": "note", "input_schema": schema}]
    return [{"type": "function", "function": {"name": "note", "parameters": schema}}]


@pytest.mark.parametrize("seed", range(6))
def test_storm_leaves_whole_answers_and_nothing_held(seed: int):
    async def main() -> None:
        draw, met, told = random.Random(seed), Counter[str](), Counter[str]()
        lab = Lab(toml_of(*NAMES, facts="limits = { rpm = 40 }"))
        for name in NAMES:
            lab.up.script(name, world(draw, met))
        await asyncio.gather(*(one_request(lab, number, draw, told) for number in range(REQUESTS)))
        await asyncio.sleep(1)
        assert told["whole"] >= 0.97 * (REQUESTS - told["left"]), f"{told} of {met}"
        assert not lab.up.open
        assert lab.app.runtime.engine.open == 0
        assert lab.app.runtime.engine.room.waiting == []
        assert lab.app.runtime.pool.ledger.open_leases == 0
        assert len(asyncio.all_tasks()) == 1

    run(main)
