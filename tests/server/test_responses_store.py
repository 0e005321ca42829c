"""Responses kept in memory: found by their caller, forgotten when there are too many."""

from __future__ import annotations

from hermes_router.core.request import Image, Message, Role, Text, ToolResult
from hermes_router.dialects.responses_asked import Stored
from hermes_router.server.responses_store import ResponseStore


def stored(text: str = "a", *items: str) -> Stored:
    messages = (Message(role=Role.USER, parts=(Text(text=text),)),)
    return Stored(body=b"{}", input_items=[], messages=messages, items={item: {"id": item} for item in items})


def test_a_response_and_its_items_are_found():
    shelf = ResponseStore().of("a")
    one = stored("a", "msg_1")
    shelf.put("resp_1", one)
    assert shelf.get("resp_1") is one
    assert shelf.conversation("resp_1") == one.messages
    assert shelf.item("msg_1") == {"id": "msg_1"}
    assert shelf.conversation("resp_2") is None
    assert shelf.item("msg_2") is None


def test_a_caller_sees_only_its_own():
    store = ResponseStore()
    store.of("a").put("resp_1", stored("a", "msg_1"))
    other = store.of("b")
    assert other.get("resp_1") is None
    assert other.item("msg_1") is None
    assert other.remove("resp_1") is False
    assert len(store) == 1


def test_the_least_recently_used_goes_first():
    store = ResponseStore(count=2)
    shelf = store.of("a")
    shelf.put("resp_1", stored("a", "msg_1"))
    shelf.put("resp_2", stored("a", "msg_2"))
    assert shelf.conversation("resp_1") is not None
    shelf.put("resp_3", stored())
    assert [shelf.get(f"resp_{number}") is not None for number in (1, 2, 3)] == [True, False, True]
    assert shelf.item("msg_2") is None


def test_size_counts_pictures_in_results_too():
    picture = Image(data="A" * 5000, media_type="image/png")
    result = Message(role=Role.TOOL, parts=(ToolResult(id="c", parts=(picture,)),))
    big = Stored(body=b"{}", input_items=[], messages=(result,), items={})
    store = ResponseStore(size=13_500)
    shelf = store.of("a")
    shelf.put("resp_1", stored())
    shelf.put("resp_2", big)
    assert [shelf.get(name) is not None for name in ("resp_1", "resp_2")] == [True, True]
    shelf.put("resp_3", stored("b" * 1000))
    assert len(store) == 2
    assert shelf.get("resp_1") is None


def test_one_that_is_too_large_for_all_is_not_kept_and_pushes_nothing_out():
    store = ResponseStore(size=2000)
    shelf = store.of("a")
    shelf.put("resp_1", stored())
    shelf.put("resp_2", stored("b" * 5000))
    assert [shelf.get(name) is not None for name in ("resp_1", "resp_2")] == [True, False]


def test_what_is_removed_frees_its_room():
    store = ResponseStore(size=2500)
    shelf = store.of("a")
    for number in range(10):
        shelf.put(f"resp_{number}", stored("b" * 900))
        assert shelf.remove(f"resp_{number}") is True
    shelf.put("resp_x", stored("b" * 900))
    assert shelf.get("resp_x") is not None
    assert len(store) == 1


def test_the_same_id_again_replaces():
    store = ResponseStore()
    shelf = store.of("a")
    shelf.put("resp_1", stored("a", "msg_1"))
    shelf.put("resp_1", stored("b", "msg_2"))
    assert (len(store), shelf.item("msg_1"), shelf.item("msg_2")) == (1, None, {"id": "msg_2"})
