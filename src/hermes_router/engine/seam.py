"""What of a continuation is new: the words it repeats are found and taken out, so nothing is lost, doubled or glued.

A model that goes on with an answer was asked to repeat the last few words (``tail``). What it repeats is compared
with what was sent, ignoring white space and nothing else. A model that starts over is the same case: it repeats
everything. An answer that does neither is no continuation, and nothing of it is passed on: two differently worded
answers are never spliced. Text in, text out; no events and no clock.

What counts as a repeat, where the whole of what was asked is not there: three words; two words that are whole or have
six characters; a single whole word only where it is no word of prose (letters with digits or with signs of code in
it) and was said once. Of scripts without spaces two characters count as a word. Where several lengths fit, the
longest counts.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import takewhile

_ASKED_WORDS = 6
_ASKED_MOST = 200
_ASKED_UNBROKEN = 40
_SURE_WORDS = 3
_OVERLAP_MOST = 4000
_PREAMBLE_MOST = 160

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_CODE_SIGN = re.compile(r"[_()\[\]{}=:<>$@\\|*+#&%0-9]")
_FENCE_LINE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
_ELLIPSIS = r"(?:\.{2,}|…|\[(?:\.{3}|…)\])?"
_DRESS = re.compile(
    r"(?P<lead>(?:\A|[:：\n]))\s*"
    + _ELLIPSIS
    + r"\s*(?P<open>(?:```|~~~)[\w+#.-]*[ \t]*\n|\*\*|[\"“„«‘'`*>])?\s*"
    + _ELLIPSIS
)
"""Where a repeat may begin other than at the very start: after a line or a colon, in quotes, a fence, after dots."""
_CLOSES = {"“": "”", "„": "“", "«": "»", "‘": "’", ">": ""}


class Seam:
    """Feed it the continuation as it comes; it gives back what is to be passed on.

    ``said`` is all the text the caller has. ``native``: the model was made to go on from its own unfinished turn
    (prefill), so its answer is taken as it is unless it repeats all the same. While ``state`` is undecided nothing is
    passed on; that ends after at most a few hundred characters, or with the length of what was said where the model
    starts over. A ``failed`` seam has passed on nothing and never will.
    """

    class State(StrEnum):
        UNDECIDED = "undecided"
        JOINED = "joined"
        FAILED = "failed"

    def __init__(self, said: str, *, native: bool = False) -> None:
        self.state = Seam.State.UNDECIDED
        self._said = _Said(said)
        self._native = native
        self._heard = ""
        self._rest: str | None = None
        self._tries = [_Try(self._said, 0, native=native)]
        self._cuts: set[tuple[int, str]] = {(0, "")}
        self._looked = 0

    def feed(self, text: str) -> str:
        """What may be passed on now, "" for nothing yet."""
        if self.state is Seam.State.JOINED:
            return text
        if self.state is Seam.State.FAILED or not text:
            return ""
        if self._rest is not None:
            self._rest += text
            return self._release(last=False)
        self._heard += text
        for one in self._tries:
            one.add(text)
        return self._decide(last=False)

    def end(self) -> str:
        """The continuation is over: what is left to pass on. The state is no longer undecided afterwards."""
        if self.state is not Seam.State.UNDECIDED:
            return ""
        return self._release(last=True) if self._rest is not None else self._decide(last=True)

    def _decide(self, *, last: bool) -> str:
        if not self._said.dense:
            return self._join(self._heard, last=last)
        waiting = False
        for one in self._tries:
            end = one.repeated(last=last)
            if end is None:
                waiting = True
                break
            if end >= 0:
                return self._join(self._heard[one.cut + end :], last=last)
        if waiting and not last:
            return ""
        if self._native:
            if not self._said.begins_like(self._heard):
                return self._join(self._heard, last=last)
        elif self._undress():
            return self._decide(last=last)
        elif len(self._heard) < _PREAMBLE_MOST and not last:
            return ""
        self.state = Seam.State.FAILED
        self._heard, self._tries = "", []
        return ""

    def _undress(self) -> bool:
        """Look for the repeat behind an opening; whether there was a new place to look. Sign by sign, so that it makes
        no difference in which chunks the text came."""
        found = False
        length = min(len(self._heard), _PREAMBLE_MOST)
        for seen in range(self._looked + 1, length + 1):
            for cut, opening, strict in _openings(self._heard[:seen]):
                if (cut, opening) not in self._cuts:
                    self._cuts.add((cut, opening))
                    one = _Try(self._said, cut, opening=opening, strict=strict)
                    one.add(self._heard[cut:])
                    self._tries.append(one)
                    found = True
        self._looked = length
        return found

    def _join(self, rest: str, *, last: bool) -> str:
        self._rest = rest
        self._heard, self._tries = "", []
        return self._release(last=last)

    def _release(self, *, last: bool) -> str:
        """Pass on the rest; white space that was sent before is not sent again."""
        rest = self._rest or ""
        if self._said.gap:
            body = rest.lstrip()
            if not body and not last:
                return ""
            rest = _more_space(self._said.gap, rest[: len(rest) - len(body)]) + body
        elif not rest and not last:
            self.state = Seam.State.JOINED
            return ""
        self._rest = None
        self.state = Seam.State.JOINED
        return rest


def tail(said: str) -> str:
    """The last few words of an answer, as they are to be repeated: six, or as many more as make the place unmistakable
    (up to 200 characters, where words allow it); all of a short text. Without the white space at the end."""
    text = said.rstrip()
    dense = _squeeze(text)
    start, unmistakable = len(text), False
    for at in _starts(text):
        length = len(_squeeze(text[at:]))
        if length > _ASKED_MOST:
            break
        start = at
        unmistakable = dense.find(dense[len(dense) - length :]) == len(dense) - length
        if unmistakable and _words(text[at:]) >= _ASKED_WORDS:
            break
    enough = unmistakable and _words(text[start:]) >= _SURE_WORDS
    return text[start if enough else min(start, max(0, len(text) - _ASKED_UNBROKEN)) :].lstrip()


class _Said:
    """What was sent, made ready for comparison: ``dense`` is without white space, ``gap`` the white space at its end,
    ``starts`` where in ``dense`` a repeat may begin, ``asked`` where the asked words do."""

    def __init__(self, said: str) -> None:
        text = said.rstrip()
        self.gap = said[len(text) :]
        self.dense = _squeeze(text)
        self.asked = len(self.dense) - len(_squeeze(tail(said)))
        self.fenced = len(_FENCE_LINE.findall(text)) % 2 == 1
        self.starts = sorted({0, self.asked, *_dense_starts(text, len(self.dense))})

    def begins_like(self, heard: str) -> bool:
        """Whether a text starts over, as far as a few words show it."""
        pairs = zip(self.dense, _squeeze(heard[: _ASKED_MOST * 2]), strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return _words(heard[: _reach(heard, same)]) > _SURE_WORDS


class _Try:
    """Whether the continuation, read from ``cut`` on, begins with a repeat. ``strict``: only all of what was asked, or
    everything, counts."""

    def __init__(self, said: _Said, cut: int, *, opening: str = "", strict: bool = False, native: bool = False) -> None:
        self.cut = cut
        self._said = said
        self._opening = opening
        self._native = native
        self._heard = ""
        self._dense = ""
        strong = {said.asked} | ({0} if _words(said.dense) >= 1 else set())
        self._starts = [at for at in said.starts if at in strong] if strict else said.starts

    def add(self, text: str) -> None:
        if self._starts:
            self._heard += text
            self._dense += _squeeze(text)

    def repeated(self, *, last: bool) -> int | None:
        """How many characters repeat what was sent; None: not clear yet; -1: it does not."""
        said, dense = self._said.dense, self._dense
        if not dense:
            return -1 if last else None
        self._starts = [at for at in self._starts if said.startswith(dense[: len(said) - at], at)]
        if self._said.asked in self._starts and len(said) - self._said.asked <= len(dense):
            starts = [self._said.asked]
        else:
            starts = self._starts
        for at in starts:
            length = len(said) - at
            if length > len(dense):
                if not last:
                    return None
                continue
            verdict = self._accept(at, last=last)
            if verdict is None or verdict >= 0:
                return verdict
        self._starts = []
        return -1

    def _accept(self, at: int, *, last: bool) -> int | None:
        end = _reach(self._heard, len(self._said.dense) - at)
        after = self._heard[end : end + 1]
        whole = not (after.isalnum() and self._said.dense[-1].isalnum())
        if not after and not last and (self._said.gap or not self._is_repeat(at, self._heard[:end], whole=False)):
            return None
        if (self._said.gap and not whole) or not self._is_repeat(at, self._heard[:end], whole):
            return -1
        return self._closed(end, last=last)

    def _is_repeat(self, at: int, words: str, whole: bool) -> bool:
        if not self._native and at in (0, self._said.asked):
            return True
        count, length = _words(words), len(self._said.dense) - at
        said_once = self._said.dense.find(self._said.dense[at:]) == at
        odd = whole and length >= 3 and said_once and _is_odd(words)
        if self._native:
            started_over = at == 0 and (whole or length >= 3) and not self._heard[:1].isspace()
            return count >= _SURE_WORDS or started_over or odd
        return count >= _SURE_WORDS or (count >= 2 and (length >= 6 or (whole and length >= 4))) or odd

    def _closed(self, end: int, *, last: bool) -> int | None:
        """Where the repeat ends with what closes its opening; -1 where an opening is left open."""
        opening = self._opening.strip()
        fence = opening[:3] in ("```", "~~~")
        closing = opening[:3] if fence else _CLOSES.get(opening, opening)
        if not closing or (fence and self._said.fenced):
            return end
        rest = self._heard[end:]
        found = re.match(r"\s*(?:\.{2,}|…)?\s*" + re.escape(closing), rest)
        if found is not None:
            return end + found.end()
        undecided = re.fullmatch(r"[\s.…]*", rest) or closing.startswith(rest.strip())
        return None if undecided and not last else -1


def _openings(heard: str) -> list[tuple[int, str, bool]]:
    """Places behind an opening, with what opened them and whether words stood before it."""
    places: list[tuple[int, str, bool]] = []
    for found in _DRESS.finditer(heard):
        if found.end() > 0:
            before = heard[: found.start()] + found["lead"]
            places.append((found.end(), found["open"] or "", bool(before.strip())))
    return places


def _more_space(sent: str, lead: str) -> str:
    """White space to add so that ``sent`` becomes what the continuation has at this place."""
    if lead.startswith(sent):
        return lead[len(sent) :]
    if sent.startswith(lead):
        return ""
    lines = lead.count("\n") - sent.count("\n")
    indent, before = lead.rpartition("\n")[2], sent.rpartition("\n")[2]
    if lines > 0:
        return "\n" * lines + indent
    return indent[len(before) :] if lines == 0 and indent.startswith(before) else ""


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _reach(text: str, count: int) -> int:
    """Where in ``text`` the first ``count`` characters that are no white space end."""
    end = count
    while (seen := len(_squeeze(text[:end]))) < count:
        end += count - seen
    return end


def _words(text: str) -> float:
    """Words with a letter or digit in them."""
    unspaced = len(_UNSPACED.findall(text))
    spaced = _UNSPACED.sub(" ", text) if unspaced else text
    return unspaced / 2 + sum(any(sign.isalnum() for sign in word) for word in spaced.split())


def _is_odd(word: str) -> bool:
    bare = word.strip().strip(".,;:!?\"'()[]{}*`")
    return any(sign.isalpha() for sign in bare) and _CODE_SIGN.search(bare) is not None


def _starts(text: str) -> list[int]:
    """Where words begin, the last one first."""
    window = max(0, len(text) - _ASKED_MOST * 6)
    found = [
        at
        for at in range(window, len(text))
        if not text[at].isspace() and (at == 0 or text[at - 1].isspace() or _UNSPACED.match(text[at]))
    ]
    return found[::-1]


def _dense_starts(text: str, length: int) -> list[int]:
    """Where in the text without white space a repeat may begin: at words, and at signs between them."""
    starts: list[int] = []
    at = length
    for place in range(len(text) - 1, -1, -1):
        sign = text[place]
        if sign.isspace():
            continue
        at -= 1
        before = text[place - 1] if place else " "
        if not (sign.isalnum() and before.isalnum()) or _UNSPACED.match(sign):
            starts.append(at)
        if length - at >= _OVERLAP_MOST:
            break
    return starts
