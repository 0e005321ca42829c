"""One configuration, built and validated: what can be asked, by whom it is served. Never changed, only replaced.

How it is built from files and variables: ``pool/build.py``. What happens to it at run time: ``pool/pool.py``.
"""

from __future__ import annotations

import msgspec

from ..catalogue.schema import Profile, ProviderSpec
from ..limits.callers import CallerKey
from ..settings import Loaded, Settings
from ..wires.base import Target, Wire


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One key. ``id`` is stable over restarts and gives nothing away; ``tail`` the last four characters, for people;
    ``origin`` where it was found (``auth.json``, ``GROQ_API_KEY``, ``hermes-router.toml``). A keyless provider has one
    whose ``secret`` is empty."""

    id: str
    secret: str
    tail: str = ""
    origin: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.id}, ...{self.tail})"


class Deployment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A model of a provider with a credential; compared by identity.

    ``name`` is ``provider/model``, what aliases and pins say; ``id`` adds the credential and is unique and stable over
    restarts. ``account`` is whose limits it draws on: all deployments of a provider with the same account share them.
    ``target.model`` and ``target.quirks`` hold the user's overrides already. ``skip_tokens_over``: larger requests are
    not for it (0: no such rule). ``target.embed`` is set exactly where it serves embeddings. ``by_name``: only an alias
    names it, so it serves where that asks for it and never as one of the pool.
    """

    id: str
    name: str
    provider: str
    credential: Credential
    account: str
    target: Target
    wire: Wire
    local: bool = False
    sandbox: bool = False
    skip_tokens_over: int = 0
    by_name: bool = False


class Notice(msgspec.Struct, frozen=True):
    """Something configured that does not serve, or deserves a look, and why; for people."""

    subject: str
    message: str


class World(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """``deployments`` in catalogue and configuration order, ``embedders`` in the order they are asked. ``callers``: the
    keys that have limits. ``loaded``: what it was built from."""

    settings: Settings
    deployments: tuple[Deployment, ...] = ()
    embedders: tuple[Deployment, ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}
    profiles: dict[str, Profile] = {}
    providers: dict[str, ProviderSpec] = {}
    notices: tuple[Notice, ...] = ()
    sandbox: bool = False
    callers: tuple[CallerKey, ...] = ()
    loaded: Loaded | None = None
