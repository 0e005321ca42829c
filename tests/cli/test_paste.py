"""Keys in what somebody pasted."""

from __future__ import annotations

import pytest

from hermes_router.catalogue.load import load_builtin
from hermes_router.cli.paste import recognise

CASES = {
    "one key": ("k-test-1", {"groq": ("k-test-1",)}),
    "several in a line": ("k-test-1, k-test-2 k-test-3", {"groq": ("k-test-1", "k-test-2", "k-test-3")}),
    "one a line, twice the same": ("k-test-1\n\n k-test-2 \nk-test-1\n", {"groq": ("k-test-1", "k-test-2")}),
    "in quotes": ("'k-test-1'", {"groq": ("k-test-1",)}),
    "an assignment": ("GEMINI_API_KEY=k-test-1", {"gemini": ("k-test-1",)}),
    "export, quotes, a comment": ("export GEMINI_API_KEY='k-test-1' # mine", {"gemini": ("k-test-1",)}),
    "a list": ("GROQ_API_KEYS=k-test-1,k-test-2", {"groq": ("k-test-1", "k-test-2")}),
    "numbered": ("GROQ_API_KEY_2=k-test-2", {"groq": ("k-test-2",)}),
    "another name of a provider": ("GOOGLE_API_KEY=k-test-1", {"gemini": ("k-test-1",)}),
    "PowerShell": ("$env:GROQ_API_KEY='k-test-1'", {"groq": ("k-test-1",)}),
    "comments and empty lines": ("# keys\n\nGROQ_API_KEY=\nHF_TOKEN=k-test-1", {"huggingface": ("k-test-1",)}),
}


@pytest.mark.parametrize("text,keys", CASES.values(), ids=CASES)
def test_keys_are_found(text: str, keys: dict[str, tuple[str, ...]]):
    assert recognise(text, load_builtin(), "groq").keys == keys


def test_plain_keys_of_nobody_are_none():
    assert recognise("k-test-1", load_builtin()).keys == {}


def test_other_variables_are_named_not_taken():
    found = recognise("EDITOR=vi\nGROQ_API_KEY=k-test-1", load_builtin())
    assert (found.strangers, found.keys) == (("EDITOR",), {"groq": ("k-test-1",)})


def test_a_shared_name_goes_to_a_provider_that_serves():
    assert list(recognise("OPENCODE_API_KEY=k-test-1", load_builtin()).keys) == ["opencode_go"]


def test_keys_are_not_in_its_repr():
    assert "k-test-1" not in repr(recognise("GROQ_API_KEY=k-test-1", load_builtin()))
