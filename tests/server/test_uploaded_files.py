"""A file that was uploaded to one provider is sent to that one only, or the caller is told what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.lab import DIALECTS, Lab, toml_of
from fakes.speaker import speaker
from fakes.virtual_time import run

BLOCKS: dict[str, dict[str, Any]] = {
    "openai": {"type": "file", "file": {"file_id": "file-1"}},
    "anthropic": {"type": "document", "source": {"type": "file", "file_id": "file-1"}},
}


def lab_of(*names: str) -> Lab:
    lab = Lab(toml_of(*names, facts="documents = true", alias=True))
    for name in names:
        lab.up.script(name, speaker("It says hello."))
    return lab


def about_a_file(dialect: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "What does it say?"}, BLOCKS[dialect]]}]


@pytest.mark.parametrize("model", ["chain", "auto"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_of_one_account_is_refused_where_several_providers_may_answer(dialect: str, model: str):
    async def main() -> None:
        lab = lab_of("first", "second")
        heard = await lab.ask(dialect, messages=about_a_file(dialect), model=model)
        assert heard.status == 400
        assert heard.error is not None
        assert "uploaded" in heard.error["message"]
        assert "pin" in heard.error["message"]
        assert lab.up.asked == []

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_reaches_the_provider_that_a_request_is_pinned_to(dialect: str):
    async def main() -> None:
        lab = lab_of("first", "second")
        pinned = {"x-hermes-pin": "true"}
        heard = await lab.ask(dialect, messages=about_a_file(dialect), model="second/m", headers=pinned)
        assert (heard.text, heard.error) == ("It says hello.", None)
        assert [one.name for one in lab.up.asked] == ["second"]
        assert "file-1" in str(lab.up.asked[0].body)

    run(main)


@pytest.mark.parametrize("model", ["chain", "auto"])
def test_a_file_reaches_the_only_provider_there_is(model: str):
    async def main() -> None:
        lab = lab_of("first")
        assert (await lab.ask(messages=about_a_file("openai"), model=model)).text == "It says hello."

    run(main)
