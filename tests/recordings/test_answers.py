"""Every recorded answer is read alike however it is cut, says what it said, and survives being written again."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)
from pydantic import TypeAdapter

from fakes.grammar import check_anthropic_stream
from fakes.openai_grammar import check_openai_stream
from fakes.plain_reader import Said, parsed, read_chat, read_messages
from fakes.recordings import (
    Record,
    answer_bytes,
    catalogue_name,
    files,
    is_answer,
    load,
    needs_recordings,
    plain_target,
)
from hermes_router.core.events import Event, Finish, Usage
from hermes_router.core.fold import Answer, fold_all
from hermes_router.core.request import Request, Thinking
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.base import Dialect, Served
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.dialects.responses import OpenAIResponses
from hermes_router.sse import SseParser
from hermes_router.wires.registry import WIRES

pytestmark = needs_recordings

WIRE = {"chat": "openai", "messages": "anthropic"}
PLAIN = {"chat": read_chat, "messages": read_messages}
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("expected_answers.toml").read_text(encoding="utf-8")
)
SMALL = 3000
"""Bytes up to which an answer is also given byte by byte."""
CUTS = (1, 3, 20, 20)
"""How many random cuts each replay makes."""
STREAM_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
RESPONSE_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
SERVED = Served(id="1", provider="p", model="m", created=1, input_estimate=1)


def read(record: Record, *, cuts: list[int]) -> list[Event]:
    wire = WIRES[WIRE[record["endpoint"]]]
    target = plain_target(catalogue_name(record))
    content_type = record["response"]["headers"].get("content-type", "")
    reader = wire.chat_reader(target, content_type=content_type, now=0.0)
    body = answer_bytes(record)
    events = []
    for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        events += reader.feed(body[begin:end])
    return events + reader.end()


def answers(name: str) -> list[Record]:
    return [record for record in load(name) if is_answer(record)]


each_file = pytest.mark.parametrize("name", [*files("chat"), *files("messages")])


@each_file
def test_recorded_answer_is_read_alike_however_it_is_cut(name, tally):
    draw = random.Random(name)
    for record in answers(name):
        size = len(answer_bytes(record))
        whole = read(record, cuts=[])
        plans = [sorted(draw.choices(range(size), k=pieces)) for pieces in CUTS]
        if size < SMALL:
            plans.append(list(range(1, size)))
        for cuts in plans:
            assert read(record, cuts=cuts) == whole, record["id"]
        tally["answers cut, each several times"] += 1
        tally["answers cut: replays"] += len(plans)
        tally["answers cut: cuts"] += sum(map(len, plans))


@each_file
def test_recorded_answer_says_what_it_says(name, tally):
    problems = []
    for record in answers(name):
        events = read(record, cuts=[])
        plain = PLAIN[record["endpoint"]](record["response"]["body"])
        problems += [f"{record['id']}: {problem}" for problem in differences(record["id"], events, plain)]
        tally[f"answers that ended in {type(events[-1]).__name__}"] += 1
    assert problems == []


def differences(id_: str, events: list[Event], plain: Said) -> list[str]:
    """What the events say otherwise than the plain reading."""
    answer = fold_all(events)
    fault = [answer.fault.kind, answer.fault.scope] if answer.fault else None
    if fault or id_ in EXPECTED["failed"]:
        return [] if plain.error and fault == EXPECTED["failed"].get(id_) else [f"{answer.fault}"]
    calls = [(call.name, parsed(call.arguments)) for call in answer.calls.values()]
    found: dict[str, Any] = {"text": answer.text, "refusal": answer.refusal or "", "calls": calls}
    wanted = {"text": plain.text, "refusal": plain.refusal, "calls": plain.calls}
    problems = [f"{what}: {found[what]!r} for {wanted[what]!r}" for what in found if found[what] != wanted[what]]
    if not isinstance(events[-1], Finish):
        problems.append(f"ends in {events[-1]}")
    usage = answer.usage or Usage()
    # Ours counts what was cached and thought, which some leave out of their figures.
    if plain.usage and (usage.input < plain.usage[0] or usage.output < plain.usage[1]):
        problems.append(f"usage: {answer.usage} for {plain.usage}")
    return problems


@each_file
def test_recorded_answer_survives_being_written_in_every_dialect(name, tally):
    for record in answers(name):
        events = read(record, cuts=[])
        answer = fold_all(events)
        if answer.fault is not None:
            continue
        if not all(isinstance(parsed(call.arguments), dict) for call in answer.calls.values()):
            tally[f"answers not written again: {EXPECTED['unfit'][record['id']]}"] += 1
            continue
        for dialect, again in WRITTEN.items():
            for form, said in again(events, answer).items():
                assert said == meaning(answer, dialect), (record["id"], dialect, form)
        tally["answers written again, as JSON and as a stream of every dialect"] += 1


def meaning(answer: Answer, dialect: str) -> Said:
    """What is left of an answer in a dialect: Anthropic's has no place for a refusal but the text."""
    calls = [(call.name, parsed(call.arguments)) for call in answer.calls.values()]
    refusal = answer.refusal or ""
    if dialect == "anthropic":
        return Said(text=answer.text + refusal, calls=calls)
    return Said(text=answer.text, refusal=refusal, calls=calls)


