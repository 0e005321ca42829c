"""Imports point one way: a room may use those named before it, never those after it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hermes_router

PACKAGE = Path(hermes_router.__file__).parent
LEVELS = [
    {"core", "sse", "files"},
    {"transport"},
    {"catalogue"},
    {"wires", "dialects", "settings", "storage"},
    {"sandbox", "limits", "envfile"},
    {"pool"},
    {"routing"},
    {"engine"},
    {"telemetry"},
    {"server"},
    {"cli", "__main__"},
]
STRANGERS = [("wires", "dialects")]
"""Rooms of one level that meet only in the words of ``core``."""


def level(room: str) -> int:
    return next(at for at, rooms in enumerate(LEVELS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    module = ("hermes_router", *path.relative_to(PACKAGE).with_suffix("").parts)
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = module[: len(module) - node.level]
        target = (*base, *(node.module.split(".") if node.module else ()))
        if target[1:]:
            rooms.add(target[1])
        else:
            rooms |= {alias.name for alias in node.names if not alias.name.startswith("__")}
    return rooms


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_uses_only_rooms_before_it(path: Path):
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        assert level(other) <= level(room), f"{room} imports {other}"
        assert (room, other) not in STRANGERS, f"{room} imports {other}"
        assert (other, room) not in STRANGERS, f"{room} imports {other}"


def test_only_the_composition_names_concrete_stores_and_transports():
    concrete = {"hermes_router.storage.sqlite", "hermes_router.transport.http1"}
    for path in FILES:
        if room_of(path) in {"storage", "transport"} or path.name in {"compose.py"}:
            continue
        text = path.read_text("utf-8")
        for name in concrete:
            last = name.removeprefix("hermes_router.")
            assert f"from ..{last} import" not in text, f"{path} names {name}"
            assert f"from .{last} import" not in text, f"{path} names {name}"
