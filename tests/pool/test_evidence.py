"""Which refusals agree on a size, and what admitted calls prove."""

from __future__ import annotations

import pytest

from hermes_router.pool.evidence import Tally, Witness

NOON = 1_795_348_800.0


@pytest.mark.parametrize(
    "heard, limit",
    [
        pytest.param([(10, 10, True)], 0, id="one"),
        pytest.param([(10, 10, True), (10, 10, True)], 10, id="two"),
        pytest.param([(10, 10, True), (12, 10, True)], 10, id="two, nearly"),
        pytest.param([(10, 10, True), (13, 10, True)], 0, id="too far apart"),
        pytest.param([(10, 10, True), (11, 11, True)], 0, id="the first was disproved"),
        pytest.param([(10, 10, True), (9, 10, True)], 0, id="the second is below what was proven"),
        pytest.param([(10, 10, False), (10, 10, False)], 0, id="two that are not clear"),
        pytest.param([(10, 10, False)] * 3, 10, id="three that are not clear"),
        pytest.param([(10, 10, False), (10, 10, True)], 10, id="one of two is clear"),
    ],
)
def test_refusals_agree_on_a_limit(heard: list[tuple[int, int, bool]], limit: int):
    witness = Witness()
    for minute, (count, proven, clear) in enumerate(heard):
        witness.hear(count, proven, NOON + 60 * minute, same=False, clear=clear)
    assert witness.limit() == limit


def test_refusals_of_calls_under_way_together_count_once_and_the_smallest_holds():
    witness = Witness()
    for start in (0, 60):
        for n, count in enumerate((12, 11, 9)):
            witness.hear(count, 9, NOON + start, same=n > 0, clear=True)
        assert witness.limit() == (9 if start else 0)


def test_an_old_refusal_bears_no_witness():
    witness = Witness()
    witness.hear(10, 10, NOON, same=False, clear=True)
    witness.hear(10, 10, NOON + 4 * 3600, same=False, clear=True)
    assert witness.limit() == 0


def test_the_most_of_a_minute_is_proven_in_whatever_order_answers_come():
    tally = Tally()
    for sent in (50, 10, 30, 70, 69):
        tally.admitted(NOON + sent)
    assert tally.proven(NOON + 80) == (4, 3)
    assert tally.spent(NOON + 80) == (4, 2)
    assert tally.spent(NOON + 111) == (2, 2)


def test_what_was_proven_lapses_within_ten_minutes():
    tally = Tally()
    for sent in range(20):
        tally.admitted(NOON + sent)
    assert tally.proven(NOON + 299)[0] == 20
    assert tally.proven(NOON + 500)[0] == 20
    assert tally.proven(NOON + 1200)[0] < 20


@pytest.mark.parametrize(
    "sent, retry_after, fits",
    [
        pytest.param(30, 40.0, True, id="until the first call leaves"),
        pytest.param(30, 30.0, True, id="until the clock's minute ends"),
        pytest.param(30, 3600.0, True, id="longer"),
        pytest.param(30, 12.0, False, id="shorter"),
        pytest.param(57, 3.0, False, id="a moment, which everybody says"),
    ],
)
def test_a_stated_wait_fits_our_minute_or_not(sent: float, retry_after: float, fits: bool):
    tally = Tally()
    for n in range(10, 20):
        tally.admitted(NOON + n)
    assert tally.fits(retry_after, NOON + sent) is fits


def test_many_refusals_in_a_minute_are_no_strays():
    tally = Tally()
    for sent in range(12):
        tally.admitted(NOON + sent)
    assert [tally.crowded(NOON + 20 + n, 12, 6) for n in range(6)] == [False] * 5 + [True]
    assert tally.proven(NOON + 30) == (0, 0)


def test_few_refusals_among_many_calls_are_strays():
    tally = Tally()
    assert not any(tally.crowded(NOON + n, 30, 6) for n in range(10))
