"""Where an answer was resumed is seen in a comment, the log and the counters, and nowhere in the text."""

from __future__ import annotations

import pytest

from fakes.lab import DIALECTS, Lab, toml_of
from fakes.memory_transport import streamed
from fakes.speaker import speaker, spoken
from fakes.virtual_time import run

TEXT = "The answer is forty-two, as everybody knows by now."


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_seam_is_a_comment_a_line_in_the_log_and_a_counter(dialect: str):
    async def main() -> None:
        lab = Lab(toml_of("first", "second", alias=True))
        lab.up.script("first", streamed(spoken(TEXT, [], 7)[:4], then="cut"), speaker(TEXT))
        lab.up.script("second", speaker(TEXT))
        heard = await lab.ask(dialect)
        assert heard.text == TEXT
        assert heard.comments == ["hermes-router resumed model=second/m after=cut"]
        await lab.ask(dialect)
        logged = (await lab.get("/v1/logs"))["requests"]
        assert sorted(one["resumes"] for one in logged) == [0, 1]
        assert (await lab.get("/v1/status"))["counters"]["resumed"] == 1

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_resuming_a_broken_stream_ends_in_an_error(dialect: str):
    async def main() -> None:
        lab = Lab(toml_of("first", "second", alias=True), STREAM_RESUME="0")
        lab.up.script("first", streamed(spoken(TEXT, [], 7)[:4], then="cut"))
        lab.up.script("second", speaker(TEXT))
        heard = await lab.ask(dialect)
        assert (heard.finish, heard.comments) == (None, [])
        assert heard.error is not None
        assert TEXT.startswith(heard.text)
        assert (await lab.get("/v1/status"))["counters"]["resumed"] == 0

    run(main)
