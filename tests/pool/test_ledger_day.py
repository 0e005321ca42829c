"""A whole day in virtual time: the free quota is used, and refusals stay within what is to be learned."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fakes.day import DECLARED, NAMED, NOTHING_SAID, Subject, Variant, play
from hermes_router.catalogue.schema import Limits

START = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
GROQ = Limits(rpm=30, rpd=1000, tpm=8000, tpd=200_000)
SUBJECTS = [
    Subject("rolling day", {"a": GROQ, "b": Limits(rpm=15, rpd=40)}, None, "rolling"),
    Subject("pacific day", {"a": Limits(rpm=15, rpd=500, tpm=250_000)}, None, "America/Los_Angeles"),
    Subject("shared", {"a": Limits(), "b": Limits()}, Limits(rpm=20, rpd=50), "UTC"),
    Subject("minutes only", {"a": Limits(rpm=10), "b": Limits(rpm=10)}, None, None),
    Subject("month", {"a": Limits(rpm=20)}, Limits(month=1000), None),
    Subject("one at a time", {"a": Limits(rpm=20, rpd=300, concurrency=1)}, None, "UTC"),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_documented_quota_is_used_whole_and_never_refused(subject: Subject):
    played = play(subject, DECLARED, start=START, days=1)
    assert played.refused == 0
    assert played.share >= 0.98


@pytest.mark.parametrize("variant", [pytest.param(NAMED, id="named"), pytest.param(NOTHING_SAID, id="nothing said")])
@pytest.mark.parametrize("subject", SUBJECTS[:4], ids=lambda subject: subject.name)
def test_a_hidden_quota_is_found_out(subject: Subject, variant: Variant):
    played = play(subject, variant, start=START, days=1, at_once=1)
    assert played.refused_per_window <= 0.1
    # A silent provider in another time zone is asked again at UTC's midnight, and in steps of hours after that.
    assert played.share >= (0.5 if variant is NOTHING_SAID and subject.name == "pacific day" else 0.95)


def test_a_named_hidden_limit_costs_one_refusal():
    played = play(Subject("p", {"a": Limits(rpm=20, rpd=5000)}, None, "UTC"), NAMED, start=START, days=3, at_once=1)
    assert played.refused == 2
    assert played.worst == 1
    assert played.share >= 0.98
