"""What the model name in a request means: anybody, a profile, an alias's list, or one pinned deployment."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from ..catalogue.schema import Profile
from ..core.errors import NotFound
from ..pool.world import World


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """``names``: provider/model in the order to try, empty: everybody. ``then_pool``: after them the others.
    ``order``: what decides where no names do. ``key`` tells selections apart."""

    key: str
    names: tuple[str, ...] = ()
    then_pool: bool = False
    order: tuple[str, ...] = ("fit",)
    providers: frozenset[str] = frozenset()
    tiers: frozenset[int] = frozenset()


AUTO = Selection(key="")


def select(model: str, world: World, *, pin: bool, profile: str | None = None) -> Selection:
    """Raises NotFound (``model_not_found``) for an unknown profile, or a pinned model that is not configured."""
    alias = world.aliases.get(model)
    if alias is not None:
        then_pool = bool(alias) and alias[-1] == "*"
        return Selection(key=f"alias {model}", names=alias[:-1] if then_pool else alias, then_pool=then_pool)
    if ":" in model:
        base, _, wanted = model.partition(":")
        if base == world.settings.router_model_id:
            return _profile(wanted, world)
    if profile:
        return _profile(profile, world)
    if pin and "/" in model:
        return _pinned(model, world)
    return AUTO


def stays_with_one(selection: Selection, world: World) -> bool:
    """Only one provider can come of it."""
    named = {name.partition("/")[0] for name in selection.names}
    if named and not selection.then_pool:
        return len(named) == 1
    return len(selection.providers or {deployment.provider for deployment in world.deployments}) == 1


def _profile(name: str, world: World) -> Selection:
    found = world.profiles.get(name)
    if found is None:
        raise NotFound(
            f"There is no profile {name!r}. Known: {_listed(world.profiles)}.", code="model_not_found", param="model"
        )
    return _of_profile(name, found)


def _of_profile(name: str, profile: Profile) -> Selection:
    return Selection(
        key=f"profile {name}",
        order=profile.order,
        providers=frozenset(profile.providers),
        tiers=frozenset(profile.tiers),
    )


def _pinned(name: str, world: World) -> Selection:
    if not any(deployment.name == name for deployment in world.deployments):
        nearest = difflib.get_close_matches(name, [deployment.name for deployment in world.deployments], n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise NotFound(
            f"{name!r} is pinned but not configured.{hint} GET /v1/models lists what is.",
            code="model_not_found",
            param="model",
        )
    return Selection(key=f"pin {name}", names=(name,))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
