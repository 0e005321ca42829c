"""Writes that cannot be seen half done, modes, locks."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hermes_router.files import locked, make_folder, secure, write_atomic


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_and_is_for_its_owner_alone(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o644)
    write_atomic(path, "new")
    assert (path.read_text(), mode(path), list(tmp_path.iterdir())) == ("new", 0o600, [path])


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "real").write_text("old")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    write_atomic(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("before,after,repaired", [(0o644, 0o600, True), (0o600, 0o600, False), (0o400, 0o400, False)])
def test_a_mode_open_to_others_is_repaired(tmp_path: Path, before: int, after: int, repaired: bool):
    path = tmp_path / "a"
    path.touch()
    path.chmod(before)
    assert secure(path) is repaired
    assert mode(path) == after


def test_a_folder_is_made_for_its_owner_and_left_alone_afterwards(tmp_path: Path):
    make_folder(tmp_path / "x/y")
    assert mode(tmp_path / "x/y") == 0o700
    (tmp_path / "x/y").chmod(0o755)
    make_folder(tmp_path / "x/y")
    assert mode(tmp_path / "x/y") == 0o755


def test_no_change_is_lost_between_reading_and_writing(tmp_path: Path):
    path = tmp_path / "count"
    path.write_text("0")

    def add(_: int) -> None:
        with locked(path):
            write_atomic(path, str(int(path.read_text()) + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(50)))
    assert path.read_text() == "50"
