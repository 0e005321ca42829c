"""One simulated provider: a request's bytes in, a reply out, its own limits kept. No I/O; time is passed in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from ..catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec
from . import wire
from .answer import answer, attached, prompt_tokens, words
from .meter import Meter, Refusal
from .traits import enforced, traits_of
from .vectors import vector
from .wire import Piece

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_PARTS = {"image_url": "vision", "file": "documents", "input_audio": "audio"}


class Reply(msgspec.Struct, frozen=True):
    """``pause`` is seconds to the head, ``rate`` words per second after it."""

    status: int
    headers: dict[str, str]
    pieces: Iterable[Piece]
    pause: float
    rate: float


class Problem(Exception):
    """A refusal of the request, as OpenAI's API puts it."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = wire.error(message, "invalid_request_error", code, param)


class SimulatedProvider:
    """``ask`` answers a POST below ``base_url``."""

    def __init__(self, name: str, spec: ProviderSpec) -> None:
        self.name = name
        self._traits = traits_of(name)
        self._models = {model.id: model for model in spec.models or ()}
        self._embedders = {embed.id: embed for embed in spec.embeddings}
        limits = {model.id: enforced(name, spec, model.limits) for model in self._models.values()}
        limits |= {embed.id: embed.limits for embed in self._embedders.values()}
        self._meters = {id_: Meter(one) for id_, one in limits.items()}

    def ask(self, path: str, body: bytes, now: float) -> Reply:
        """The reply to a request for ``path`` (``/chat/completions``, ``/embeddings``, ``/models``)."""
        digest = hashlib.sha256(body).digest()
        least, most = self._traits.first
        pause = least + (most - least) * digest[0] / 255
        try:
            status, headers, pieces = self._reply(path, body, digest.hex(), now)
        except Problem as problem:
            status, headers, pieces = problem.status, {}, [Piece(problem.body)]
        return Reply(status, {"content-type": _JSON} | headers, pieces, pause, self._traits.rate)

    def _reply(self, path: str, raw: bytes, digest: str, now: float) -> tuple[int, dict[str, str], Iterable[Piece]]:
        if path == "/models":
            rows = [{"id": id_, "object": "model", "owned_by": self.name} for id_ in self._meters]
            return 200, {}, [Piece(orjson.dumps({"object": "list", "data": rows}))]
        body = _table(raw)
        if path == "/chat/completions":
            return self._chat(body, f"chatcmpl-{digest[:24]}", now)
        if path == "/embeddings":
            return self._embed(body, now)
        raise Problem(404, f"Unknown request URL: POST {path}", code="unknown_url")

    def _chat(self, body: dict[str, Any], id_: str, now: float) -> tuple[int, dict[str, str], Iterable[Piece]]:
        model = self._models.get(str(body.get("model")))
        if model is None:
            raise Problem(404, f"The model `{body.get('model')}` does not exist.", code="model_not_found")
        _check(body, model)
        refusal = self._meters[model.id].admit(prompt_tokens(body), now)
        if refusal is not None:
            return _refused(model.id, refusal)
        said = answer(body, reasons=bool(model.reasoning))
        headers = self._announced(model.id, now)
        if not body.get("stream"):
            return 200, headers, wire.whole(said, id_, model.id)
        include = bool((body.get("stream_options") or {}).get("include_usage"))
        pieces = wire.stream(said, id_, model.id, include_usage=include)
        return 200, {**headers, "content-type": _EVENTS}, pieces

    def _embed(self, body: dict[str, Any], now: float) -> tuple[int, dict[str, str], Iterable[Piece]]:
        spec = self._embedders.get(str(body.get("model")))
        if spec is None:
            raise Problem(404, f"The model `{body.get('model')}` does not exist.", code="model_not_found")
        inputs = _inputs(body, spec)
        tokens = sum(len(words(one)) if isinstance(one, str) else len(one) for one in inputs)
        refusal = self._meters[spec.id].admit(tokens, now)
        if refusal is not None:
            return _refused(spec.id, refusal)
        size = _size(body, spec)
        return 200, {}, [wire.embeddings((vector(one, size) for one in inputs), spec.id, tokens)]

    def _announced(self, model: str, now: float) -> dict[str, str]:
        meter = self._meters[model]
        if not self._traits.announces or not meter.limits.rpm:
            return {}
        left, reset = meter.left(now)
        return {
            "x-ratelimit-limit-requests": str(meter.limits.rpm),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{reset:.2f}s",
        }


def _table(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Problem(400, "We could not parse the JSON body of your request.")
    return body


def _check(body: dict[str, Any], model: ModelSpec) -> None:
    """What a real provider looks at before it lets a model answer."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise Problem(400, "'messages' must be a list of at least one message.", param="messages")
    if body.get("tools") and model.tools is False:
        raise Problem(400, f"tool calling is not supported with {model.id}", param="tools")
    for kind in attached(messages):
        if not getattr(model, _PARTS.get(kind, ""), False):
            raise Problem(400, f"{model.id} does not take content of type {kind}.", param="messages")
    if (body.get("response_format") or {}).get("type") == "json_schema" and model.json_schema is False:
        raise Problem(400, f"response_format json_schema is not supported with {model.id}", param="response_format")
    if model.context and (size := prompt_tokens(body)) > model.context:
        said = f"This model's maximum context length is {model.context} tokens, your messages have {size} tokens."
        raise Problem(400, said, code="context_length_exceeded", param="messages")


def _inputs(body: dict[str, Any], spec: EmbedSpec) -> list[Any]:
    inputs = body.get("input")
    if isinstance(inputs, str) or (isinstance(inputs, list) and inputs and isinstance(inputs[0], int)):
        inputs = [inputs]
    if not isinstance(inputs, list) or not inputs:
        raise Problem(400, "'input' must be a string or a list of them.", param="input")
    if spec.batch and len(inputs) > spec.batch:
        raise Problem(400, f"'input' takes at most {spec.batch} items, not {len(inputs)}.", param="input")
    return inputs


def _size(body: dict[str, Any], spec: EmbedSpec) -> int:
    size = body.get("dimensions") or spec.dimensions
    if not isinstance(size, int) or not spec.sizes[0] <= size <= spec.sizes[1]:
        said = f"'dimensions' must be between {spec.sizes[0]} and {spec.sizes[1]}."
        raise Problem(400, said, param="dimensions")
    return size


def _refused(model: str, refusal: Refusal) -> tuple[int, dict[str, str], Iterable[Piece]]:
    what, kind = ("requests", "RPM") if refusal.window == "rpm" else ("tokens", "TPM")
    message = (
        f"Rate limit reached for model `{model}` on {what} per minute ({kind}): Limit {refusal.limit}, "
        f"Used {refusal.used}. Please try again in {refusal.retry_after:.2f}s."
    )
    headers = {"retry-after": str(max(1, math.ceil(refusal.retry_after)))}
    return 429, headers, [Piece(wire.error(message, what, "rate_limit_exceeded"))]
