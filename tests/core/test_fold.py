"""A stream folded as it passes becomes the answer that its events make one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hermes_router.core.events import (
    Citations,
    Event,
    Finish,
    FinishReason,
    Note,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from hermes_router.core.fold import Folder, fold_all

EVENTS: list[Event] = [
    Start(id="a"),
    Start(id="b"),
    TextDelta("one"),
    TextDelta(""),
    TextDelta("two", logprobs=[{"token": "two"}]),
    Citations([{"url": "https://e.test"}]),
    Citations(),
    ReasoningDelta("hm"),
    ReasoningDelta("", signature="s"),
    RefusalDelta("no"),
    ToolCallStart(0, "c", "add"),
    Usage(input=1),
    Usage(input=2),
    Finish(FinishReason.STOP),
    Note("by the way"),
]


@given(st.lists(st.lists(st.sampled_from(EVENTS), max_size=4), max_size=5))
def test_a_stream_folded_in_batches_is_the_answer_its_events_make(batches: list[list[Event]]):
    folder = Folder()
    for batch in batches:
        folder.add(batch)
    assert folder.answer() == fold_all([event for batch in batches for event in batch])


def test_more_may_be_added_after_an_answer_was_taken():
    folder = Folder()
    folder.add([ToolCallStart(0, "c", "add"), TextDelta("a")])
    assert folder.answer().text == "a"
    folder.add([ToolCallDelta(0, "{}"), TextDelta("b")])
    assert (folder.answer().text, folder.answer().calls[0].arguments) == ("ab", "{}")
