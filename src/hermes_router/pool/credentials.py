"""Where keys are found, and ``auth.json``, which holds them. Knows nothing of models, quota or whether a key works.

Order: auth.json, environment, ``.env``; united, each key once. ``keys`` / ``key_env`` in hermes-router.toml replace
them all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import files
from ..catalogue.load import env_names
from ..catalogue.schema import ProviderSpec
from ..settings import Loaded, SettingsError
from .world import Credential, Notice


class AuthFile(msgspec.Struct, frozen=True, kw_only=True):
    """``auth.json``: keys by provider, and what else is in it (``rest``), which is kept as it is."""

    path: Path
    providers: dict[str, tuple[str, ...]] = {}
    rest: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"AuthFile({self.path}, {len(self.providers)} providers)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("path", self.path), ("providers", list(self.providers))]


class Found(msgspec.Struct, frozen=True):
    """The usable keys of a provider, in the order they were found, and what could not be used, for people. ``meant``:
    somebody wanted it configured, even if no key is usable."""

    credentials: tuple[Credential, ...] = ()
    notices: tuple[Notice, ...] = ()
    meant: bool = False


def gather(provider: str, spec: ProviderSpec, loaded: Loaded, auth: AuthFile) -> Found:
    """All keys of a provider. ``keys = []`` and keyless providers get one credential without a secret."""
    own = spec.keys is not None or spec.key_env is not None
    said = _own_keys(spec, loaded) if own else _usual_keys(provider, spec, loaded, auth)
    limited = auth.rest.get("proxy_keys")
    named = limited if isinstance(limited, dict) else ()
    callers = frozenset((*loaded.settings.proxy_api_keys, loaded.settings.admin_api_key, *named)) - {""}
    credentials: dict[str, Credential] = {}
    notices: list[Notice] = []
    meant = False
    for secret, origin in ((clean(raw), origin) for raw, origin in said):
        # Apps are pointed at the router with OPENAI_API_KEY and kin: there its own key says nothing about a provider.
        ours = secret in callers
        meant = meant or not ours
        if problem := _OURS if ours else _problem(secret):
            notices.append(Notice(provider, f"the key in {origin} is not used: {problem}"))
        else:
            credentials.setdefault(secret, credential(provider, secret, origin))
    if not credentials and (spec.keys == () or (spec.keyless and not own)):
        return Found((keyless(provider),), tuple(notices), meant)
    return Found(tuple(credentials.values()), tuple(notices), meant)


def keyless(provider: str) -> Credential:
    """What stands for the key of a provider that asks for none."""
    return credential(provider, "", "no key needed")


def credential(provider: str, secret: str, origin: str) -> Credential:
    """``id``: the provider and the first 12 hex digits of SHA-256 over provider, NUL, secret."""
    digest = hashlib.sha256(f"{provider}\0{secret}".encode()).hexdigest()[:12]
    return Credential(id=f"{provider}:{digest}", secret=secret, tail=tail(secret), origin=origin)


def tail(secret: str) -> str:
    """The last four characters, of a key long enough to stay secret without them."""
    return secret[-4:] if len(secret) >= 8 else ""


def clean(raw: str) -> str:
    """Without white space around it, and without the quotes that ``docker run --env-file`` leaves on."""
    text = raw.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def variables(name: str, env: Mapping[str, str]) -> Iterator[str]:
    """The names in ``env`` that hold keys under ``name``: itself, its plural, then ``name_2`` and on by number."""
    yield from (form for form in (name, f"{name}S") if form in env)
    numbered = re.compile(re.escape(name) + r"_([0-9]{1,4})")
    found = [(int(match[1]), form) for form in env if (match := numbered.fullmatch(form))]
    yield from (form for _, form in sorted(found))


# --- auth.json


def read_auth(path: Path) -> AuthFile:
    """An empty one where there is no such file. A mode open to others is repaired, with a warning. Raises
    SettingsError that names the file and the line."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return AuthFile(path=path)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    return _parse(path, text, tuple(_close(path)))


def _close(path: Path) -> Iterator[str]:
    """Take it away from others; yields a warning where it had been open to them."""
    try:
        if files.secure(path):
            yield f"{path} could be read by others on this machine; its mode is 0600 now"
    except OSError as error:  # a mounted secret cannot be changed
        yield f"{path} can be read by others on this machine, and its mode cannot be changed: {error.strerror}"


