"""LangGraph as it is used: every call of the model is judged by what the sandbox's model saw.

The witness compares the two for each call that graph, agent or middleware makes; the tests say which way each went.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware, dynamic_prompt
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, trim_messages
from langchain_core.runnables import RunnableConfig
from langchain_witness import Witness
from langchain_world import LangChainWorld
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from langchain_rivya import ChatRivya, MemoryLedger
from rivya_sandbox import Fault, Sandbox

State = dict[str, Any]


@pytest.fixture
def world() -> Any:
    world = LangChainWorld()
    yield world
    world.close()


@pytest.fixture
def witness(sandbox: Sandbox, world: LangChainWorld) -> Witness:
    return Witness(sandbox, world)


@pytest.fixture
def model(sandbox: Sandbox, world: LangChainWorld) -> ChatRivya:
    return world.model(sandbox, session_ledger=MemoryLedger())


def chat_graph(model: ChatRivya, saver: InMemorySaver | None = None, before: Any = None) -> Any:
    """A graph with one node, which asks the model; *before* chooses the messages that it passes."""

    def chat(state: MessagesState, config: RunnableConfig) -> State:
        return {"messages": [model.invoke(before(state["messages"]) if before else state["messages"], config)]}

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_edge(START, "chat")
    return graph.compile(checkpointer=saver)


def say(graph: Any, text: str, config: Any) -> list[Any]:
    return graph.invoke({"messages": [("user", text)]}, config)["messages"]


class TestCheckpoints:
    def test_a_conversation_goes_on_in_its_session(self, model: ChatRivya, witness: Witness) -> None:
        """Checkpoints keep the pointer; so does another graph on another model object, as after a restart."""
        saver = InMemorySaver()
        graph = chat_graph(model, saver)
        say(graph, "My name is Ann.", witness.thread())
        say(graph, "Who am I?", witness.thread())
        messages = say(chat_graph(model.model_copy(), saver), "Sure?", witness.thread())

        assert witness.routes == ["new", "continue", "continue"]
        assert "Ann" in messages[3].text

    def test_threads_are_conversations_of_their_own(self, model: ChatRivya, witness: Witness) -> None:
        """Two threads with the same words share no session."""
        graph = chat_graph(model, InMemorySaver())
        for thread in ("1", "2", "1", "2"):
            say(graph, "Hello!", witness.thread(thread))

        assert witness.routes == ["new", "new", "continue", "continue"]

    def test_going_back_in_time_is_a_fork(self, model: ChatRivya, witness: Witness) -> None:
        """A run from an earlier checkpoint continues without the messages after it."""
        graph = chat_graph(model, InMemorySaver())
        for text in ("one", "two", "three"):
            say(graph, text, witness.thread())
        earlier = [
            s for s in graph.get_state_history(witness.thread()) if len(s.values["messages"]) == 4 and not s.next
        ]
        config = {**earlier[0].config, **witness.config}
        say(graph, "another three", config)

        assert witness.since(3) == ["replay"]
        assert [seen.text for seen in witness.sent[-1]][::2] == ["one", "two", "another three"]
        say(graph, "four", witness.thread())
        assert witness.since(4) == ["continue"]

    def test_running_a_turn_again_is_a_fork(self, model: ChatRivya, witness: Witness) -> None:
        """A replayed checkpoint asks the model anew."""
        graph = chat_graph(model, InMemorySaver())
        for text in ("one", "two"):
            say(graph, text, witness.thread())
        before = next(s for s in graph.get_state_history(witness.thread()) if s.next == ("chat",))
        graph.invoke(None, {**before.config, **witness.config})

        assert witness.routes == ["new", "continue", "replay"]

    @pytest.mark.parametrize("at", [0, 1], ids=["human", "reply"])
    def test_an_updated_state_counts(self, model: ChatRivya, witness: Witness, at: int) -> None:
        """`update_state` with the same id edits a message, the question as well as the reply."""
        graph = chat_graph(model, InMemorySaver())
        messages = say(graph, "My name is Ann.", witness.thread())
        edited = messages[at].model_copy(update={"content": "My name is Bob."})
        graph.update_state(witness.thread(), {"messages": [edited]})
        say(graph, "Who am I?", witness.thread())

        assert witness.routes == ["new", "replay"]
        assert witness.sent[-1][at].text == "My name is Bob."

    def test_removed_messages_are_gone(self, model: ChatRivya, witness: Witness) -> None:
        """`RemoveMessage` takes a message from what the model sees."""
        graph = chat_graph(model, InMemorySaver())
        say(graph, "one", witness.thread())
        messages = say(graph, "two", witness.thread())
        graph.update_state(witness.thread(), {"messages": [RemoveMessage(id=messages[0].id)]})
        say(graph, "three", witness.thread())
        say(graph, "four", witness.thread())

        assert witness.routes == ["new", "continue", "replay", "continue"]
        assert "one" not in [seen.text for seen in witness.sent[-1]]

    def test_trimmed_messages_are_gone(self, model: ChatRivya, witness: Witness) -> None:
        """A node that trims passes less, and that is what the model sees."""

        def last_five(messages: list[Any]) -> list[Any]:
            return trim_messages(messages, max_tokens=5, token_counter=len, start_on="human", include_system=True)

        graph = chat_graph(model, InMemorySaver(), last_five)
        for number in range(6):
            say(graph, f"question {number}", witness.thread())

        assert witness.routes == ["new", "continue", "continue", "replay", "replay", "replay"]

    def test_streaming_graphs_keep_the_pointer(self, model: ChatRivya, witness: Witness) -> None:
        """`stream_mode="messages"` makes the model stream; sync and async turns mix."""
        graph = chat_graph(model, InMemorySaver())
        asked = {"messages": [("user", "one")]}
        assert list(graph.stream(asked, witness.thread(), stream_mode="messages"))

        async def twice() -> None:
            async for _ in graph.astream({"messages": [("user", "two")]}, witness.thread(), stream_mode="messages"):
                pass
            await graph.ainvoke({"messages": [("user", "three")]}, witness.thread())

        asyncio.run(twice())
        assert witness.routes == ["new", "continue", "continue"]

    def test_an_interrupted_stream_is_not_continued(self, sandbox: Sandbox, model: ChatRivya, witness: Witness) -> None:
        """A graph that is left in the middle of a reply asks again in a new session."""

        async def chat(state: MessagesState, config: RunnableConfig) -> State:
            return {"messages": [await model.ainvoke(state["messages"], config)]}

        unfinished = StateGraph(MessagesState)
        unfinished.add_node("chat", chat)
        unfinished.add_edge(START, "chat")
        graph = unfinished.compile(checkpointer=InMemorySaver())

        async def leave_and_come_back() -> None:
            await graph.ainvoke({"messages": [("user", "one")]}, witness.thread())
            sandbox.answer("a reply of several words in several pieces")
            sandbox.fault(Fault("/chat/completions/stream", pace=0.01))
            stream = graph.astream({"messages": [("user", "two")]}, witness.thread(), stream_mode="messages")
            async for _ in stream:
                break
            await stream.aclose()
            sandbox.faults.clear()
            await graph.ainvoke(None, witness.thread())

        asyncio.run(leave_and_come_back())
        assert witness.routes == ["new", "replay"]


class TestAgents:
    def test_an_agent_with_memory_goes_on_in_its_session(self, model: ChatRivya, witness: Witness) -> None:
        """`create_agent` signs the replies with its name and puts its system prompt in front of every call."""
        agent = create_agent(model, [], system_prompt="Be terse.", name="helper", checkpointer=InMemorySaver())
        for text in ("one", "two", "three"):
            say(agent, text, witness.thread())

        assert witness.routes == ["new", "continue", "continue"]

    def test_a_dynamic_prompt_counts(self, model: ChatRivya, witness: Witness) -> None:
        """A system prompt that changes from turn to turn is the one that the model sees."""

        @dynamic_prompt
        def counting(request: Any) -> str:
            return f"There are {len(request.messages)} messages."

        agent = create_agent(model, [], middleware=[counting], checkpointer=InMemorySaver())
        for text in ("one", "two"):
            say(agent, text, witness.thread())

        assert witness.routes == ["new", "replay"]
        assert witness.sent[-1][0].text == "There are 3 messages."

    def test_a_summary_replaces_the_history(self, model: ChatRivya, witness: Witness) -> None:
        """Summarisation asks the same model aside, and then the session begins anew with the summary."""
        middleware = SummarizationMiddleware(model, trigger=("messages", 6), keep=("messages", 2))
        agent = create_agent(model, [], middleware=[middleware], checkpointer=InMemorySaver())
        for number in range(6):
            messages = say(agent, f"question {number}", witness.thread())

        assert any("summary" in message.text.lower() for message in messages)
        assert witness.routes.count("continue") >= 2
        assert len(witness.routes) > 6
        assert len(witness.sent[-1]) < 11

    @pytest.mark.parametrize("trigger", [None, ("fraction", 0.8)])
    def test_an_overflow_is_prevented_by_a_fraction_and_not_caught(
        self, model: ChatRivya, sandbox: Sandbox, trigger: Any
    ) -> None:
        """The middleware summarises before a call that would be too long; an overflow of the call itself ends the run."""
        middleware = SummarizationMiddleware(model, trigger=trigger, keep=("messages", 2))
        agent = create_agent(model, [], middleware=[middleware])
        long = [message for n in range(12) for message in (("user", f"{n} {'word ' * 400}"), ("assistant", "Yes."))]
        question = {"messages": [*long, ("user", "What is 2 + 2?")]}

        if trigger is None:
            with pytest.raises(ContextOverflowError):
                agent.invoke(question)
            assert not sandbox.journal.requests
        else:
            assert len(agent.invoke(question)["messages"]) == 4

    def test_agents_that_share_a_model_and_a_history(self, model: ChatRivya, witness: Witness) -> None:
        """Each has its own prompt; each sees its own prompt and what the other one said."""

        def node(name: str) -> Any:
            def speak(state: MessagesState, config: RunnableConfig) -> State:
                reply = model.invoke([SystemMessage(f"You are {name}."), *state["messages"]], config)
                return {"messages": [reply.model_copy(update={"name": name})]}

            return speak

        graph = StateGraph(MessagesState)
        graph.add_node("ann", node("ann"))
        graph.add_node("bob", node("bob"))
        graph.add_edge(START, "ann")
        graph.add_edge("ann", "bob")
        talk = graph.compile(checkpointer=InMemorySaver())
        for text in ("one", "two"):
            say(talk, text, witness.thread())

        assert witness.routes == ["new", "replay", "replay", "replay"]
        assert [sent[0].text for sent in witness.sent] == ["You are ann.", "You are bob."] * 2

    def test_agents_side_by_side(self, model: ChatRivya, witness: Witness) -> None:
        """Two branches ask on from the same reply at once: one continues, the other replays."""

        def ask(question: str) -> Any:
            def speak(state: MessagesState, config: RunnableConfig) -> State:
                model.invoke([*state["messages"], HumanMessage(question)], config)
                return {}

            return speak

        graph = StateGraph(MessagesState)
        graph.add_node("first", ask("Is it long?"))
        graph.add_node("second", ask("Is it deep?"))
        graph.add_edge(START, "first")
        graph.add_edge(START, "second")
        asked = [HumanMessage("Name a river.")]
        graph.compile().invoke({"messages": [*asked, model.invoke(asked)]}, witness.config)

        assert sorted(witness.routes) == ["continue", "replay"]

    def test_a_sub_graph_goes_on_in_the_session(self, model: ChatRivya, witness: Witness) -> None:
        """Parent and child pass the same messages, so they share the session."""
        child = chat_graph(model)
        graph = StateGraph(MessagesState)
        graph.add_node("child", child)
        graph.add_node("again", lambda state: {"messages": [HumanMessage("Continue.")]})
        graph.add_node("child2", child)
        graph.add_edge(START, "child")
        graph.add_edge("child", "again")
        graph.add_edge("again", "child2")
        parent = graph.compile(checkpointer=InMemorySaver())
        say(parent, "one", witness.thread())
        say(parent, "two", witness.thread())

        assert witness.routes == ["new", "continue", "continue", "continue"]

    def test_a_fallback_answers_and_the_session_is_taken_up_again(
        self, sandbox: Sandbox, model: ChatRivya, witness: Witness, world: LangChainWorld
    ) -> None:
        """`with_fallbacks` lets another model answer once; the first model then receives that reply."""
        other = world.model(sandbox, session_ledger=model.session_ledger, model="gemini-2-5-flash-chat")
        both = model.with_fallbacks([other])
        talk: list[Any] = [HumanMessage("one")]
        for number in range(3):
            if number == 1:
                sandbox.fault(Fault("/chat/completions", code="insufficient_credits"))
            reply = both.invoke(talk, witness.config)
            assert isinstance(reply, AIMessage)
            talk = [*talk, reply, HumanMessage(f"question {number}")]

        assert witness.routes == ["new", "replay", "continue"]
        assert len(witness.sent[-1]) == 5
