"""What a wire is: it writes our requests as one upstream HTTP request and reads the answer's bytes into events.

No I/O here: bytes in, events out. A wire knows its format, quirks say how a provider deviates from it.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ..catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec, Quirks
from ..core.events import Event
from ..core.request import EmbeddingRequest, Request
from ..transport.base import HttpRequest


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes: one model of one provider with one key.

    ``quirks`` are the model's over the provider's. ``headers`` are the provider's own, already filled in.
    ``secret`` is empty for a keyless provider. ``base_url`` has no trailing slash. ``kept`` is for the wire: what it
    made once of all this; every Target begins with nothing there, also one that was made of another.
    """

    name: str
    provider: ProviderSpec
    model: ModelSpec
    quirks: Quirks
    base_url: str
    secret: str = ""
    headers: dict[str, str] = {}
    embed: EmbedSpec | None = None
    kept: dict[str, Any] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "kept", {})

    def __repr__(self) -> str:
        return f"Target({self.name}/{self.model.id})"


class Reader(Protocol):
    """Reads one answer's body, given in pieces of any size. After ``Failed`` nothing more comes."""

    @property
    def ending(self) -> bool:
        """It has said why it stops: no more output is due, at most counts and the formal end."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """The events that became complete with ``data``."""
        ...

    def end(self) -> list[Event]:
        """The body is over: what is left, or ``Failed(cut)`` where an ending was due."""
        ...


class Wire(Protocol):
    """One outbound format. ``carries`` names the content it can hold: ``image``, ``image_url``, ``audio``,
    ``document``, ``document_url``, ``token_input``; ``json_object`` says that it can ask for one."""

    carries: frozenset[str]

    def chat(self, request: Request, target: Target, *, max_output: int | None) -> HttpRequest:
        """The upstream request. ``max_output`` is the budget to ask for (reserve and clamp applied), None: say none."""
        ...

    def embed(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """The upstream request for one batch."""
        ...

    def chat_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """A reader for a 2xx answer to ``chat``. ``now`` is wall-clock seconds, for resets stated as moments."""
        ...

    def embed_reader(self, target: Target, *, content_type: str, now: float) -> Reader:
        """A reader for a 2xx answer to ``embed``: one ``Vectors``, ``Usage``, ``Finish``."""
        ...
