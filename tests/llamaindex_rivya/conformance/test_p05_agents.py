"""Point 5: the tool loop, in LlamaIndex's own agents."""

from __future__ import annotations

import json

import pytest
from llama_backend import Call, Reply
from llama_candidates import with_tools
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from pydantic import BaseModel
from samples import png

# LlamaIndex's agents and workflows use names that pydantic, and they themselves, have deprecated; and pydantic 2.14
# cannot write their memories, which is why each run here is given its memory.
pytestmark = [
    with_tools,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def fail() -> str:
    """Always fails."""
    raise ValueError("the tool is out of order")


def draw() -> list:
    """Draw an image."""
    return [TextBlock(text="An image."), ImageBlock(image=png())]


@pytest.fixture
def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=100_000)


def said(request) -> list[tuple[str, str]]:
    """Roles and texts of a request."""
    return [(message["role"], message.get("content") or "") for message in request.body["messages"]]


MULTIPLY = Reply("", calls=(Call("multiply", {"a": 6, "b": 7}, "call_m"),))


@pytest.mark.parametrize("streaming", [True, False])
async def test_function_agents_call_and_answer(llm, backend, memory, streaming):
    """The call runs, its result goes back under its id, the last answer is the agent's."""
    backend.say(MULTIPLY, Reply("It is 42."))
    agent = FunctionAgent(tools=[multiply], llm=llm, system_prompt="Be brief.", streaming=streaming)

    result = await agent.run("6 times 7?", memory=memory)

    assert str(result) == "It is 42."
    last = backend.requests[-1].body["messages"]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "tool"]
    assert last[2]["tool_calls"][0]["id"] == last[3]["tool_call_id"] == "call_m"
    assert last[3]["content"] == "42"


async def test_a_second_run_remembers(llm, backend, memory):
    """With a memory, the next run begins with the whole first one, in order and accepted by strict servers."""
    backend.say(MULTIPLY, Reply("It is 42."), Reply("You asked for 6 times 7."))
    agent = FunctionAgent(tools=[multiply], llm=llm)
    context = Context(agent)

    await agent.run("6 times 7?", memory=memory, ctx=context)
    await agent.run("What did I ask?", memory=memory, ctx=context)

    assert [role for role, _ in said(backend.requests[-1])] == ["user", "assistant", "tool", "assistant", "user"]


async def test_parallel_calls_run(llm, backend, memory):
    """Two calls of one reply are both answered before the model speaks again."""
    calls = (Call("multiply", {"a": 6, "b": 7}, "x"), Call("multiply", {"a": 2, "b": 3}, "y"))
    backend.say(Reply("", calls=calls), Reply("42 and 6."))

    await FunctionAgent(tools=[multiply], llm=llm).run("Both?", memory=memory)

    results = {m["tool_call_id"]: m["content"] for m in backend.requests[-1].body["messages"] if m["role"] == "tool"}
    assert results == {"x": "42", "y": "6"}


async def test_failing_and_unknown_tools_are_told_to_the_model(llm, backend, memory):
    """A tool's error and an unknown tool name come back as results; the run continues."""
    backend.say(
        Reply("", calls=(Call("fail", {}, "x"),)), Reply("", calls=(Call("nothing", {}, "y"),)), Reply("Sorry.")
    )

    result = await FunctionAgent(tools=[fail], llm=llm).run("Go", memory=memory)

    texts = [text for role, text in said(backend.requests[-1]) if role == "tool"]
    assert "out of order" in texts[0]
    assert "nothing" in texts[1]
    assert str(result) == "Sorry."


async def test_broken_arguments_are_told_to_the_model_and_nothing_runs(llm, backend, memory):
    """The tool is not called with half of its arguments; what goes back to the server is valid JSON."""
    ran = []

    def note(q: str = "default") -> str:
        """Note."""
        ran.append(q)
        return q

    backend.say(Reply("", calls=(Call("note", '{"q": "half', "x"),)), Reply("Once more."))

    result = await FunctionAgent(tools=[note], llm=llm).run("Go", memory=memory)

    assert ran == []
    assert str(result) == "Once more."
    last = backend.requests[-1].body["messages"]
    assert all(json.loads(c["function"]["arguments"]) is not None for m in last for c in m.get("tool_calls") or ())
    assert "JSON" in last[-1]["content"]


async def test_images_from_tools_reach_the_model(llm, backend, memory):
    """An image in a tool's result is not flattened away."""
    backend.say(Reply("", calls=(Call("draw", {}, "x"),)), Reply("Nice."))

    await FunctionAgent(tools=[draw], llm=llm).run("Draw", memory=memory)

    assert "data:image/png;base64," in json.dumps(backend.requests[-1].body["messages"])


