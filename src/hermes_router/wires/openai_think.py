"""Thinking that comes as ``<think>`` text, told apart from the answer, however the text is cut.

Models served without a reasoning parser write their thoughts into the answer (DeepSeek R1, Qwen 3, GLM). At most a
part of a tag is held back; white space around the tags is dropped. A closing tag that never comes leaves the rest
thought, not said. An answer that only mentions the tags keeps them, unless the provider is known to think this way.
"""

from __future__ import annotations

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkSplitter:
    """``feed`` gives (is thinking, text) pairs. ``everywhere``: a tag counts at any place, else only at the start.

    ``plain`` turns True where no tag can come any more: then text need not pass through here.
    """

    __slots__ = ("_begun", "_everywhere", "_held", "_thinking", "_trim", "plain")

    def __init__(self, everywhere: bool) -> None:
        self._everywhere = everywhere
        self._begun = False
        self._thinking = False
        self._trim = False
        self._held = ""
        self.plain = False

    @property
    def quiet(self) -> bool:
        """Outside of a thought, with nothing held back: text without "<" need not pass through here."""
        return self._begun and not (self._thinking or self._trim or self._held)

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """What ``text`` makes certain."""
        rest = self._held + text
        self._held = ""
        out: list[tuple[bool, str]] = []
        while rest:
            rest = self._step(rest, out) if self._begun else self._lead(rest)
        return out

    def end(self) -> list[tuple[bool, str]]:
        """What was held back after all."""
        held, self._held = self._held, ""
        return [(self._thinking, held)] if held else []

    def _lead(self, text: str) -> str:
        """Nothing but white space has come so far."""
        stripped = text.lstrip()
        if _OPEN.startswith(stripped[: len(_OPEN)]) and len(stripped) < len(_OPEN):
            self._held = text
            return ""
        self._begun = True
        if not stripped.startswith(_OPEN):
            return text
        self._thinking = self._trim = True
        return stripped[len(_OPEN) :]

    def _step(self, text: str, out: list[tuple[bool, str]]) -> str:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if not text:
            return ""
        if not self._thinking and not self._everywhere:
            self.plain = True
            out.append((False, text))
            return ""
        before, tag, after = text.partition(_CLOSE if self._thinking else _OPEN)
        if not tag:
            keep = _partial(text, _CLOSE if self._thinking else _OPEN)
            before, self._held = text[: len(text) - keep], text[len(text) - keep :]
        if before:
            out.append((self._thinking, before))
        if tag:
            self._thinking, self._trim = not self._thinking, True
        return after


def _partial(text: str, tag: str) -> int:
    """How many characters at the end of ``text`` may be the start of ``tag``."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
