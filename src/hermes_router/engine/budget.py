"""How many output tokens to ask a deployment for, and how many tokens to hold for the call."""

from __future__ import annotations

from ..core.request import Request
from ..pool.states import DeploymentState
from ..routing.needs import Needs
from ..settings import Settings

_UNSAID = 4096
_UPFRONT_RESERVE = 1024
_EXPECTED = 400
_EXPECTED_MOST = 1024


def reserve(request: Request, state: DeploymentState, settings: Settings) -> int:
    """Tokens added so that a model that thinks first still has room for its answer."""
    target = state.deployment.target
    if not state.spec.reasoning or request.thinking.enabled is False:
        return 0
    stated = target.quirks.reserve
    if stated is not None:
        return stated
    most = settings.reasoning_token_reserve
    return min(most, _UPFRONT_RESERVE) if target.quirks.charges_output else most


def output_budget(request: Request, needs: Needs, state: DeploymentState, settings: Settings) -> int | None:
    """What to ask for; None: say nothing."""
    asked = request.max_output
    quirks = state.deployment.target.quirks
    if asked is None and not (quirks.always_max_tokens or quirks.charges_output):
        return None
    extra = reserve(request, state, settings)
    budget = (asked or min(_UNSAID, state.largest_output() or _UNSAID)) + extra
    most = state.largest_output()
    if most:
        budget = min(budget, most)
    window = state.largest_input()
    if window:
        budget = min(budget, max(window - needs.input, 16))
    return budget


def cost(request: Request, needs: Needs, state: DeploymentState, settings: Settings) -> int:
    """Tokens to hold: the prompt, and the output as far as the provider counts it before it is there."""
    if state.deployment.target.quirks.charges_output:
        return needs.input + (output_budget(request, needs, state, settings) or 0)
    asked = request.max_output
    return needs.input + (min(asked // 2, _EXPECTED_MOST) if asked else _EXPECTED)
