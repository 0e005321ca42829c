"""Whether there is a newer release, asked of an index in a folder."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from fakes.program import run
from hermes_router import __version__
from hermes_router.cli.update import order, own_summary


def index(folder: Path, version: str, summary: str) -> dict[str, str]:
    """Variables that send pip to an index with this one release."""
    package = folder / "simple" / "hermes-router"
    package.mkdir(parents=True)
    wheel = f"hermes_router-{version}-py3-none-any.whl"
    info = f"hermes_router-{version}.dist-info"
    with zipfile.ZipFile(package / wheel, "w") as written:
        written.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: hermes-router\nVersion: {version}\nSummary: {summary}\n",
        )
        written.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        written.writestr(f"{info}/RECORD", "")
    (package / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    return pip_at(package.parent.as_uri())


def pip_at(url: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "NO_PROXY": "*"}


@pytest.mark.parametrize("version,newer", [(__version__, False), ("0.0.1", False), ("99.0", True)])
def test_the_index_says_what_is_newest(tmp_path: Path, version: str, newer: bool):
    result = run(tmp_path, "update", "--check", "--json", env=index(tmp_path, version, own_summary()))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"installed": __version__, "latest": version, "newer": newer}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/simple", "file:///nowhere/simple"], ids=["offline", "unknown"])
def test_an_index_that_cannot_help_is_one_clear_line(tmp_path: Path, url: str):
    result = run(tmp_path, "update", "--check", env=pip_at(url))
    assert result.exit_code == 1
    assert "The package index cannot be reached, or has no release" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_package_of_somebody_else_is_never_installed(tmp_path: Path):
    result = run(tmp_path, "update", "--yes", env=index(tmp_path, "99.0", "Another router"))
    assert result.exit_code == 1
    assert "not this program" in result.stderr


def test_versions_are_compared_as_numbers():
    assert order("0.10.0") > order("0.9.9") > order("0.9")
