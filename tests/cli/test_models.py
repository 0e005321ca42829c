"""What can be asked, and what it can do."""

from __future__ import annotations

import json
from pathlib import Path

from fakes.program import run


def test_models_are_found_by_what_they_can_do(tmp_path: Path):
    rows = json.loads(run(tmp_path, "models", "--capable", "tools,reasoning", "--json").stdout)
    assert [row["name"] for row in rows] == ["sandbox-thinker/thinker-1"]


def test_the_strongest_come_first_and_embeddings_last(tmp_path: Path):
    rows = json.loads(run(tmp_path, "models", "--json").stdout)
    assert rows[0]["name"] == "sandbox-strong/strong-1"
    assert rows[-1]["can"] == ["embeddings"]


def test_what_nobody_has_tried_is_marked(tmp_path: Path):
    result = run(tmp_path, "models", env={"LOCAL_MODEL": "llama"})
    assert "tools?" in result.stdout


def test_an_ability_that_there_is_not_is_exit_code_2(tmp_path: Path):
    result = run(tmp_path, "models", "--capable", "vison")
    assert result.exit_code == 2
    assert "did you mean vision" in result.stderr


def test_nobody_who_can_is_said(tmp_path: Path):
    assert "No model that is configured" in run(tmp_path, "models", "--capable", "audio,reasoning").stdout
