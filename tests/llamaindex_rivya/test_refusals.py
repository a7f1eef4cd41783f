"""A refusal is a block that says so, and an error where a call was asked for; never an empty answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_backend import Backend, OpenAIRouter, Raw, sse
from llama_backend import chunk as chunk_of
from llama_calls import user
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

from llamaindex_rivya import OpenAICompatible, RefusalBlock, RefusalError

WORDS = "I must not."


def chat(request: Any) -> Raw:
    if request.body.get("stream"):
        return sse(chunk_of({"refusal": "I must "}), chunk_of({"refusal": "not."}), chunk_of({}, "stop"))
    message = {"role": "assistant", "content": None, "refusal": WORDS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Raw((json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}).encode(),))


def responses(request: Any) -> Raw:
    part = {"type": "refusal", "refusal": WORDS}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    body = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": [item]}
    if not request.body.get("stream"):
        return Raw((json.dumps(body).encode(),))
    delta = {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": WORDS}
    return sse(delta, {"type": "response.completed", "response": body}, done=False)


@pytest.fixture(params=[chat, responses], ids=["chat", "responses"])
def llm(request: pytest.FixtureRequest, scripted: Backend) -> OpenAICompatible:
    """A model that refuses, on both APIs."""
    scripted.reset(OpenAIRouter())
    scripted.say(*[request.param] * 4)
    fields = {"model": "m", "base_url": scripted.url, "max_retries": 0}
    return OpenAICompatible(**fields, use_responses_api=request.param is responses)


def test_a_refusal_is_a_block(llm: Any, calls: Any) -> None:
    whole = calls.run(llm, "chat", [user("?")])
    streamed = calls.each(llm, "stream_chat", [user("?")])

    for response in (whole, streamed[-1]):
        assert [type(block) for block in response.message.blocks] == [RefusalBlock]
        assert response.message.content == WORDS
        assert response.message.additional_kwargs["refusal"] == WORDS
    assert "".join(response.delta for response in streamed) == WORDS
    assert calls.run(llm, "complete", "?").text == WORDS


def test_it_goes_back_as_a_refusal(llm: Any, calls: Any, scripted: Backend) -> None:
    """Also as a stored message, in which it is a text."""
    message = calls.run(llm, "chat", [user("?")]).message
    stored = ChatMessage.model_validate_json(message.model_dump_json())

    for said in (message, stored):
        calls.run(llm, "chat", [user("?"), said, user("Why?")])
        body = scripted.requests[-1].body
        [assistant] = [one for one in body.get("messages") or body["input"] if one.get("role") == "assistant"]
        assert json.dumps(assistant).count(WORDS) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Skipping serialization of known unserializable key")
@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_ends_with_the_refusal(llm: Any, streaming: bool) -> None:
    async def run() -> Any:
        return await FunctionAgent(tools=[], llm=llm, streaming=streaming).run("?")

    output = asyncio.run(run())
    assert str(output) == WORDS
    assert isinstance(output.response.blocks[0], RefusalBlock)


def test_a_refusal_is_no_tool_call(llm: Any, calls: Any) -> None:
    def ping() -> str:
        """Ping."""
        return "pong"

    response = calls.run(llm, "chat_with_tools", [FunctionTool.from_defaults(ping)], "?")
    with pytest.raises(RefusalError, match=WORDS):
        llm.get_tool_calls_from_response(response)
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
