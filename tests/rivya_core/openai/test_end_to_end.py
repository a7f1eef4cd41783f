"""The core against the sandbox on a real port: the provider's own examples leave the wire as its page has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from openai_asking import joined
from pydantic import SecretStr

from rivya_core import errors
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint, endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.openai.responses.client import OpenAIResponses
from rivya_core.providers import EVOLINK, GMI
from rivya_core.types import ChatDelta, Media, Message, Text, ToolCall
from rivya_sandbox import Completion, Fault, Sandbox

MODEL = "openai/gpt-5.2-chat"
WEATHER = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["location"],
    },
}
Ask = Callable[[Any, list[Message]], ChatDelta]


def ask(model: Any, messages: list[Message]) -> ChatDelta:
    return Clients().driver.run(model.reply(messages))


def aask(model: Any, messages: list[Message]) -> ChatDelta:
    async def run() -> ChatDelta:
        return await Clients().async_driver.run(model.reply(messages))

    return asyncio.run(run())


def stream(model: Any, messages: list[Message]) -> ChatDelta:
    return joined(list(Clients().driver.stream(model.stream(messages))))


def astream(model: Any, messages: list[Message]) -> ChatDelta:
    async def run() -> list[ChatDelta]:
        return [delta async for delta in Clients().async_driver.stream(model.stream(messages))]

    return joined(asyncio.run(run()))


@pytest.fixture(params=[ask, aask, stream, astream], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Ask:
    return request.param


def at_gmi(sandbox: Sandbox) -> Endpoint:
    return endpoint(GMI, api_key=SecretStr(sandbox.api_key), base_url=sandbox.gmi_url)


def chat(sandbox: Sandbox, **options: Any) -> OpenAIChat:
    return OpenAIChat(at_gmi(sandbox), {"model": MODEL, **options}, RetryPolicy(0))


def responses(sandbox: Sandbox, **options: Any) -> OpenAIResponses:
    return OpenAIResponses(at_gmi(sandbox), {"model": MODEL, **options}, RetryPolicy(0))


def message(role: Any, *parts: Any, **fields: Any) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts), **fields)


def left(sandbox: Sandbox) -> dict[str, Any]:
    """What left the wire, without what streaming adds."""
    body = dict(sandbox.journal.requests[-1].body)
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}


URL = "https://qianwen-res.oss-cn-beijing.aliyuncs.com/Qwen-VL/assets/demo.jpeg"
CHATS: dict[str, tuple[list[Message], dict[str, Any], dict[str, Any]]] = {
    "default": (
        [message("developer", "You are a helpful assistant."), message("user", "Hello!")],
        {},
        {
            "messages": [
                {"role": "developer", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Hello!"},
            ]
        },
    ),
    "image": (
        [message("user", "What is in this image?", Media("image", url=URL))],
        {"max_tokens": 300},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in this image?"},
                        {"type": "image_url", "image_url": {"url": URL}},
                    ],
                }
            ],
            "max_completion_tokens": 300,
        },
    ),
    "functions": (
        [message("user", "What is the weather like in Boston today?")],
        {"tools": ({"type": "function", "function": WEATHER},), "tool_choice": "auto"},
        {
            "messages": [{"role": "user", "content": "What is the weather like in Boston today?"}],
            "tools": [{"type": "function", "function": WEATHER}],
            "tool_choice": "auto",
        },
    ),
    "temperature": (
        [message("system", "You are a helpful AI assistant"), message("user", "List 3 countries and their capitals.")],
        {"temperature": 0, "max_tokens": 500},
        {
            "messages": [
                {"role": "system", "content": "You are a helpful AI assistant"},
                {"role": "user", "content": "List 3 countries and their capitals."},
            ],
            "temperature": 0,
            "max_completion_tokens": 500,
        },
    ),
}


@pytest.mark.parametrize("case", CHATS.values(), ids=CHATS)
def test_the_chat_examples_of_gmis_page(sandbox: Sandbox, way: Ask, case: tuple[Any, Any, Any]) -> None:
    messages, options, body = case

    said = way(chat(sandbox, **options), messages)

    assert left(sandbox) == {"model": MODEL, **body}
    assert said.text or said.tool_calls
    assert said.usage is not None


FLAT = {"type": "function", **WEATHER}
RESPONSES: dict[str, tuple[list[Message], dict[str, Any], dict[str, Any]]] = {
    "default": (
        [message("user", "Tell me a three sentence bedtime story about a unicorn.")],
        {},
        {"input": "Tell me a three sentence bedtime story about a unicorn."},
    ),
    "streaming": (
        [message("user", "Hello!")],
        {"instructions": "You are a helpful assistant."},
        {"instructions": "You are a helpful assistant.", "input": "Hello!"},
    ),
    "reasoning": (
        [message("user", "How much wood would a woodchuck chuck?")],
        {"reasoning_effort": "medium"},
        {"input": "How much wood would a woodchuck chuck?", "reasoning": {"effort": "medium"}},
    ),
    "functions": (
        [message("user", "What is the weather like in Boston today?")],
        {"tools": ({"type": "function", "function": WEATHER},), "tool_choice": "auto"},
        {"input": "What is the weather like in Boston today?", "tools": [FLAT], "tool_choice": "auto"},
    ),
    "image": (
        [message("user", "what is in this image?", Media("image", url=URL))],
        {},
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "what is in this image?"},
                        {"type": "input_image", "image_url": URL},
                    ],
                }
            ]
        },
    ),
    "file": (
        [
            message(
                "user",
                "what is in this file?",
                Media("file", url="https://www.berkshirehathaway.com/letters/2024ltr.pdf"),
            )
        ],
        {},
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "what is in this file?"},
                        {"type": "input_file", "file_url": "https://www.berkshirehathaway.com/letters/2024ltr.pdf"},
                    ],
                }
            ]
        },
    ),
    "search": (
        [message("user", "What was a positive news story from today?")],
        {"tools": ({"type": "web_search_preview"},)},
        {"input": "What was a positive news story from today?", "tools": [{"type": "web_search_preview"}]},
    ),
}


@pytest.mark.parametrize("case", RESPONSES.values(), ids=RESPONSES)
def test_the_responses_examples_of_gmis_page(sandbox: Sandbox, way: Ask, case: tuple[Any, Any, Any]) -> None:
    messages, options, body = case

    said = way(responses(sandbox, **options), messages)

    assert left(sandbox) == {"model": MODEL, **body}
    assert said.text or said.tool_calls
    assert said.metadata["status"] == "completed"


def test_the_search_is_cited(sandbox: Sandbox, way: Ask) -> None:
    said = way(responses(sandbox, tools=({"type": "web_search"},)), [message("user", "Any news today?")])

    assert [block["type"] for block in said.blocks] == ["web_search_call", "url_citation"]


def test_gmis_refusal_is_learned_from(sandbox: Sandbox, way: Ask) -> None:
    """For a model without an entry the limit is sent under its other name, and the turn is charged once."""
    model = chat(sandbox, max_tokens=50)
    other = OpenAIChat(
        Endpoint(EVOLINK, sandbox.gmi_url, at_gmi(sandbox).key),
        {"model": "openai/gpt-5.1", "max_tokens": 50},
        RetryPolicy(0),
    )

    for known in (model, other):
        before = sandbox.credits()
        assert way(known, [message("user", "Hello!")]).text
        assert sandbox.credits() == before - 1


def test_an_unknown_model_is_not_found_in_the_providers_words(sandbox: Sandbox, way: Ask) -> None:
    with pytest.raises(errors.NotFoundError, match="No matching target server found"):
        way(chat(sandbox, model="gpt-5.2-chat"), [message("user", "Hi")])


def test_a_tool_loop_over_both_apis(sandbox: Sandbox, way: Ask) -> None:
    """The reply goes back with its result, and the server accepts it."""
    tools = ({"type": "function", "function": WEATHER},)
    for model in (chat(sandbox, tools=tools), responses(sandbox, tools=tools, reasoning_effort="medium")):
        asked = message("user", "What is the weather in Boston?")
        said = way(model, [asked])
        [call] = said.tool_calls
        back = Message(
            "assistant",
            (Text(said.text),),
            tool_calls=(ToolCall(call.id or "", call.name or "", call.arguments),),
            extras=dict(said.metadata),
        )
        result = Message("tool", (Text("It is sunny."),), tool_call_id=call.id)

        assert "It is sunny." in way(model, [asked, back, result]).text


def test_a_chain_over_the_responses_api(sandbox: Sandbox, way: Ask) -> None:
    """Only the new message is sent; the model sees both turns."""
    first = way(responses(sandbox), [message("user", "My name is Ann.")])

    second = way(responses(sandbox, previous_response_id=first.metadata["id"]), [message("user", "What is my name?")])

    assert "Ann" in second.text
    assert left(sandbox)["input"] == "What is my name?"
    with pytest.raises(errors.NotFoundError, match="whole conversation"):
        way(responses(sandbox, previous_response_id="resp_unknown"), [message("user", "Hi")])


@pytest.mark.parametrize("make", [chat, responses])
def test_a_cut_stream_is_an_error_with_what_came(sandbox: Sandbox, make: Any) -> None:
    sandbox.answer(Completion("one two three four five six"))
    sandbox.fault(Fault(cut=6))

    with pytest.raises(errors.StreamBrokenError) as caught:
        stream(make(sandbox), [message("user", "Hi")])

    assert caught.value.partial.startswith("one")


@pytest.mark.parametrize("make", [chat, responses])
def test_an_error_in_mid_stream_is_typed(sandbox: Sandbox, make: Any) -> None:
    sandbox.fault(Fault(cut=4, code="rate_limited", message="Slow down"))

    with pytest.raises(errors.RateLimitError, match="Slow down"):
        stream(make(sandbox), [message("user", "Hello!")])
