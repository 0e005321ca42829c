"""Every setting: its name, type, default and where its value came from. Read once, frozen; the only reader of os.environ.

A field is set by the variable of the same name in upper case, or by the lower-case name in ``[router]`` of
hermes-router.toml. Precedence: flag > environment > .env > TOML > default. Credentials: ``pool/credentials.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


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
