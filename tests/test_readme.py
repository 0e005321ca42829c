"""What the README shows runs, as printed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SNIPPETS = re.findall(r"\*\*([A-Z][^*]+)\*\*[^`]*?(?:`[^`]+`[^`]*?)?```python\n(.*?)```", README, re.DOTALL)
SAYS = {
    "OpenAI SDK": "sandbox",
    "Anthropic SDK": "sandbox",
    "Tools": 'get_weather {"city"',
    "Embeddings": "2 vectors of",
}
PORT = 8319


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The router as `make run` starts it; on the printed port unless somebody else has it."""
    home = tmp_path_factory.mktemp("home")
    port = PORT if is_free(PORT) else 0
    env = {"HERMES_HOME": str(home), "PATH": os.environ["PATH"], "PORT": str(port)}
    command = [sys.executable, "-m", "hermes_router", "serve"]
    with subprocess.Popen(command, cwd=home, env=env, stdout=subprocess.PIPE, text=True) as router:
        assert router.stdout is not None
        try:
            first = router.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", first)
            assert found, first
            yield int(found.group(1))
        finally:
            router.terminate()
            router.communicate(timeout=20)
    assert router.returncode == 0


def test_every_snippet_of_the_readme_is_tested():
    assert [name for name, _ in SNIPPETS] == list(SAYS)
    assert README.count("```python") == len(SNIPPETS)


@pytest.mark.parametrize("name,snippet", SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_a_snippet_runs_as_printed(name: str, snippet: str, port: int, tmp_path: Path):
    snippet = snippet if port == PORT else snippet.replace(f":{PORT}", f":{port}")
    env = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name].lower() in done.stdout.lower()


def test_it_is_ready_without_any_key(port: int):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready") as answer:
        assert answer.status == 200
        assert b"sandbox" in answer.read()
