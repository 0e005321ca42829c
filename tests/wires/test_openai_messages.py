from __future__ import annotations

from typing import Any

import pytest

from hermes_router.catalogue.schema import ModelSpec, ProviderSpec, Quirks
from hermes_router.core.errors import BadRequest
from hermes_router.core.request import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from hermes_router.wires.base import Target
from hermes_router.wires.openai_messages import write_messages
from hermes_router.wires.quirks import tool_id


def written(messages: list[Message], quirks: Quirks | None = None) -> list[dict[str, Any]]:
    target = Target(
        name="here",
        provider=ProviderSpec(),
        model=ModelSpec(id="m"),
        quirks=quirks or Quirks(),
        base_url="http://127.0.0.1:1/v1",
    )
    return write_messages(Request(dialect="openai", model="any", messages=tuple(messages)), target)


def system(text: str) -> Message:
    return Message(role=Role.SYSTEM, parts=(Text(text=text),))


def user(*parts: Part | str, name: str | None = None) -> Message:
    return Message(role=Role.USER, parts=_parts(parts), name=name)


def assistant(*parts: Part | str, origin: str | None = None) -> Message:
    return Message(role=Role.ASSISTANT, parts=_parts(parts), origin=origin)


def result(call_id: str, *parts: Text | Image | Document | str, **more: Any) -> Message:
    inside = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=Role.TOOL, parts=(ToolResult(id=call_id, parts=inside, **more),))


def _parts(parts: tuple[Part | str, ...]) -> tuple[Part, ...]:
    return tuple(Text(text=part) if isinstance(part, str) else part for part in parts)


def call(call_id: str = "call_1", name: str = "f", opaque: dict[str, Any] | None = None) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments='{"a":1}', opaque=opaque)


