"""Whether and how a request asks an Anthropic upstream to think.

Two styles: older models take a token budget (``thinking: {type: enabled, budget_tokens}``), newer ones decide
themselves (``{type: adaptive}``) and take an effort in ``output_config``; the latter also refuse sampling knobs, so
where a model's quirks do not name its style, ``sampling = false`` stands for the newer one. Source: Anthropic's
extended and adaptive thinking guides (2026-11).
"""

from __future__ import annotations

from typing import Any

from ..core.request import Request, Role, ToolCall, ToolMode
from .base import Target

_MIN_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}


def choose_thinking(
    request: Request, target: Target, max_tokens: int, turns: list[dict[str, Any]]
) -> tuple[dict[str, Any] | None, str | None]:
    """The ``thinking`` field and the effort; None: left out. ``turns`` are the messages as they will be sent."""
    if target.model.reasoning is False or target.quirks.thinking == "none":
        return None, None
    effort = _effort(request, target)
    if _off(request):
        return {"type": "disabled"}, None
    if not _on(request) or _forced(request):
        return None, effort
    if _adaptive(target):
        # Newer models leave the thinking text out unless asked.
        return {"type": "adaptive"} | ({"display": "summarized"} if request.thinking.show else {}), effort
    budget = _budget(request, max_tokens)
    if budget is None or _began_without_thinking(turns) or _taken_over(request, target):
        return None, effort
    return {"type": "enabled", "budget_tokens": budget}, effort


def _adaptive(target: Target) -> bool:
    style = target.quirks.thinking
    return style == "effort" or (style is None and target.quirks.sampling is False)


def _off(request: Request) -> bool:
    return request.thinking.enabled is False or (request.thinking.enabled is None and request.thinking.effort == "none")


def _on(request: Request) -> bool:
    """An Anthropic caller's effort is about the whole answer; anybody else's is about thinking."""
    said = request.thinking
    return bool(said.enabled) or (said.enabled is None and said.effort is not None and request.dialect != "anthropic")


def _forced(request: Request) -> bool:
    """400 "Thinking may not be enabled when tool_choice forces tool use"."""
    choice = request.tool_choice
    return bool(request.tools) and choice is not None and choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED)


def _effort(request: Request, target: Target) -> str | None:
    """The word for the effort. Models with a budget have none unless their quirks or the caller's own words say so."""
    said = request.thinking.effort
    if said is None:
        return None
    if target.quirks.effort is not None:
        return target.quirks.effort.get(said)
    if _adaptive(target) or request.dialect == "anthropic":
        return _EFFORTS.get(said)
    return None


def _budget(request: Request, max_tokens: int) -> int | None:
    """Tokens to think with, less than ``max_tokens``; half of it at most where the caller named no number. None where
    even the smallest budget would leave no room for an answer."""
    said = request.thinking
    if max_tokens <= _MIN_BUDGET:
        return None
    if said.budget is not None:
        return max(_MIN_BUDGET, min(said.budget, max_tokens - 1))
    wanted = _BUDGETS.get(said.effort or "medium", _BUDGETS["medium"])
    return max(_MIN_BUDGET, min(wanted, max_tokens // 2))


def _taken_over(request: Request, target: Target) -> bool:
    """Whether another provider made the latest of the calls now being answered, in the middle of a turn that began
    with thinking."""
    last = next((message for message in reversed(request.messages) if message.role is Role.ASSISTANT), None)
    if last is None or request.messages[-1].role is not Role.TOOL or last.origin is None:
        return False
    return last.origin.partition("/")[0] != target.name and any(isinstance(part, ToolCall) for part in last.parts)


def _began_without_thinking(turns: list[dict[str, Any]]) -> bool:
    """Whether the calls now being answered came without thinking, as when another provider made them: 400 "Expected
    `thinking` or `redacted_thinking`, but found `tool_use`"."""
    calls = False
    for turn in reversed(turns):
        kinds = {block["type"] for block in turn["content"]}
        if turn["role"] == "user" and "tool_result" not in kinds:
            break
        if kinds & {"thinking", "redacted_thinking"}:
            return False
        calls = calls or "tool_use" in kinds
    return calls
