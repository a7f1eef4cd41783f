"""What a server of the Responses API refuses is learned once, as for chat completions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai_asking import HI, KEY, Backend, Way
from responses_backend import Backend as Answering
from wire import URL

from rivya_core import errors
from rivya_core.http.endpoint import endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.responses.client import OpenAIResponses
from rivya_core.openai.router import OpenAIRouter
from rivya_core.providers import COMPATIBLE
from rivya_core.types import Message, Text

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FORM = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA}}
WANTED = Message("user", (Text("A number."),))


def responses(**options: Any) -> OpenAIResponses:
    where = endpoint(COMPATIBLE, api_key=KEY, base_url=URL)
    return OpenAIResponses(where, {"model": "m", **options}, RetryPolicy(0))


def server(refuses: Callable[[dict[str, Any]], Any], output: list[Any] | None = None) -> Backend:
    """Answers what it does not refuse."""
    inner = Answering()
    inner.output = output

    def answer(request: httpx.Request) -> httpx.Response:
        words = refuses(json.loads(request.content))
        if not words:
            return inner(request)
        return httpx.Response(400, json={"error": words if isinstance(words, dict) else {"message": words}})

    return Backend(answer)


OPTIONS = [
    ("temperature", 0.5, "Unsupported parameter: 'temperature' is not supported with this model."),
    ("temperature", 0.5, {"message": "Unsupported", "param": "temperature", "code": "unsupported_parameter"}),
    ("top_p", 0.5, "body.top_p: Extra inputs are not permitted"),
    ("parallel_tool_calls", False, "Unknown parameter: 'parallel_tool_calls'."),
]


@pytest.mark.parametrize(("name", "value", "words"), OPTIONS)
def test_options_that_are_refused(way: Way, name: str, value: Any, words: Any) -> None:
    backend = server(lambda sent: words if name in sent else None)

    for _ in range(2):
        way.ask(responses(**{name: value, "service_tier": "flex"}), backend)

    assert [name in sent for sent in backend.bodies] == [True, False, False]
    assert all(sent["service_tier"] == "flex" for sent in backend.bodies)


@pytest.mark.parametrize(
    ("options", "key", "left"),
    [
        ({"reasoning_effort": "low"}, "reasoning.effort", None),
        ({"reasoning_effort": "low", "reasoning_summary": "auto"}, "reasoning.effort", {"summary": "auto"}),
        ({"verbosity": "low"}, "text.verbosity", None),
    ],
)
def test_options_in_objects_that_are_refused(way: Way, options: dict[str, Any], key: str, left: Any) -> None:
    outer, inner = key.split(".")
    words = f"Unsupported parameter: '{key}' is not supported with this model."
    backend = server(lambda sent: words if inner in sent.get(outer, {}) else None)

    for _ in range(2):
        way.ask(responses(**options), backend)

    assert [sent.get(outer) for sent in backend.bodies[1:]] == [left, left]


def test_values_and_what_the_caller_put_into_the_body_stay(way: Way) -> None:
    for options, words in (
        ({"temperature": 3.0}, "temperature must be between 0 and 2"),
        ({"extra_body": {"temperature": 1}}, "Unknown parameter: 'temperature'"),
        ({"metadata": {"a": "b"}}, "Unknown parameter: 'metadata'"),
        ({}, "Unknown parameter: 'input[0].type'"),
    ):
        backend = server(lambda _, words=words: words)  # type: ignore[misc]
        with pytest.raises(errors.BadRequestError):
            way.ask(responses(**options), backend)
        assert len(backend.bodies) == 1


def test_labels_that_are_refused(way: Way) -> None:
    backend = server(lambda sent: "Unknown parameter: 'metadata'." if "metadata" in sent else None)
    way.ask(responses(labels={"a": "b"}), backend)
    assert ["metadata" in sent for sent in backend.bodies] == [True, False]


def test_the_developer_role_that_is_refused(way: Way) -> None:
    words = "Invalid value: 'developer'. Supported values are: 'assistant', 'system', and 'user'. input[0].role"
    backend = server(lambda sent: words if sent["input"][0]["role"] == "developer" else None)

    for _ in range(2):
        way.ask(responses(), backend, [Message("developer", (Text("Be brief."),)), *HI])

    assert [sent["input"][0]["role"] for sent in backend.bodies] == ["developer", "system", "system"]


def test_empty_text_that_is_refused(way: Way) -> None:
    def refuses(sent: dict[str, Any]) -> Any:
        return "content must not be empty" if any(item.get("content") == "" for item in sent["input"]) else None

    backend = server(refuses)
    way.ask(responses(), backend, [*HI, Message("assistant", (Text(""),)), *HI])
    assert [item["content"] for item in backend.bodies[-1]["input"]] == ["Hi", "(empty)", "Hi"]


CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "number", "arguments": '{"a": 1}'}


@pytest.mark.parametrize("words", ["text.format is not supported", "Unknown parameter: 'text.format.type'"])
def test_an_object_by_a_tool_where_a_format_is_refused(way: Way, words: str) -> None:
    backend = server(lambda sent: words if sent.get("text") else None, [CALL])

    for _ in range(2):
        said = way.ask(responses(response_format=FORM, verbosity=None), backend, [WANTED])
        assert (said.text, said.tool_calls, said.metadata["finish_reason"]) == ('{"a": 1}', (), "stop")

    assert ["text" in sent for sent in backend.bodies] == [True, False, False]
    [tool] = backend.bodies[-1]["tools"]
    assert (tool["name"], tool["parameters"]) == ("number", SCHEMA)
    assert backend.bodies[-1]["tool_choice"] == {"type": "function", "name": "number"}


def test_an_object_in_words_where_tools_are_refused_too(way: Way) -> None:
    def refuses(sent: dict[str, Any]) -> Any:
        return "text.format is not supported" if sent.get("text") else sent.get("tools") and "tools are not supported"

    backend = server(refuses)
    way.ask(responses(response_format=FORM), backend, [WANTED])
    instruction, asked = backend.bodies[-1]["input"]
    assert instruction["role"] == "system"
    assert json.dumps(SCHEMA) in instruction["content"]
    assert asked == {"role": "user", "content": "A number."}


def test_the_verbosity_stays_where_a_format_is_refused(way: Way) -> None:
    backend = server(
        lambda sent: "text.format is not supported" if sent.get("text", {}).get("format") else None, [CALL]
    )
    way.ask(responses(response_format=FORM, verbosity="low"), backend, [WANTED])
    assert backend.bodies[-1]["text"] == {"verbosity": "low"}


def test_a_stored_response_is_checked_with_a_tool_for_the_object(way: Way) -> None:
    """A server that ignores the id and takes no format: the whole conversation, with the tool."""
    inner = Answering()
    inner.output = [CALL]

    def answer(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)
        if sent.get("text"):
            return httpx.Response(400, json={"error": {"message": "text.format is not supported"}})
        sent.pop("previous_response_id", None)
        return inner(httpx.Request("POST", request.url, json=sent))

    backend = Backend(answer)
    where = endpoint(COMPATIBLE, api_key=KEY, base_url=URL)
    options = {"model": "m", "use_previous_response_id": True, "use_responses_api": True}
    plain = OpenAIRouter(where, options, RetryPolicy(0))
    inner.output = None
    said = way.ask(plain, backend, [WANTED])
    pointer = json.loads(json.dumps(said.metadata["rivya_session"]))
    reply = Message("assistant", (Text(said.text),), pointer=pointer, extras=dict(said.metadata))
    inner.output = [CALL]
    shaped = OpenAIRouter(where, {**options, "response_format": FORM}, RetryPolicy(0))
    said = way.ask(shaped, backend, [WANTED, reply, WANTED])

    assert said.text == '{"a": 1}'
    assert len(backend.bodies[-1]["input"]) == 3
