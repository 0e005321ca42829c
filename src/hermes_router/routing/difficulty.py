"""How hard a request looks, 0..1, from its text alone: no model is asked, a few microseconds are spent.

Signals are words of difficult tasks, code, numbers and length. They tell a hard prompt from a trivial one, no more.
"""

from __future__ import annotations

from ..core.request import Request, Role, Text

_LOOKED_AT = 2000
_USER = Role.USER
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
_MARKS = b".,:;!?()[]{}\"'`<>/\n\t"
_SPLIT = bytes.maketrans(_MARKS, b" " * len(_MARKS))
_BEGINS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 if chr(byte).isspace() else 0x78 for byte in range(256))
"""Digits, blanks and the rest: a number then begins where a digit follows a blank."""


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
    spaced = head.encode().translate(_SPLIT)  # far quicker than str.translate
    words = spaced.decode().split()
    signals = 0 if _HARD.isdisjoint(words) else len(_HARD.intersection(words))
    score = 0.12 + 0.17 * (signals if signals < 4 else 4)
    if "```" in head or "def " in head or "class " in head or "#include" in head or "=>" in head or ";\n" in head:
        score += 0.15
    numbers = _numbers(spaced, words)
    score += 0.02 * numbers if numbers < 5 else 0.1
    score += len(text) / 10000 if len(text) < 1000 else 0.1
    if not signals and head.lstrip().startswith(_EASY):
        score -= 0.1
    return 0.0 if score < 0.0 else 1.0 if score > 1.0 else score


def _numbers(spaced: bytes, words: list[str]) -> int:
    if not spaced.isascii():
        return len([word for word in words if word[0].isdigit()])
    begins = spaced.translate(_BEGINS)
    return begins.count(b" 0") + begins.startswith(b"0")


def _last_question(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role is _USER:
            parts = message.parts
            if len(parts) == 1 and type(parts[0]) is Text:
                text = parts[0].text
            else:
                text = "\n".join([part.text for part in parts if type(part) is Text])
            if text:
                return text
    return ""
