"""After a change of files: the running router takes it up at once, or whoever made it is told when it will count."""

from __future__ import annotations

from typing import Any

from ..settings import Loaded
from .client import Router, find
from .output import Failed


def applied(loaded: Loaded) -> str:
    """A sentence: when the change counts. Raises Failed where the running router refuses the new configuration."""
    router = find(loaded)
    if router is None:
        return "No router is running; it counts from the next start."
    return reloaded(router)


def reloaded(router: Router) -> str:
    """Let the router read its files now. Raises Failed with its reason where it cannot use them."""
    said: Any = router.admin("POST", "/admin/api/config/reload", {})
    if isinstance(said, dict) and said.get("problem"):
        raise Failed(f"The change is saved, but the router keeps its former configuration: {said['problem']}")
    later = said.get("needs_restart") if isinstance(said, dict) else None
    if later:
        return f"The router at {router.url} has taken it up, except for {', '.join(later)}: hr restart."
    return f"The router at {router.url} has taken it up."
