"""From what was loaded to a World: who serves, with which models and keys. Reads ``auth.json``; asks nobody anything.

Whatever is configured and does not serve becomes a Notice; what contradicts itself is a SettingsError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from urllib.parse import urlsplit

import msgspec

from ..catalogue.load import CatalogueError, embed_spec, env_names, merge
from ..catalogue.mistakes import nearest
from ..catalogue.schema import EmbedSpec, ModelSpec, ProviderSpec, Quirks
from ..limits.callers import CallerKey, read_callers
from ..settings import DEFAULT_KEY, Loaded, Settings, SettingsError, is_loopback
from ..wires.base import Target
from ..wires.registry import WIRES
from .choices import check_aliases, check_profiles, named_models, unserved
from .credentials import AuthFile, gather, keyless, read_auth
from .overrides import Overrides
from .world import Credential, Deployment, Notice, World

EMBEDDERS_FIRST = ("gemini", "mistral", "cohere")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A configured provider, everything the user said applied. Without models or an embedder it does not serve.
    ``by_name``: ids of models that only an alias names."""

    name: str
    spec: ProviderSpec
    credentials: tuple[Credential, ...] = ()
    models: tuple[ModelSpec, ...] = ()
    by_name: frozenset[str] = frozenset()
    embed: EmbedSpec | None = None
    skip_tokens_over: int = 0
    sandbox: bool = False
    configured: bool = True
    notices: tuple[Notice, ...] = ()


class Sources(msgspec.Struct, frozen=True):
    """What a World is built from; ``specs`` is the catalogue with the user's tables over it."""

    loaded: Loaded
    auth: AuthFile
    catalogue: Mapping[str, ProviderSpec]
    specs: Mapping[str, ProviderSpec]
    today: date


def build(
    loaded: Loaded,
    catalogue: Mapping[str, ProviderSpec],
    *,
    today: date,
    sandbox: Mapping[str, ProviderSpec] | None = None,
) -> World:
    """``catalogue``: the built-in providers; ``sandbox``: the simulated ones. Raises SettingsError."""
    settings = loaded.settings
    auth = read_auth(settings.router_auth_file)
    specs = _merged(loaded, catalogue)
    strangers = _strangers(auth, specs)
    sources = Sources(loaded, auth, catalogue, specs, today)
    sites = [site for name in specs if (site := _site(name, sources))]
    configured = bool(strangers) or any(site.configured for site in sites)
    if settings.sandbox or (settings.sandbox is None and not configured):
        sites += [_simulated(name, spec) for name, spec in (sandbox or {}).items()]
    specs = specs | {site.name: site.spec for site in sites}
    known = {name: _ids(spec) for name, spec in specs.items()}
    known |= {site.name: (*known[site.name], *(model.id for model in site.models)) for site in sites}
    aliases = check_aliases(loaded, known)
    deployments = tuple(one for site in sites for one in _deployments(site, loaded))
    embedders = tuple(one for site in sorted(sites, key=_embed_rank) for one in _embedders(site, loaded))
    notices = [Notice("hermes-router", warning) for warning in (*loaded.warnings, *auth.warnings)]
    notices += [*strangers, *(notice for site in sites for notice in site.notices), *unserved(aliases, deployments)]
    return World(
        settings=settings,
        deployments=deployments,
        embedders=embedders,
        aliases=aliases,
        profiles=check_profiles(loaded, specs),
        providers=specs,
        notices=tuple(notices),
        sandbox=any(site.sandbox for site in sites),
        callers=_callers(auth, settings),
        loaded=loaded,
    )


def _merged(loaded: Loaded, catalogue: Mapping[str, ProviderSpec]) -> dict[str, ProviderSpec]:
    try:
        return merge(catalogue, loaded.user)
    except CatalogueError as error:
        raise SettingsError(str(error)) from error


def _callers(auth: AuthFile, settings: Settings) -> tuple[CallerKey, ...]:
    callers = read_callers(auth.rest.get("proxy_keys"), str(auth.path))
    secrets = {one.secret for one in callers}
    if settings.admin_api_key in secrets:
        raise SettingsError(f"{auth.path}: ADMIN_API_KEY is also in proxy_keys: callers would be administrators")
    if DEFAULT_KEY in secrets and not is_loopback(settings.host):
        problem = f"proxy_keys holds {DEFAULT_KEY}, which is known to all: take another key, or HOST 127.0.0.1"
        raise SettingsError(f"{auth.path}: {problem}")
    return callers


