"""What back ends refuse is learnt once, and nothing else: each in the words of real servers, whole and streamed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from agent_rounds import Rounds, call, run_agent
from both_frameworks import Way as Framework
from both_frameworks import every_way
from openai_asking import HI, Backend, Way, chat
from wire import body, chunk, events, reply, text_frames

from rivya_core import errors
from rivya_core.openai.chat.adjustments import ascii_name
from rivya_core.types import Message, Text, ToolCall

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own, about pydantic

CALLED = Message("assistant", tool_calls=(ToolCall("1", "f", "{}"),))
RESULT = Message("tool", (Text("4"),), tool_call_id="1")
Refuses = Callable[[dict[str, Any]], Any]


def answer(request: httpx.Request) -> httpx.Response:
    return events(*text_frames("Hi")) if json.loads(request.content).get("stream") else reply()


def server(refuses: Refuses, status: int = 400) -> Backend:
    """Refuses a body with the words that *refuses* returns for it."""

    def respond(request: httpx.Request) -> httpx.Response:
        found = refuses(json.loads(request.content))
        return (
            body({"error": found if isinstance(found, dict) else {"message": found}}, status)
            if found
            else answer(request)
        )

    return Backend(respond)


def content_of(request: dict[str, Any]) -> Any:
    return next(message.get("content", "-") for message in request["messages"] if message.get("tool_calls"))


NULLS = [
    "Invalid 'content' field",
    "Value is not callable: null at row 4, column 5: {{ message.content.strip() }}",
    "invalid message content type: <nil>",
    "messages[1].content: expected a string, got null",
    "Failed to deserialize the JSON body: messages[1]: missing field `content`",
    "body.messages.1.content: Input should be a valid string",
]


@pytest.mark.parametrize("words", NULLS)
def test_null_content_that_is_refused(way: Way, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """Learnt once, and logged once."""
    backend = server(lambda sent: words if content_of(sent) is None else None)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            way.ask(chat(), backend, [*HI, CALLED, RESULT])

    assert [content_of(sent) for sent in backend.bodies] == [None, "", ""]
    assert len([record for record in caplog.records if "refuses part" in record.getMessage()]) == 1


def test_empty_text_that_is_refused(way: Way) -> None:
    """By a gateway that makes null an empty text: no content beside calls, a word in other messages."""
    words = "messages: text content blocks must be non-empty"

    def refuses(sent: dict[str, Any]) -> Any:
        return words if any("content" in m and not m["content"] for m in sent["messages"]) else None

    backend = server(refuses)
    empty = Message("tool", (Text(""),), tool_call_id="1")

    way.ask(chat(), backend, [*HI, CALLED, empty, Message("assistant", (Text(""),)), *HI])

    assert len(backend.bodies) == 2
    assert [m.get("content") for m in backend.bodies[-1]["messages"]] == ["Hi", None, "(empty)", "(empty)", "Hi"]


def test_null_and_then_empty_content_that_are_refused(way: Way) -> None:
    def refuses(sent: dict[str, Any]) -> Any:
        content = content_of(sent)
        return (
            "invalid content: null" if content is None else None if content.strip("-") else "content must not be empty"
        )

    backend = server(refuses)

    way.ask(chat(), backend, [*HI, CALLED, RESULT])

    assert [content_of(sent) for sent in backend.bodies] == [None, "", "-", "(empty)"]


def failure(words: str, status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: body({"error": {"message": words}}, status)


def first_event(words: str, name: str = "") -> Callable[[httpx.Request], httpx.Response]:
    frame = json.dumps({"error": {"message": words}})
    return lambda sent: events(f"{name}data: {frame}") if json.loads(sent.content).get("stream") else body(frame, 400)


UNKNOWN = "Unknown parameter: 'parallel_tool_calls'."
ANYWHERE = {
    "unprocessable": failure(UNKNOWN, 422),
    "failure": failure(UNKNOWN, 500),
    "bad gateway": failure(UNKNOWN, 502),
    "unavailable": failure(UNKNOWN, 503),
    "not found": failure(UNKNOWN, 404),
    "success": failure(UNKNOWN, 200),
    "first event": first_event(UNKNOWN),
    "named event": first_event(UNKNOWN, "event: error\n"),
}


@pytest.mark.parametrize("refusal", ANYWHERE.values(), ids=ANYWHERE)
def test_a_refusal_counts_wherever_it_comes(way: Way, refusal: Callable[[httpx.Request], httpx.Response]) -> None:
    """It is not sent again as it is, and the changed request is answered."""
    backend = Backend(lambda sent: refusal(sent) if b"parallel_tool_calls" in sent.content else answer(sent))

    for _ in range(2):
        said = way.ask(chat(parallel_tool_calls=False, retries=2), backend)

    assert said.text in ("Hi", "hi")
    assert ["parallel_tool_calls" in sent for sent in backend.bodies] == [True, False, False]
    assert not way.slept


def test_an_error_after_the_first_piece_is_raised(way: Way) -> None:
    """What was delivered is not asked for again."""
    if not way.streamed:
        return
    backend = Backend(events(chunk({"content": "H"}), {"error": {"message": UNKNOWN}}))

    with pytest.raises(errors.APIError, match="parallel_tool_calls"):
        way.ask(chat(parallel_tool_calls=False), backend)
    assert len(backend.bodies) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Why is temperature unsupported by o3?", "Prompt rejected: Why is temperature unsupported by o3?"),
        ("unsupported temperature", "Blocked by a policy: 'unsupported temperature'"),
        ("Why does it say that temperature is not supported? Please tell", "Blocked: 'that temperature is not supp…'"),
        ("Hi", "Server overloaded; temperature is not available at present"),
        ("Hi", "Invalid schema for function 'f': properties.temperature: unknown keyword"),
        ("Hi", "This user is not allowed to use the model"),
    ],
)
def test_what_only_mentions_an_option_teaches_nothing(way: Way, said: str, words: str) -> None:
    """The caller's own words, a load, a schema that uses the same name, an ordinary word."""
    schema = {"type": "object", "properties": {"temperature": {"type": "number"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    status = 503 if "overloaded" in words else 400
    backend = Backend([body({"error": {"message": words}}, status), reply()])

    with pytest.raises(errors.APIError):
        way.ask(chat(temperature=0.5, user="me", tools=tools), backend, [Message("user", (Text(said),))])
    assert len(backend.bodies) == 1


def test_a_server_that_says_what_the_caller_asks_about(way: Way) -> None:
    words = "Unsupported parameter: 'temperature'"
    backend = server(lambda sent: words if "temperature" in sent else None)

    way.ask(chat(temperature=0.5), backend, [Message("user", (Text(f"What does {words} mean?"),))])

    assert len(backend.bodies) == 2


def test_threads_learn_together(caplog: pytest.LogCaptureFixture) -> None:
    """What two of them find out at the same time is kept and logged once."""
    names = ("temperature", "top_p")
    backend = server(lambda sent: next((f"Unknown parameter: '{name}'" for name in names if name in sent), None))
    barrier = Barrier(20)

    def ask(number: int) -> None:
        barrier.wait()
        Way(False, bool(number % 2)).ask(chat(**{names[number % 2]: 0.5}), backend)

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, range(20)))

    assert len([record for record in caplog.records if "refuses part" in record.getMessage()]) == 2
    backend.requests.clear()
    Way(False, False).ask(chat(temperature=0.5, top_p=0.5), backend)
    assert len(backend.bodies) == 1


OPTIONS = [
    ("reasoning_effort", "low", "Model m does not support parameter reasoningEffort."),
    ("top_p", 0.5, 'Invalid JSON payload received. Unknown name "top_p": Cannot find field.'),
    ("temperature", 0.5, "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1)"),
    ("temperature", 0.5, "`temperature` is deprecated for this model."),
    ("top_p", 0.5, {"message": "Unsupported parameter: 'top_p'", "param": "top_p", "code": "unsupported_parameter"}),
    ("parallel_tool_calls", False, "Unknown parameter: 'parallel_tool_calls'."),
    ("parallel_tool_calls", False, "body.parallel_tool_calls: Extra inputs are not permitted"),
    ("reasoning_effort", "low", "This model does not support `reasoning_effort`."),
]


@pytest.mark.parametrize(("name", "value", "words"), OPTIONS)
def test_options_that_are_refused(way: Way, name: str, value: Any, words: Any) -> None:
    backend = server(lambda sent: words if name in sent else None)

    for _ in range(2):
        way.ask(chat(**{name: value, "seed": 1}), backend)

    assert [name in sent for sent in backend.bodies] == [True, False, False]
    assert all(sent["seed"] == 1 for sent in backend.bodies)


VALUES = [
    "temperature must be between 0 and 2",
    "temperature: Input should be less than or equal to 2",
    "Invalid value for temperature",
    "Model m is overloaded (temperature 0.5)",
]


@pytest.mark.parametrize("words", VALUES)
def test_a_value_that_is_refused_is_the_callers(way: Way, words: str) -> None:
    backend = server(lambda _: words)

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(temperature=0.5), backend)
    assert len(backend.bodies) == 1


