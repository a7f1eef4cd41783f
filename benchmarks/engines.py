"""Which engine and agent of the frameworks continues its session, which one replays, and what each costs.

    python benchmarks/engines.py

Three questions in a row, on the sandbox. The rows are the table in `docs/guides/rivya-agents.md`.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, SystemMessage
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from langchain_rivya import ChatRivya
from llamaindex_rivya import Rivya
from rivya_sandbox import Sandbox, serve

QUESTIONS = ("What is the weather in Basel?", "What is the weather in Rome?", "What is the weather in Bern?")
DOCUMENT = "It is 21 degrees in Basel. It is 30 degrees in Rome. It is 15 degrees in Bern."


class Weather(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"It is 21 degrees in {city}."


def langchain_conversation(model: ChatRivya) -> None:
    """A list of messages that grows."""
    messages: list[Any] = [SystemMessage("Be brief.")]
    for question in QUESTIONS:
        messages.append(HumanMessage(question))
        messages.append(model.invoke(messages))


def langchain_changing_system(model: ChatRivya) -> None:
    """The same, with a system message that changes at every turn."""
    messages: list[Any] = []
    for number, question in enumerate(QUESTIONS):
        messages.append(HumanMessage(question))
        messages.append(model.invoke([SystemMessage(f"It is {number} o'clock. Be brief."), *messages]))


def langchain_agent(model: ChatRivya) -> None:
    """`create_agent` with one tool."""
    agent, state = create_agent(model, tools=[get_weather], system_prompt="Be brief."), {"messages": []}
    for question in QUESTIONS:
        state = agent.invoke({"messages": [*state["messages"], HumanMessage(question)]})


def langchain_structured(model: ChatRivya) -> None:
    """`with_structured_output`, one question at a time."""
    for question in QUESTIONS:
        model.with_structured_output(Weather).invoke(f"{DOCUMENT} {question}")


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=100_000)


def llama_simple(llm: Rivya) -> None:
    """`SimpleChatEngine`."""
    engine = SimpleChatEngine.from_defaults(llm=llm, system_prompt="Be brief.", memory=memory())
    for question in QUESTIONS:
        engine.chat(question)


def index() -> VectorStoreIndex:
    return VectorStoreIndex.from_documents([Document(text=DOCUMENT)], embed_model=MockEmbedding(8))


def llama_chat(mode: str) -> Callable[[Rivya], None]:
    def run(llm: Rivya) -> None:
        engine = index().as_chat_engine(chat_mode=mode, llm=llm, memory=memory())
        for question in QUESTIONS:
            engine.chat(question)

    return run


def llama_query(llm: Rivya) -> None:
    """A query engine has no conversation."""
    engine = index().as_query_engine(llm=llm)
    for question in QUESTIONS:
        engine.query(question)


def llama_structured(llm: Rivya) -> None:
    """`structured_predict`, one question at a time."""
    for question in QUESTIONS:
        llm.structured_predict(Weather, PromptTemplate("{text} {question}"), text=DOCUMENT, question=question)


def llama_agent(kind: Any) -> Callable[[Rivya], None]:
    def run(llm: Rivya) -> None:
        async def talk() -> None:
            agent, kept = kind(llm), memory()
            for question in QUESTIONS:
                await agent.run(question, memory=kept)

        asyncio.run(talk())

    return run


ROWS: dict[str, tuple[type, Callable[[Any], None]]] = {
    "LangChain: a list of messages": (ChatRivya, langchain_conversation),
    "LangChain: the same, system message changes": (ChatRivya, langchain_changing_system),
    "LangChain: `create_agent`, one tool call each": (ChatRivya, langchain_agent),
    "LangChain: `with_structured_output`": (ChatRivya, langchain_structured),
    "LlamaIndex: `SimpleChatEngine`": (Rivya, llama_simple),
    "LlamaIndex: chat engine `context`": (Rivya, llama_chat("context")),
    "LlamaIndex: chat engine `condense_question`": (Rivya, llama_chat("condense_question")),
    "LlamaIndex: chat engine `condense_plus_context`": (Rivya, llama_chat("condense_plus_context")),
    "LlamaIndex: query engine": (Rivya, llama_query),
    "LlamaIndex: `structured_predict`": (Rivya, llama_structured),
    "LlamaIndex: `FunctionAgent`": (Rivya, llama_agent(lambda llm: FunctionAgent(tools=[get_weather], llm=llm))),
    "LlamaIndex: `AgentWorkflow`": (
        Rivya,
        llama_agent(lambda llm: AgentWorkflow.from_tools_or_functions([get_weather], llm=llm)),
    ),
    "LlamaIndex: `ReActAgent`": (Rivya, llama_agent(lambda llm: ReActAgent(tools=[get_weather], llm=llm))),
}


def row(name: str, sandbox: Sandbox) -> str:
    """Run one row and return its line of the table."""
    sandbox.reset()
    kind, run = ROWS[name]
    run(kind(api_key=sandbox.api_key, base_url=sandbox.rivya_url))
    turns = sandbox.journal.turns
    sizes = Counter(turn.session_id for turn in turns)
    sent = sum(len(one.body["message"]) for one in sandbox.journal.requests if "message" in (one.body or {}))
    continued = len(turns) - len(sizes)
    return f"| {name} | {len(turns)} | {len(sizes)} | {continued} | {sent:,} | {sum(turn.charged for turn in turns)} |"


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| three questions with | turns | sessions | turns that continue one | characters sent | credits |")
    print("|---|---:|---:|---:|---:|---:|")
    with serve() as sandbox:
        for name in ROWS:
            print(row(name, sandbox), flush=True)


if __name__ == "__main__":
    main()
