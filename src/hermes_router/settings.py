"""Every setting: its name, type, default and where it came from. Read once, frozen; the only reader of os.environ.

A field is set by the variable of the same name in upper case, or by the lower-case name in ``[router]`` of
hermes-router.toml. Precedence: flag > environment > .env > TOML > default. Credentials: ``pool/credentials.py``.
"""

from __future__ import annotations

import contextlib
import functools
import io
import ipaddress
import math
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import platformdirs

from . import files
from .catalogue.load import parse_user_config
from .catalogue.mistakes import CatalogueError, find_line, nearest
from .catalogue.mistakes import Origin as Source
from .catalogue.schema import UserConfig


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Durations are seconds. ``sandbox`` None: only while no provider is configured. Paths are absolute."""

    host: str = "127.0.0.1"
    port: int = 8319
    proxy_api_keys: tuple[str, ...] = ("sk-router-1",)
    admin_api_key: str = ""
    max_request_bytes: int = 10 * 1024 * 1024
    router_model_id: str = "hermes-router"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    hermes_home: Path = Path()
    hermes_config: Path | None = None
    router_auth_file: Path = Path()
    router_state_file: Path = Path()
    router_state_ttl_hours: float = 24

    pin: bool = False
    rotation_mode: Literal["round-robin", "sequential"] = "round-robin"
    max_wait_seconds: float = 60
    reasoning_token_reserve: int = 4096
    embeddings_strict: bool = False
    sandbox: bool | None = None
    startup_detection: bool = True
    breaker_window: int = 8
    breaker_min_samples: int = 4
    breaker_error_rate: float = 0.5
    breaker_cooldown: float = 60
    drain_seconds: float = 30

    upstream_timeout: float = 600
    connect_timeout: float = 5
    first_event_timeout: float = 10
    first_event_timeout_reasoning: float = 60
    first_event_timeout_local: float = 120
    gap_timeout: float = 10
    request_timeout: float = 600
    attempts_max: int = 12

    stream_resume: bool = True
    tool_calls: Literal["whole", "stream"] = "whole"
    tool_calls_from_text: bool = True
    content_filter_failover: bool = False
    hedge_quota_share: float = 0.2
    request_log_size: int = 500

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in SECRET)
        return f"Settings({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in SECRET]


SECRET = frozenset({"proxy_api_keys", "admin_api_key"})
"""Settings shown by their last four characters only."""

Origin = Literal["flag", "environment", ".env", "hermes-router.toml", "default"]


class SettingsError(Exception):
    """The configuration cannot be used. The message is for people and names the place; it holds no secret."""


class Layer(msgspec.Struct, frozen=True):
    """Variables of one source: ``where`` is the path of a ``.env`` as people should read it, or ``the environment``."""

    origin: Origin
    where: str
    values: Mapping[str, str]
    folder: Path

    def __repr__(self) -> str:
        return f"Layer({self.where}, {len(self.values)} variables)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("where", self.where), ("variables", len(self.values))]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was set, and where. ``layers`` from the strongest to the weakest, ``env`` what they say together,
    ``source`` is hermes-router.toml, for messages. ``config_file`` and ``env_files`` are what was read or would
    have been, had it been there."""

    settings: Settings
    env: Mapping[str, str]
    origins: Mapping[str, Origin]
    user: UserConfig
    source: Source
    layers: tuple[Layer, ...]
    config_file: Path
    env_files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Loaded({self.settings!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("settings", self.settings)]


def environment() -> dict[str, str]:
    """The process's variables."""
    return dict(os.environ)


def load(flags: Mapping[str, object], environ: Mapping[str, str], cwd: Path) -> Loaded:
    """Read every source. ``flags`` by setting names, None where one was not given. Raises SettingsError."""
    cwd = cwd.absolute()
    warnings: list[str] = []
    near = _near_layers(environ, cwd, warnings)
    home, home_origin = _home(flags, near, cwd)
    env_files = tuple(dict.fromkeys((_env_file(environ, cwd), home / ".env")))
    layers = (*near, *(_home_layer(path, warnings) for path in env_files[1:]))
    config, config_origin = _config_file(flags, layers, home, cwd)
    source = Source(str(config), _read_text(config, str(config)) or "")
    user = _user_config(source)
    given = _given(flags, layers, user.router, source, cwd)
    values = {name: _convert(_kinds()[name], item) for name, item in given.items()}
    values |= {"hermes_home": home, "hermes_config": config if config_origin != "default" else None}
    values.setdefault("router_auth_file", home / "auth.json")
    values.setdefault("router_state_file", home / "state.sqlite")
    settings = Settings(**values)
    origins: dict[str, Origin] = dict.fromkeys(_kinds(), "default")
    origins |= {name: item.origin for name, item in given.items()}
    origins |= {"hermes_home": home_origin, "hermes_config": config_origin}
    _check(settings)
    return Loaded(
        settings=settings,
        env=_together(layers),
        origins=origins,
        user=user,
        source=source,
        layers=layers,
        config_file=config,
        env_files=env_files,
        warnings=tuple(warnings),
    )


def admin_key(settings: Settings) -> str:
    """The administration key: ADMIN_API_KEY, or what HERMES_HOME/admin.key holds; made where there is none yet."""
    if settings.admin_api_key:
        return settings.admin_api_key
    path = settings.hermes_home / "admin.key"
    try:
        if key := _kept_key(path):
            return key
        files.make_folder(path.parent)
        with files.locked(path):
            if not (key := _kept_key(path)):
                key = secrets.token_urlsafe(32)
                files.write_atomic(path, f"{key}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be used: {error}; set ADMIN_API_KEY or HERMES_HOME") from error
    return key


def _kept_key(path: Path) -> str:
    """Empty where there is none."""
    if not path.exists():
        return ""
    with contextlib.suppress(OSError):  # a mounted secret cannot be changed
        files.secure(path)
    return path.read_text("utf-8").strip()


def as_switch(text: str, said: str) -> bool:
    """A variable that is on or off; ``said`` names it in the SettingsError."""
    return _bool(_Given("", text.strip(), "environment", said, Path()))


def as_count(text: str, said: str) -> int:
    """A variable that is a whole number of at least 0; ``said`` names it in the SettingsError."""
    return int(_number(_Given("", text.strip(), "environment", said, Path()), whole=True))


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@functools.cache
def _kinds() -> dict[str, Any]:
    """Setting -> type."""
    return {field.name: field.type for field in msgspec.structs.fields(Settings)}


# --- where values come from


class _Given(msgspec.Struct, frozen=True):
    """A value before conversion. ``said`` is how people find it: ``PORT in .env``."""

    name: str
    value: object
    origin: Origin
    said: str
    folder: Path


def _near_layers(environ: Mapping[str, str], cwd: Path, warnings: list[str]) -> tuple[Layer, ...]:
    path = _env_file(environ, cwd)
    where = str(path) if environ.get("HR_ENV_FILE") else ".env"
    if environ.get("HR_ENV_FILE") and not path.exists():
        warnings.append(f"HR_ENV_FILE names {path}, which does not exist")
    values = _read_env(path, where, warnings)
    return (
        Layer("environment", "the environment", dict(environ), cwd),
        Layer(".env", where, values, path.parent),
    )


def _home_layer(path: Path, warnings: list[str]) -> Layer:
    values = _read_env(path, str(path), warnings)
    if values.pop("HERMES_HOME", None):
        warnings.append(f"HERMES_HOME in {path} has no effect: it says where that file is")
    return Layer(".env", str(path), values, path.parent)


def _env_file(environ: Mapping[str, str], cwd: Path) -> Path:
    return Path(os.path.normpath(cwd / Path(environ.get("HR_ENV_FILE") or ".env").expanduser()))


def _read_env(path: Path, where: str, warnings: list[str]) -> dict[str, str]:
    from dotenv.parser import parse_stream

    text = _read_text(path, where)
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text or "")):
        if binding.error:
            warnings.append(f"{where}, line {binding.original.line}, is not NAME=value and was left out")
        elif binding.key and binding.value is not None:
            values[binding.key] = binding.value
    return values


