"""Our estimate of input tokens against what providers reported."""

from __future__ import annotations

import pytest

from fakes.recorded_usage import counted, percentile
from fakes.recordings import needs_recordings

pytestmark = needs_recordings


@pytest.mark.parametrize("endpoint", ["messages", "chat"])
def test_half_of_the_estimates_are_within_a_tenth_of_what_providers_counted(endpoint, tally):
    rows = list(counted(endpoint))
    errors = [row.error for row in rows]
    tally[f"token counts, {endpoint}: compared"] = len(rows)
    tally[f"token counts, {endpoint}: median error, per mille"] = round(percentile(errors, 0.5) * 1000)
    assert len(rows) > 100
    assert percentile(errors, 0.5) <= 0.10


@pytest.mark.parametrize("half", [0, 1])
def test_claude_counts_hold_on_either_half_of_the_recordings(half):
    assert percentile([row.error for row in counted("messages") if row.half == half], 0.5) <= 0.10
