"""Tools in words for servers that have none: `tool_calling="prompted"`, in both frameworks and all ways of asking."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from both_frameworks import KEY, URL, Backend
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

from langchain_rivya import ChatOpenAICompatible
from llamaindex_rivya import OpenAICompatible
from rivya_sandbox import Call, Completion, Sandbox


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


CALL = '<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>'
BROKEN = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'


def scripted(*texts: str) -> Backend:
    """A back end that says these texts in turn, streamed in pieces of seven characters where that is asked for."""
    script = list(texts)

    def answer(request: httpx.Request) -> httpx.Response:
        text, body = script.pop(0), json.loads(request.content)
        top = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return httpx.Response(200, json={**top, "choices": [choice], "usage": usage})
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        deltas = [{"index": 0, "delta": {"content": piece}} for piece in pieces]
        frames = [{**top, "choices": [one]} for one in deltas]
        frames += [
            {**top, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**top, "choices": [], "usage": usage},
        ]
        data = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
        return httpx.Response(200, content=data.encode(), headers={"content-type": "text/event-stream"})

    return Backend(answer=answer)


def langchain(backend: Backend, way: str, messages: list[Any], **options: Any) -> AIMessage:
    model = ChatOpenAICompatible(model="m", api_key=KEY, base_url=URL, tool_calling="prompted", **backend.clients)
    bound = model.bind_tools([add], **options)
    if way == "invoke":
        return bound.invoke(messages)
    if way == "ainvoke":
        return asyncio.run(bound.ainvoke(messages))
    total: Any = None
    if way == "stream":
        for chunk in bound.stream(messages):
            total = chunk if total is None else total + chunk
        return total

    async def collect() -> Any:
        whole: Any = None
        async for chunk in bound.astream(messages):
            whole = chunk if whole is None else whole + chunk
        return whole

    return asyncio.run(collect())


WAYS = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


@WAYS
def test_calls_are_asked_for_in_words_and_come_back_as_calls(way: str) -> None:
    """No `tools` are sent; the description is in the first message, and the reply holds a call."""
    backend = scripted("Sure. " + CALL)
    reply = langchain(backend, way, [HumanMessage("Add.")])
    assert not backend.bodies[0].keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    assert '"name":"add"' in backend.bodies[0]["messages"][0]["content"]
    assert [(one["name"], one["args"]) for one in reply.tool_calls] == [("add", {"a": 1, "b": 2})]
    assert (reply.text, reply.response_metadata["tool_calling"]) == ("Sure.", "prompted")
    assert reply.response_metadata["finish_reason"] == "tool_calls"


@WAYS
def test_a_history_with_calls_is_sent_in_words(way: str) -> None:
    """A server without tools gets messages of three roles with text only."""
    backend = scripted("It is 3.")
    called = AIMessage("", tool_calls=[{"id": "c", "name": "add", "args": {"a": 1, "b": 2}}])
    reply = langchain(backend, way, [HumanMessage("Add."), called, ToolMessage("3", tool_call_id="c")])
    sent = backend.bodies[0]["messages"]
    assert [one["role"] for one in sent] == ["system", "user", "assistant", "user"]
    assert sent[2]["content"] == '<tool_call>{"name":"add","arguments":{"a":1,"b":2}}</tool_call>'
    assert sent[3]["content"] == "<tool_response>3</tool_response>"
    assert reply.text == "It is 3."


@WAYS
def test_a_misfit_is_repaired_once(way: str) -> None:
    """The second request holds the first reply and what is wrong with it; tokens of both are counted."""
    backend = scripted(BROKEN, CALL)
    reply = langchain(backend, way, [HumanMessage("Add.")])
    assert len(reply.tool_calls) == 1
    assert reply.usage_metadata["total_tokens"] == 24
    *_, said, repair = backend.bodies[1]["messages"]
    assert said == {"role": "assistant", "content": BROKEN}
    assert "'b' is a required property" in repair["content"]
    assert reply.response_metadata["repaired"]["problems"]


@WAYS
def test_a_misfit_that_stays_is_invalid(way: str) -> None:
    """It is never a call, and the metadata say why."""
    reply = langchain(scripted(BROKEN, BROKEN), way, [HumanMessage("Add.")])
    assert (reply.tool_calls, len(reply.invalid_tool_calls)) == ([], 1)
    assert reply.response_metadata["repaired"]["unsolved"]


@pytest.mark.parametrize("streaming", [False, True])
def test_calls_that_the_server_takes_out_of_the_text_are_checked_too(sandbox: Sandbox, streaming: bool) -> None:
    """Some servers read `<tool_call>` themselves. What they find is a call only if it fits."""
    model = ChatOpenAICompatible(
        model="gpt-4.1",
        api_key=sandbox.api_key,
        base_url=sandbox.openai_url,
        tool_calling="prompted",
        streaming=streaming,
    ).bind_tools([add])
    sandbox.answer(Completion("Sure.", calls=(Call("add", {"a": 1, "b": 2}),)))
    reply = model.invoke("Add.")
    assert (reply.text, [(one["name"], one["args"]) for one in reply.tool_calls]) == (
        "Sure.",
        [("add", {"a": 1, "b": 2})],
    )
    for _ in range(2):
        sandbox.answer(Completion(calls=(Call("delete_all"),)))
    reply = model.invoke("Add.")
    assert (reply.tool_calls, [one["name"] for one in reply.invalid_tool_calls]) == ([], ["delete_all"])


@pytest.mark.parametrize(
    "method", ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"]
)
def test_llamaindex_gets_selections(method: str) -> None:
    """All four methods, with a call that had to be repaired."""
    backend = scripted(BROKEN, CALL)
    llm = OpenAICompatible(model="m", api_key=KEY, base_url=URL, tool_calling="prompted", **backend.clients)
    tools = [FunctionTool.from_defaults(add)]

    async def run() -> Any:
        result = getattr(llm, method)(tools, user_msg=ChatMessage(content="Add."))
        if method == "chat_with_tools":
            return result
        if method == "stream_chat_with_tools":
            return list(result)[-1]
        if method == "achat_with_tools":
            return await result
        return [chunk async for chunk in await result][-1]

    (selection,) = llm.get_tool_calls_from_response(asyncio.run(run()))
    assert (selection.tool_name, selection.tool_kwargs) == ("add", {"a": 1, "b": 2})


def test_tools_that_are_no_functions_are_refused() -> None:
    """A provider's own tool cannot be described in words; nothing is sent."""
    backend = scripted()
    model = ChatOpenAICompatible(model="m", api_key=KEY, base_url=URL, tool_calling="prompted", **backend.clients)
    with pytest.raises(ValueError, match="only functions can"):
        model.bind_tools([{"type": "web_search"}]).invoke("Hi")
    assert not backend.requests