def write_auth(auth: AuthFile) -> None:
    """Replace the file, with mode 0600. To change one that others may change too: ``add_keys``, ``remove_keys``."""
    content = {"providers": {name: list(keys) for name, keys in auth.providers.items()}, **auth.rest}
    files.write_atomic(auth.path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def add_keys(path: Path, provider: str, keys: Iterable[str]) -> int:
    """Add keys behind the ones there; returns how many were new."""
    wanted = tuple(secret for key in keys if (secret := clean(key)))
    return _change(path, provider, lambda known: tuple(dict.fromkeys((*known, *wanted))))


def remove_keys(path: Path, provider: str, keys: Iterable[str]) -> int:
    """Take keys out; returns how many were there."""
    unwanted = frozenset(clean(key) for key in keys)
    return _change(path, provider, lambda known: tuple(key for key in known if key not in unwanted))


def _change(path: Path, provider: str, edit: Callable[[tuple[str, ...]], tuple[str, ...]]) -> int:
    """Read, edit and write under the lock, so that of two changes at once none is lost."""
    files.make_folder(path.parent)
    with files.locked(path):
        auth = read_auth(path)
        before = auth.providers.get(provider, ())
        after = edit(before)
        if after == before:
            return 0
        providers = {**auth.providers, provider: after}
        if not after:
            del providers[provider]
        write_auth(msgspec.structs.replace(auth, providers=providers))
    return abs(len(after) - len(before))


def change_callers(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit ``proxy_keys``, the caller keys that have limits, under the lock. What ``edit`` raises leaves the file."""
    files.make_folder(path.parent)
    with files.locked(path):
        auth = read_auth(path)
        table = dict(auth.rest.get("proxy_keys") or {})
        edit(table)
        rest = {name: value for name, value in auth.rest.items() if name != "proxy_keys"}
        write_auth(msgspec.structs.replace(auth, rest=rest | ({"proxy_keys": table} if table else {})))


def _parse(path: Path, text: str, warnings: tuple[str, ...]) -> AuthFile:
    try:
        content = json.loads(text or "{}", object_pairs_hook=_no_doubles)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}") from None
    except _Doubled as error:
        raise SettingsError(f"{path}: {error} is there twice; put the keys into one list") from None
    if not isinstance(content, dict):
        raise SettingsError(f'{path} must hold an object such as {{"providers": {{"groq": ["key"]}}}}')
    raw = content.pop("providers", {})
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: providers must be an object: a list of keys for each provider")
    for name, keys in raw.items():
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise SettingsError(f"{path}: providers.{name} must be a list of keys")
    providers = {name: tuple(keys) for name, keys in raw.items()}
    return AuthFile(path=path, providers=providers, rest=content, warnings=warnings)


class _Doubled(ValueError):
    """A name that an object holds twice: all but one of its values would be lost unseen."""


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            # A name in proxy_keys is a secret itself.
            raise _Doubled(repr(name) if re.fullmatch(r"[a-z_]{1,24}", name) else "a name")
        seen[name] = value
    return seen


# --- the sources


def _usual_keys(provider: str, spec: ProviderSpec, loaded: Loaded, auth: AuthFile) -> Iterator[tuple[str, str]]:
    """(key, where it was found)"""
    yield from ((key, auth.path.name) for key in auth.providers.get(provider, ()) if clean(key))
    for layer in loaded.layers:
        for name in env_names(provider, spec):
            for form in variables(name, layer.values):
                origin = form if layer.origin == "environment" else f"{form} in {layer.where}"
                yield from ((key, origin) for key in _split(layer.values[form]))


def _own_keys(spec: ProviderSpec, loaded: Loaded) -> Iterator[tuple[str, str]]:
    yield from ((key, loaded.config_file.name) for key in spec.keys or () if clean(key))
    names = (spec.key_env,) if isinstance(spec.key_env, str) else spec.key_env or ()
    for name in names:
        yield from ((key, name) for key in _split(loaded.env.get(name, "")))


def _split(value: str) -> Iterator[str]:
    return (part for part in re.split(r"[,\n]", clean(value)) if part.strip())


def _problem(secret: str) -> str:
    if not secret.isascii() or any(mark.isspace() or not mark.isprintable() for mark in secret):
        return "it holds a space or a sign that no key has"
    return ""


_OURS = "it is a key of this router itself (PROXY_API_KEYS or ADMIN_API_KEY)"
