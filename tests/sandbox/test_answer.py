from __future__ import annotations

from typing import Any

import orjson

from hermes_router.sandbox.answer import NOTICE, answer

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "read_clock", "parameters": {"type": "object", "properties": {}}}}


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def test_it_echoes_and_says_that_it_is_the_sandbox():
    said = answer(ask("Hello there"), reasons=False)
    assert said.text == f"You said: Hello there {NOTICE}"
    assert (said.finish, said.prompt_tokens) == ("stop", 2)


def test_the_same_request_gives_the_same_answer():
    body = ask("What is the weather in Paris and London?", tools=[WEATHER])
    assert answer(body, reasons=True) == answer(body, reasons=True)


def test_max_tokens_cuts():
    said = answer(ask("Hello there", max_tokens=3), reasons=False)
    assert (said.text, said.finish, said.completion_tokens) == ("You said: Hello", "length", 3)


def test_stop_cuts():
    said = answer(ask("one two three", stop=["three", "two"]), reasons=False)
    assert (said.text, said.finish) == ("You said: one ", "stop")


def test_thinking_counts_against_the_budget():
    said = answer(ask("Hello there", max_tokens=2), reasons=True)
    assert (said.text, said.finish, said.reasoning_tokens) == ("", "length", 2)


def test_thinking_can_be_switched_off():
    assert answer(ask("Hi", reasoning_effort="none"), reasons=True).reasoning == ""


def test_a_tool_is_called_with_a_name_from_the_prompt():
    said = answer(ask("What is the weather in Paris?", tools=[WEATHER, CLOCK]), reasons=False)
    assert [(call.name, orjson.loads(call.arguments)) for call in said.calls] == [("get_weather", {"city": "Paris"})]
    assert said.finish == "tool_calls"


def test_several_names_are_parallel_calls():
    said = answer(ask("What is the weather in Paris and in London?", tools=[WEATHER]), reasons=False)
    assert [orjson.loads(call.arguments)["city"] for call in said.calls] == ["Paris", "London"]
    assert len({call.id for call in said.calls}) == 2


def test_parallel_calls_can_be_forbidden():
    body = ask("What is the weather in Paris and in London?", tools=[WEATHER, CLOCK], parallel_tool_calls=False)
    assert len(answer(body, reasons=False).calls) == 1


def test_small_talk_with_several_tools_calls_none():
    assert answer(ask("Hello!", tools=[WEATHER, CLOCK]), reasons=False).calls == ()


def test_a_named_tool_is_called_whatever_was_said():
    choice = {"type": "function", "function": {"name": "read_clock"}}
    said = answer(ask("Hello!", tools=[WEATHER, CLOCK], tool_choice=choice), reasons=False)
    assert [(call.name, call.arguments) for call in said.calls] == [("read_clock", "{}")]


def test_results_are_quoted():
    body = ask("What is the weather in Paris?", tools=[WEATHER])
    call = answer(body, reasons=False).calls[0]
    called = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    body["messages"] += [
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"},
    ]
    assert answer(body, reasons=False).text == f"get_weather answered: 18 degrees {NOTICE}"


def test_a_schema_is_filled_in():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert answer(ask("Give me 7", response_format=wanted), reasons=False).text == '{"n":7}'


def test_a_json_object_is_one():
    said = answer(ask("Hi", response_format={"type": "json_object"}), reasons=False)
    assert orjson.loads(said.text)["answer"] == "You said: Hi"


def test_pictures_are_counted():
    content = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    body = {"messages": [{"role": "user", "content": content}]}
    assert answer(body, reasons=False).text.startswith("You said: Look You sent 1 picture with it.")