def _strangers(auth: AuthFile, specs: Mapping[str, ProviderSpec]) -> list[Notice]:
    return [
        Notice(name, f"{auth.path.name} has a key for it, but there is no such provider{nearest(name, specs)}")
        for name, keys in auth.providers.items()
        if keys and name not in specs
    ]


def _ids(spec: ProviderSpec) -> tuple[str, ...]:
    return tuple(model.id for model in spec.models or ())


# --- one provider


def _site(name: str, sources: Sources) -> Site | None:
    """None where nothing was said about it."""
    spec, loaded = sources.specs[name], sources.loaded
    own = Overrides(name, loaded)
    found = gather(name, spec, loaded, sources.auth)
    credentials = found.credentials
    if not credentials and name not in sources.catalogue and spec.keys is None and spec.key_env is None:
        credentials = (keyless(name),)
    if not found.meant and not _turned_on(name, spec, own, loaded):
        return Site(name=name, spec=spec, configured=False, notices=found.notices) if found.notices else None
    spec, obstacle = _reachable(name, spec, own, loaded)
    if not obstacle and not credentials:
        obstacle = f"no key: set {_key_name(name, spec)}, or put one into {sources.auth.path.name}"
    if obstacle:
        return Site(name=name, spec=spec, notices=(*found.notices, Notice(name, obstacle)))
    models, by_name, ended = _models(name, spec, own, sources)
    embed = _embed(own, spec, sources.specs)
    notices = [*found.notices, *ended]
    if not models and not embed and not ended:
        notices.append(Notice(name, f"no model is known: set {own.name('MODEL')}"))
    return Site(
        name=name,
        spec=spec,
        credentials=credentials,
        models=models,
        by_name=by_name,
        embed=embed,
        skip_tokens_over=own.count("SKIP_TOKENS_OVER"),
        notices=tuple(notices),
    )


def _simulated(name: str, spec: ProviderSpec) -> Site:
    embed = embed_spec({}, spec, spec.embed_model) if spec.embed_model else None
    return Site(
        name=name,
        spec=spec,
        credentials=(keyless(name),),
        models=_by_default(spec),
        embed=embed,
        sandbox=True,
    )


def _turned_on(name: str, spec: ProviderSpec, own: Overrides, loaded: Loaded) -> bool:
    """Whether something other than a key configures it."""
    if spec.keyless and (enabled := own.switch("ENABLED")) is not None:
        return enabled
    if name in loaded.user.providers:
        return True
    # Naming models turns on a server of one's own, of which the catalogue lists none, but not a service of strangers.
    return spec.keyless and bool(own.text("BASE_URL") or (own.text("MODEL") and not spec.models))


def _key_name(name: str, spec: ProviderSpec) -> str:
    if spec.key_env is not None:
        return spec.key_env if isinstance(spec.key_env, str) else " or ".join(spec.key_env)
    return env_names(name, spec)[0]


def _reachable(name: str, spec: ProviderSpec, own: Overrides, loaded: Loaded) -> tuple[ProviderSpec, str]:
    """The provider with its address filled in, and what keeps it from serving, if anything does."""
    moved = own.text("BASE_URL")
    if moved:
        _check_url(moved, own.name("BASE_URL"))
        spec = msgspec.structs.replace(spec, base_url=moved, base_url_env=(), status="live", status_note="")
    elif spec.status == "gated" and own.listed("MODEL"):
        spec = msgspec.structs.replace(spec, status="live")
    if spec.status != "live":
        return spec, _why_not(spec, own)
    if not spec.base_url or not spec.wire:
        missing = "base_url" if not spec.base_url else "wire"
        return spec, f"its {missing} is not known: give one in [providers.{name}] of hermes-router.toml"
    values = {variable: loaded.env.get(variable, "").strip() for variable in spec.base_url_env}
    if missing := " and ".join(variable for variable, value in values.items() if not value):
        return spec, f"set {missing}: it is part of its address"
    url = re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), spec.base_url).rstrip("/")
    if _is_self(url, loaded.settings):
        return spec, f"its base_url {url} is this router: requests would go round in circles"
    return msgspec.structs.replace(spec, base_url=url), ""


def _why_not(spec: ProviderSpec, own: Overrides) -> str:
    note = spec.status_note or f"it is {spec.status}"
    return f"{note} (to ask it all the same, set {own.name('MODEL')})" if spec.status == "gated" else note


