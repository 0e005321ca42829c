"""How hard a request looks, 0..1, from its text alone: no model is asked, a few microseconds are spent.

Signals are words of difficult tasks, code, numbers and length. They tell a hard prompt from a trivial one, no more.
"""

from __future__ import annotations

from ..core.request import Request, Role, Text

_LOOKED_AT = 2000
_HARD_WORDS = """
    prove proof derive design implement refactor diagnose debug optimize optimise architect architecture algorithm
    complexity theorem invariant concurrent concurrency distributed linearizable integral differential equation
    justify counterexample counterexamples trade-offs tradeoffs compare analyze analyse rewrite migrate numerically
    matrix probability polynomial schema kernel compiler recursion regression lock-free consistency deadlock race
    consensus gradient eigenvalue asymptotic preemptive scheduler completeness
"""
_HARD = frozenset(_HARD_WORDS.split())
_EASY = (
    "what is the capital",
    "who wrote",
    "who is",
    "who was",
    "translate",
    "spell",
    "say ",
    "define ",
    "convert",
    "when did",
    "what year",
    "hi",
    "hello",
    "thank",
    "give me one",
    "summarize",
    "summarise",
)
_CODE = ("```", "def ", "class ", "#include", "=>", ";\n")
# Every ASCII character has a row: translate() is slow for those it does not find.
_SPLIT = {at: at for at in range(128)} | str.maketrans(dict.fromkeys(".,:;!?()[]{}\"'`<>/\n\t", " "))


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
    head = text[:_LOOKED_AT].lower()
    words = head.translate(_SPLIT).split()
    signals = len(_HARD.intersection(words))
    score = 0.12 + 0.17 * (signals if signals < 4 else 4)
    if any(map(head.__contains__, _CODE)):
        score += 0.15
    numbers = len([word for word in words if word[0].isdigit()])
    score += 0.02 * numbers if numbers < 5 else 0.1
    score += len(text) / 10000 if len(text) < 1000 else 0.1
    if not signals and head.lstrip().startswith(_EASY):
        score -= 0.1
    return min(1.0, max(0.0, score))


def _last_question(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role is Role.USER:
            text = "\n".join([part.text for part in message.parts if type(part) is Text])
            if text:
                return text
    return ""
