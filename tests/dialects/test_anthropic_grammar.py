"""The checker of Anthropic's event grammar sees what is wrong with a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.grammar import check_anthropic_stream

FOLDER = Path(__file__).parent.parent / "transcripts" / "anthropic"
TEXT = (FOLDER / "text.sse").read_text("utf-8")
TOOLS = (FOLDER / "parallel_tools.sse").read_text("utf-8")
FRAMES = [frame + "\n\n" for frame in TEXT.split("\n\n") if frame]
START, OPEN, PING, SAID, CLOSE, DELTA, STOP = (*FRAMES[:4], *FRAMES[-3:])


@pytest.mark.parametrize("name", ["text", "thinking", "redacted", "parallel_tools", "max_tokens", "stop_sequence"])
def test_streams_like_the_real_ones_pass(name: str):
    assert check_anthropic_stream((FOLDER / f"{name}.sse").read_bytes())


def test_a_stream_that_ends_in_an_error_passes():
    assert check_anthropic_stream((FOLDER / "error_midway.sse").read_bytes())[-1]["type"] == "error"


@pytest.mark.parametrize(
    "raw, complaint",
    [
        pytest.param("", "closed", id="nothing"),
        pytest.param(TEXT.rstrip(), "closed", id="last frame open"),
        pytest.param("".join(FRAMES[1:]), "before message_start", id="no start"),
        pytest.param(START + TEXT, "second message_start", id="two starts"),
        pytest.param(START + OPEN + SAID + DELTA + STOP, "inside a block", id="block left open"),
        pytest.param(START + OPEN + OPEN + CLOSE + DELTA + STOP, "inside another", id="block in a block"),
        pytest.param(START + SAID + DELTA + STOP, "outside any block", id="delta without block"),
        pytest.param(START + OPEN + CLOSE + OPEN + CLOSE + DELTA + STOP, "index", id="index used twice"),
        pytest.param(START + OPEN + SAID.replace('"index":0', '"index":1') + CLOSE + DELTA + STOP, "not open",
                     id="delta for another block"),
        pytest.param(START + OPEN + SAID.replace("text_delta", "thinking_delta") + CLOSE + DELTA + STOP, "in a text",
                     id="delta of another kind"),
        pytest.param(START + STOP, "without message_delta", id="no message_delta"),
        pytest.param(START + DELTA + DELTA + STOP, "second message_delta", id="two message_deltas"),
        pytest.param(START + DELTA + OPEN + CLOSE + STOP, "after message_delta", id="block after message_delta"),
        pytest.param(START + DELTA, "no end", id="no message_stop"),
        pytest.param(TEXT + PING, "after the end", id="ping after the end"),
        pytest.param(TEXT.replace("event: ping", "event: pong"), "carries data", id="event and type differ"),
        pytest.param(TEXT.replace('"end_turn"', '"tool_use"'), "without a call", id="tool_use without a call"),
        pytest.param(TEXT.replace('"end_turn"', '"stop"'), "", id="unknown stop reason"),
        pytest.param(TEXT.replace('"end_turn"', '"stop_sequence"'), "", id="no stop sequence"),
        pytest.param(TEXT.replace('"cache_read_input_tokens":0,"output_tokens":1,', ""), "", id="usage incomplete"),
        pytest.param(TEXT.replace('"text":""', '"text":null'), "wrong type", id="text missing"),
        pytest.param(TOOLS.replace('is\\"}', "is"), "", id="arguments are no JSON"),
        pytest.param(TOOLS.replace('"input":{}', '"input":{"a":1}'), "", id="input in the start"),
    ],
)  # fmt: skip
def test_a_broken_stream_is_refused(raw: str, complaint: str):
    with pytest.raises((AssertionError, KeyError, ValueError)) as caught:
        check_anthropic_stream(raw.encode())
    assert complaint in str(caught.value)
