"""What the provider ran and what the caller must run stand apart; a custom tool is called with its text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_backend import Backend, OpenAIRouter, Raw, sse
from llama_calls import user
from llama_index.core.base.llms.types import ChatMessage, ImageBlock

from llamaindex_rivya import NotSupportedError, OpenAICompatible

CODE = 'print("hi")'
ITEMS = [
    {"type": "custom_tool_call", "id": "ctc", "call_id": "c1", "name": "run", "input": CODE},
    {"type": "computer_call", "id": "cc", "call_id": "c2", "action": {"type": "click"}, "status": "completed"},
    {"type": "web_search_call", "id": "ws", "status": "completed"},
    {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "aGk="},
]
TOOL = {"type": "custom", "name": "run", "description": "Run Python."}


def answer(request: Any) -> Raw:
    body = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": ITEMS}
    if not request.body.get("stream"):
        return Raw((json.dumps(body).encode(),))
    done = [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(ITEMS)]
    return sse(*done, {"type": "response.completed", "response": body}, done=False)


@pytest.mark.parametrize("streamed", [False, True])
def test_items_of_a_response(scripted: Backend, calls: Any, streamed: bool) -> None:
    scripted.reset(OpenAIRouter())
    scripted.say(answer, answer, answer)
    llm = OpenAICompatible(model="m", base_url=scripted.url, use_responses_api=True, built_in_tools=[TOOL])
    asked = [user("?")]
    response = calls.each(llm, "stream_chat", asked)[-1] if streamed else calls.run(llm, "chat", asked)

    facts = response.message.additional_kwargs
    assert [item["type"] for item in facts["built_in_tool_calls"]] == ["web_search_call"]
    assert [item["type"] for item in facts["client_tool_calls"]] == ["computer_call"]
    assert [type(block) for block in response.message.blocks].count(ImageBlock) == 1
    [call] = llm.get_tool_calls_from_response(response)
    assert (call.tool_name, call.tool_kwargs) == ("run", {"input": CODE})

    result = ChatMessage(role="tool", content="hi", additional_kwargs={"tool_call_id": "c1"})
    said = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": facts["tool_calls"]})
    calls.run(llm, "chat", [user("?"), said, result])
    sent = scripted.requests[-1].body["input"]
    assert [item["type"] for item in sent[-2:]] == ["custom_tool_call", "custom_tool_call_output"]
    assert sent[-2]["input"] == CODE

    shot = ChatMessage(role="tool", blocks=[ImageBlock(image=b"hi")], additional_kwargs={"tool_call_id": "c2"})
    calls.run(llm, "chat", [user("?"), response.message, result, shot])
    assert [item["type"] for item in scripted.requests[-1].body["input"][-2:]] == [
        "custom_tool_call_output",
        "computer_call_output",
    ]


@pytest.mark.parametrize("responses", [True, False], ids=["responses", "chat"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_of_another_account_is_refused(scripted: Backend, calls: Any, streamed: bool, responses: bool) -> None:
    scripted.reset(OpenAIRouter())
    scripted.say(answer, answer)
    llm = OpenAICompatible(model="m", base_url=scripted.url, use_responses_api=True, built_in_tools=[TOOL])
    asked = [user("?")]
    response = calls.each(llm, "stream_chat", asked)[-1] if streamed else calls.run(llm, "chat", asked)
    message = ChatMessage.model_validate(json.loads(response.message.model_dump_json()))

    other = OpenAICompatible(model="m", base_url=scripted.url, use_responses_api=responses, api_key="another")
    with pytest.raises(NotSupportedError, match="`computer_call`"):
        calls.run(other, "chat", [user("?"), message, user("So?")])
    assert len(scripted.requests) == 1
    calls.run(llm, "chat", [user("?"), message, user("So?")])
    assert [item.get("type") for item in scripted.requests[-1].body["input"][1:-1]] == [item["type"] for item in ITEMS]
