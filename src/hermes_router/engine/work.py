"""What an attempt is about: a chat request or one batch of an embedding request. The loop knows only this."""

from __future__ import annotations

from typing import Protocol

import msgspec

from ..core.request import EmbeddingRequest, Request
from ..pool.states import DeploymentState
from ..routing.needs import Needs
from ..settings import Settings
from ..transport.base import HttpRequest
from ..wires.base import Reader
from .budget import cost, output_budget, reserve
from .deadlines import Deadlines, deadlines
from .screens import OutputCap, Screen
from .toolcalls import WholeCalls

_ONE_PIECE_SECONDS = 4.0


class Work(Protocol):
    """``shows_reasoning``: thinking is output to this caller, so it commits a stream."""

    needs: Needs
    shows_reasoning: bool

    def cost(self, state: DeploymentState) -> int:
        """Tokens to hold."""
        ...

    def write(self, state: DeploymentState) -> HttpRequest: ...

    def reader(self, state: DeploymentState, content_type: str, now: float) -> Reader: ...

    def deadlines(self, state: DeploymentState) -> Deadlines: ...

    def screens(self, state: DeploymentState) -> list[Screen]: ...


class ChatWork:
    """A chat request. It is streamed from the provider wherever it may take long, whoever asked: only a stream shows
    that something is still coming."""

    def __init__(self, request: Request, needs: Needs, settings: Settings) -> None:
        self.request = request
        self.needs = needs
        self.shows_reasoning = request.stream and request.thinking.show
        self._settings = settings

    def cost(self, state: DeploymentState) -> int:
        return cost(self.request, self.needs, state, self._settings)

    def write(self, state: DeploymentState) -> HttpRequest:
        request = self.request
        stream = request.stream or not self._comes_in_one_piece(state)
        if stream != request.stream:
            request = msgspec.structs.replace(request, stream=stream)
        budget = output_budget(request, self.needs, state, self._settings)
        return state.deployment.wire.chat(request, state.target, max_output=budget)

    def reader(self, state: DeploymentState, content_type: str, now: float) -> Reader:
        return state.deployment.wire.chat_reader(state.target, content_type=content_type, now=now)

    def deadlines(self, state: DeploymentState) -> Deadlines:
        alone = not self.request.stream and self._comes_in_one_piece(state)
        return deadlines(state, self._settings, extra=_ONE_PIECE_SECONDS if alone else 0.0)

    def screens(self, state: DeploymentState) -> list[Screen]:
        screens: list[Screen] = []
        if self.request.tools and self._settings.tool_calls == "whole":
            screens.append(WholeCalls(self.request.tools))
        if self.request.max_output and reserve(self.request, state, self._settings):
            screens.append(OutputCap(self.request.max_output))
        return screens

    def _comes_in_one_piece(self, state: DeploymentState) -> bool:
        request, target = self.request, state.deployment.target
        if request.response_format and target.quirks.schema_with_stream is False:
            return True
        if target.model.reasoning or not request.max_output:
            return False
        return request.max_output / state.model.latency.rate <= _ONE_PIECE_SECONDS


class EmbedWork:
    """One batch of texts."""

    shows_reasoning = False

    def __init__(self, request: EmbeddingRequest, needs: Needs, settings: Settings) -> None:
        self.request = request
        self.needs = needs
        self._settings = settings

    def cost(self, state: DeploymentState) -> int:
        return self.needs.input

    def write(self, state: DeploymentState) -> HttpRequest:
        return state.deployment.wire.embed(self.request, state.target)

    def reader(self, state: DeploymentState, content_type: str, now: float) -> Reader:
        return state.deployment.wire.embed_reader(state.target, content_type=content_type, now=now)

    def deadlines(self, state: DeploymentState) -> Deadlines:
        return deadlines(state, self._settings, extra=_ONE_PIECE_SECONDS + self.needs.input / 1000)

    def screens(self, state: DeploymentState) -> list[Screen]:
        return []