async def test_a_direct_result_ends_the_run(llm, backend, memory):
    """`return_direct` gives the tool's output without asking the model again."""
    backend.say(MULTIPLY)
    tool = FunctionTool.from_defaults(multiply, return_direct=True)

    result = await FunctionAgent(tools=[tool], llm=llm).run("6 times 7?", memory=memory)

    assert str(result) == "42"
    assert len(backend.requests) == 1


async def test_streams_of_agents(llm, backend, memory):
    """Events hold text and reasoning piece by piece, and the calls as they arrive."""
    backend.say(
        Reply("", reasonings=("I ", "ponder."), calls=(Call("multiply", {"a": 6, "b": 7}),)), Reply(("It ", "is 42."))
    )
    handler = FunctionAgent(tools=[multiply], llm=llm).run("6 times 7?", memory=memory)

    events = [event async for event in handler.stream_events()]
    await handler

    streamed = [event for event in events if isinstance(event, AgentStream)]
    assert "".join(event.delta for event in streamed) == "It is 42."
    assert "".join(event.thinking_delta or "" for event in streamed) == "I ponder."
    assert any(event.tool_calls for event in streamed)
    assert [event.tool_output.content for event in events if isinstance(event, ToolCallResult)] == ["42"]


async def test_agents_hand_over(llm, backend, memory):
    """Two agents share one model: the second continues the conversation under its own instructions."""
    backend.say(
        Reply("", calls=(Call("handoff", {"to_agent": "Writer", "reason": "it writes"}, "h"),)), Reply("A poem.")
    )
    asker = FunctionAgent(
        name="Asker", description="Asks.", system_prompt="You ask.", llm=llm, can_handoff_to=["Writer"]
    )
    writer = FunctionAgent(name="Writer", description="Writes.", system_prompt="You write.", llm=llm, tools=[multiply])
    workflow = AgentWorkflow(agents=[asker, writer], root_agent="Asker")

    result = await workflow.run("A poem, please.", memory=memory)

    assert str(result) == "A poem."
    assert ("system", "You ask.") in said(backend.requests[0])
    assert ("system", "You write.") in said(backend.requests[1])


async def test_workflows_choose_the_agent_by_the_model(make, llm):
    """With tools a `FunctionAgent`, without them a `ReActAgent`."""
    for flag, kind in ((True, FunctionAgent), (False, ReActAgent)):
        model = make(is_function_calling_model=flag)
        workflow = AgentWorkflow.from_tools_or_functions([multiply], llm=model)
        assert isinstance(next(iter(workflow.agents.values())), kind)


async def test_react_agents_work_in_text(make, backend, memory):
    """A model without function calling acts in text, and no tools are sent."""
    backend.say(
        Reply('Thought: I multiply.\nAction: multiply\nAction Input: {"a": 6, "b": 7}'),
        Reply("Thought: I can answer without using any more tools.\nAnswer: It is 42."),
    )

    result = await ReActAgent(tools=[multiply], llm=make(is_function_calling_model=False)).run("?", memory=memory)

    assert str(result) == "It is 42."
    assert "tools" not in backend.requests[0].body
    assert "42" in json.dumps(backend.requests[1].body["messages"][-1])


async def test_code_agents_run_code(llm, backend, memory):
    """`CodeActAgent` runs what stands between its tags."""
    backend.say(Reply("<execute>6 * 7</execute>"), Reply("It is 42."))
    agent = CodeActAgent(code_execute_fn=lambda code: str(eval(code)), llm=llm, tools=[multiply])

    assert str(await agent.run("6 times 7?", memory=memory)) == "It is 42."
    assert "42" in json.dumps(backend.requests[1].body["messages"][-1])


class Product(BaseModel):
    """A product of two numbers."""

    value: int


async def test_agents_with_an_output_class(llm, backend, memory):
    """The last answer comes as an object as well."""
    text = json.dumps({"value": 42})
    backend.say(MULTIPLY, Reply("It is 42."), lambda request: structured(request, text))

    result = await FunctionAgent(tools=[multiply], llm=llm, output_cls=Product).run("?", memory=memory)

    assert result.get_pydantic_model(Product) == Product(value=42)


def structured(request, text):
    """An object in the form that was asked for."""
    tools = request.body.get("tools")
    return Reply("", calls=(Call(tools[0]["function"]["name"], text),)) if tools else Reply(text)


async def test_long_arguments_stay_cheap_in_agents(llm, backend):
    """Ten times the pieces of arguments through a `FunctionAgent` arrive whole."""

    def note(q: str) -> int:
        """Note."""
        return len(q)

    async def talk(count: int) -> None:
        words = "word " * count
        backend.say(Reply("", calls=(Call("note", {"q": words}, pieces=count),)), Reply("Noted."))
        memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
        await FunctionAgent(tools=[note], llm=llm).run("Note it.", memory=memory)
        assert backend.requests[-1].body["messages"][-1]["content"] == str(len(words))

    await talk(10)

    await talk(2_000)
