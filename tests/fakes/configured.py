"""Settings loaded from files and variables that a test names, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from hermes_router.settings import Loaded, load


def load_from(
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    toml: str = "",
    dotenv: str = "",
    home_dotenv: str = "",
    auth: Mapping[str, list[str]] | None = None,
) -> Loaded:
    """``dotenv`` lies in the working folder, the other files in HERMES_HOME."""
    home, work = folder / "home", folder / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    for path, text in (
        (work / ".env", dotenv),
        (home / ".env", home_dotenv),
        (home / "hermes-router.toml", toml),
        (home / "auth.json", orjson.dumps({"providers": auth}).decode() if auth else ""),
    ):
        if text:
            path.write_text(text, "utf-8")
            path.chmod(0o600)
    return load(flags or {}, {"HERMES_HOME": str(home), **(env or {})}, work)