def _check_url(url: str, said: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
        parts = urlsplit("")
    if not fine or parts.username or parts.query or parts.fragment:
        # The value is not shown: an address that does not pass may hold a password.
        raise SettingsError(f"{said} must be an address such as https://host/v1, without user name or query")


def _is_self(url: str, settings: Settings) -> bool:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    return bool(settings.port) and port == settings.port and (is_loopback(host) or host == settings.host)


# --- its models


def _models(
    name: str, spec: ProviderSpec, own: Overrides, sources: Sources
) -> tuple[tuple[ModelSpec, ...], frozenset[str], list[Notice]]:
    """The models that serve, which of them only an alias names, and notices of those that are no more."""
    known = {model.id: model for model in spec.models or ()}
    named = own.listed("MODEL")
    pool = tuple(known.get(id_) or ModelSpec(id=id_) for id_ in named) if named else _by_default(spec)
    ids = {model.id for model in pool}
    asked = (id_ for id_ in named_models(sources.loaded.user.aliases, name) if id_ in known and id_ not in ids)
    extra = tuple(known[id_] for id_ in asked)
    table = sources.loaded.user.providers.get(name, ProviderSpec())
    as_listed = own.text("BASE_URL") or table.base_url is not None or table.models is not None
    ended = [] if as_listed else [model for model in (*pool, *extra) if _is_over(model, sources.today)]
    notices = [Notice(f"{name}/{model.id}", f"left out: it was retired on {model.ends}") for model in ended]
    serving = tuple(own.over(model) for model in (*pool, *extra) if model not in ended)
    return serving, frozenset(model.id for model in extra), notices


def _by_default(spec: ProviderSpec) -> tuple[ModelSpec, ...]:
    models = spec.models or ()
    known = {model.id: model for model in models}
    if spec.defaults:
        return tuple(known.get(id_) or ModelSpec(id=id_) for id_ in spec.defaults)
    return tuple(model for model in models if model.free) or models


def _is_over(model: ModelSpec, today: date) -> bool:
    return model.ends is not None and today > date.fromisoformat(model.ends)


def _embed(own: Overrides, spec: ProviderSpec, specs: Mapping[str, ProviderSpec]) -> EmbedSpec | None:
    id_ = "" if own.is_empty("EMBED_MODEL") else own.text("EMBED_MODEL") or spec.embed_model
    return embed_spec(specs, spec, id_) if id_ else None


# --- its deployments


def _deployments(site: Site, loaded: Loaded) -> Iterator[Deployment]:
    for model in site.models:
        quirks = model.quirks.over(site.spec.quirks)
        for one in site.credentials:
            yield _deployment(site, one, _target(site, one, model, quirks, loaded))


def _embedders(site: Site, loaded: Loaded) -> Iterator[Deployment]:
    if site.embed is None:
        return
    model = ModelSpec(id=site.embed.id, limits=site.embed.limits)
    quirks = site.embed.quirks.over(site.spec.quirks)
    for one in site.credentials:
        target = msgspec.structs.replace(_target(site, one, model, quirks, loaded), embed=site.embed)
        yield _deployment(site, one, target)


def _embed_rank(site: Site) -> int:
    return EMBEDDERS_FIRST.index(site.name) if site.name in EMBEDDERS_FIRST else len(EMBEDDERS_FIRST)


def _deployment(site: Site, one: Credential, target: Target) -> Deployment:
    name = f"{site.name}/{target.model.id}"
    return Deployment(
        id=f"{name}#{one.id.rpartition(':')[2]}",
        name=name,
        provider=site.name,
        credential=one,
        account=f"{site.name}:shared" if site.spec.account == "shared" else one.id,
        target=target,
        wire=WIRES[site.spec.wire or ""],
        local=site.name == "local",
        sandbox=site.sandbox,
        skip_tokens_over=site.skip_tokens_over,
        by_name=target.embed is None and target.model.id in site.by_name,
    )


def _target(site: Site, one: Credential, model: ModelSpec, quirks: Quirks, loaded: Loaded) -> Target:
    return Target(
        name=site.name,
        provider=site.spec,
        model=model,
        quirks=quirks,
        base_url=site.spec.base_url or "",
        secret=one.secret,
        headers=dict(_headers(quirks, loaded.env)),
    )


def _headers(quirks: Quirks, env: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Fixed ones, and those that a variable fills; a value that no header can hold is left out."""
    yield from (quirks.headers or {}).items()
    for header, variable in (quirks.header_env or {}).items():
        value = env.get(variable, "").strip()
        if value and value.isascii() and value.isprintable():
            yield header, value
