"""Starting, asking, watching and ending a router from the command line."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.program import Terminal, process, router, run, variables
from fakes.upstream import Upstream, sse
from hermes_router.cli import client, runfile
from hermes_router.settings import load

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends with SIGTERM")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One in which the sandbox runs and has answered."""
    folder = tmp_path_factory.mktemp("home")
    with router(folder):
        assert process(folder, "chat", "hello").returncode == 0
        yield folder


def test_an_answer_says_who_gave_it(home: Path):
    done = process(home, "chat", "Name", "three", "rivers.")
    assert done.stdout.startswith("You said: Name three rivers.")
    assert "-- sandbox-" in done.stdout
    assert "1 attempt" in done.stdout
    assert "hr why req_" in done.stdout


def test_a_question_may_come_from_a_pipe_and_the_answer_as_json(home: Path):
    reply = json.loads(process(home, "chat", "--json", said="hello").stdout)
    assert reply["text"].startswith("You said: hello")
    assert reply["provider"].startswith("sandbox-")
    assert reply["attempts"] == 1


def test_a_model_can_be_pinned(home: Path):
    reply = json.loads(process(home, "chat", "--json", "--pin", "-m", "sandbox-strong/strong-1", "hello").stdout)
    assert (reply["provider"], reply["model"]) == ("sandbox-strong", "strong-1")


def test_a_refusal_is_told_in_the_routers_words(home: Path):
    done = process(home, "chat", "-m", "hermes-router:nothing", "hello")
    assert done.returncode == 1
    assert "nothing" in done.stderr


def test_a_conversation_remembers_and_starts_over(home: Path):
    with Terminal(home, "chat") as screen:
        screen.expect("> ")
        screen.type("first")
        screen.expect("-- sandbox-")
        screen.expect("> ")
        screen.type("/new")
        screen.expect("A new conversation.")
        screen.expect("> ")
        screen.type("/quit")
        assert screen.end() == 0


def test_the_story_of_the_last_request_is_told(home: Path):
    story = json.loads(process(home, "why", "--json").stdout)
    told = process(home, "why", story["request"]["id"])
    assert story["request"]["id"] in told.stdout
    assert "1 attempt" in told.stdout
    assert "The plan" in told.stdout


def test_an_answer_that_breaks_off_is_a_failure(tmp_path: Path):
    with Upstream() as up:
        up.script(sse([{"choices": [{"delta": {"content": "The first half"}}]}], then="cut"), for_ever=True)
        env = {"GROQ_BASE_URL": up.at("groq"), "GROQ_API_KEY": "k-test-1", "GROQ_MODEL": "m1", "STREAM_RESUME": "0"}
        with router(tmp_path, env):
            done = process(tmp_path, "chat", "hello", env=env)
    assert done.returncode == 1
    assert done.stdout.startswith("The first half")
    assert "hr why req_" in done.stderr


def test_a_request_nobody_knows_is_said(home: Path):
    done = process(home, "why", "req_nothing")
    assert done.returncode == 1
    assert "req_nothing" in done.stderr


def test_logs_usage_quota_and_status_speak_json(home: Path):
    assert {row["status"] for row in json.loads(process(home, "logs", "--json", "--status", "ok").stdout)} == {200}
    assert json.loads(process(home, "usage", "--json", "--by", "caller").stdout)[0]["name"] == "...er-1"
    assert {row["window"] for row in json.loads(process(home, "quota", "--json", "--all").stdout)} >= {"rpm"}
    assert json.loads(process(home, "status", "--json").stdout)["sandbox"] is True


def test_quota_is_reset_only_when_somebody_says_so(home: Path):
    assert process(home, "quota", "reset", "sandbox-fast").returncode == 2
    done = process(home, "quota", "reset", "sandbox-fast", "--yes")
    assert done.returncode == 0, done.stderr
    assert process(home, "quota", "reset", "nobody", "--yes").returncode == 2


def test_the_log_can_be_followed(home: Path):
    with Terminal(home, "logs", "--follow", "-n", "1", width=120) as screen:
        screen.expect("req_")
        asked = json.loads(process(home, "chat", "--json", "one more").stdout)
        assert screen.expect(asked["request_id"])


def test_the_status_can_be_watched(home: Path):
    with Terminal(home, "status", "--watch", width=120) as screen:
        screen.expect("sandbox-fast")


def test_watching_needs_a_terminal(home: Path):
    assert process(home, "status", "--watch").returncode == 2


def test_colours_only_where_they_are_wanted(home: Path):
    assert "\x1b[" not in process(home, "status").stdout
    with Terminal(home, "status") as screen:
        screen.end()
        assert "\x1b[" in screen.text
    with Terminal(home, "status", env={"NO_COLOR": "1"}) as screen:
        screen.end()
        assert "\x1b[3" not in screen.text


def test_a_second_router_is_refused(home: Path):
    done = process(home, "start", "--daemon")
    assert done.returncode == 1
    assert "hr restart" in done.stderr


