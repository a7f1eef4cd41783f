"""The sandbox's Responses API, validated by the official client and its types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel
from referee import TEXT, client, strictly

from rivya_sandbox import Call, Completion, Sandbox, Wire

MODEL = "openai/gpt-5.2-chat"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather at a location.",
    "parameters": {"type": "object", "properties": {"location": TEXT}, "required": ["location"]},
}


ECHOED = frozenset({"store"})
"""In real answers, and not in the client's type."""
NAMED = frozenset({"name"})
"""Of a function whose arguments are done: openai 2's type wants it, openai 3's does not know it."""


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def create(sandbox: Sandbox, said: Any = "What is the capital of France?", **request: Any) -> Response:
    """A whole response, strictly valid."""
    answer = client(sandbox, "gmi").responses.with_raw_response.create(**{"model": MODEL, "input": said, **request})
    return strictly(Response, json.loads(answer.text), ECHOED)


def events(sandbox: Sandbox, said: Any = "What is the capital of France?", **request: Any) -> list[Any]:
    """A streamed response, every event strictly valid, numbered, under its own name."""
    wanted = {"model": MODEL, "input": said, "stream": True, **request}
    with client(sandbox, "gmi").responses.with_streaming_response.create(**wanted) as answer:
        lines = [line for line in answer.iter_lines() if line]
    names, values = lines[::2], [json.loads(line.removeprefix("data: ")) for line in lines[1::2]]
    assert [name.removeprefix("event: ") for name in names] == [value["type"] for value in values]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    return [strictly(ResponseStreamEvent, value, ECHOED | NAMED) for value in values]


@contextmanager
def refused(words: str) -> Iterator[pytest.ExceptionInfo[openai.BadRequestError]]:
    """A refusal with *words* in its body; how much of it the error's text repeats differs between clients."""
    with pytest.raises(openai.BadRequestError) as caught:
        yield caught
    assert re.search(words, str(caught.value.response.json()))


def test_a_whole_response(sandbox: Sandbox) -> None:
    said = create(sandbox, instructions="Be brief.")

    assert said.output_text == "The capital of France is Paris."
    assert (said.status, said.instructions, said.error) == ("completed", "Be brief.", None)
    assert said.usage is not None
    assert said.usage.total_tokens == said.usage.input_tokens + said.usage.output_tokens
    assert [(m.role, m.text) for m in sandbox.journal.turns[0].context] == [
        ("system", "Be brief."),
        ("user", "What is the capital of France?"),
    ]


def test_a_streamed_response_is_the_same(sandbox: Sandbox) -> None:
    got = events(sandbox)

    assert "".join(e.delta for e in got if e.type == "response.output_text.delta") == "The capital of France is Paris."
    assert [got[0].type, got[1].type, got[-1].type] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert got[-1].response.output_text == create(sandbox).output_text
    assert got[-1].response.usage == create(sandbox).usage