def _read_text(path: Path, where: str) -> str | None:
    """None where there is no such file."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SettingsError(f"{where} cannot be read: {reason}") from error


def _home(flags: Mapping[str, object], layers: Iterable[Layer], cwd: Path) -> tuple[Path, Origin]:
    given = _first("hermes_home", flags, layers, cwd)
    if given is not None:
        return _path(given), given.origin
    return Path(platformdirs.user_data_dir("hermes-router", appauthor=False)).absolute(), "default"


def _config_file(flags: Mapping[str, object], layers: Iterable[Layer], home: Path, cwd: Path) -> tuple[Path, Origin]:
    given = _first("hermes_config", flags, layers, cwd)
    if given is None:
        return home / "hermes-router.toml", "default"
    path = _path(given)
    if not path.is_file():
        raise SettingsError(f"{given.said} names {path}, which does not exist")
    return path, given.origin


def _user_config(source: Source) -> UserConfig:
    try:
        return parse_user_config(source.text, source.source)
    except CatalogueError as error:
        raise SettingsError(str(error)) from error


def _given(
    flags: Mapping[str, object], layers: tuple[Layer, ...], router: Mapping[str, Any], source: Source, cwd: Path
) -> dict[str, _Given]:
    """What was said about each setting, by the strongest source that says something."""
    _check_names(router, source)
    found: dict[str, _Given] = {}
    for name in _kinds().keys() - _PLACES:
        given = _first(name, flags, layers, cwd)
        if given is None and router.get(name, "") != "":
            line = find_line(source.text, ("router", name))
            said = f"{source.source}, line {line}: router.{name}"
            given = _Given(name, router[name], "hermes-router.toml", said, Path(source.source).parent)
        if given is not None:
            found[name] = given
    return found


def _check_names(router: Mapping[str, Any], source: Source) -> None:
    for name in router:
        if name in _PLACES:
            problem = f"has no effect in this file; set {name.upper()} in the environment or in .env"
            raise SettingsError(str(source.error(("router", name), problem)))
        if name not in _kinds():
            problem = f"unknown setting{nearest(name, _kinds())}"
            raise SettingsError(str(source.error(("router", name), problem)))


def _first(name: str, flags: Mapping[str, object], layers: Iterable[Layer], cwd: Path) -> _Given | None:
    if flags.get(name) is not None:
        return _Given(name, flags[name], "flag", f"--{name.replace('_', '-')}", cwd)
    for layer in layers:
        value = layer.values.get(name.upper(), "").strip()
        if value:
            return _Given(name, value, layer.origin, f"{name.upper()} in {layer.where}", layer.folder)
    return None


def _together(layers: Iterable[Layer]) -> dict[str, str]:
    """The stronger layer wins, but an empty value only over nothing: except where empty says "none"."""
    env: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if name not in env or (not env[name].strip() and not name.endswith("_EMBED_MODEL")):
                env[name] = value
    return env


# --- from text to values


def _convert(kind: Any, given: _Given) -> Any:
    if kind is bool or kind == bool | None:
        return _bool(given)
    if kind is int:
        return _number(given, whole=True)
    if kind is float:
        return _number(given, whole=False)
    if kind is Path or kind == Path | None:
        return _path(given)
    if get_origin(kind) is Literal:
        return _word(given, get_args(kind))
    if get_origin(kind) is tuple:
        return _words(given)
    if not isinstance(given.value, str):
        raise _wrong(given, "text")
    return given.value


def _wrong(given: _Given, wanted: str) -> SettingsError:
    shown = "wrong" if given.name in SECRET else repr(given.value)
    return SettingsError(f"{given.said} is {shown}; it must be {wanted}")


def _bool(given: _Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    value = _SWITCH.get(given.value.lower()) if isinstance(given.value, str) else None
    if value is None:
        raise _wrong(given, "1, true, yes or on, or else 0, false, no or off")
    return value


def _number(given: _Given, *, whole: bool) -> int | float:
    value = given.value
    low, high = _RANGES.get(given.name, (0, math.inf))
    kind = "a whole number" if whole else "a number"
    wanted = f"{kind} between {low} and {high}" if math.isfinite(high) else f"{kind} of at least {low}"
    if isinstance(value, str) and (_WHOLE if whole else _DECIMAL).fullmatch(value):
        value = int(value) if whole else float(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise _wrong(given, wanted)
    if not (low <= value <= high) or not math.isfinite(value):
        raise _wrong(given, wanted)
    return value


def _path(given: _Given) -> Path:
    if not isinstance(given.value, (str, Path)):
        raise _wrong(given, "a path")
    return Path(os.path.normpath(given.folder / Path(given.value).expanduser()))


def _word(given: _Given, words: tuple[str, ...]) -> str:
    for word in words:
        if isinstance(given.value, str) and given.value.lower() == word.lower():
            return word
    raise _wrong(given, f"one of {', '.join(words)}")


def _words(given: _Given) -> tuple[str, ...]:
    value = given.value.split(",") if isinstance(given.value, str) else given.value
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _wrong(given, "a list of texts")
    return tuple(item.strip() for item in value)


# --- what must hold between them


def _check(settings: Settings) -> None:
    keys = settings.proxy_api_keys
    if not keys or not all(keys):
        raise SettingsError("PROXY_API_KEYS has an empty entry: it is a list of keys, separated by commas")
    if len(set(keys)) != len(keys):
        raise SettingsError("PROXY_API_KEYS names one key twice")
    for key in (*keys, settings.admin_api_key):
        if not key.isascii() or any(mark.isspace() or not mark.isprintable() for mark in key):
            raise SettingsError("a key in PROXY_API_KEYS or ADMIN_API_KEY holds a space or a sign that is not ASCII")
    if settings.admin_api_key in keys:
        raise SettingsError("ADMIN_API_KEY is also in PROXY_API_KEYS: callers would be administrators")
    if not is_loopback(settings.host) and DEFAULT_KEY in keys:
        raise SettingsError(
            f"HOST {settings.host} can be reached from other machines, and the caller key {DEFAULT_KEY} is known to "
            "all: set PROXY_API_KEYS to keys of your own, or HOST to 127.0.0.1"
        )


DEFAULT_KEY = "sk-router-1"
_PLACES = frozenset({"hermes_home", "hermes_config"})
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "max_request_bytes": (1, math.inf),
    "breaker_window": (1, 1000),
    "breaker_min_samples": (1, 1000),
    "breaker_error_rate": (0, 1),
    "hedge_quota_share": (0, 1),
    "upstream_timeout": (0.1, math.inf),
    "connect_timeout": (0.1, math.inf),
    "first_event_timeout": (0.1, math.inf),
    "first_event_timeout_reasoning": (0.1, math.inf),
    "first_event_timeout_local": (0.1, math.inf),
    "gap_timeout": (0.1, math.inf),
    "request_timeout": (0.1, math.inf),
    "attempts_max": (1, 1000),
}
