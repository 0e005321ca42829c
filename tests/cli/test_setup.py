"""``hr setup`` in a pseudo-terminal, from nothing to the first answer; and where nobody can be asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.program import Terminal, process, router, run
from fakes.upstream import Upstream, error, reply

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")

GOOD = "k-test-good-1111"
BAD = "k-test-bad-2222"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A fresh HERMES_HOME; the router that was started there is ended."""
    yield tmp_path
    process(tmp_path, "stop", "--now")


@pytest.fixture
def groq() -> Iterator[Upstream]:
    """A provider that knows one key, and shows its models to that alone."""
    with Upstream() as up:
        up.script(reply({"data": [{"id": "m1"}, {"id": "m2"}]}), path="/models", key=GOOD, for_ever=True)
        up.script(error(401, "Invalid API Key"), path="/models", for_ever=True)
        yield up


def at(up: Upstream) -> dict[str, str]:
    return {"GROQ_BASE_URL": up.at("groq"), "GROQ_MODEL": "m1"}


def test_without_a_key_the_sandbox_gives_the_first_answer(home: Path):
    with Terminal(home, "setup") as screen:
        assert "aistudio.google.com" in screen.expect("Provider: ")
        screen.type("")
        screen.expect("Your apps' key")
        screen.expect("Start the router now?")
        screen.type("y")
        screen.expect("A first request")
        screen.expect("sandbox of hermes-router")
        screen.expect("-- sandbox-")
        screen.expect("hr launch claude")
        assert screen.end() == 0
    assert "PROXY_API_KEYS=sk-hermes-" in (home / ".env").read_text()
    assert (home / "admin.key").stat().st_mode & 0o777 == 0o600
    assert process(home, "status").returncode == 0


def test_with_a_key_the_provider_gives_the_first_answer(home: Path, groq: Upstream):
    with Terminal(home, "setup", env=at(groq)) as screen:
        screen.expect("Provider: ")
        screen.type("groq")
        screen.expect("hidden")
        screen.type(GOOD)
        screen.expect("2 models listed")
        screen.expect("Saved: groq, 1 new key")
        screen.expect("Provider: ")
        screen.type("")
        screen.expect("Start the router now?")
        screen.type("")
        screen.expect("A first request")
        screen.expect("-- groq/m1")
        assert screen.end() == 0
        assert GOOD not in screen.text
    assert json.loads((home / "auth.json").read_text()) == {"providers": {"groq": [GOOD]}}
    assert (home / "auth.json").stat().st_mode & 0o777 == 0o600
    chats = [seen for seen in groq.requests if seen.path.endswith("/chat/completions")]
    assert [seen.key for seen in chats] == [GOOD]


def test_a_refused_key_is_not_saved_and_another_may_follow(home: Path, groq: Upstream):
    with Terminal(home, "setup", "--no-start", env=at(groq)) as screen:
        screen.expect("Provider: ")
        screen.type("groq")
        screen.expect("hidden")
        screen.type(f"{BAD} {GOOD}")
        screen.expect("Invalid API Key")
        screen.expect("Save a refused key all the same?")
        screen.type("n")
        screen.expect("Saved: groq, 1 new key")
        screen.expect("Provider: ")
        screen.type("")
        assert screen.end() == 0
        assert BAD not in screen.text
    assert json.loads((home / "auth.json").read_text()) == {"providers": {"groq": [GOOD]}}


def test_pasted_lines_of_a_dotenv_are_recognised(home: Path):
    with Terminal(home, "setup", "--no-start", "--no-check") as screen:
        screen.expect("Provider: ")
        screen.type("export GROQ_API_KEY='k-test-aaaa'\nGEMINI_API_KEY=k-test-bbbb # mine\nEDITOR=vi")
        screen.expect("left out: EDITOR")
        screen.expect("Saved: groq")
        screen.expect("Saved: gemini")
        screen.expect("Provider: ")
        screen.type("")
        assert screen.end() == 0
    saved = json.loads((home / "auth.json").read_text())["providers"]
    assert saved == {"groq": ["k-test-aaaa"], "gemini": ["k-test-bbbb"]}


def test_several_keys_pasted_hidden_are_all_taken(home: Path):
    with Terminal(home, "setup", "--no-start", "--no-check") as screen:
        screen.expect("Provider: ")
        screen.type("groq")
        screen.expect("hidden")
        screen.type("k-test-aaaa\nk-test-bbbb")
        screen.expect("groq, 2 new keys")
        screen.expect("Provider: ")
        screen.type("")
        assert screen.end() == 0
        assert "k-test-" not in screen.text


def test_an_unknown_provider_is_asked_for_again(home: Path):
    with Terminal(home, "setup", "--no-start") as screen:
        screen.expect("Provider: ")
        screen.type("grok")
        screen.expect("did you mean groq")
        screen.expect("Provider: ")
        screen.type("")
        assert screen.end() == 0


def test_nobody_to_ask_works_with_a_key_on_stdin(home: Path, groq: Upstream):
    done = process(home, "setup", "--provider", "groq", "--key-stdin", "--yes", env=at(groq), said=f"{GOOD}\n")
    assert done.returncode == 0, done.stderr
    assert "-- groq/m1" in done.stdout
    assert GOOD not in done.stdout + done.stderr
    assert "sk-hermes-" not in done.stdout + done.stderr


def test_nobody_to_ask_and_a_refused_key_fails(home: Path, groq: Upstream):
    done = process(home, "setup", "--provider", "groq", "--key-stdin", "--yes", env=at(groq), said=f"{BAD}\n")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert not (home / "auth.json").exists()
    assert not (home / "run.json").exists()


def test_a_running_router_takes_the_new_key_up(home: Path, groq: Upstream):
    with router(home, at(groq)):
        done = process(home, "setup", "--provider", "groq", "--key-stdin", "--yes", env=at(groq), said=GOOD)
        assert "-- groq/m1" in done.stdout, done.stderr


def test_without_a_terminal_it_says_what_to_give(tmp_path: Path):
    result = run(tmp_path, "setup")
    assert result.exit_code == 2
    assert "--key-stdin --yes" in result.stderr


def test_long_sentences_are_broken_between_words(home: Path, groq: Upstream):
    with Terminal(home, "setup", "--no-start", env=at(groq)) as screen:
        screen.expect("Provider: ")
        screen.type("groq")
        screen.expect("hidden")
        screen.type(BAD)
        screen.expect("Save a refused key all the same?")
        screen.type("n")
        said = screen.expect("Provider: ")
        screen.type("")
        assert screen.end() == 0
    lines = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", said).splitlines()
    assert all(len(line) <= 80 for line in lines), lines
    assert any("refused" in line for line in lines)


def test_an_error_on_a_terminal_is_broken_between_words(home: Path):
    with Terminal(home, "auth", "add", "nobody-of-this-name") as screen:
        assert screen.end() == 2
    said = screen.text.splitlines()
    assert all(len(line) <= 80 for line in said)
    assert said[0].startswith("hermes-router: There is no provider")
