"""What the types of the schema cannot say: names that must exist, patterns that must compile, ids that must differ.

Patterns are compiled here, which takes longer than everything else; the built-in files are checked by their test, not
at every start.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from ..core.faults import Kind
from .mistakes import Origin, Path, nearest
from .schema import ErrorRule, Limits, ModelSpec, ProviderSpec, Quirks, UserConfig

Problem = tuple[Path, str]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNTIL = re.compile(r"\d+(\.\d+)?[smhd]")
_UNTIL_WORDS = ("stated", "reset", "month")
_KINDS = frozenset(Kind)
_STRONGEST, _WEAKEST = 1, 5


def check_config(config: UserConfig, origin: Origin) -> None:
    """Raises ``CatalogueError`` for the first thing in a user's configuration that cannot be meant."""
    for name, spec in config.providers.items():
        check_provider(spec, ("providers", name), origin)
    for path, problem in _alias_problems(config):
        raise origin.error(path, problem)


def check_provider(spec: ProviderSpec, path: Path, origin: Origin) -> None:
    """Raises ``CatalogueError`` for the first thing in one provider's table that cannot be meant."""
    for below, problem in _provider_problems(spec, str(path[-1])):
        raise origin.error((*path, *below), problem)


def is_calendar(name: str) -> bool:
    """Whether ``name`` is ``rolling``, ``UTC`` or an IANA zone."""
    if name in ("rolling", "UTC"):
        return True
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown; a folder such as "America"; "../etc/passwd"
        return False
    return True


def _provider_problems(spec: ProviderSpec, name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield (), "a provider's name is letters, digits, '_', '-' and '.'"
    if spec.base_url is not None and not _is_http(spec.base_url):
        yield ("base_url",), "must be an address that begins with http:// or https://"
    if spec.reset is not None and not is_calendar(spec.reset):
        yield ("reset",), f"no calendar '{spec.reset}'{nearest(spec.reset, ['rolling', *available_timezones()])}"
    if spec.limits is not None:
        yield from _limit_problems(spec.limits, ("limits",))
    for number, model in enumerate(spec.models or ()):
        yield from _model_problems(model, ("models", number))
    yield from _repeated("models", [model.id for model in spec.models or ()])
    yield from _repeated("embeddings", [embed.id for embed in spec.embeddings])
    for number, embed in enumerate(spec.embeddings):
        yield from _limit_problems(embed.limits, ("embeddings", number, "limits"))
        yield from _quirk_problems(embed.quirks, ("embeddings", number, "quirks"))
    for number, rule in enumerate(spec.errors):
        yield from _rule_problems(rule, ("errors", number))
    yield from _quirk_problems(spec.quirks, ("quirks",))
    for default in spec.defaults:
        if spec.models is not None and default not in (ids := [model.id for model in spec.models]):
            yield ("defaults",), f"no model '{default}' here{nearest(default, ids)}"


def _model_problems(model: ModelSpec, path: Path) -> Iterator[Problem]:
    if not model.id:
        yield (*path, "id"), "must not be empty"
    if model.tier is not None and not _STRONGEST <= model.tier <= _WEAKEST:
        yield (*path, "tier"), f"is {model.tier}, but tiers go from 1 (strongest) to 5 (weakest)"
    for field in ("context", "max_output"):
        if getattr(model, field) < 0:
            yield (*path, field), "must not be negative"
    if model.price is not None and min(model.price) < 0:
        yield (*path, "price"), "must not be negative"
    if model.ends is not None and not _is_date(model.ends):
        yield (*path, "ends"), "must be a date such as 2026-12-01"
    yield from _limit_problems(model.limits, (*path, "limits"))
    yield from _quirk_problems(model.quirks, (*path, "quirks"))


def _limit_problems(limits: Limits, path: Path) -> Iterator[Problem]:
    for window in limits.__struct_fields__:
        if getattr(limits, window) < 0:
            yield (*path, window), "must not be negative (0: unknown)"


def _rule_problems(rule: ErrorRule, path: Path) -> Iterator[Problem]:
    if rule.kind not in _KINDS:
        yield (*path, "kind"), f"unknown kind '{rule.kind}'{nearest(rule.kind, _KINDS)}"
    if rule.until is not None and rule.until not in _UNTIL_WORDS and not _UNTIL.fullmatch(rule.until):
        yield (*path, "until"), f"'{rule.until}' is neither stated, reset, month nor a time such as 60s, 10m or 7d"
    for status in rule.status:
        if not 100 <= status <= 599:
            yield (*path, "status"), f"{status} is no HTTP status"
    yield from _pattern_problems((*path, "match"), [rule.match])
    for name, pattern in rule.header.items():
        yield from _pattern_problems((*path, "header", name), [pattern])
        if name != name.lower():
            yield (*path, "header", name), "header names are written in lower case"


def _quirk_problems(quirks: Quirks, path: Path) -> Iterator[Problem]:
    yield from _pattern_problems((*path, "text_errors"), quirks.text_errors or ())
    if quirks.reserve is not None and quirks.reserve < 0:
        yield (*path, "reserve"), "must not be negative"


def _pattern_problems(path: Path, patterns: Iterable[str]) -> Iterator[Problem]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield path, f"no regular expression: {error}"


def _alias_problems(config: UserConfig) -> Iterator[Problem]:
    for name, chain in config.aliases.items():
        if not chain:
            yield ("aliases", name), "an alias needs at least one entry"
        for number, entry in enumerate(chain):
            if entry == "*" and number != len(chain) - 1:
                yield ("aliases", name, number), "'*' means 'then the pool' and can only be the last entry"
            if entry != "*" and not all(entry.partition("/")):
                yield ("aliases", name, number), f"'{entry}' is not written as provider/model"


def _repeated(field: str, ids: list[str]) -> Iterator[Problem]:
    for id_, count in Counter(ids).items():
        if count > 1:
            first, second = [number for number, other in enumerate(ids) if other == id_][:2]
            yield (field, second, "id"), f"'{id_}' is there already, as {field}[{first}]"


def _is_http(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
