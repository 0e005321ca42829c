"""Counts the cases of long tables and of replayed recordings, and says so at the end of the run."""

from __future__ import annotations

from collections import Counter

import pytest

Tally = Counter[str]

_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Counter()


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Tally:
    """What is counted here is printed after the tests, in the order of its names."""
    return pytestconfig.stash[_TALLY]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(_TALLY, Counter())
    if tally:
        terminalreporter.section("counted")
        for what, count in sorted(tally.items()):
            terminalreporter.write_line(f"{count:8,} {what}")