def called(call_id: str = "call_1", name: str = "f", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": '{"a":1}'}, **more}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


DEVELOPER = Message(role=Role.DEVELOPER, parts=(Text(text="be brief"),))
PICTURE = Image(data="aGk=", media_type="image/png")
PICTURE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
SIGNED = {"google": {"thought_signature": "c2ln"}}
DUMMY = {"google": {"thought_signature": "skip_thought_signature_validator"}}
THOUGHT = Reasoning(text="hm")
PIECES = [
    {"type": "reasoning.text", "text": "h", "index": 0, "signature": None},
    {"type": "reasoning.text", "text": "m", "index": 0, "signature": "s"},
    {"type": "reasoning.encrypted", "data": "x", "index": 1},
]

CONVERSATIONS: dict[str, tuple[list[Message], Quirks, list[dict[str, Any]]]] = {
    "system and user": (
        [system("be brief"), user("hi")],
        Quirks(),
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
    ),
    "system in parts": (
        [Message(role=Role.SYSTEM, parts=(Text(text="a"), Text(text="b")))],
        Quirks(),
        [{"role": "system", "content": "a\n\nb"}],
    ),
    "an empty system message": ([system(""), user("hi")], Quirks(), [{"role": "user", "content": "hi"}]),
    "developer, unless known": ([DEVELOPER], Quirks(), [{"role": "system", "content": "be brief"}]),
    "developer refused": ([DEVELOPER], Quirks(developer_role=False), [{"role": "system", "content": "be brief"}]),
    "developer known": ([DEVELOPER], Quirks(developer_role=True), [{"role": "developer", "content": "be brief"}]),
    "no system role": (
        [system("a"), DEVELOPER, user("hi"), assistant("ho")],
        Quirks(system_role=False),
        [{"role": "user", "content": "a\n\nbe brief\n\nhi"}, {"role": "assistant", "content": "ho"}],
    ),
    "no system role, a picture first": (
        [system("a"), user(PICTURE)],
        Quirks(system_role=False),
        [{"role": "user", "content": [text("a"), PICTURE_PART]}],
    ),
    "no system role, no user first": (
        [system("a"), assistant("ho")],
        Quirks(system_role=False),
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "ho"}],
    ),
    "two users in a row": (
        [user("a"), user("b")],
        Quirks(),
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    ),
    "text in parts": ([user("a", "b")], Quirks(), [{"role": "user", "content": [text("a"), text("b")]}]),
    "text in parts, flat": ([user("a", "b")], Quirks(flat_content=True), [{"role": "user", "content": "a\n\nb"}]),
    "a picture, flat": (
        [user("a", PICTURE)],
        Quirks(flat_content=True),
        [{"role": "user", "content": [text("a"), PICTURE_PART]}],
    ),
    "a picture by address": (
        [user(Image(url="https://example.org/a.png", detail="low"))],
        Quirks(),
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}],
            }
        ],
    ),
    "sound": (
        [user(Audio(data="aGk=", format="wav"))],
        Quirks(),
        [
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}],
            }
        ],
    ),
    "files": (
        [
            user(
                Document(data="aGk=", media_type="application/pdf"),
                Document(data="aGk=", media_type="text/csv", title="t.csv"),
                Document(file_id="file-1"),
                Document(text="words", title="Notes"),
            )
        ],
        Quirks(),
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="},
                    },
                    {"type": "file", "file": {"filename": "t.csv", "file_data": "data:text/csv;base64,aGk="}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    text("Notes\n\nwords"),
                ],
            }
        ],
    ),
    "names": ([user("a", name="ann")], Quirks(), [{"role": "user", "content": "a", "name": "ann"}]),
    "names refused": ([user("a", name="ann")], Quirks(message_names="none"), [{"role": "user", "content": "a"}]),
    "names on tools alone": (
        [user("a", name="ann"), assistant(call()), result("call_1", "ok")],
        Quirks(message_names="tool"),
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [called()]},
            {"role": "tool", "tool_call_id": "call_1", "content": "ok", "name": "f"},
        ],
    ),
    "results, then the user, where that is refused": (
        [assistant(call(), call("call_2")), result("call_1", "x"), result("call_2", PICTURE), user("so?")],
        Quirks(tool_then_user=False),
        [
            {"role": "assistant", "tool_calls": [called(), called("call_2")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            {"role": "tool", "tool_call_id": "call_2", "content": "The result is attached to the next message."},
            {"role": "assistant", "content": "OK."},
            {"role": "user", "content": [text("Attached to the result of f (call_2):"), PICTURE_PART]},
            {"role": "user", "content": "so?"},
        ],
    ),
    "results, then the model, where a user is refused": (
        [assistant(call()), result("call_1", "x"), assistant("sunny"), user("thanks")],
        Quirks(tool_then_user=False),
        [
            {"role": "assistant", "tool_calls": [called()]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            {"role": "assistant", "content": "sunny"},
            {"role": "user", "content": "thanks"},
        ],
    ),
    "calls and results": (
        [assistant("so", call(), call("call_2", "g")), result("call_1", "x"), result("call_2", "y", "z")],
        Quirks(),
        [
            {"role": "assistant", "content": "so", "tool_calls": [called(), called("call_2", "g")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            {"role": "tool", "tool_call_id": "call_2", "content": "y\n\nz"},
        ],
    ),
    "a call without text, flat": (
        [assistant(call())],
        Quirks(flat_content=True),
        [{"role": "assistant", "content": "", "tool_calls": [called()]}],
    ),
    "a call without arguments": (
        [assistant(ToolCall(id="x", name="f", arguments=""))],
        Quirks(),
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            }
        ],
    ),
    "a failed result": (
        [result("a", "no such file", is_error=True), result("b", "Error: no", is_error=True)],
        Quirks(),
        [
            {"role": "tool", "tool_call_id": "a", "content": "Error: no such file"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: no"},
        ],
    ),
    "an empty result": (
        [result("a")],
        Quirks(),
        [{"role": "tool", "tool_call_id": "a", "content": "(no output)"}],
    ),
    "pictures in results follow all of them": (
        [assistant(call(), call("call_2")), result("call_1", PICTURE), result("call_2", "y"), user("go on")],
        Quirks(),
        [
            {"role": "assistant", "tool_calls": [called(), called("call_2")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "The result is attached to the next message."},
            {"role": "tool", "tool_call_id": "call_2", "content": "y"},
            {"role": "user", "content": [text("Attached to the result of f (call_1):"), PICTURE_PART]},
            {"role": "user", "content": "go on"},
        ],
    ),
    "a picture in the last result": (
        [result("a", "seen", PICTURE, name="look")],
        Quirks(),
        [
            {"role": "tool", "tool_call_id": "a", "content": "seen"},
            {"role": "user", "content": [text("Attached to the result of look (a):"), PICTURE_PART]},
        ],
    ),
    "ids in another shape": (
        [assistant(call("toolu_01"), call("FI5qQGzDE")), result("toolu_01", "x"), result("FI5qQGzDE", "y")],
        Quirks(tool_ids="alnum9"),
        [
            {
                "role": "assistant",
                "tool_calls": [called(tool_id("toolu_01", "alnum9")), called("FI5qQGzDE")],
            },
            {"role": "tool", "tool_call_id": tool_id("toolu_01", "alnum9"), "content": "x"},
            {"role": "tool", "tool_call_id": "FI5qQGzDE", "content": "y"},
        ],
    ),
    "a refusal": (
        [assistant(Refusal(text="I cannot."))],
        Quirks(),
        [{"role": "assistant", "content": "I cannot."}],
    ),
    "a turn of nothing": ([user("a"), assistant("")], Quirks(), [{"role": "user", "content": "a"}]),
    "a turn of foreign thinking": (
        [user("a"), assistant(THOUGHT, origin="there/m")],
        Quirks(replay="reasoning"),
        [{"role": "user", "content": "a"}],
    ),
    "a prefill": (
        [user("a"), assistant("Sure,")],
        Quirks(prefill="prefix"),
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "Sure,", "prefix": True}],
    ),
    "a prefill, natively": (
        [user("a"), assistant("Sure,")],
        Quirks(prefill="native"),
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "Sure,"}],
    ),
    "calls at the end are no prefill": (
        [assistant(call())],
        Quirks(prefill="prefix"),
        [{"role": "assistant", "tool_calls": [called()]}],
    ),
}


