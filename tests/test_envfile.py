"""Changes of a ``.env``: what is not meant stays byte by byte."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from fakes.configured import load_from
from hermes_router.envfile import Overruled, change, edited, place
from hermes_router.settings import SettingsError

CASES = {
    "into nothing": ("", {"A": "1"}, "A=1\n"),
    "at the end": ("B=2\n", {"A": "1"}, "B=2\nA=1\n"),
    "behind a last line without its end": ("B=2", {"A": "1"}, "B=2\nA=1\n"),
    "in place": ("# top\nA=0\nB=2\n", {"A": "1"}, "# top\nA=1\nB=2\n"),
    "a comment behind it stays": ("A=0 # why\n", {"A": "1"}, "A=1 # why\n"),
    "export and spaces stay": ("  export A = 0\n", {"A": "1"}, "  export A = 1\n"),
    "the last of several counts": ("A=0\nA=1\nB=2\n", {"A": "3"}, "A=0\nA=3\nB=2\n"),
    "behind its commented default": ("#A=0\nB=2\n", {"A": "1"}, "#A=0\nA=1\nB=2\n"),
    "empty lines stay": ("\n\nA=0\n\n# end\n", {"A": "1"}, "\n\nA=1\n\n# end\n"),
    "line ends of Windows stay": ("A=0\r\nB=2\r\n", {"A": "1", "C": "3"}, "A=1\r\nB=2\r\nC=3\r\n"),
    "a byte-order mark stays": ("\ufeffA=0\n", {"A": "1"}, "\ufeffA=1\n"),
    "several lines in quotes are one value": ('A="x\ny"\nB=2\n', {"A": "1"}, "A=1\nB=2\n"),
    "what looks like it inside quotes is not": ('B="\nA=0\n"\n', {"A": "1"}, 'B="\nA=0\n"\nA=1\n'),
    "a broken line stays": ("not a line\nA=0\n", {"A": "1"}, "not a line\nA=1\n"),
    "out": ("# a\nA=0\nB=2\n", {"A": None}, "# a\nB=2\n"),
    "out, all of them": ("A=0\nB=2\nexport A=1\n", {"A": None}, "B=2\n"),
    "out, and not there": ("B=2\n", {"A": None}, "B=2\n"),
    "a value with a space is quoted": ("", {"A": "a b"}, "A='a b'\n"),
    "a value with a hash is quoted": ("", {"A": "a#b"}, "A='a#b'\n"),
    "a name that another begins with": ("AB=2\n", {"A": "1"}, "AB=2\nA=1\n"),
}


@pytest.mark.parametrize("before,values,after", CASES.values(), ids=CASES)
def test_a_change_leaves_the_rest_as_it_is(before: str, values: dict[str, str | None], after: str):
    assert edited(before, values) == after


@given(st.lists(st.sampled_from(["", "# note", "B=2", "export C='x y'", "#A=0", "A=0", "A = 1 # x", "rubbish line"])))
def test_no_line_is_ever_lost_and_the_value_is_read_back(lines: list[str]):
    before = "".join(f"{line}\n" for line in lines)
    after = edited(before, {"A": "it's 1"})
    kept = [line for line in lines if not line.startswith("A")]
    assert [line for line in after.splitlines() if not line.startswith("A")] == kept
    assert dotenv_values(stream=io.StringIO(after), interpolate=False)["A"] == "it's 1"


def test_a_mode_and_a_link_stay(tmp_path: Path):
    real, link = tmp_path / "real", tmp_path / ".env"
    real.write_text("A=0\n")
    real.chmod(0o640)
    link.symlink_to(real)
    assert change(link, {"A": "1"})
    assert (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink()) == ("A=1\n", 0o640, True)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path):
    assert change(tmp_path / "home" / ".env", {"A": "1"})
    assert (tmp_path / "home" / ".env").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_where_nothing_changes(tmp_path: Path):
    (tmp_path / ".env").write_text("A=1\n")
    assert not change(tmp_path / ".env", {"A": "1"})


def test_the_place_is_where_it_is_set_already(tmp_path: Path):
    near = load_from(tmp_path, dotenv="PIN=0\n", home_dotenv="PORT=1\n")
    assert place(near, "PIN") == tmp_path / "work" / ".env"
    assert place(near, "PORT") == tmp_path / "home" / ".env"
    assert place(near, "HOST") == tmp_path / "home" / ".env"


def test_what_the_environment_sets_is_refused(tmp_path: Path):
    with pytest.raises(Overruled, match="in the environment"):
        place(load_from(tmp_path, {"PIN": "1"}), "PIN")


def test_what_the_command_line_says_is_refused(tmp_path: Path):
    with pytest.raises(Overruled, match="on the command line"):
        place(load_from(tmp_path, flags={"pin": True}), "PIN")


def test_a_setting_of_the_toml_is_changed_in_the_home_folder(tmp_path: Path):
    assert place(load_from(tmp_path, toml="[router]\npin = true\n"), "PIN") == tmp_path / "home" / ".env"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SettingsError, match="cannot be written"):
        change(tmp_path / "home" / ".env", {"A": "1"})
