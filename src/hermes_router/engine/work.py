"""What an attempt is about: a chat request or one batch of an embedding request. The loop knows only this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from ..core.request import EmbeddingRequest, Request
from ..core.tokens import count_text
from ..pool.states import DeploymentState
from ..routing.needs import Needs
from ..settings import Settings
from ..transport.base import HttpRequest
from ..wires.base import Reader
from .budget import cost, output_budget, reserve
from .deadlines import Deadlines, deadlines
from .resume import Sent, Way, ask, can_resume, joining
from .schemas import SchemaAnswer
from .screens import OutputCap, Screen, VectorCount
from .structured import asked_again, lacks_format, may_lack_format, told
from .texttools import text_calls
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

    def in_one_piece(self, state: DeploymentState) -> bool:
        """The answer is asked for as one JSON body: its first event is its last."""
        ...

    def repairs(self) -> bool:
        """The attempt that just failed gave something that can be put right: ask once more, with what was wrong."""
        ...

    def structured(self, state: DeploymentState) -> str:
        """``native`` or ``enforced``: how the format asked for is seen to. Nothing where none was."""
        ...

    def resumable(self, sent: Sent) -> bool:
        """Whether somebody else can go on from what was sent."""
        ...

    def resumed(self, said: str, how: Way) -> Work:
        """The work of going on after ``said``; only where it is resumable."""
        ...


class ChatWork:
    """A chat request. It is streamed from the provider wherever it may take long, whoever asked: only a stream shows
    that something is still coming."""

    __slots__ = (
        "_joining",
        "_rejected",
        "_repairing",
        "_settings",
        "_tried_repair",
        "needs",
        "request",
        "shows_reasoning",
    )

    def __init__(
        self, request: Request, needs: Needs, settings: Settings, joining: Callable[[], Screen] | None = None
    ) -> None:
        self.request = request
        self.needs = needs
        # Where a format is asked for, an answer may have to be thrown away: thinking is no beginning of it.
        self.shows_reasoning = request.stream and request.thinking.show and request.response_format is None
        self._rejected: tuple[str, str] | None = None
        self._repairing: tuple[str, str] | None = None
        self._tried_repair = False
        self._settings = settings
        self._joining = joining

    def cost(self, state: DeploymentState) -> int:
        return cost(self.request, self.needs, state, self._settings)

    def write(self, state: DeploymentState) -> HttpRequest:
        request = self.request
        stream = not self.in_one_piece(state)
        if stream != request.stream:
            request = msgspec.structs.replace(request, stream=stream)
        if self._repairing is not None:
            request = asked_again(request, *self._repairing)
        if request.response_format is not None and lacks_format(self.needs, state):
            request = told(request)
        budget = output_budget(request, self.needs, state, self._settings)
        return state.deployment.wire.chat(request, state.target, max_output=budget)

    def reader(self, state: DeploymentState, content_type: str, now: float) -> Reader:
        return state.deployment.wire.chat_reader(state.target, content_type=content_type, now=now)

    def deadlines(self, state: DeploymentState) -> Deadlines:
        return deadlines(state, self._settings, _ONE_PIECE_SECONDS if self.in_one_piece(state) else 0.0)

    def screens(self, state: DeploymentState) -> list[Screen]:
        request, settings, joining = self.request, self._settings, self._joining
        screens: list[Screen] = []
        if request.tools:
            if settings.tool_calls_from_text and joining is None:
                screens += [screen for screen in (text_calls(request),) if screen is not None]
            if settings.tool_calls == "whole":
                screens.append(WholeCalls(request.tools))
        if request.response_format and (not request.stream or may_lack_format(self.needs, state)):
            loose = lacks_format(self.needs, state)
            screens.append(SchemaAnswer(request.response_format, self._reject, loose=loose))
        if joining is not None:
            screens.append(joining())
        if request.max_output and reserve(request, state, settings):
            screens.append(OutputCap(request.max_output))
        return screens

    def resumable(self, sent: Sent) -> bool:
        return can_resume(self.request, sent)

    def resumed(self, said: str, how: Way) -> ChatWork:
        request = ask(self.request, said, how)
        needs = msgspec.structs.replace(self.needs, input=self.needs.input + count_text(said))
        return ChatWork(request, needs, self._settings, lambda: joining(said, how))

    def in_one_piece(self, state: DeploymentState) -> bool:
        request = self.request
        if request.response_format and state.deployment.target.quirks.schema_with_stream is False:
            return not lacks_format(self.needs, state)
        most = request.max_output
        if request.stream or not most or state.spec.reasoning:
            return False
        return most <= state.model.latency.rate * _ONE_PIECE_SECONDS

    def repairs(self) -> bool:
        rejected, self._rejected = self._rejected, None
        if rejected is None:
            return False
        first = not self._tried_repair
        self._repairing = rejected if first else None
        self._tried_repair = True
        return first

    def structured(self, state: DeploymentState) -> str:
        if self.request.response_format is None:
            return ""
        return "enforced" if self._repairing or lacks_format(self.needs, state) else "native"

    def _reject(self, answer: str, problem: str) -> None:
        self._rejected = answer, problem


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
        return deadlines(state, self._settings, _ONE_PIECE_SECONDS + self.needs.input / 1000)

    def screens(self, state: DeploymentState) -> list[Screen]:
        return [VectorCount(len(self.request.inputs))]

    def in_one_piece(self, state: DeploymentState) -> bool:
        return True

    def repairs(self) -> bool:
        return False

    def structured(self, state: DeploymentState) -> str:
        return ""

    def resumable(self, sent: Sent) -> bool:
        return False

    def resumed(self, said: str, how: Way) -> EmbedWork:
        return self
