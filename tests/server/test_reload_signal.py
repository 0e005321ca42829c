"""The real program, told by a signal to read its files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import orjson
import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGHUP")
def test_sighup_reads_the_files_again_and_the_program_goes_on(tmp_path: Path):
    command = [sys.executable, "-c", "from hermes_router.cli.app import main; main()", "serve", "--port", "0"]
    env = {"HERMES_HOME": str(tmp_path / "home"), "PATH": os.defpath}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as router:
        assert router.stdout
        try:
            url = re.search(r"is at (http://127\.0\.0\.1:\d+)$", router.stdout.readline().strip())
            assert url
            before = loaded_at(url[1])
            router.send_signal(signal.SIGHUP)
            ends = time.monotonic() + 10
            while loaded_at(url[1]) == before:
                assert time.monotonic() < ends
            assert router.poll() is None
        finally:
            router.kill()


def loaded_at(url: str) -> float:
    request = urllib.request.Request(f"{url}/v1/status", headers={"authorization": "Bearer sk-router-1"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return float(orjson.loads(answer.read())["config"]["loaded_at"])
