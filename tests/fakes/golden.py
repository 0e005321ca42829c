"""Golden transcripts: what one dialect and one wire make of a request and of an answer, byte for byte.

A case is a folder ``tests/golden/<dialect>-<wire>/<case>``. Given are ``request.json`` (what a caller sends) and
``upstream.sse`` (what a provider answers); made of them are ``upstream.json`` (what is sent upstream), ``client.sse``
(what a streaming caller gets) and, where the answer is whole, ``client.json`` (what another one gets). JSON is laid out
for people; its values and the order of its fields are as sent. ``python tests/golden/rewrite.py`` makes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import orjson

from hermes_router.catalogue.schema import Auth, ModelSpec, ProviderSpec, Quirks
from hermes_router.core.errors import Exhausted
from hermes_router.core.events import Event, Failed
from hermes_router.core.fold import fold_all
from hermes_router.core.request import Request
from hermes_router.dialects.anthropic import AnthropicMessages
from hermes_router.dialects.base import Dialect, Served
from hermes_router.dialects.openai_chat import OpenAIChat
from hermes_router.dialects.responses import OpenAIResponses
from hermes_router.wires.base import Target
from hermes_router.wires.registry import WIRES

FOLDER = Path(__file__).parent.parent / "golden"
DIALECTS: dict[str, Dialect] = {
    "openai": OpenAIChat(),
    "anthropic": AnthropicMessages(),
    "responses": OpenAIResponses(),
}
MADE = ("upstream.json", "client.sse", "client.json")
_SERVED = Served(id="0001", provider="golden", model="model-1", created=1_790_000_000, input_estimate=7)
_AUTHS = {"openai": Auth(), "anthropic": Auth(header="x-api-key", scheme="")}


def cases() -> list[str]:
    """``<dialect>-<wire>/<case>``, all of them."""
    return sorted(path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*-*/*/request.json"))


def make(case: str) -> dict[str, str]:
    """The files that are made, by name."""
    folder = FOLDER / case
    dialect_name, _, wire_name = folder.parent.name.partition("-")
    dialect, wire = DIALECTS[dialect_name], WIRES[wire_name]
    request = dialect.read((folder / "request.json").read_bytes(), {})
    target = _target(wire_name)
    sent = wire.chat(request, target, max_output=request.max_output)
    reader = wire.chat_reader(target, content_type="text/event-stream", now=0.0)
    events = reader.feed((folder / "upstream.sse").read_bytes()) + reader.end()
    upstream = {"method": sent.method, "url": sent.url, "headers": dict(sent.headers), "body": orjson.loads(sent.body)}
    made = {"upstream.json": _laid_out(upstream), "client.sse": _streamed(dialect, request, events)}
    if not isinstance(events[-1], Failed):
        made["client.json"] = _laid_out(orjson.loads(dialect.answer(request, fold_all(events), _SERVED)))
    return made


def _target(wire: str) -> Target:
    return Target(
        name="golden",
        provider=ProviderSpec(auth=_AUTHS[wire]),
        model=ModelSpec(id="model-1", context=200_000, max_output=32_000, tools=True, vision=True, reasoning=True),
        quirks=Quirks(),
        base_url="http://127.0.0.1:9/v1",
        secret="k-test-1",
    )


def _streamed(dialect: Dialect, request: Request, events: list[Event]) -> str:
    writer = dialect.stream(request, _SERVED)
    last = events[-1]
    if isinstance(last, Failed):
        said = b"".join(map(writer.write, events[:-1]))
        broken = Exhausted(f"The answer broke off: {last.fault.message}.", code="stream_interrupted")
        return (said + writer.fail(broken)).decode()
    return (b"".join(map(writer.write, events)) + writer.end()).decode()


def _laid_out(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
