"""Reads the built-in providers and a user's hermes-router.toml, and lays the second over the first.

Reads no environment, no credential and no file of the user's: text comes in, structs go out. Whether a provider serves
is decided in ``pool/build.py``. Built-in files are only read when asked for by name, and their heads (everything above
the first table) apart: a head says under which variables a key may come, and that is all most starts need of most
providers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from .checks import check_config
from .mistakes import CatalogueError, Origin, convert, nearest
from .schema import EmbedSpec, Limits, ModelSpec, Profile, ProviderSpec, UserConfig

__all__ = [
    "CatalogueError",
    "builtin_names",
    "embed_spec",
    "env_names",
    "load_builtin",
    "load_heads",
    "merge",
    "parse_user_config",
    "read_provider",
    "serving_as_listed",
]

_SUFFIX = ".toml"
_HEAD_ENDS = re.compile(r"^(\[|errors = \[)", re.MULTILINE)
_IN_BRACES = re.compile(r"\{(\w+)\}")
_TOML_PLACE = re.compile(r"(?P<problem>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


# the built-in files


def builtin_names() -> tuple[str, ...]:
    """The names of all built-in providers, in alphabetical order."""
    return tuple(sorted(_files()))


def load_builtin(names: Collection[str] | None = None) -> dict[str, ProviderSpec]:
    """The built-in providers called ``names`` (None: all); names that are not built in are passed over."""
    return {name: read_provider(name, text) for name, text in _texts(names)}


def load_heads(names: Collection[str] | None = None) -> dict[str, ProviderSpec]:
    """Like ``load_builtin``, without models, embeddings, quirks, errors and header maps; several times faster."""
    return {name: read_provider(name, _head(text)) for name, text in _texts(names)}


def env_names(name: str, spec: ProviderSpec) -> tuple[str, ...]:
    """The variables under which a key of this provider may come, ``<PROVIDER>_API_KEY`` first. The plural and numbered
    forms of each (``..._API_KEYS``, ``..._API_KEY_2``) are for the reader to try."""
    own = re.sub(r"[^A-Za-z0-9]", "_", name).upper() + "_API_KEY"
    return tuple(dict.fromkeys((own, *spec.env)))


def _files() -> dict[str, Traversable]:
    folder = files(__package__).joinpath("providers")
    return {item.name.removesuffix(_SUFFIX): item for item in folder.iterdir() if item.name.endswith(_SUFFIX)}


def _texts(names: Collection[str] | None) -> Iterable[tuple[str, str]]:
    found = _files()
    for name in sorted(found if names is None else found.keys() & set(names)):
        yield name, found[name].read_text(encoding="utf-8")


def _head(text: str) -> str:
    end = _HEAD_ENDS.search(text)
    return text[: end.start()] if end else text


def read_provider(name: str, text: str) -> ProviderSpec:
    """One provider's file. Raises ``CatalogueError``."""
    origin = Origin(f"{name}{_SUFFIX}", text, root=("providers", name))
    return convert(_parse(text, origin), ProviderSpec, origin.root, origin)


def _parse(text: str, origin: Origin) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _TOML_PLACE.fullmatch(str(error))
        if match is None:
            raise CatalogueError(f"{origin.source}: not TOML: {error}") from None
        line = match["line"] or str(len(text.splitlines()))
        raise CatalogueError(f"{origin.source}, line {line}: not TOML: {match['problem']}") from None


# the user's file


def parse_user_config(text: str, source: str) -> UserConfig:
    """What hermes-router.toml says; ``source`` names it in errors. Raises ``CatalogueError``."""
    origin = Origin(source, text)
    raw = _parse(text, origin)
    # Table by table, so that a mistake in one names its provider: msgspec does not tell a dict's keys.
    tables: dict[str, dict[str, Any]] = {}
    for section, kind in (("providers", ProviderSpec), ("aliases", tuple[str, ...]), ("profiles", Profile)):
        entries = raw.pop(section, {})
        if not isinstance(entries, dict):
            raise origin.error((section,), "must be a table")
        tables[section] = {name: convert(entry, kind, (section, name), origin) for name, entry in entries.items()}
    config = msgspec.structs.replace(convert(raw, UserConfig, (), origin), **tables)
    check_config(config, origin)
    _check_new(config, origin)
    return config


def _check_new(config: UserConfig, origin: Origin) -> None:
    known = builtin_names()
    for name, spec in config.providers.items():
        if name not in known and (missing := _missing(spec)):
            raise origin.error(("providers", name), _says_missing(name, missing, known))


def _missing(spec: ProviderSpec) -> list[str]:
    return [field for field in ("base_url", "wire") if not getattr(spec, field)]