def test_what_the_caller_put_into_the_body_stays(way: Way) -> None:
    backend = server(lambda sent: "Unknown parameter: 'user'" if "user" in sent else None)

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(extra_body={"user": "me"}), backend)


def test_a_repeat_that_is_refused_too_teaches_nothing(way: Way) -> None:
    backend = server(lambda _: "Unknown parameter: 'temperature'")

    for _ in range(2):
        with pytest.raises(errors.BadRequestError):
            way.ask(chat(temperature=0.5), backend)
    assert ["temperature" in sent for sent in backend.bodies] == [True, False, True, False]


@pytest.mark.parametrize(
    "words",
    [
        "developer is not one of ['system', 'assistant', 'user', 'tool'] - 'messages.0.role'",
        "'messages.0' : discriminator property 'role' has invalid value",
        "Unexpected role 'developer'",
    ],
)
def test_the_developer_role_that_is_refused(way: Way, words: str) -> None:
    from dataclasses import replace

    from rivya_core.providers import COMPATIBLE, CompletionsProfile

    provider = replace(COMPATIBLE, chat=CompletionsProfile(developer_role=True))
    backend = server(lambda sent: words if sent["messages"][0]["role"] == "developer" else None)

    way.ask(chat(provider), backend, [Message("developer", (Text("Be brief."),)), *HI])

    assert [sent["messages"][0]["role"] for sent in backend.bodies] == ["developer", "system"]