@pytest.mark.parametrize("messages, quirks, expected", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_is_written_as_the_provider_wants_it(
    messages: list[Message], quirks: Quirks, expected: list[dict[str, Any]]
):
    assert written(messages, quirks) == expected


OWN = "here/m"
REPLAYS: dict[str, tuple[Message, Quirks, dict[str, Any]]] = {
    "none": (assistant(THOUGHT, "yes", origin=OWN), Quirks(replay="none"), {"content": "yes"}),
    "nothing declared": (assistant(THOUGHT, "yes", origin=OWN), Quirks(), {"content": "yes"}),
    "reasoning": (
        assistant(THOUGHT, "yes", origin=OWN),
        Quirks(replay="reasoning"),
        {"content": "yes", "reasoning": "hm"},
    ),
    "reasoning_content": (
        assistant(THOUGHT, call(), origin=OWN),
        Quirks(replay="reasoning_content"),
        {"reasoning_content": "hm", "tool_calls": [called()]},
    ),
    "reasoning_details, put together": (
        assistant(Reasoning(text="hm", details=PIECES), "yes", origin=OWN),
        Quirks(replay="reasoning_details"),
        {
            "content": "yes",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "index": 0, "signature": "s"},
                {"type": "reasoning.encrypted", "data": "x", "index": 1},
            ],
        },
    ),
    "reasoning_details, where there are none": (
        assistant(THOUGHT, "yes", origin=OWN),
        Quirks(replay="reasoning_details"),
        {"content": "yes", "reasoning": "hm"},
    ),
    "think_tags": (
        assistant(THOUGHT, "yes", origin=OWN),
        Quirks(replay="think_tags"),
        {"content": "<think>\nhm\n</think>\n\nyes"},
    ),
    "content_list": (
        assistant(THOUGHT, "yes", origin=OWN),
        Quirks(replay="content_list"),
        {"content": [{"type": "thinking", "thinking": [text("hm")]}, text("yes")]},
    ),
    "thinking alone": (
        assistant(THOUGHT, origin=OWN),
        Quirks(replay="reasoning_content"),
        {"content": "", "reasoning_content": "hm"},
    ),
    "signatures": (
        assistant(call(opaque=SIGNED), call("call_2"), origin=OWN),
        Quirks(replay="thought_signature"),
        {"tool_calls": [called(extra_content=SIGNED), called("call_2")]},
    ),
    "signatures of a history from elsewhere": (
        assistant(call(opaque=SIGNED), call("call_2"), origin="there/m"),
        Quirks(replay="thought_signature"),
        {"tool_calls": [called(extra_content=DUMMY), called("call_2")]},
    ),
    "signatures of a history from nobody knows where": (
        assistant(call()),
        Quirks(replay="thought_signature"),
        {"tool_calls": [called(extra_content=DUMMY)]},
    ),
    "signatures where they are not read": (
        assistant(call(opaque=SIGNED), origin="there/m"),
        Quirks(replay="reasoning"),
        {"tool_calls": [called()]},
    ),
}


@pytest.mark.parametrize("message, quirks, expected", REPLAYS.values(), ids=REPLAYS)
def test_earlier_thinking_goes_back_as_its_maker_wants_it(message: Message, quirks: Quirks, expected: dict[str, Any]):
    assert written([message], quirks) == [{"role": "assistant", **expected}]


@pytest.mark.parametrize("origin", [None, "there/m", "here2/m", "/here/m"])
@pytest.mark.parametrize(
    "replay", ["reasoning", "reasoning_content", "reasoning_details", "think_tags", "content_list"]
)
def test_thinking_of_others_is_left_out(origin: str | None, replay: Any):
    thought = Reasoning(text="secret thought", details=PIECES)
    assert written([assistant(thought, "yes", origin=origin)], Quirks(replay=replay)) == [
        {"role": "assistant", "content": "yes"}
    ]


REFUSED: dict[str, tuple[Message, Quirks]] = {
    "a file by address": (user(Document(url="https://example.org/a.pdf")), Quirks()),
    "a picture by address": (user(Image(url="https://example.org/a.png")), Quirks(image_urls=False)),
}


@pytest.mark.parametrize("message, quirks", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_held_is_refused(message: Message, quirks: Quirks):
    with pytest.raises(BadRequest):
        written([message], quirks)


def test_a_picture_in_the_address_itself_is_no_address():
    (message,) = written([user(Image(url="data:image/png;base64,aGk="))], Quirks(image_urls=False))
    assert message["content"] == [PICTURE_PART]


def test_a_plain_conversation_is_written_as_any_other_would_be():
    plain = [system("Be brief."), user("Hi."), assistant("Hello."), user("Bye.")]
    by_the_long_way = [*plain[:-1], user("Bye.", name="kim")]
    assert written(plain) == written(by_the_long_way, Quirks(message_names="none"))
