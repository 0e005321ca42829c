from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_router.wires.quirks import budget_effort, tool_id

SHAPES = {"alnum9": r"[A-Za-z0-9]{9}", "word64": r"[A-Za-z0-9_-]{1,64}"}


@pytest.mark.parametrize("shape, pattern", SHAPES.items())
@given(said=st.text(max_size=80))
def test_an_id_gets_its_shape_and_keeps_it(shape: str, pattern: str, said: str):
    short = tool_id(said, shape)
    assert re.fullmatch(pattern, short)
    assert tool_id(short, shape) == short
    assert tool_id(said, shape) == short


STAYS = [("FI5qQGzDE", "alnum9"), ("toolu_01A-b", "word64"), ("functions.get:0", None)]


@pytest.mark.parametrize("said, shape", STAYS)
def test_an_id_that_fits_stays(said: str, shape: str | None):
    assert tool_id(said, shape) == said


def test_an_id_becomes_the_same_one_in_every_process():
    assert tool_id("call_abc", "alnum9") == "ZClYZGnrZ"
    assert tool_id("functions.get:0", "word64") == "call_019a016c6d9a97873778a4dd"


def test_different_ids_stay_apart():
    assert len({tool_id(f"call_{number}", "alnum9") for number in range(2000)}) == 2000


BUDGETS = {-1: "low", 0: "low", 1024: "low", 4000: "medium", 11_999: "medium", 12_000: "high", 64_000: "high"}


@pytest.mark.parametrize("budget, effort", BUDGETS.items())
def test_a_budget_is_an_effort(budget: int, effort: str):
    assert budget_effort(max(budget, 0)) == effort
