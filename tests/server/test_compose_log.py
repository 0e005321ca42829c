from __future__ import annotations

from pathlib import Path

import pytest

from fakes.configured import load_from
from hermes_router.server.compose import log_file, open_log


@pytest.mark.parametrize(
    "name, expected", [("state.sqlite", "state-log.sqlite"), ("router_state.json", "router_state-log.json")]
)
def test_the_log_lies_beside_the_state(tmp_path: Path, name: str, expected: str):
    settings = load_from(tmp_path, {"ROUTER_STATE_FILE": str(tmp_path / name)}).settings
    assert log_file(settings) == tmp_path / expected


def test_a_log_that_cannot_be_written_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    settings = load_from(tmp_path).settings
    log_file(settings).mkdir(parents=True)
    assert open_log(settings) is None
    assert "kept in memory only" in caplog.text
