"""docs/providers.md says of every built-in provider what a user needs to start with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hermes_router.catalogue.load import builtin_names, load_builtin, parse_user_config

PAGE = Path(__file__).parents[2].joinpath("docs", "providers.md").read_text(encoding="utf-8")


def row(name: str) -> str:
    return next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))


@pytest.mark.parametrize("name", builtin_names())
def test_the_page_names_variables_sign_up_and_date(name: str):
    spec, line = load_builtin([name])[name], row(name)
    assert [variable for variable in (*spec.env, *spec.base_url_env) if f"`{variable}`" not in line] == []
    assert line.rstrip(" |").split(" | ").count(spec.as_of) == 1
    if spec.status == "live":
        assert (spec.signup or "none") in line
    else:
        assert f"| {spec.status} |" in line


def test_the_examples_on_the_page_are_read_without_complaint():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        parse_user_config(example, "docs/providers.md")
