"""Which tools the stand-in calls, and when it stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rivya_sandbox import Message, ModelRequest, Tool
from rivya_sandbox.model.tool_choice import choose_calls

TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def function(name: str, about: str, /, **properties: Any) -> Tool:
    return Tool(name, about, {"type": "object", "properties": properties, "required": list(properties)})


SEARCH = function("search_web", "Search the web for a query.", query=TEXT)
NOTES = function("record_notes", "Record notes on a topic.", notes=TEXT)
WEATHER = function("get_weather", "Get the weather at a location.", location=TEXT)
MAGIC = function("magic_function", "Apply a magic function to an input.", input=NUMBER, times=NUMBER)
ADD = function("add", "Add two numbers.", a=NUMBER, b=NUMBER)
DIVIDE = function("divide", "Divide two numbers.", a=NUMBER, b=NUMBER)
HANDOFF = function(
    "handoff",
    "Useful for handing off to another agent.\n\nCurrently available agents:\nWriteAgent: Writes a report on a topic.\n"
    "ReviewAgent: Reviews a report.\n",
    to_agent=TEXT,
    reason=TEXT,
)


def asked(
    question: str, *functions: Tool, after: tuple[Message, ...] = (), system: str = "", **more: Any
) -> ModelRequest:
    context = ((Message("system", system),) if system else ()) + (Message("user", question), *after)
    return ModelRequest(context, tools=functions, **more)


def called(made: ModelRequest) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.text)) for call in choose_calls(made)]


def done(name: str, arguments: Any, result: str = "ok") -> tuple[Message, Message]:
    """A call that was made, and its result."""
    call = {"id": "x", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return Message("assistant", "", tool_calls=(call,)), Message("tool", result, tool_call_id="x")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("magic_function(3)", {"input": 3}),
        ("magic_function(3, 4)", {"input": 3, "times": 4}),
        ("magic_function(times=2, input=1)", {"input": 1, "times": 2}),
        ("magic_function(three)", {"input": "three"}),
        ("magic_function()", {}),
    ],
)
def test_a_call_that_is_written_out_is_made(text: str, arguments: dict[str, Any]) -> None:
    assert called(asked(f"What is the value of {text}? Use the tool.", MAGIC, WEATHER)) == [
        ("magic_function", arguments)
    ]


def test_several_calls_that_are_written_out_are_made_in_their_order() -> None:
    assert [name for name, _ in called(asked("Compare get_weather('Rome') and magic_function(1)", MAGIC, WEATHER))] == [
        "get_weather",
        "magic_function",
    ]


def test_steps_are_taken_one_after_the_other_and_each_once() -> None:
    question = "Search the web for llamas, then record notes about llamas"

    [(first, arguments)] = called(asked(question, SEARCH, NOTES))
    assert (first, arguments) == ("search_web", {"query": "Search the web for llamas"})
    [(second, more)] = called(asked(question, SEARCH, NOTES, after=done(first, arguments)))
    assert second == "record_notes"
    assert called(asked(question, SEARCH, NOTES, after=(*done(first, arguments), *done(second, more)))) == []


def test_different_tools_in_one_part_are_called_at_once() -> None:
    question = "Get the weather in Rome and search the web for pasta"

    assert [name for name, _ in called(asked(question, SEARCH, WEATHER))] == ["get_weather", "search_web"]
    assert [name for name, _ in called(asked(question, SEARCH, WEATHER, parallel_tool_calls=False))] == ["get_weather"]


@pytest.mark.parametrize(
    ("question", "steps"),
    [
        ("What is 2 plus 3?", [("add", 2, 3)]),
        ("(1 + 2) / 4 = ?", [("add", 1, 2), ("divide", 3, 4)]),
        ("What is -1 + 2?", [("add", -1, 2)]),
        ("What is 2 * 3?", []),
        ("What is 1 / 0?", []),
        ("What is 1 + + ?", []),
        ("Call 555-1234", []),
    ],
)
def test_arithmetic(question: str, steps: list[tuple[str, Any, Any]]) -> None:
    """Only with the available tools, and never a division by zero."""
    after: tuple[Message, ...] = ()
    for name, a, b in steps:
        assert called(asked(question, ADD, DIVIDE, after=after)) == [(name, {"a": a, "b": b})]
        after += done(name, {"a": a, "b": b})

    assert called(asked(question, ADD, DIVIDE, after=after)) == []


def test_what_must_be_called_is_called() -> None:
    assert called(asked("Hello!", ADD, WEATHER, tool_choice="required"))
    assert (
        called(asked("Hello!", ADD, WEATHER, tool_choice="required", forced_tool="get_weather"))[0][0] == "get_weather"
    )
    assert called(asked("Weather in Rome?", WEATHER, tool_choice="none")) == []
    assert called(asked("Hello!")) == []


RESEARCH = "You research topics. When you have recorded notes, you should hand off control to the WriteAgent."


def test_an_agent_hands_over_when_its_work_is_done() -> None:
    """To the agent that its instructions name, once."""
    question = "Search the web for llamas and record notes on llamas"
    offered = (SEARCH, NOTES, HANDOFF)
    first = called(asked(question, *offered, system=RESEARCH))
    assert [name for name, _ in first] == ["search_web", "record_notes"]
    after = tuple(message for name, arguments in first for message in done(name, arguments))

    [(name, arguments)] = called(asked(question, *offered, system=RESEARCH, after=after))
    assert (name, arguments["to_agent"]) == ("handoff", "WriteAgent")

    handed = (*after, *done(name, arguments, "Agent WriteAgent is now handling the request."))
    assert called(asked(question, *offered, system=RESEARCH, after=handed)) == []


def test_agents_may_be_listed_as_a_dictionary() -> None:
    """As LlamaIndex's workflows list them."""
    about = "Hand over.\n\nCurrently available agents:\n{'WriteAgent': 'Writes a poem.', 'ReviewAgent': 'Reviews, kindly.'}\n"
    hand = function("handoff", about, to_agent=TEXT, reason=TEXT)

    for text, agent in (("Please write a poem.", "WriteAgent"), ("Please review it.", "ReviewAgent")):
        assert called(asked(text, WEATHER, hand))[0][1]["to_agent"] == agent


def test_an_agent_without_a_fitting_tool_hands_over_to_one_that_fits() -> None:
    [(name, arguments)] = called(asked("Please review my report.", WEATHER, HANDOFF))

    assert (name, arguments["to_agent"]) == ("handoff", "ReviewAgent")
    assert called(asked("What is the weather in Rome?", WEATHER, HANDOFF))[0][0] == "get_weather"
    assert called(asked("Hello!", WEATHER, HANDOFF)) == []


def test_a_transfer_tool_names_its_agent_itself() -> None:
    """As LangGraph's supervisors have them."""
    transfer = function("transfer_to_math_expert", "Ask the math expert for help with arithmetic.")

    assert called(asked("I need help with arithmetic.", transfer)) == [("transfer_to_math_expert", {})]


def test_without_a_user_the_instructions_are_the_question() -> None:
    context = (Message("system", "Get the weather in Rome."),)

    assert called(ModelRequest(context, tools=(WEATHER,))) == [("get_weather", {"location": "Rome"})]


def test_broken_arguments_in_the_history_do_no_harm() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "add", "arguments": "{broken"}}
    after = (Message("assistant", "", tool_calls=(call,)), Message("tool", "no", tool_call_id="x"))

    assert called(asked("What is 2 plus 3?", ADD, after=after)) == [("add", {"a": 2, "b": 3})]
