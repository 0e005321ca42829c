"""Whether there is a newer release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.program import run
from fakes.upstream import Upstream, error, reply
from hermes_router import __version__
from hermes_router.cli.update import order, own_summary


@pytest.mark.parametrize("version,newer", [(__version__, False), ("0.0.1", False), ("99.0", True)])
def test_the_index_says_what_is_newest(tmp_path: Path, version: str, newer: bool):
    with Upstream() as up:
        up.script(reply({"info": {"version": version, "summary": own_summary()}}), path="/json")
        result = run(tmp_path, "update", "--check", "--json", "--index", f"{up.url}/json", env={"NO_PROXY": "*"})
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"installed": __version__, "latest": version, "newer": newer}


def test_offline_is_one_clear_line(tmp_path: Path):
    result = run(tmp_path, "update", "--check", "--index", "http://127.0.0.1:1/json", env={"NO_PROXY": "*"})
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("script", [error(404), reply(b"<html>"), reply({"info": {}})])
def test_an_index_that_does_not_know_it_is_said(tmp_path: Path, script: object):
    with Upstream() as up:
        up.script(script, path="/json")  # type: ignore[arg-type]
        result = run(tmp_path, "update", "--check", "--index", f"{up.url}/json", env={"NO_PROXY": "*"})
    assert result.exit_code == 1
    assert "package index" in result.stderr


def test_a_package_of_somebody_else_is_never_installed(tmp_path: Path):
    with Upstream() as up:
        up.script(reply({"info": {"version": "99.0", "summary": "Another router"}}), path="/json")
        result = run(tmp_path, "update", "--yes", "--index", f"{up.url}/json", env={"NO_PROXY": "*"})
    assert result.exit_code == 1
    assert "not this program" in result.stderr


def test_versions_are_compared_as_numbers():
    assert order("0.10.0") > order("0.9.9") > order("0.9")
