"""A model of which nobody said whether it thinks: once it was seen to, it is given room for it."""

from __future__ import annotations

import pytest

from fakes.lab import Lab, toml_of
from fakes.memory_transport import streamed
from fakes.upstream import delta, text_stream
from fakes.virtual_time import run

RESERVE = 8000


@pytest.mark.parametrize(
    "fact, thinks, expected",
    [
        pytest.param("", True, 100 + RESERVE, id="seen to think"),
        pytest.param("", False, 100, id="never seen to"),
        pytest.param("reasoning = false\n", True, 100, id="said not to, by whoever configured it"),
    ],
)
def test_the_next_request_leaves_room_to_think(fact: str, thinks: bool, expected: int):
    async def main() -> None:
        lab = Lab(toml_of("first", alias=True, facts=fact), REASONING_TOKEN_RESERVE=str(RESERVE))
        thought = [delta(reasoning_content="hm ")] if thinks else []
        lab.up.script("first", *[streamed([*thought, *text_stream("fine")])] * 2)
        for _ in range(2):
            assert (await lab.ask(max_tokens=100)).text == "fine"
        assert [asked.body["max_tokens"] for asked in lab.up.calls("first")] == [100, expected]

    run(main)
