"""Embeddings without a model: each word has a direction, made from its hash; a text is the sum of its words.

The same text gives the same unit vector for ever, and texts that share words are closer than those that do not.
"""

from __future__ import annotations

import hashlib
import math
import re
from array import array
from collections.abc import Sequence

_WORD = re.compile(r"\w+")


def vector(text: str | Sequence[int], size: int) -> list[float]:
    """A unit vector of ``size`` numbers; ``text`` may be token numbers."""
    words = _WORD.findall(text.lower()) if isinstance(text, str) else [f"token {number}" for number in text]
    total = [0.0] * size
    for word in words or ["(nothing)"]:
        for at, value in enumerate(_direction(word, size)):
            total[at] += value
    length = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / length for value in total]


def _direction(word: str, size: int) -> array[int]:
    return array("h", hashlib.shake_256(word.encode()).digest(size * 2))