def test_a_second_router_in_the_foreground_is_refused_and_the_first_can_still_be_stopped(tmp_path: Path):
    with router(tmp_path):
        done = process(tmp_path, "serve", "--port", "0")
        assert done.returncode == 1
        assert "HERMES_HOME of its own" in done.stderr
        assert process(tmp_path, "stop").stdout.startswith("Stopped")


def test_another_administration_key_is_explained(home: Path):
    done = process(home, "status", env={"ADMIN_API_KEY": "k-test-other-1111"})
    assert done.returncode == 1
    assert "ADMIN_API_KEY" in done.stderr


def test_a_restart_keeps_the_address_and_a_stop_leaves_nothing(tmp_path: Path):
    with router(tmp_path) as url:
        assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
        before = json.loads((tmp_path / "run.json").read_text())
        done = process(tmp_path, "restart")
        assert url in done.stdout, done.stderr
        after = json.loads((tmp_path / "run.json").read_text())
        assert (after["port"], after["cwd"]) == (before["port"], before["cwd"])
        assert after["pid"] != before["pid"]
        assert "Stopped" in process(tmp_path, "stop").stdout
    assert not (tmp_path / "run.json").exists()
    assert process(tmp_path, "stop").stdout == "No router was running.\n"


def test_a_restart_takes_a_changed_setting_up_unless_the_command_line_said_otherwise(tmp_path: Path):
    with router(tmp_path):
        (tmp_path / ".env").write_text(f"PORT={free_port()}\n")
        assert process(tmp_path, "restart", env={"PORT": ""}).returncode == 0
        said = json.loads((tmp_path / "run.json").read_text())
        assert f"PORT={said['port']}\n" == (tmp_path / ".env").read_text()
        flag = free_port()
        process(tmp_path, "restart", "--port", str(flag), env={"PORT": ""})
        process(tmp_path, "restart", env={"PORT": ""})
        assert json.loads((tmp_path / "run.json").read_text())["port"] == flag


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_start_that_fails_tells_the_end_of_its_log(tmp_path: Path):
    done = process(tmp_path, "start", "--daemon", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "set PROXY_API_KEYS" in done.stderr


@pytest.mark.parametrize("command", ["status", "why", "logs", "usage", "quota"])
def test_without_a_router_it_says_how_to_start_one(tmp_path: Path, command: str):
    result = run(tmp_path, command, env={"PORT": "1"})
    assert result.exit_code == 1
    assert "hr start --daemon" in result.stderr


def test_a_run_file_of_a_process_that_is_gone_is_stale(tmp_path: Path):
    ended = process(tmp_path, "version")
    assert ended.returncode == 0
    pid = 2**22 + 1  # above every pid that Linux gives
    runfile.write(tmp_path, runfile.Running(pid=pid, host="127.0.0.1", port=1))
    loaded = load({}, variables(tmp_path), tmp_path)
    assert client.find(loaded) is None
    assert client.stale(tmp_path) is not None
    process(tmp_path, "stop")
    assert runfile.read(tmp_path) is None


def test_a_broken_run_file_is_none(tmp_path: Path):
    runfile.path_in(tmp_path).write_text("{")
    assert runfile.read(tmp_path) is None


def test_the_run_file_of_another_router_stays(tmp_path: Path):
    runfile.write(tmp_path, runfile.Running(pid=4, host="127.0.0.1", port=1))
    runfile.remove(tmp_path, 5)
    assert runfile.read(tmp_path) is not None


@pytest.mark.parametrize("host,url", [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")])
def test_a_router_that_listens_everywhere_is_asked_on_this_machine(host: str, url: str):
    assert client.reachable(host) == url


def test_a_command_line_that_the_router_does_not_understand_is_exit_code_2(home: Path):
    done = process(home, "logs", "--status", "2xx")
    assert (done.returncode, "4xx" in done.stderr) == (2, True)


def test_quota_of_a_provider_that_there_is_not_is_exit_code_2(home: Path):
    done = process(home, "quota", "reset", "grok", "--yes")
    assert (done.returncode, done.stderr) == (
        2, "hermes-router: There is no provider 'grok'; did you mean groq? All of them: hr auth list --all\n",
    )  # fmt: skip


def test_a_request_that_was_refused_is_not_said_to_have_been_answered(home: Path):
    assert process(home, "chat", "-m", "hermes-router:nothing", "hello").returncode == 1
    told = process(home, "why").stdout
    assert "answered at once" not in told
    assert "The caller got 4" in told
    assert not any(line.rstrip().endswith(":") for line in told.splitlines() if line.startswith("The caller got"))


def test_watching_outlasts_a_restart(tmp_path: Path):
    with router(tmp_path), Terminal(tmp_path, "status", "--watch", width=120) as screen:
        screen.expect("ready")
        assert process(tmp_path, "stop").returncode == 0
        screen.expect("No router is running")
        assert process(tmp_path, "start", "--daemon").returncode == 0
        screen.expect("ready")
