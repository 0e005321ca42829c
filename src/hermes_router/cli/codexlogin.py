"""The Codex CLI's login: read from its auth.json and kept in ours under ``codex_accounts``.

Shape, as the Codex CLI writes it: ``{"OPENAI_API_KEY": str | null, "tokens": {"id_token", "access_token",
"refresh_token", "account_id"}, "last_refresh": str}`` (openai/codex, docs on authentication, 2026).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .. import files
from ..pool.credentials import read_auth, write_auth
from ..settings import Loaded
from .output import Failed


def import_login(loaded: Loaded, folder: str) -> Iterator[str]:
    """Sentences about what was taken over. Raises Failed."""
    home = Path(folder or loaded.layers[0].values.get("CODEX_HOME") or "~/.codex").expanduser()
    account = _account(home / "auth.json")
    path = loaded.settings.router_auth_file
    files.make_folder(path.parent)
    with files.locked(path):
        auth = read_auth(path)
        known = auth.rest.get("codex_accounts", [])
        if not isinstance(known, list):
            raise Failed(f"{path}: codex_accounts is not a list; correct or remove it first.")
        rest = [one for one in known if not _same(one, account)]
        write_auth(msgspec.structs.replace(auth, rest={**auth.rest, "codex_accounts": [*rest, account]}))
    yield f"The Codex login of {home} is kept in {path}" + (
        " in place of the one before." if len(rest) < len(known) else "."
    )
    yield "! It has no effect in this version yet: the codex provider cannot be used so far."


def _account(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Failed(f"{path} does not exist. Log in with the Codex CLI first: codex login") from None
    except (OSError, ValueError) as error:
        raise Failed(f"{path} cannot be read as JSON ({type(error).__name__}).") from None
    tokens = content.get("tokens") if isinstance(content, dict) else None
    if not isinstance(tokens, dict) or not tokens.get("refresh_token"):
        raise Failed(f"{path} holds no ChatGPT login. If it holds an API key, add that with: hr auth add openai")
    return {"tokens": tokens, "last_refresh": content.get("last_refresh")}


def _same(one: Any, account: dict[str, Any]) -> bool:
    tokens = one.get("tokens") if isinstance(one, dict) else None
    return isinstance(tokens, dict) and tokens.get("account_id") == account["tokens"].get("account_id")