def test_names_that_are_refused(way: Way) -> None:
    """Legal at once where that changes little; ASCII only, or none, where the server says so."""
    words = "'messages[0].name' does not match '^[a-zA-Z0-9_-]+$'"
    backend = server(lambda sent: words if not sent["messages"][0].get("name", "x").isascii() else None)
    way.ask(chat(), backend, [Message("user", (Text("Hi"),), name="Zoë (admin)")])
    assert [sent["messages"][0]["name"] for sent in backend.bodies] == ["Zoë_admin_", ascii_name("Zoë_admin_")]

    backend = server(lambda sent: "property 'name' is unsupported" if "name" in sent["messages"][0] else None)
    way.ask(chat(model="other"), backend, [Message("user", (Text("Hi"),), name="Ada")])
    assert ["name" in sent["messages"][0] for sent in backend.bodies] == [True, False]


def test_ascii_names_stay_apart() -> None:
    assert ascii_name("Ada") == "Ada"
    assert ascii_name("李雷") != ascii_name("韩梅梅")
    assert all(len(ascii_name(name)) <= 64 and ascii_name(name).isascii() for name in ("ü" * 90, "x" * 90, "李", "_"))


SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
FORM = {"type": "json_schema", "json_schema": {"name": "Point", "schema": SCHEMA}}
NO_SCHEMA = [
    "This response_format type is unavailable now",
    "response_format.type: Input should be 'text' or 'json_object'",
    "This model does not support response format `json_schema`.",
]


def structured(request: httpx.Request) -> httpx.Response:
    """Calls the tool that the request chooses, or replies with the object."""
    sent = json.loads(request.content)
    if not sent.get("tools"):
        message: dict[str, Any] = {"content": '{"x": 1}'}
    else:
        function = {"name": sent["tool_choice"]["function"]["name"], "arguments": '{"x": 1}'}
        message = {"content": None, "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]}
    finish = "tool_calls" if sent.get("tools") else "stop"
    if sent.get("stream"):
        return events(chunk({"role": "assistant", **message}), chunk(finish=finish))
    return reply({"role": "assistant", **message}, finish=finish)


@pytest.mark.parametrize("words", NO_SCHEMA)
@pytest.mark.parametrize("tools", [True, False], ids=["tools", "no tools"])
def test_a_schema_that_is_refused(way: Way, words: str, tools: bool) -> None:
    """A tool stands for it, and where tools are refused, too, words: the reply is the object as text."""

    def respond(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)
        if "response_format" in sent:
            return body({"error": {"message": words}}, 400)
        return (
            structured(request)
            if tools or "tools" not in sent
            else body({"error": {"message": "m does not support tools"}}, 400)
        )

    backend = Backend(respond)
    for _ in range(2):
        said = way.ask(chat(response_format=FORM), backend)
        assert (json.loads(said.text), said.tool_calls, said.metadata["finish_reason"]) == ({"x": 1}, (), "stop")

    kinds = ["format" if "response_format" in b else "tool" if "tools" in b else "words" for b in backend.bodies]
    assert kinds == (["format", "tool", "tool"] if tools else ["format", "tool", "words", "words"])
    if not tools:
        assert '"required": ["x"]' in backend.bodies[-1]["messages"][0]["content"]


def test_beside_the_callers_tools_a_schema_is_asked_for_in_words(way: Way) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    backend = server(lambda sent: NO_SCHEMA[0] if "response_format" in sent else None)

    way.ask(chat(response_format=FORM, tools=[tool]), backend, [Message("system", (Text("Be brief."),)), *HI])

    first = backend.bodies[-1]["messages"][0]["content"]
    assert backend.bodies[-1]["tools"] == [tool]
    assert first.startswith("Be brief.\n\nAnswer with one JSON object")


def test_a_schema_that_is_wrong_is_the_callers(way: Way) -> None:
    backend = server(lambda _: "Invalid schema for response_format 'Point': 'additionalProperties' is required")

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(response_format=FORM), backend)
    assert len(backend.bodies) == 1


TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
FORCED = [
    "Thinking mode does not support this tool_choice",
    "tool_choice 'required' is incompatible with thinking enabled",
    "Only `auto` is allowed for tool_choice",
    "The tool_choice parameter does not support being set to required or object in thinking mode",
]


@pytest.mark.parametrize("words", FORCED)
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}], ids=["any", "one"])
def test_a_demand_for_a_call_that_is_refused(way: Way, words: str, choice: Any) -> None:
    """It is made in the instructions; a free choice stays as it is."""
    backend = server(lambda sent: words if sent.get("tool_choice") not in (None, "auto") else None)

    for _ in range(2):
        way.ask(chat(tools=[TOOL], tool_choice=choice), backend)
    way.ask(chat(tools=[TOOL], tool_choice="auto"), backend)

    assert [sent.get("tool_choice") for sent in backend.bodies] == [choice, None, None, "auto"]
    said = [sent["messages"][0]["content"] for sent in backend.bodies]
    asked = (
        "Answer with a call of one of the tools." if choice == "required" else "Answer with a call of the tool `add`."
    )
    assert said == ["Hi", asked, asked, "Hi"]


def test_parallel_calls_without_tools_that_are_refused(way: Way) -> None:
    """They are still asked for where there are tools."""
    words = "'parallel_tool_calls' is only allowed when 'tools' are specified."
    backend = server(lambda sent: words if "parallel_tool_calls" in sent and "tools" not in sent else None)

    way.ask(chat(parallel_tool_calls=False), backend)
    way.ask(chat(parallel_tool_calls=False, tools=[TOOL]), backend)

    assert ["parallel_tool_calls" in sent for sent in backend.bodies] == [True, False, True]


def test_a_demand_that_the_model_did_not_meet_teaches_nothing(way: Way) -> None:
    backend = server(lambda _: "Tool choice is required, but the model called no tool")

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(tools=[TOOL], tool_choice="required"), backend)
    assert len(backend.bodies) == 1


@pytest.mark.parametrize(
    "words",
    [
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
    ],
)
@pytest.mark.parametrize("blank", [True, False], ids=["blank", "not blank"])
def test_reasoning_of_replies_from_elsewhere_that_is_demanded(way: Way, words: str, blank: bool) -> None:
    """Nothing is known of it, and that is said in the form that the server takes."""

    def refuses(sent: dict[str, Any]) -> Any:
        found = [message.get("reasoning_content") for message in sent["messages"] if message["role"] == "assistant"]
        return words if None in found or ("" in found and not blank) else None

    backend = server(refuses)

    for _ in range(2):
        way.ask(chat(), backend, [*HI, CALLED, RESULT])

    found = [sent["messages"][1].get("reasoning_content") for sent in backend.bodies]
    assert found == ([None, "", ""] if blank else [None, "", "(empty)", "(empty)"])


@every_way
def test_state_that_its_own_sender_refuses(way: Framework) -> None:
    """The agent continues without it; a server that requires it is not covered here."""
    words = "property 'reasoning_content' is unsupported"

    def refuses(sent: dict[str, Any]) -> Any:
        return words if any("reasoning_content" in message for message in sent["messages"]) else None

    state = {"reasoning_content": "Hm.", "memo": "kept"}
    backend = Rounds([{"content": None, "tool_calls": [call(1)], **state}, {"content": "Warm."}], refuses=refuses)

    assert run_agent(way, backend) == "Warm."
    assert len(backend.bodies) == 3
    assert backend.bodies[-1]["messages"][1]["memo"] == "kept"


def test_state_that_a_server_misses_is_not_refused(way: Way) -> None:
    extras = dict(Way(False, False).ask(chat(), reply({"content": "x", "reasoning_content": "Hm."})).metadata)
    backend = server(lambda _: "reasoning_content is missing in assistant message at index 1: not supported")

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(), backend, [*HI, Message("assistant", (Text("x"),), extras=extras), *HI])
    assert len(backend.bodies) == 1
