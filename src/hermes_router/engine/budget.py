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
    if not state.spec.reasoning or request.thinking.enabled is False:
        return 0
    quirks = state.deployment.target.quirks
    if quirks.reserve is not None:
        return quirks.reserve
    most = settings.reasoning_token_reserve
    return min(most, _UPFRONT_RESERVE) if quirks.charges_output else most


def output_budget(request: Request, needs: Needs, state: DeploymentState, settings: Settings) -> int | None:
    """What to ask for; None: say nothing."""
    asked, most = request.max_output, state.largest_output()
    if asked is None:
        quirks = state.deployment.target.quirks
        if not (quirks.always_max_tokens or quirks.charges_output):
            return None
    budget = (asked or min(_UNSAID, most or _UNSAID)) + reserve(request, state, settings)
    if most and budget > most:
        budget = most
    window = state.largest_input()
    if window and budget > window - needs.input:
        budget = min(budget, max(window - needs.input, 16))
    return budget


def cost(request: Request, needs: Needs, state: DeploymentState, settings: Settings) -> int:
    """Tokens to hold: the prompt, and the output as far as the provider counts it before it is there."""
    if state.deployment.target.quirks.charges_output:
        return needs.input + (output_budget(request, needs, state, settings) or 0)
    asked = request.max_output
    if not asked:
        return needs.input + _EXPECTED
    return needs.input + (asked // 2 if asked < 2 * _EXPECTED_MOST else _EXPECTED_MOST)
