"""Continuations joined to what was sent: nothing lost, doubled, glued or spliced."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hermes_router.engine.seam import Seam, tail

RIVER = "I went down to the river and sat"
CODE = "Here it is:\n```python\ndef f(x):\n    y = x + 1\n    z = y"
CJK = "吾輩は猫である。名前はまだ無い。どこで"


def join(said: str, continuation: str, *, native: bool = False, size: int = 1000) -> str | None:
    """What the caller has in the end; None where the continuation does not join."""
    seam = Seam(said, native=native)
    passed = "".join(seam.feed(continuation[at : at + size]) for at in range(0, len(continuation), size)) + seam.end()
    if seam.state is Seam.State.FAILED:
        assert passed == ""
        return None
    assert seam.state is Seam.State.JOINED
    return said + passed


JOINS = {
    "the cut fell in a word": ("The quick bro", "The quick brown fox", "The quick brown fox"),
    "the cut fell before a space": ("one two three", "one two three four", "one two three four"),
    "the space was sent": ("one two three ", "one two three four", "one two three four"),
    "a paragraph's end was half sent": ("It ends here now.\n", "It ends here now.\n\nTwo", "It ends here now.\n\nTwo"),
    "more lines were sent than are repeated": ("It ends now.\n\n", "It ends now.\nTwo", "It ends now.\n\nTwo"),
    "an indent was half sent": ("if a and b:\n  ", "if a and b:\n    go()", "if a and b:\n    go()"),
    "white space differs inside": ("alpha  beta\ngamma", "alpha beta gamma delta", "alpha  beta\ngamma delta"),
    "three words back": (RIVER, " river and sat there", RIVER + " there"),
    "more than was asked for": (RIVER, "went down to the river and sat there", RIVER + " there"),
    "starts over": (RIVER, RIVER + " there", RIVER + " there"),
    "one word, all that was said": ("Hel", "Hello world", "Hello world"),
    "one word of a kind": ("T4:1 T4:2 T4:3", " T4:3 T4:4", "T4:1 T4:2 T4:3 T4:4"),
    "words that came before": ("to be or not to be", "not to be, that is", "to be or not to be, that is"),
    "nothing more to say": (RIVER, RIVER, RIVER),
    "an announcement": (RIVER, "Sure, I continue:\n\ndown to the river and sat there", RIVER + " there"),
    "an announced restart": (RIVER, f"Here it is again:\n{RIVER} there", RIVER + " there"),
    "quoted": (RIVER, '"down to the river and sat" there', RIVER + " there"),
    "quoted with dots": (RIVER, "“…the river and sat” there", RIVER + " there"),
    "dots": (RIVER, "...the river and sat there", RIVER + " there"),
    "quoted in the text": ('She said "one two', '"one two three" and left', 'She said "one two three" and left'),
    "a fence, reopened": (CODE, "```python\n    z = y * 2\n```\nDone", CODE + " * 2\n```\nDone"),
    "a fence, reopened, two lines back": (CODE, "```python\n    y = x + 1\n    z = y * 2\n```", CODE + " * 2\n```"),
    "no spaces in the script": (CJK, "名前はまだ無い。どこで生れたか", CJK + "生れたか"),
    "less of such a script": (CJK, "まだ無い。どこで生れたか", CJK + "生れたか"),
    "nothing was said": ("", "Hello there", "Hello there"),
    "only a space was said": (" ", " Hello there", " Hello there"),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("name", JOINS)
def test_a_repeat_is_found_and_taken_out(name: str, size: int):
    said, continuation, whole = JOINS[name]

    assert join(said, continuation, size=size) == whole


REFUSED = {
    "goes on without repeating": (RIVER, " there for a while, thinking of nothing much at all."),
    "says something else": (RIVER, "The lake was cold that day and nobody swam in it." * 10),
    "starts over in other words": (RIVER, "I went down to the lake and sat there"),
    "starts over and ends sooner": (RIVER, "I went down to the river"),
    "starts over, another case": (RIVER, RIVER.upper() + " THERE"),
    "another quotation mark": ("he said “one two three", 'he said "one two three four'),
    "a word of prose in common": ("it was found in 1969", "1969 was the year"),
    "the last word grows": ("a b c the ", "a b c them"),
    "a repeat in the middle of talk": (RIVER, "Well. You want me to go down to the river and sat there"),
    "wholly quoted": (RIVER, '"down to the river and sat there"'),
    "nothing": (RIVER, ""),
    "white space": (RIVER, "  \n"),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_continuation_passes_nothing(name: str, size: int):
    said, continuation = REFUSED[name]

    assert join(said, continuation, size=size) is None


NATIVE = {
    "goes on": (RIVER, " there", RIVER + " there"),
    "goes on in a word": ("The quick bro", "wn fox", "The quick brown fox"),
    "a space on both sides": ("one two ", " three", "one two three"),
    "repeats all of it": (RIVER, RIVER + " there", RIVER + " there"),
    "repeats a little": (RIVER, "river and sat there", RIVER + " there"),
    "one word twice": ("ha", " ha ha", "ha ha ha"),
    "nothing more to say": (RIVER, "", RIVER),
    "starts over in other words": (RIVER, "I went down to the lake and sat", None),
}


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("name", NATIVE)
def test_native_prefill_is_taken_as_it_is(name: str, size: int):
    said, continuation, whole = NATIVE[name]

    assert join(said, continuation, native=True, size=size) == whole


def test_once_joined_everything_passes_at_once():
    seam = Seam(RIVER)

    assert seam.feed(RIVER + " the") == " the"
    assert [seam.feed(piece) for piece in ("re", "", " ", "and")] == ["re", "", " ", "and"]


def test_something_else_is_refused_after_a_few_hundred_characters():
    seam = Seam(RIVER * 100)

    assert seam.feed("Something else entirely. " * 16) == ""
    assert seam.state is Seam.State.FAILED


TAILS = {
    "all of a short text": ("one two ", "one two"),
    "six words": ("a1 b2 c3 d4 e5 f6 g7 h8", "c3 d4 e5 f6 g7 h8"),
    "more where they were said before": ("x a b c d e f, y a b c d e f", "y a b c d e f"),
    "signs are no words": ("one two three four five six }\n}\n", "one two three four five six }\n}"),
    "a long run of signs": ("abc " + "x" * 300, "x" * 40),
}


@pytest.mark.parametrize("name", TAILS)
def test_the_words_to_repeat(name: str):
    said, words = TAILS[name]

    assert tail(said) == words


SPACES = st.sampled_from([" ", " ", " ", "  ", "\n", "\n\n", "\n    ", "\t"])


@st.composite
def texts(draw: st.DrawFn, letters: str = "abcdefghij0123_.,(){}é") -> str:
    """Words, all different, with any white space between them."""
    words = draw(st.lists(st.text(letters, min_size=2, max_size=9), min_size=4, max_size=40, unique=True))
    words = [f"{word}{at}" for at, word in enumerate(words)]
    return "".join(word + draw(SPACES) for word in words[:-1]) + words[-1]


def chunked(seam: Seam, text: str, sizes: list[int]) -> str:
    passed, at = "", 0
    for size in sizes:
        passed += seam.feed(text[at : at + size])
        at += size
    return passed + seam.feed(text[at:]) + seam.end()


@given(texts(), st.data(), st.lists(st.integers(1, 12), max_size=60), st.booleans())
def test_any_text_cut_anywhere_and_repeated_from_any_word_is_whole(
    whole: str, data: st.DataObject, sizes: list[int], native: bool
):
    cut = data.draw(st.integers(3 if native else 1, len(whole)))  # "h" after "h" may well go on
    said = whole[:cut]
    starts = [at for at in range(cut) if not whole[at].isspace() and (at == 0 or whole[at - 1].isspace())]
    start = data.draw(st.sampled_from(starts[:-2] or [0]))
    seam = Seam(said, native=native)

    assert said + chunked(seam, whole[start:], sizes) == whole
    assert seam.state is Seam.State.JOINED


@given(texts(), st.data(), st.lists(st.integers(1, 12), max_size=60))
def test_native_prefill_cut_anywhere_is_whole(whole: str, data: st.DataObject, sizes: list[int]):
    """The wires leave out white space at the end of the turn, so the model writes it again."""
    cut = data.draw(st.integers(1, len(whole)))
    said = whole[:cut]
    rest = whole[len(said.rstrip()) :]
    assume(not rest.startswith(said))  # "ha" after "ha" is taken for a new start

    assert said + chunked(Seam(said, native=True), rest, sizes) == whole


@given(texts(), texts("klmnopqrs456789"), st.data(), st.lists(st.integers(1, 12), max_size=60))
def test_any_other_text_passes_nothing(whole: str, other: str, data: st.DataObject, sizes: list[int]):
    cut = data.draw(st.integers(2, len(whole)))
    seam = Seam(whole[:cut])

    assert chunked(seam, other, sizes) == ""
    assert seam.state is Seam.State.FAILED


@given(texts(), st.data(), st.lists(st.integers(1, 12), max_size=60))
def test_a_restart_that_changes_a_letter_passes_nothing(whole: str, data: st.DataObject, sizes: list[int]):
    whole = " ".join(whole.split())  # a repeat may begin on a line of its own
    cut = data.draw(st.integers(12, len(whole)))
    at = data.draw(st.integers(0, cut - 1))
    assume(not whole[at].isspace())
    seam = Seam(whole[:cut])

    assert chunked(seam, whole[:at] + "Z" + whole[at + 1 :], sizes) == ""


@given(st.text(), st.text(), st.lists(st.integers(1, 12), max_size=60), st.booleans())
def test_chunks_make_no_difference(said: str, continuation: str, sizes: list[int], native: bool):
    pieces, at_once = Seam(said, native=native), Seam(said, native=native)

    assert chunked(pieces, continuation, sizes) == chunked(at_once, continuation, [])
    assert pieces.state is at_once.state


ALPHABET = st.text('ab \n:"`.…“”', max_size=60)


@given(ALPHABET, ALPHABET, st.lists(st.integers(1, 5), max_size=60), st.booleans())
def test_chunks_make_no_difference_to_ambiguous_text(said: str, continuation: str, sizes: list[int], native: bool):
    test_chunks_make_no_difference.hypothesis.inner_test(said, continuation, sizes, native)  # type: ignore[attr-defined]
