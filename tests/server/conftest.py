"""A scripted upstream, and routers in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fakes.router import Router, router
from fakes.served import Start
from fakes.upstream import Upstream


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def start(up: Upstream, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(toml: str = "", **more: Any) -> Router:
            return stack.enter_context(router(tmp_path, toml=toml, upstream=up, **more))

        yield begin
