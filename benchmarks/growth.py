"""Whether a chunk costs the same in a long stream as in a short one: text, reasoning, tool arguments, and an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from _measure import KEY, Sample, Server, Table, measure, medians, serving

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from llamaindex_rivya import OpenAICompatible, Rivya

ROUNDS = 5
SIZES = (1000, 20000)
TOOL_SIZES = (1000, 4000)


def look_up(k: int = 0, z: int = 0) -> str:
    """Look something up."""
    return str(k + z)


def langchain(model: Any) -> int:
    """Read a stream to its end, as a user does who shows each piece and keeps none."""
    return sum(1 for _ in model.stream("Say hello."))


def llamaindex(model: Any) -> int:
    """The same in LlamaIndex, where each response holds all the text so far."""
    return sum(1 for _ in model.stream_complete("Say hello."))


def llamaindex_tools(model: Any) -> int:
    """Chunks of one tool call, with the question that LlamaIndex's agent asks of each: which calls are there?"""
    from llama_index.core.tools import FunctionTool

    tool, seen = FunctionTool.from_defaults(look_up), 0
    for response in model.stream_chat_with_tools([tool], user_msg="Say hello."):
        seen += len(model.get_tool_calls_from_response(response, error_on_no_tool_call=False))
    return seen


def langchain_tools(model: Any) -> int:
    """Chunks of one tool call."""
    return sum(1 for _ in model.bind_tools([look_up]).stream("Say hello."))


def agent(model: Any) -> None:
    """A run of LlamaIndex's `FunctionAgent` that ends with its one tool call, whose arguments are streamed."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.tools import FunctionTool

    async def run() -> None:
        worker = FunctionAgent(llm=model, tools=[FunctionTool.from_defaults(look_up, return_direct=True)])
        await worker.run("Say hello.")

    asyncio.run(run())


Side = tuple[str, Callable[[Any], Any], Callable[[Server, str], Any], tuple[int, ...]]


def openai(kind: type, what: str) -> Callable[[Server, str], Any]:
    """A model in OpenAI's wire whose server streams *what*."""
    return lambda server, how: kind(model="gpt-5.2", api_key=KEY, base_url=server.openai(f"{how},what={what}"))


def rivya(kind: type, what: str) -> Callable[[Server, str], Any]:
    """A model in Rivya's wire whose server streams *what*."""
    return lambda server, how: kind(api_key=KEY, base_url=server.rivya(f"{how},what={what}"))


SIDES: list[Side] = [
    ("ChatRivya, text", langchain, rivya(ChatRivya, "text"), SIZES),
    ("ChatRivya, reasoning", langchain, rivya(ChatRivya, "reasoning"), SIZES),
    ("ChatOpenAICompatible, text", langchain, openai(ChatOpenAICompatible, "text"), SIZES),
    ("ChatOpenAICompatible, reasoning", langchain, openai(ChatOpenAICompatible, "reasoning"), SIZES),
    ("ChatOpenAICompatible, tool call", langchain_tools, openai(ChatOpenAICompatible, "tools"), TOOL_SIZES),
    ("Rivya, text", llamaindex, rivya(Rivya, "text"), SIZES),
    ("OpenAICompatible, text", llamaindex, openai(OpenAICompatible, "text"), SIZES),
    ("OpenAICompatible, tool call", llamaindex_tools, openai(OpenAICompatible, "tools"), TOOL_SIZES),
    ("FunctionAgent, tool call", agent, openai(OpenAICompatible, "tools"), TOOL_SIZES),
]


def main() -> None:
    table = Table("Growth: CPU per chunk in streams of different length")
    with serving() as server:
        for name, work, make, sizes in SIDES:
            found: dict[str, Sample] = {}
            for size in sizes:
                model = make(server, f"n={size}")
                work(model)
                rounds = ROUNDS if size < max(SIZES) else 2
                found[f"{size:,} chunks"] = medians([measure(partial(work, model), size) for _ in range(rounds)])
            table.add(name, found, f"{sizes[0]:,} chunks", goals={f"{size:,} chunks": "about 1" for size in sizes[1:]})
    table.print()


if __name__ == "__main__":
    main()
