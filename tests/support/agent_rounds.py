"""Real agents of both frameworks in two rounds of tools against a back end that answers what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from both_frameworks import Way, make
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

QUESTION = "What is the weather?"


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"It is 21 degrees in {city}."


def call(number: int, **state: Any) -> dict[str, Any]:
    """A tool call with what a server attaches to it."""
    function = {"name": "get_weather", "arguments": json.dumps({"city": f"City {number}"})}
    return {"id": f"call_{number}", "type": "function", "function": function, **state}


@dataclass
class Rounds:
    """Answers each request with the next message, whole or as the chunks whose deltas a test gives for it."""

    messages: Sequence[dict[str, Any]]
    deltas: Sequence[Sequence[dict[str, Any]]] = ()
    refuses: Any = None
    requests: list[httpx.Request] = field(default_factory=list)
    answered: int = 0

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def clients(self) -> dict[str, Any]:
        wire = httpx.MockTransport(self)
        return {"http_client": httpx.Client(transport=wire), "http_async_client": httpx.AsyncClient(transport=wire)}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = json.loads(request.content)
        refusal = self.refuses(body) if self.refuses else None
        if refusal:
            return httpx.Response(400, json={"error": refusal if isinstance(refusal, dict) else {"message": refusal}})
        number = min(self.answered, len(self.messages) - 1)
        self.answered += 1
        message = self.messages[number]
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
            return httpx.Response(200, json={"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]})
        deltas = self.deltas[number] if number < len(self.deltas) else [streamed(message)]
        return sse(*deltas, finish=finish)


def streamed(message: dict[str, Any]) -> dict[str, Any]:
    """A message as one delta."""
    calls = [{"index": n, **found} for n, found in enumerate(message.get("tool_calls") or ())]
    return {"role": "assistant", **message, **({"tool_calls": calls} if calls else {})}


def sse(*deltas: dict[str, Any], finish: str = "stop") -> httpx.Response:
    """A stream of deltas."""
    frames = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    frames.append({"index": 0, "delta": {}, "finish_reason": finish})
    chunks = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [frame]} for frame in frames]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return httpx.Response(200, content=text.encode(), headers={"content-type": "text/event-stream"})


def run_agent(way: Way, backend: Any, **fields: Any) -> str:
    """Let an agent of the framework work until it answers, and return the answer."""
    model = make(way, "OpenAICompatible", backend, **fields)
    if way.framework == "langchain":
        return _langchain(way, model)
    return asyncio.run(_function_agent(way, model)) if way.asynchronous else _by_hand(way, model)


def _langchain(way: Way, model: Any) -> str:
    agent = create_agent(model, tools=[get_weather], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    question: Any = {"messages": [("user", QUESTION)]}

    async def aask() -> Any:
        if way.streamed:
            async for _ in agent.astream(question, config, stream_mode="messages"):
                pass
        else:
            await agent.ainvoke(question, config)

    if way.asynchronous:
        asyncio.run(aask())
    elif way.streamed:
        for _ in agent.stream(question, config, stream_mode="messages"):
            pass
    else:
        agent.invoke(question, config)
    return str(agent.get_state(config).values["messages"][-1].text)


async def _function_agent(way: Way, model: Any) -> str:
    agent = FunctionAgent(tools=[get_weather], llm=model, streaming=way.streamed, allow_parallel_tool_calls=True)
    return str((await agent.run(QUESTION)).response.content)


def _by_hand(way: Way, model: Any) -> str:
    """LlamaIndex has no sync agent; this is the loop of one, with messages that went through JSON."""
    tool = FunctionTool.from_defaults(get_weather)
    history = [ChatMessage(role="user", content=QUESTION)]
    while True:
        asked: Any = {"chat_history": history, "allow_parallel_tool_calls": True}
        if way.streamed:
            response = [*model.stream_chat_with_tools([tool], **asked)][-1]
        else:
            response = model.chat_with_tools([tool], **asked)
        history.append(ChatMessage.model_validate_json(response.message.model_dump_json()))
        calls = model.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        if not calls:
            return str(response.message.content)
        for found in calls:
            said = get_weather(**found.tool_kwargs)
            kwargs = {"tool_call_id": found.tool_id, "name": found.tool_name}
            history.append(ChatMessage(role="tool", content=said, additional_kwargs=kwargs))