def _says_missing(name: str, missing: list[str], known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f"a new provider needs {' and '.join(missing)}{close if 'did you mean' in close else ''}"


# one over the other


def merge(builtin: Mapping[str, ProviderSpec], user: UserConfig) -> dict[str, ProviderSpec]:
    """The user's tables over the built-in ones, which come first and keep their order.

    Field by field: what a table says wins, what it leaves out stays. ``limits`` and ``quirks`` merge by their own
    fields, ``paths`` by its keys; the user's error rules are tried before the built-in ones. ``models`` takes the place
    of the built-in list and of all the catalogue says of it; another ``base_url`` makes a retired or gated provider
    serve like any other. Raises ``CatalogueError`` where a new provider lacks what it needs.
    """
    merged = dict(builtin)
    for name, table in user.providers.items():
        base = builtin.get(name)
        if base is None:
            if missing := _missing(table):
                raise CatalogueError(f"providers.{name}: {_says_missing(name, missing, builtin)}")
            base = ProviderSpec()
        merged[name] = _over(base, table, builtin)
    return merged


def serving_as_listed(spec: ProviderSpec, models: Iterable[ModelSpec]) -> ProviderSpec:
    """``spec`` with ``models`` in place of its own and nothing left of what the catalogue says about those: limits,
    calendar, retirement, tiers and prices. What it says of the parameters of one with the same id stays."""
    quirks = {model.id: model.quirks for model in spec.models or ()}
    listed = tuple(
        msgspec.structs.replace(model, quirks=model.quirks.over(quirks[model.id])) if model.id in quirks else model
        for model in models
    )
    return msgspec.structs.replace(
        spec,
        models=listed,
        defaults=tuple(model.id for model in listed),
        limits=None,
        reset=None,
        status="live",
        status_note="",
    )


def embed_spec(catalogue: Mapping[str, ProviderSpec], spec: ProviderSpec, id_: str) -> EmbedSpec:
    """The embedding model ``id_`` of provider ``spec``: the provider's own facts, or else what another provider says of
    the model itself, or else only its name."""
    for embed in spec.embeddings:
        if embed.id == id_:
            return embed
    for other in catalogue.values():
        for embed in other.embeddings:
            if embed.id == id_:
                size = {name: getattr(embed, name) for name in ("dimensions", "sizes", "any_size", "max_input")}
                return EmbedSpec(id=id_, **size)
    return EmbedSpec(id=id_)


def _over(base: ProviderSpec, table: ProviderSpec, catalogue: Mapping[str, ProviderSpec]) -> ProviderSpec:
    spec = base if table.models is None else serving_as_listed(base, table.models)
    said = _said(table)
    said |= {
        "quirks": table.quirks.over(spec.quirks),
        "limits": _limits_over(spec.limits, table.limits),
        "paths": spec.paths | table.paths,
        "errors": table.errors + spec.errors,
        "opt_in": False,
        "keyless": spec.keyless if table.keys is None else not table.keys,
    }
    if table.models is not None:
        said |= {"models": spec.models, "defaults": table.defaults or spec.defaults}
    if table.base_url is not None:
        said |= {"base_url_env": tuple(_IN_BRACES.findall(table.base_url))}
        said |= {"status": "live", "status_note": ""} if spec.status in ("gated", "retired") else {}
    if table.embed_model is not None:
        said |= {"embeddings": _embeddings(spec, table, catalogue)}
    return msgspec.structs.replace(spec, **said)


def _said(table: ProviderSpec) -> dict[str, Any]:
    """The fields that differ from what is assumed where nothing is said."""
    silent = ProviderSpec()
    names = table.__struct_fields__
    return {name: value for name in names if (value := getattr(table, name)) != getattr(silent, name)}


def _limits_over(base: Limits | None, table: Limits | None) -> Limits | None:
    if base is None or table is None:
        return table or base
    said = {name: value for name in table.__struct_fields__ if (value := getattr(table, name))}
    return msgspec.structs.replace(base, **said)


def _embeddings(
    spec: ProviderSpec, table: ProviderSpec, catalogue: Mapping[str, ProviderSpec]
) -> tuple[EmbedSpec, ...]:
    if not table.embed_model:
        return ()
    known = msgspec.structs.replace(spec, embeddings=table.embeddings or spec.embeddings)
    embed = embed_spec(catalogue, known, table.embed_model)
    # A list of the user's own models says that the catalogue's limits are not the limits here.
    if table.models is not None and not table.embeddings:
        embed = msgspec.structs.replace(embed, limits=Limits())
    return (embed,)
