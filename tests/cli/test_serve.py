"""The program from its start to its end, on a machine where nothing is configured."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="ends with SIGTERM")
def test_it_says_where_it_is_answers_there_and_ends_when_told(tmp_path: Path):
    command = [sys.executable, "-c", "from hermes_router.cli.app import main; main()", "serve", "--port", "0"]
    env = {"HERMES_HOME": str(tmp_path / "home"), "PATH": os.defpath}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as router:
        assert router.stdout
        try:
            url = re.search(r"is at (http://127\.0\.0\.1:\d+)$", router.stdout.readline().strip())
            assert url
            with urllib.request.urlopen(f"{url[1]}/health", timeout=10) as answer:
                assert answer.status == 200
            router.send_signal(signal.SIGTERM)
            assert "the sandbox answers" in router.stdout.read()
            assert router.wait(10) == 0
        finally:
            router.kill()
    assert (tmp_path / "home/admin.key").stat().st_mode & 0o777 == 0o600