def written_as_openai(events: list[Event], answer: Answer) -> dict[str, Said]:
    request = Request(dialect="openai", model="m", messages=(), include_usage=True)
    body = OpenAIChat().answer(request, answer, SERVED)
    ChatCompletion.model_validate(orjson.loads(body), strict=True)
    stream = streamed(OpenAIChat(), request, events)
    for chunk in check_openai_stream(stream, usage=True):
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return {"JSON": bare(read_chat(body.decode())), "stream": bare(read_chat(stream.decode()))}


def written_as_anthropic(events: list[Event], answer: Answer) -> dict[str, Said]:
    request = Request(dialect="anthropic", model="m", messages=(), thinking=Thinking(show=True))
    body = AnthropicMessages().answer(request, answer, SERVED)
    AnthropicMessage.model_validate(orjson.loads(body), strict=True)
    stream = streamed(AnthropicMessages(), request, events)
    for event in check_anthropic_stream(stream):
        if event["type"] != "ping":
            STREAM_EVENT.validate_python(event, strict=True)
    return {"JSON": bare(read_messages(body.decode())), "stream": bare(read_messages(stream.decode()))}


def written_as_responses(events: list[Event], answer: Answer) -> dict[str, Said]:
    request = OpenAIResponses().read(b'{"model":"m","input":"hi"}', {})
    body = OpenAIResponses().answer(request, answer, SERVED)
    whole = Response.model_validate(orjson.loads(body), strict=True)
    stream = streamed(OpenAIResponses(), request, events)
    parsed_events = [RESPONSE_EVENT.validate_json(frame.data, strict=True) for frame in SseParser().feed(stream)]
    last = parsed_events[-1]
    assert isinstance(last, ResponseCompletedEvent | ResponseIncompleteEvent)
    deltas = "".join(event.delta for event in parsed_events if isinstance(event, ResponseTextDeltaEvent))
    said = response_said(last.response)
    assert deltas == said.text
    return {"JSON": response_said(whole), "stream": said}


def response_said(response: Response) -> Said:
    said = Said(text=response.output_text)
    for item in response.output:
        if isinstance(item, ResponseOutputMessage):
            said.refusal += "".join(part.refusal for part in item.content if isinstance(part, ResponseOutputRefusal))
        elif isinstance(item, ResponseFunctionToolCall):
            said.calls.append((item.name, parsed(item.arguments)))
    return said


WRITTEN = {"openai": written_as_openai, "anthropic": written_as_anthropic, "responses": written_as_responses}


def streamed(dialect: Dialect, request: Request, events: list[Event]) -> bytes:
    writer = dialect.stream(request, SERVED)
    return b"".join(map(writer.write, events)) + writer.end()


def bare(said: Said) -> Said:
    """Without what each dialect has its own words for."""
    return Said(text=said.text, refusal=said.refusal, calls=said.calls)