CASES: dict[str, tuple[dict[str, Any], Completion | None]] = {
    "text": ({}, None),
    "reasoning": ({"reasoning": {"effort": "medium", "summary": "auto"}}, None),
    "a call": ({"input": "What is the weather in Rome?", "tools": [WEATHER]}, None),
    "a search": (
        {"input": "What was a positive news story from today?", "tools": [{"type": "web_search_preview"}]},
        None,
    ),
    "a refusal": ({}, Completion(refusal="I cannot say that.")),
    "several calls": ({}, Completion("Wait.", "hm", (Call("f", {"a": 1}), Call("g", {"b": 2})))),
    "cut off": ({"max_output_tokens": 16}, Completion("word " * 100)),
    "log probabilities": ({"include": ["message.output_text.logprobs"]}, None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_official_stream_helper_puts_it_together(sandbox: Sandbox, case: tuple[dict[str, Any], Any]) -> None:
    """Its snapshot out of the events is the final response, item by item, and every event is valid."""
    request, scripted = case
    wanted = {"model": MODEL, "input": "Hi", **request}
    for _ in range(2 if scripted else 0):
        sandbox.answer(scripted)
    if scripted is not None and "max_output_tokens" in request:
        sandbox.reset()
        wanted["input"] = "Repeat after me: " + "word " * 60

    with client(sandbox, "gmi").responses.stream(**wanted) as stream:
        seen = [event.type for event in stream]
        if "response.completed" in seen:
            final = stream.get_final_response()
            assert [item.type for item in final.output] == [item["type"] for item in final.to_dict()["output"]]
    checked = events(
        sandbox, **{key: value for key, value in wanted.items() if key != "model"} | {"said": wanted["input"]}
    )

    assert [event.type for event in checked] == seen


def test_tools_over_the_chain(sandbox: Sandbox) -> None:
    """A request with the response's id contains only the call's output."""
    first = create(sandbox, "What is the weather in Rome?", tools=[WEATHER])
    [call] = first.output
    assert (call.type, json.loads(call.arguments)) == ("function_call", {"location": "Rome"})

    output = {"type": "function_call_output", "call_id": call.call_id, "output": "It's sunny."}
    second = create(sandbox, [output], tools=[WEATHER], previous_response_id=first.id)

    assert "It's sunny." in second.output_text
    assert [m.role for m in sandbox.journal.turns[1].context] == ["user", "assistant", "tool"]
    assert sandbox.journal.turns[1].number == 2


def test_items_can_be_sent_back_instead(sandbox: Sandbox) -> None:
    """Stateless: all items, with encrypted reasoning."""
    asked = {"store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium"}}
    question = {"role": "user", "content": "What is the weather in Rome?"}
    first = create(sandbox, [question], tools=[WEATHER], **asked)
    items = [item.to_dict() for item in first.output]
    assert [item["type"] for item in items] == ["reasoning", "function_call"]
    output = {"type": "function_call_output", "call_id": items[1]["call_id"], "output": "It's sunny."}

    assert "It's sunny." in create(sandbox, [question, *items, output], tools=[WEATHER], **asked).output_text


def test_a_chain_forks_and_forgets_instructions(sandbox: Sandbox) -> None:
    """Any response can be continued any number of times; instructions are each request's own."""
    first = create(sandbox, "My name is Ann.", instructions="Be brief.")

    for text in ("What is my name?", "Who am I?"):
        create(sandbox, text, previous_response_id=first.id)

    for turn in sandbox.journal.turns[1:]:
        assert [m.role for m in turn.context] == ["user", "assistant", "user"]
        assert "Ann" in turn.reply


def test_a_response_that_is_not_there_cannot_be_continued(sandbox: Sandbox) -> None:
    """One that was not stored, or another account's."""
    unstored = create(sandbox, "Hi", store=False)
    mine = create(sandbox, "Hi")
    sandbox.add_key("other-key", account="other")

    for response_id, key in ((unstored.id, sandbox.api_key), (mine.id, "other-key")):
        with refused("Previous response with id") as caught:
            client(sandbox, "gmi", api_key=key).responses.create(
                model=MODEL, input="Hi", previous_response_id=response_id
            )
        inner = caught.value.response.json()["error"]["details"]["error"]
        assert (inner["code"], inner["param"]) == ("previous_response_not_found", "previous_response_id")


def test_structured_output(sandbox: Sandbox) -> None:
    asked = {"model": MODEL, "input": "Extract: Anna Berg is 34 years old."}

    parsed = client(sandbox, "gmi").responses.parse(**asked, text_format=Person).output_parsed

    assert parsed == Person(name="Anna Berg", age=34)


def test_an_item_can_be_referred_to(sandbox: Sandbox) -> None:
    first = create(sandbox, "My name is Ann.")
    reference = {"type": "item_reference", "id": first.output[0].id}

    create(sandbox, [{"role": "user", "content": "My name is Ann."}, reference, {"role": "user", "content": "Hm?"}])

    assert [m.role for m in sandbox.journal.turns[1].context] == ["user", "assistant", "user"]
    with pytest.raises(openai.NotFoundError):
        create(sandbox, [{"type": "item_reference", "id": "msg_unknown"}])


def test_a_search_can_be_demanded_or_forbidden(sandbox: Sandbox) -> None:
    tools = [{"type": "web_search_preview"}]

    assert (
        create(sandbox, "Hello!", tools=tools, tool_choice={"type": "web_search_preview"}).output[0].type
        == "web_search_call"
    )
    assert create(sandbox, "Hello!", tools=tools, tool_choice="required").output[0].type == "web_search_call"
    assert [item.type for item in create(sandbox, "Any news?", tools=tools, tool_choice="none").output] == ["message"]


def test_a_web_search_cites_its_source(sandbox: Sandbox) -> None:
    said = create(
        sandbox,
        "What was a positive news story from today?",
        tools=[{"type": "web_search_preview"}],
        include=["web_search_call.action.sources"],
    )

    search, message = said.output
    assert (search.type, search.action.type) == ("web_search_call", "search")
    assert search.action.sources[0].url == message.content[0].annotations[0].url


def test_images_and_files_are_taken(sandbox: Sandbox) -> None:
    content = [
        {"type": "input_text", "text": "what is in this file?"},
        {"type": "input_image", "image_url": "https://example.com/a.jpg"},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        {"type": "input_file", "file_id": "file-1"},
    ]

    create(sandbox, [{"role": "user", "content": content}])

    assert len(sandbox.journal.turns[0].context[0].attachments) == 4


def test_incomplete_says_why(sandbox: Sandbox) -> None:
    said = create(sandbox, "Repeat after me: " + "word " * 60, max_output_tokens=16)

    assert (said.status, said.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert said.output_text


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "bot", "content": "x"}]}, "role"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "Supported values"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "1"}]}, "No tool call found"),
        ({"input": [{"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"}]}, "No tool output"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "exactly one"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools\\[0\\].name"),
        ({"input": ["x"]}, "object"),
        ({"input": [{"type": "strange"}]}, "strange"),
        ({"input": [{"role": "user", "content": 7}]}, "content"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "call_id"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "https://a.test/b"}]}]},
            "filename",
        ),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "schema"),
        ({"tools": [{"type": "strange"}]}, "Supported values"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"max_output_tokens": 5}, ">= 16"),
        ({"reasoning": {"effort": "high"}}, "'medium'"),
        ({"extra_body": {"messages": []}}, "messages"),
        ({"extra_body": {"max_tokens": 5}}, "max_tokens"),
    ],
    ids=str,
)
def test_it_is_as_strict_as_openai(sandbox: Sandbox, request_: dict[str, Any], words: str) -> None:
    request = dict(request_)
    said = request.pop("input", "Hi")

    with refused(words):
        create(sandbox, said, **request)


def test_reasoning_goes_back_only_if_it_can_be_understood(sandbox: Sandbox) -> None:
    """By an id that is stored, or encrypted; and with what followed it."""
    reasoning = {"type": "reasoning", "id": "rs_unknown", "summary": []}
    question = {"role": "user", "content": "x"}

    with pytest.raises(openai.NotFoundError):
        create(sandbox, [question, reasoning, {"role": "assistant", "content": "y"}, question])
    with refused("without its required following item"):
        create(sandbox, [question, {**reasoning, "encrypted_content": "x"}, question])


def test_exact_bytes(sandbox: Sandbox) -> None:
    sandbox.answer(Wire.body({"object": "response", "output": None}))

    answer = client(sandbox).responses.with_raw_response.create(model="gpt-5.2", input="Hi")

    assert json.loads(answer.text) == {"object": "response", "output": None}


def test_the_turn_is_charged_once_and_an_abandoned_one_is_not_kept(sandbox: Sandbox) -> None:
    before = sandbox.credits()

    stream = client(sandbox, "gmi").responses.create(model=MODEL, input="Hi", stream=True)
    for _ in stream:
        pass

    assert sandbox.credits() == before - 1
    assert len(sandbox.responses["gmi"]) == 1
