"""How hard a request looks, 0..1, from its text alone: no model is asked, microseconds are spent."""

from __future__ import annotations

import re

from ..core.request import Request, Role, Text

_LOOKED_AT = 4000
_HARD = re.compile(
    r"\b(prov(?:e|es|ing)|proof|derive|design|implement|refactor|diagnos\w*|debug|optimi[sz]e|architect\w*|algorithm|"
    r"complexit\w+|theorem|invariant|concurren\w+|distributed|lineari[sz]ab\w+|integral|differential|equation|"
    r"step by step|justify|counterexample\w*|trade-?offs?|compare|analy[sz]e|rewrite|migrate|numerically|matrix|"
    r"probability|polynomial|schema|kernel|compiler|recursion|regression)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"```|\bdef |\bclass |#include|\bfn |=>|;\n|\bSELECT\b.+\bFROM\b")
_EASY = re.compile(
    r"^\s*(what is the capital|who (?:wrote|is|was)|translate|spell|say |define |convert|when did|what year|hi\b|"
    r"hello\b|thanks?\b|synonym|give me one|list (?:three|3|five|5)\b|summari[sz]e)",
    re.IGNORECASE,
)


def difficulty(request: Request) -> float:
    """0 trivial .. 1 as hard as it gets."""
    score = of_text(_last_question(request))
    if request.tools:
        score = max(score, 0.3)
    if request.thinking.enabled or request.thinking.effort in ("high", "xhigh"):
        score = max(score, 0.5)
    return score


def of_text(text: str) -> float:
    """The same for one prompt."""
    head = text[:_LOOKED_AT]
    signals = len({match.group(1).lower() for match in _HARD.finditer(head)})
    score = 0.12 + 0.17 * min(signals, 4)
    if _CODE.search(head):
        score += 0.15
    if len(text) > 1500:
        score += 0.05
    if head.count("?") > 2:
        score += 0.05
    if not signals and _EASY.search(head):
        score -= 0.1
    return min(1.0, max(0.0, score))


def _last_question(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role is Role.USER:
            text = "\n".join(part.text for part in message.parts if isinstance(part, Text))
            if text:
                return text
    return ""
