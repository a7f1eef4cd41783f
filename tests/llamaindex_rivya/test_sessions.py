"""LlamaIndex as it is used: every call of the LLM is judged by what the sandbox's model saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, ReActAgent
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.llms import LLM
from llama_index.core.memory import ChatMemoryBuffer, ChatSummaryMemoryBuffer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llamaindex_witness import Witness, watching
from pydantic_core import PydanticSerializationError

from llamaindex_rivya import MemoryLedger, Rivya
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def llm(sandbox: Sandbox) -> Rivya:
    return Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, session_ledger=MemoryLedger())


@pytest.fixture
def witness() -> Iterator[Witness]:
    with watching() as witness:
        yield witness


def memory(tokens: int = 100_000) -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=tokens)


class Retriever(BaseRetriever):
    """Finds the same for every question, or always something new."""

    def __init__(self, *, changing: bool) -> None:
        super().__init__()
        self.changing, self.found = changing, 0

    def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
        self.found += 1
        text = f"Passage {self.found if self.changing else 1}: the Volga is long."
        return [NodeWithScore(node=TextNode(text=text), score=1.0)]


def chat(engine: Any, text: str) -> None:
    engine.chat(text)


def stream_chat(engine: Any, text: str) -> None:
    reply = engine.stream_chat(text)
    assert list(reply.response_gen)
    reply.write_response_to_history_thread = None


def achat(engine: Any, text: str) -> None:
    asyncio.run(engine.achat(text))


def astream_chat(engine: Any, text: str) -> None:
    async def exhaust() -> None:
        reply = await engine.astream_chat(text)
        async for _ in reply.async_response_gen():
            pass

    asyncio.run(exhaust())


CHATS = [chat, stream_chat, achat, astream_chat]
Chat = Callable[[Any, str], None]


class TestChatEngines:
    @pytest.mark.parametrize("say", CHATS)
    def test_a_simple_engine_goes_on_in_its_session(
        self, sandbox: Sandbox, llm: Rivya, witness: Witness, say: Chat
    ) -> None:
        """Every question after the first is sent alone."""
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory(), system_prompt="Be terse.")
        for text in ("My name is Ann.", "Who am I?", "Sure?"):
            say(engine, text)

        assert witness.judge(sandbox) == ["new", "continue", "continue"]

    def test_a_changing_context_is_seen(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """A context engine puts passages into the system prompt; the model sees the newest ones."""
        engine = ContextChatEngine.from_defaults(retriever=Retriever(changing=True), llm=llm, memory=memory())
        for text in ("one", "two"):
            engine.chat(text)

        assert witness.judge(sandbox) == ["new", "replay"]
        assert "Passage 2" in witness.calls[-1][0][0].text
        assert "Passage 1" not in witness.calls[-1][0][0].text

    @pytest.mark.parametrize("say", CHATS)
    def test_condensing_goes_aside(self, sandbox: Sandbox, llm: Rivya, witness: Witness, say: Chat) -> None:
        """The condensed questions are calls of their own; the engine writes replies anew, so its answers replay."""
        retriever = Retriever(changing=False)
        engine = CondensePlusContextChatEngine.from_defaults(retriever=retriever, llm=llm, memory=memory())
        for text in ("one", "two", "three"):
            say(engine, text)

        routes = witness.judge(sandbox)
        answers = [route for route, (passed, _) in zip(routes, witness.calls, strict=True) if len(passed) > 1]
        assert answers == ["new", "replay", "replay"]
        assert len(routes) == 5


class TestMemories:
    def test_a_buffer_that_drops_messages(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """The session continues while all messages fit; the model no longer sees dropped messages."""
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory(60))
        for number in range(6):
            engine.chat(f"This is question number {number} of several.")

        routes = witness.judge(sandbox)
        assert routes[:2] == ["new", "continue"]
        assert routes[-1] in ("replay", "new")
        assert len(witness.calls[-1][0]) < 11

    def test_a_buffer_that_sums_up(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """The summary is a call of its own; the conversation continues from it."""
        summing = ChatSummaryMemoryBuffer.from_defaults(llm=llm, token_limit=60)
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=summing)
        for number in range(6):
            engine.chat(f"This is question number {number} of several.")

        assert len(witness.judge(sandbox)) > 6

    @pytest.mark.parametrize("form", ["messages", "string", "dict"])
    def test_a_memory_that_was_written_down(self, sandbox: Sandbox, llm: Rivya, witness: Witness, form: str) -> None:
        """After it is read back, in any process, the conversation continues its session."""
        kept = memory()
        SimpleChatEngine.from_defaults(llm=llm, memory=kept).chat("My name is Ann.")
        SimpleChatEngine.from_defaults(llm=llm, memory=again(kept, form)).chat("Who am I?")

        assert witness.judge(sandbox) == ["new", "continue"]

    def test_a_memory_that_was_edited(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """Messages that were changed in the memory are what the model sees."""
        kept = memory()
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=kept)
        engine.chat("My name is Ann.")
        question, reply = kept.get_all()
        kept.set([ChatMessage(role="user", content="My name is Bob."), reply])
        engine.chat("Who am I?")

        assert witness.judge(sandbox) == ["new", "replay"]
        assert question.content not in [seen.text for seen in witness.calls[-1][0]]


def again(kept: ChatMemoryBuffer, form: str) -> ChatMemoryBuffer:
    """The memory as it is read back from JSON."""
    if form == "messages":
        texts = [message.model_dump_json() for message in kept.get_all()]
        fresh = memory()
        fresh.put_messages([ChatMessage.model_validate_json(text) for text in texts])
        return fresh
    try:
        return (
            ChatMemoryBuffer.from_string(kept.to_string())
            if form == "string"
            else ChatMemoryBuffer.from_dict(kept.to_dict())
        )
    except PydanticSerializationError:
        pytest.skip("LlamaIndex cannot write its chat stores down with this version of pydantic")


class TestAgents:
    def test_a_react_agent_sees_its_own_transcript(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """It writes its reasoning anew in every step, so its steps replay; what it passes is what the model sees."""
        agent = ReActAgent(llm=llm, tools=[FunctionTool.from_defaults(add)])
        kept = memory()

        async def run() -> None:
            for text in ("What is 2 + 3?", "Thank you."):
                await agent.run(text, memory=kept)

        asyncio.run(run())
        assert len(witness.judge(sandbox)) >= 2

    def test_a_workflow_chooses_such_an_agent(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """With tools off, a workflow works in text."""
        llm = llm.model_copy(update={"tool_calling": "off"})
        workflow = AgentWorkflow.from_tools_or_functions([add], llm=llm)

        async def run() -> None:
            await workflow.run("What is 2 + 3?", memory=memory())

        asyncio.run(run())
        assert witness.judge(sandbox)

    def test_two_agents_share_an_llm(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """Side by side, neither sees the other's conversation."""
        agents = [ReActAgent(llm=llm, tools=[], system_prompt=f"You are {name}.") for name in ("Ann", "Bob")]

        async def run() -> None:
            await asyncio.gather(*(agent.run("Who are you?", memory=memory()) for agent in agents))

        asyncio.run(run())
        assert witness.judge(sandbox) == ["new", "new"]

    def test_a_cancelled_run_leaves_no_trace(self, sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
        """What the agent asked when it was cancelled is not continued."""
        kept = memory()
        agent = ReActAgent(llm=llm, tools=[])

        async def run() -> None:
            sandbox.fault(Fault("/chat/completions", delay=0.2))
            handler = agent.run("one", memory=kept)
            await asyncio.sleep(0.05)
            await handler.cancel_run()
            with suppress(BaseException):  # whatever the workflow says of it
                await handler
            sandbox.faults.clear()
            await agent.run("two", memory=kept)

        asyncio.run(run())
        assert witness.judge(sandbox)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_an_engine_whose_stream_is_left(sandbox: Sandbox, llm: Rivya, witness: Witness) -> None:
    """A reader who leaves in the middle of the reply finds the next one right."""
    sandbox.answer("ok")
    messages = [ChatMessage(role="user", content="one")]
    messages.append(llm.chat(messages).message)
    messages.append(ChatMessage(role="user", content="two"))
    sandbox.answer("a reply of several words in several pieces")
    stream = llm.stream_chat(messages)
    next(stream)
    stream.close()
    llm.chat(messages)

    assert isinstance(llm, LLM)
    assert witness.judge(sandbox)[-1] == "replay"
