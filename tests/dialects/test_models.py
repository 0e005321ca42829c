"""Model lists in both shapes, read by both official SDKs' types."""

from __future__ import annotations

import orjson
import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from hermes_router.dialects.models import ModelRow, model, models_list

ROW = ModelRow(
    id="groq/m-1",
    owned_by="groq",
    created=1_700_000_000,
    context_window=8192,
    max_output_tokens=1024,
    capabilities=("tools", "vision"),
)
BARE = ModelRow(id="hermes-router", owned_by="hermes-router")


def test_a_model_in_the_shape_of_openai():
    Model.model_validate_json(model(ROW), strict=True)
    assert orjson.loads(model(ROW)) == {
        "id": "groq/m-1",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "groq",
        "context_window": 8192,
        "max_output_tokens": 1024,
        "capabilities": ["tools", "vision"],
    }


def test_a_model_in_the_shape_of_anthropic():
    ModelInfo.model_validate_json(model(ROW, anthropic=True))
    assert orjson.loads(model(ROW, anthropic=True)) == {
        "type": "model",
        "id": "groq/m-1",
        "display_name": "groq/m-1",
        "created_at": "2023-11-14T22:13:20Z",
        "lifecycle": "active",
        "max_input_tokens": 8192,
        "max_tokens": 1024,
    }


@pytest.mark.parametrize("anthropic", [True, False])
def test_what_is_unknown_is_null(anthropic: bool):
    shown = orjson.loads(model(BARE, anthropic=anthropic))
    assert shown["max_input_tokens" if anthropic else "context_window"] is None


def test_lists_hold_every_row_in_order():
    listed = orjson.loads(models_list([ROW, BARE]))
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == [ROW.id, BARE.id]
    paged = orjson.loads(models_list([ROW, BARE], anthropic=True))
    assert (paged["first_id"], paged["last_id"], paged["has_more"]) == (ROW.id, BARE.id, False)


def test_an_empty_list_has_no_first_and_last():
    assert orjson.loads(models_list([], anthropic=True)) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
