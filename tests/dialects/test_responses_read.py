"""Responses requests as we understand them."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
    ResponseFormat,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from hermes_router.dialects.responses import OpenAIResponses
from hermes_router.dialects.responses_asked import CallForm, NoShelf, Table, asked_of
from hermes_router.dialects.responses_sealed import seal, unseal
from hermes_router.dialects.responses_tools import offered_name, unwrap_input

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": {"type": "text"}}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "done"}


class Shelf(NoShelf):
    """What a test says is kept."""

    def __init__(self, messages: tuple[Message, ...] = (), items: dict[str, Table] | None = None) -> None:
        self.messages = messages
        self.items = items or {}

    def conversation(self, response_id: str) -> tuple[Message, ...] | None:
        return self.messages if response_id == "resp_1" else None

    def item(self, item_id: str) -> Table | None:
        return self.items.get(item_id)


def read(shelf: NoShelf | None = None, **body: Any) -> Request:
    said = {"model": "auto", "input": "hi"} | body
    return OpenAIResponses(shelf).read(json.dumps(said).encode(), {})


def refusal(shelf: NoShelf | None = None, **body: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(shelf, **body)
    return caught.value


def turns(*items: Table, shelf: NoShelf | None = None) -> list[tuple[Role, tuple[Part, ...]]]:
    return [(message.role, message.parts) for message in read(shelf, input=list(items)).messages]


def say(role: str, *content: Table) -> Table:
    return {"type": "message", "role": role, "content": list(content)}


def test_a_string_is_a_user_turn_after_the_instructions():
    request = read(instructions="Be brief.", stream=True, user="u", metadata={"a": "b"})
    assert request.messages == (
        Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
        Message(role=Role.USER, parts=(Text(text="hi"),)),
    )
    assert (request.dialect, request.model, request.stream, request.user) == ("responses", "auto", True, "u")
    assert request.metadata == {"a": "b"}


def test_roles_with_and_without_a_type():
    parts = {"type": "input_text", "text": "a"}
    assert turns(
        {"role": "developer", "content": "rules"},
        say("user", parts),
        say("assistant", {"type": "output_text", "text": "b", "annotations": []}, {"type": "refusal", "refusal": "no"}),
        {"role": "system", "content": [parts]},
        {"role": "user", "content": "c"},
    ) == [
        (Role.DEVELOPER, (Text(text="rules"),)),
        (Role.USER, (Text(text="a"),)),
        (Role.ASSISTANT, (Text(text="b"), Refusal(text="no"))),
        (Role.SYSTEM, (Text(text="a"),)),
        (Role.USER, (Text(text="c"),)),
    ]


PARTS: list[tuple[Table, Part]] = [
    (
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        Image(url="https://x/y.png", detail="low"),
    ),
    ({"type": "input_image", "image_url": "data:image/png;base64,AA=="}, Image(data="AA==", media_type="image/png")),
    (
        {"type": "input_image", "image_url": "https://x/y", "detail": "original"},
        Image(url="https://x/y", detail="high"),
    ),
    (
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        Document(data="AA==", media_type="application/pdf", title="a.pdf"),
    ),
    ({"type": "input_file", "file_url": "https://x/a.pdf"}, Document(url="https://x/a.pdf")),
    ({"type": "input_file", "file_id": "file-1"}, Document(file_id="file-1")),
    ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, Audio(data="AA==", format="wav")),
]


@pytest.mark.parametrize(
    "part, expected", PARTS, ids=lambda value: json.dumps(value) if isinstance(value, dict) else ""
)
def test_content_parts(part: Table, expected: Part):
    assert turns(say("user", part)) == [(Role.USER, (expected,))]


def test_reasoning_text_and_calls_are_one_turn_and_results_follow_in_call_order():
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    second = {**CALL, "call_id": "c2", "arguments": '{"a":1}'}
    assert turns(
        {"role": "user", "content": "go"},
        reasoning,
        say("assistant", {"type": "output_text", "text": "I will."}),
        CALL,
        second,
        {**OUTPUT, "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        OUTPUT,
        {"role": "user", "content": "and?"},
    )[1:] == [
        (
            Role.ASSISTANT,
            (
                Reasoning(text="hm"),
                Text(text="I will."),
                ToolCall(id="c1", name="f", arguments="{}"),
                ToolCall(id="c2", name="f", arguments='{"a":1}'),
            ),
        ),
        (Role.TOOL, (ToolResult(id="c1", parts=(Text(text="done"),)),)),
        (Role.TOOL, (ToolResult(id="c2", parts=(Text(text="two"),)),)),
        (Role.USER, (Text(text="and?"),)),
    ]


def test_a_result_that_comes_late_is_put_behind_its_call():
    roles = [role for role, _ in turns(CALL, {"role": "user", "content": "wait"}, OUTPUT)]
    assert roles == [Role.ASSISTANT, Role.TOOL, Role.USER]


def test_a_result_may_hold_pictures_and_files():
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    assert turns(CALL, {**OUTPUT, "output": [picture]})[1] == (
        Role.TOOL,
        (ToolResult(id="c1", parts=(Image(data="AA==", media_type="image/png"),)),),
    )


def test_reasoning_that_was_sealed_here_comes_back_whole_with_its_origin():
    thought = Reasoning(text="hm", signature="sig", details=[{"type": "x"}])
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal((thought,), "groq/m")}
    message = read(input=[item, say("assistant", {"type": "output_text", "text": "a"})]).messages[0]
    assert message == Message(role=Role.ASSISTANT, parts=(thought, Text(text="a")), origin="groq/m")


def test_one_turn_has_the_thoughts_of_one_maker():
    sealed = [seal((Reasoning(text=text),), origin) for text, origin in (("old", "a/m"), ("new", "b/m"))]
    items = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": text} for text in sealed]
    (message,) = read(input=items).messages
    assert message == Message(role=Role.ASSISTANT, parts=(Reasoning(text="new"),), origin="b/m")


def test_reasoning_that_another_sealed_stays_opaque():
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    message = read(input=[item, CALL, OUTPUT]).messages[0]
    assert message.origin is None
    assert message.parts[0] == Reasoning(details=[{"type": "reasoning.encrypted", "data": "gAAAA"}])


def test_reasoning_without_content_is_no_part():
    assert turns({"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": "a"}) == [
        (Role.USER, (Text(text="a"),))
    ]


@pytest.mark.parametrize("text", ["", "gAAAA", "hr1.", "hr1.!!!", "hr1.AAAA", seal((), "a/b")[:-6]])
def test_what_was_not_sealed_here_or_is_damaged_is_not_opened(text: str):
    assert unseal(text) is None


def test_a_sealed_text_that_unpacks_to_too_much_is_not_opened():
    assert unseal(seal((Reasoning(text="a" * (9 << 20)),), "a/b")) is None


def test_a_custom_tool_is_a_function_with_one_text():
    request = read(tools=[PATCH], tool_choice={"type": "custom", "name": "apply_patch"})
    (tool,) = request.tools
    assert (tool.name, tool.description) == ("apply_patch", "Edit files.")
    assert tool.schema["required"] == ["input"]
    assert request.tool_choice == ToolChoice(mode=ToolMode.NAMED, name="apply_patch")
    assert asked_of(request).forms == {"apply_patch": CallForm("custom", "apply_patch")}


def test_the_model_is_told_of_a_custom_tools_grammar():
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'}
    (tool,) = read(tools=[{**PATCH, "format": grammar}]).tools
    assert tool.description is not None
    assert tool.description.startswith("Edit files.\n\nThe input must match this lark grammar exactly:\nstart:")


def test_a_custom_call_and_its_output_in_the_history():
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": '*** "x"\n'}
    output = {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"}
    assert turns(call, output) == [
        (Role.ASSISTANT, (ToolCall(id="c1", name="apply_patch", arguments='{"input":"*** \\"x\\"\\n"}'),)),
        (Role.TOOL, (ToolResult(id="c1", parts=(Text(text="ok"),)),)),
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ('{"input":"a\\nb"}', "a\nb"),
        ('{"patch":"a"}', "a"),
        ('{"input":"a","more":1}', "a"),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
        ('{"a":1}', '{"a":1}'),
        ("*** Begin", "*** Begin"),
        ('"a"', '"a"'),
    ],
)
def test_the_input_of_a_custom_tool_from_what_a_model_wrote(arguments: str, expected: str):
    assert unwrap_input(arguments) == expected


def test_tools_of_a_namespace_are_offered_one_by_one():
    tools = [{"type": "namespace", "name": "mcp__git__", "description": "", "tools": [{**FUNCTION, "name": "log"}]}]
    request = read(tools=tools, input=[{**CALL, "name": "log", "namespace": "mcp__git__"}, OUTPUT])
    assert [tool.name for tool in request.tools] == ["mcp__git__log"]
    assert asked_of(request).forms == {"mcp__git__log": CallForm("function", "log", "mcp__git__")}
    assert request.messages[0].parts == (ToolCall(id="c1", name="mcp__git__log", arguments="{}"),)


@pytest.mark.parametrize(
    "name, namespace, expected",
    [
        ("log", None, "log"),
        ("log", "git", "git__log"),
        ("log", "mcp__git__", "mcp__git__log"),
        ("log", "log", "log"),
        ("log", "functions", "log"),
    ],
)
def test_the_name_a_tool_of_a_namespace_is_offered_under(name: str, namespace: str | None, expected: str):
    assert offered_name(name, namespace) == expected


def test_a_name_too_long_for_a_function_is_cut_and_still_tells_tools_apart():
    names = {offered_name("x" * 60 + end, "mcp__server__") for end in "ab"}
    assert {len(name) for name in names} == {64}
    assert len(names) == 2


def test_a_tool_search_the_caller_runs_is_a_function_and_what_it_finds_is_offered():
    search = {"type": "tool_search", "execution": "client", "description": "Find.", "parameters": {"type": "object"}}
    request = read(
        tools=[search],
        input=[
            {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {"q": "f"}},
            {"type": "tool_search_output", "call_id": "c1", "execution": "client", "tools": [FUNCTION]},
        ],
    )
    assert [tool.name for tool in request.tools] == ["tool_search", "f"]
    assert asked_of(request).forms == {"tool_search": CallForm("search", "tool_search")}
    assert request.messages[0].parts == (ToolCall(id="c1", name="tool_search", arguments='{"q":"f"}'),)
    assert request.messages[1].parts == (ToolResult(id="c1", parts=(Text(text="These tools can be called now: f"),)),)


def test_a_tool_search_openai_runs_is_not_needed():
    request = read(
        tools=[{"type": "tool_search"}, {**FUNCTION, "defer_loading": True}],
        input=[
            {"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {}},
            {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": [FUNCTION]},
            {"role": "user", "content": "go"},
        ],
    )
    assert [tool.name for tool in request.tools] == ["f"]
    assert asked_of(request).dropped == ()


def test_more_tools_may_come_with_the_items():
    request = read(input=[{"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}, *[CALL, OUTPUT]])
    assert [tool.name for tool in request.tools] == ["f"]


HOSTED = {"type": "web_search"}


@pytest.mark.parametrize("choice", [None, "auto", "none", {"type": "function", "name": "f"}])
def test_a_hosted_tool_is_left_out_where_the_model_is_free_of_it(choice: Any):
    request = read(tools=[HOSTED, FUNCTION, PATCH], tool_choice=choice)
    assert [tool.name for tool in request.tools] == ["f", "apply_patch"]
    assert asked_of(request).dropped == ("tool web_search",)


@pytest.mark.parametrize(
    "tools, choice, path",
    [
        ([HOSTED], None, "tools[0].type"),
        ([HOSTED], "required", "tools[0].type"),
        ([FUNCTION, HOSTED], "required", "tools[1].type"),
        ([FUNCTION, HOSTED], HOSTED, "tool_choice.type"),
        ([FUNCTION, HOSTED], {"type": "mcp", "server_label": "x"}, "tool_choice.type"),
        ([FUNCTION, HOSTED], {"type": "allowed_tools", "mode": "auto", "tools": [HOSTED]}, "tools[1].type"),
    ],
)
def test_a_hosted_tool_is_refused_where_it_is_all_or_must_be_called(tools: list[Any], choice: Any, path: str):
    error = refusal(tools=tools, tool_choice=choice)
    assert error.param == path
    assert "OpenAI's own servers" in error.message


def test_a_hosted_tool_that_must_not_be_called_is_left_out():
    request = read(tools=[HOSTED], tool_choice="none")
    assert (request.tools, request.tool_choice, asked_of(request).dropped) == ((), None, ("tool web_search",))


def test_a_strange_type_of_tool_does_not_reach_a_header():
    assert asked_of(read(tools=[FUNCTION, {"type": "a\r\nx: y"}])).dropped == ("tool of an unknown type",)


def test_those_who_ask_hear_what_is_left_out():
    heard: list[tuple[str, ...]] = []
    body = {"model": "m", "input": [{"type": "web_search_call", "id": "ws_1"}, {"role": "user", "content": "a"}]}
    OpenAIResponses(None, heard.append).read(json.dumps(body).encode(), {})
    assert heard == [("item web_search_call",)]


CHOICES: list[tuple[Any, ToolChoice | None, list[str]]] = [
    (None, None, ["f", "g"]),
    ("auto", ToolChoice(mode=ToolMode.AUTO), ["f", "g"]),
    ("none", ToolChoice(mode=ToolMode.NONE), ["f", "g"]),
    ("required", ToolChoice(mode=ToolMode.REQUIRED), ["f", "g"]),
    ({"type": "function", "name": "g"}, ToolChoice(mode=ToolMode.NAMED, name="g"), ["f", "g"]),
    (
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]},
        ToolChoice(mode=ToolMode.REQUIRED),
        ["g"],
    ),
]


@pytest.mark.parametrize("value, expected, offered", CHOICES, ids=lambda value: str(value)[:40])
def test_tool_choice(value: Any, expected: ToolChoice | None, offered: list[str]):
    request = read(tools=[FUNCTION, {**FUNCTION, "name": "g"}], tool_choice=value)
    assert request.tool_choice == expected
    assert [tool.name for tool in request.tools] == offered


def test_a_function_keeps_its_schema_and_strictness():
    (tool,) = read(tools=[FUNCTION], parallel_tool_calls=False).tools
    assert (tool.schema, tool.strict) == ({"type": "object", "properties": {}}, True)


@pytest.mark.parametrize(
    "written, expected",
    [
        (None, None),
        ({"format": {"type": "text"}}, None),
        ({"format": {"type": "json_object"}}, ResponseFormat(kind="json_object")),
        (
            {"format": {"type": "json_schema", "name": "n", "strict": True, "schema": {"type": "object"}}},
            ResponseFormat(kind="json_schema", name="n", strict=True, schema={"type": "object"}),
        ),
    ],
)
def test_text_format(written: Any, expected: ResponseFormat | None):
    assert read(text=written).response_format == expected


@pytest.mark.parametrize(
    "said, expected",
    [
        (None, Thinking(show=False)),
        ({"effort": "low"}, Thinking(enabled=True, effort="low", show=False)),
        ({"effort": "max", "summary": "auto"}, Thinking(enabled=True, effort="xhigh", show=True)),
        ({"effort": "none"}, Thinking(enabled=False, effort="none", show=False)),
        ({"effort": None, "summary": "detailed"}, Thinking(show=True)),
        ({"generate_summary": "concise"}, Thinking(show=True)),
    ],
)
def test_reasoning(said: Any, expected: Thinking):
    assert read(reasoning=said).thinking == expected


def test_knobs():
    request = read(temperature=0.5, top_p=0.9, max_output_tokens=20, top_logprobs=3, text={"verbosity": "low"})
    assert (request.sampling.temperature, request.sampling.top_p, request.max_output) == (0.5, 0.9, 20)
    assert (request.sampling.logprobs, request.sampling.top_logprobs) == (True, 3)
    assert request.extra["verbosity"] == "low"
    passed: dict[str, Any] = {"prompt_cache_key": "k", "safety_identifier": "s", "service_tier": "flex"}
    assert read(**passed).extra.items() >= passed.items()
    assert read(include=["message.output_text.logprobs"]).sampling.logprobs is True


def test_what_codex_cli_sends_is_taken():
    request = read(
        instructions="You are Codex.",
        tools=[
            {"type": "function", "name": "shell_command", "parameters": {"type": "object"}, "strict": False},
            PATCH,
            HOSTED,
        ],
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="k",
        text={"verbosity": "medium"},
        client_metadata={"a": "b"},
    )
    asked = asked_of(request)
    assert (asked.store, asked.sealed, asked.summary, asked.instructions) == (False, True, True, True)
    assert (asked.dropped, request.parallel_tools) == (("tool web_search",), True)


def test_what_codex_cli_sends_for_its_newest_models_is_taken():
    exec_tool = {**PATCH, "name": "exec", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}}
    namespaces = [
        {"type": "namespace", "name": "functions", "description": "", "tools": [exec_tool]},
        {"type": "namespace", "name": "clock", "description": "", "tools": [{**FUNCTION, "name": "sleep"}]},
    ]
    request = read(
        tools=[],
        input=[
            {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": namespaces},
            {"type": "message", "id": "msg_1", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "namespace": "functions", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "y"}]},
        ],
        reasoning={"effort": "low", "context": "all_turns"},
    )
    assert [tool.name for tool in request.tools] == ["exec", "clock__sleep"]
    assert asked_of(request).forms["exec"] == CallForm("custom", "exec", "functions")
    assert request.messages[1].parts == (ToolCall(id="c1", name="exec", arguments='{"input":"x"}'),)


def test_a_previous_response_goes_between_instructions_and_input():
    past = (Message(role=Role.USER, parts=(Text(text="a"),)), Message(role=Role.ASSISTANT, parts=(Text(text="b"),)))
    request = read(Shelf(past), previous_response_id="resp_1", instructions="I", input="c")
    said = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    assert said == ["I", "a", "b", "c"]


def test_a_result_may_answer_a_call_of_the_previous_response():
    past = (Message(role=Role.ASSISTANT, parts=(ToolCall(id="c1", name="f", arguments="{}"),)),)
    request = read(Shelf(past), previous_response_id="resp_1", input=[OUTPUT])
    assert [message.role for message in request.messages] == [Role.ASSISTANT, Role.TOOL]


def test_a_previous_response_that_is_not_kept():
    error = refusal(Shelf(), previous_response_id="resp_2")
    assert (error.status, error.code, error.param) == (400, "previous_response_not_found", "previous_response_id")


def test_an_item_reference_stands_for_the_item():
    shelf = Shelf(items={"fc_1": CALL})
    assert turns({"type": "item_reference", "id": "fc_1"}, OUTPUT, shelf=shelf) == turns(CALL, OUTPUT)


def test_calls_the_caller_ran_for_openais_own_tools_stay_in_the_history():
    action = {"type": "exec", "command": ["ls"]}
    roles = turns(
        {"type": "local_shell_call", "id": "l", "call_id": "c1", "action": action},
        {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"},
        {"type": "shell_call", "call_id": "c2", "action": {"commands": ["ls"]}},
        {
            "type": "shell_call_output",
            "call_id": "c2",
            "output": [{"stdout": "x", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        },
    )
    assert [role for role, _ in roles] == [Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.TOOL]
    assert roles[3][1] == (ToolResult(id="c2", parts=(Text(text='x\n{"type":"exit","exit_code":0}'),)),)


REFUSED: list[tuple[str, Table, str]] = [
    ("no input", {"input": None}, "input"),
    ("empty input", {"input": []}, "input"),
    ("input of a wrong type", {"input": 5}, "input"),
    ("an item of a wrong type", {"input": ["a"]}, "input[0]"),
    ("an item without a type", {"input": [{"id": "x"}]}, "input[0].type"),
    ("an unknown item", {"input": [{"type": "dance"}]}, "input[0].type"),
    ("an unknown role", {"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
    ("an empty message", {"input": [{"role": "user"}]}, "input[0].content"),
    ("an unknown part", {"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type"),
    (
        "a picture kept at OpenAI",
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0]",
    ),
    ("a call without its output", {"input": [CALL]}, "input"),
    ("an output without its call", {"input": [OUTPUT]}, "input[0]"),
    ("an output without anything", {"input": [CALL, {**OUTPUT, "output": None}]}, "input[1].output"),
    ("a reference to nothing", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].id"),
    ("a compacted conversation", {"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0].type"),
    ("background", {"background": True}, "background"),
    ("conversation", {"conversation": "conv_1"}, "conversation"),
    ("a stored prompt", {"prompt": {"id": "p"}, "model": None}, "prompt"),
    ("no model", {"model": None}, "model"),
    ("a tool without a name", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
    ("a required call without tools", {"tool_choice": "required"}, "tool_choice"),
    (
        "a choice of no tool",
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "x"}},
        "tool_choice.name",
    ),
    ("a schema that is not there", {"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ("an unknown effort", {"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    ("an unknown truncation", {"truncation": "middle"}, "truncation"),
    ("a temperature out of range", {"temperature": 3}, "temperature"),
]


@pytest.mark.parametrize("body, path", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refusals_name_the_field(body: Table, path: str):
    assert refusal(**body).param == path
