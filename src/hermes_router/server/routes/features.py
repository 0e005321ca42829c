"""Optional behaviour by name: what there is, what is on, and the setting behind it. The names of the original's
``features list`` are kept, those that this version lacks too."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...catalogue.mistakes import nearest, sentence
from ...core.errors import NotFound
from ...pool.world import World
from ..conflict import Conflict


class FeatureRow(msgspec.Struct, frozen=True):
    """``available``: this version has it. ``setting``: what turns it on or off; empty: see ``about``."""

    name: str
    enabled: bool
    available: bool
    setting: str
    about: str


_SWITCHES: dict[str, str] = {
    "stream_resume": "a stream that breaks goes on with another model",
    "tool_calls_from_text": "tool calls that a model wrote as text are taken for what they are",
    "content_filter_failover": "an answer that a provider's filter refused is asked of the next one",
    "embeddings_strict": "embeddings never come from another model than the usual one",
    "pin": "provider/model as a model name means exactly that one",
}
_DERIVED: dict[str, tuple[Callable[[World], bool], str]] = {
    "local_model": (
        lambda world: any(one.local for one in world.deployments),
        "a server of your own: set LOCAL_BASE_URL and LOCAL_MODEL",
    ),
    "key_budgets": (lambda world: bool(world.callers), "limits of caller keys: set them with `hr limit set`"),
}
_ABSENT = (
    "response_cache",
    "semantic_cache",
    "persistent_cache",
    "fast_routing",
    "model_discovery",
    "metrics_auth",
    "cost_currency",
)


def feature_rows(world: World) -> list[FeatureRow]:
    """All of them."""
    settings = world.settings
    rows = [
        FeatureRow(name, bool(getattr(settings, name)), True, name.upper(), about) for name, about in _SWITCHES.items()
    ]
    rows.append(FeatureRow("sandbox", world.sandbox, True, "SANDBOX", "simulated providers, beside real ones too"))
    rows += [FeatureRow(name, test(world), True, "", about) for name, (test, about) in _DERIVED.items()]
    rows += [FeatureRow(name, False, False, "", "not in this version") for name in _ABSENT]
    return rows


def switch_of(name: str) -> str:
    """The variable that turns it on or off. Raises NotFound, Conflict."""
    if name in _SWITCHES or name == "sandbox":
        return name.upper()
    if name in _DERIVED:
        raise Conflict(f"{name} has no switch: {_DERIVED[name][1]}.")
    if name in _ABSENT:
        raise NotFound(f"{name} is not in this version.", param="name")
    known = (*_SWITCHES, "sandbox", *_DERIVED)
    raise NotFound(sentence(f"There is no feature {name[:80]!r}{nearest(name, known)}"), param="name")
