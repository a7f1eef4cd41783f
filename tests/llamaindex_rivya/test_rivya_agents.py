"""LlamaIndex's agents, workflows, programs and selectors on Rivya, whose tools are asked for in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.selectors import PydanticMultiSelector, PydanticSingleSelector
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, field_validator

from llamaindex_rivya import OutputError, Rivya
from rivya_sandbox import Sandbox

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]


class River(BaseModel):
    """A river."""

    name: str
    km: int

    @field_validator("km")
    @classmethod
    def _is_long(cls, value: int) -> int:
        if value < 100:
            raise ValueError("that is no river, it is a brook")
        return value


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def call(name: str, /, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@pytest.fixture
def llm(sandbox: Sandbox) -> Rivya:
    return Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=100_000)


def routes(sandbox: Sandbox) -> list[int]:
    """How many turns each session has."""
    sessions = [turn.session_id for turn in sandbox.journal.turns]
    return [sessions.count(one) for one in dict.fromkeys(sessions)]


@pytest.mark.parametrize("streaming", [True, False])
async def test_three_questions_with_a_tool_call_each_are_one_session(
    llm: Rivya, sandbox: Sandbox, streaming: bool
) -> None:
    """Six turns, each of which sends only what is new."""
    agent, kept = FunctionAgent(tools=[multiply], llm=llm, streaming=streaming), memory()
    for number in range(3):
        sandbox.answer(call("multiply", a=number, b=7))
        sandbox.answer(f"It is {number * 7}.")
        result = await agent.run(f"{number} times 7?", memory=kept)
        assert str(result) == f"It is {number * 7}."
        assert [one.tool_kwargs for one in result.tool_calls] == [{"a": number, "b": 7}]
    assert routes(sandbox) == [6]
    sent = [one.body["message"] for one in sandbox.journal.requests]
    assert sum(map(len, sent[1:])) < 200


async def test_a_call_that_never_fits_is_told_to_the_agent(llm: Rivya, sandbox: Sandbox) -> None:
    """It is not carried out; the agent gets an error as its result and continues."""
    for text in (call("multiply", a="six"), call("multiply", a="six"), "I cannot."):
        sandbox.answer(text)
    result = await FunctionAgent(tools=[multiply], llm=llm).run("6 times 7?", memory=memory())
    assert str(result) == "I cannot."
    assert all(one.tool_output.is_error for one in result.tool_calls)
    assert "'b' is a required property" in sandbox.journal.requests[-1].body["message"]


async def test_agents_hand_over(llm: Rivya, sandbox: Sandbox) -> None:
    """The second agent gets the history with the call that handed over."""
    first = FunctionAgent(name="desk", description="Takes questions.", llm=llm, can_handoff_to=["maths"])
    second = FunctionAgent(name="maths", description="Calculates.", tools=[multiply], llm=llm)
    workflow = AgentWorkflow(agents=[first, second], root_agent="desk")
    for text in (call("handoff", to_agent="maths", reason="numbers"), call("multiply", a=6, b=7), "It is 42."):
        sandbox.answer(text)
    assert str(await workflow.run("6 times 7?", memory=memory())) == "It is 42."


async def test_code_agents_work(llm: Rivya, sandbox: Sandbox) -> None:
    """A `CodeActAgent` writes code in its own tags, which pass as text."""
    ran: list[str] = []

    def execute(code: str) -> str:
        ran.append(code)
        return "42"

    sandbox.answer("<execute>\nprint(6 * 7)\n</execute>")
    sandbox.answer("It is 42.")
    agent = CodeActAgent(code_execute_fn=execute, tools=[multiply], llm=llm)
    assert "42" in str(await agent.run("6 times 7?", memory=memory()))
    assert "6 * 7" in ran[0]


def test_programs_and_selectors_call_their_function(llm: Rivya, sandbox: Sandbox) -> None:
    """Single and multiple selections, and a program, come from calls."""
    sandbox.answer(call("SingleSelection", index=2, reason="fits"))
    assert PydanticSingleSelector.from_defaults(llm=llm).select(["a", "b"], "which?").ind == 1
    sandbox.answer(call("MultiSelection", selections=[{"index": 1, "reason": "x"}, {"index": 2, "reason": "y"}]))
    assert PydanticMultiSelector.from_defaults(llm=llm).select(["a", "b"], "which?").inds == [0, 1]
    sandbox.answer(call("River", name="Rhine", km=1233))
    program = FunctionCallingProgram.from_defaults(River, prompt_template_str="Tell me of {x}.", llm=llm)
    assert program(x="the Rhine") == River(name="Rhine", km=1233)


def test_objects_are_repaired_by_the_class_itself(llm: Rivya, sandbox: Sandbox) -> None:
    """A validator's words are said in the repair turn; what still does not fit is an `OutputError`."""
    sandbox.answer('{"name": "Wiese", "km": 7}')
    sandbox.answer('{"name": "Rhine", "km": 1233}')
    ask = PromptTemplate("Tell me of a river.")
    assert llm.structured_predict(River, ask) == River(name="Rhine", km=1233)
    assert "it is a brook" in sandbox.journal.requests[-1].body["message"]
    sandbox.answer("A river is wet.")
    sandbox.answer("Very wet.")
    with pytest.raises(OutputError, match="prompted"):
        llm.structured_predict(River, ask)


def test_streamed_objects_are_repaired_too(llm: Rivya, sandbox: Sandbox) -> None:
    """The last object is the one of the repair turn; nothing shown before contradicts the class."""
    sandbox.answer("The Rhine is 1233 km long.")
    sandbox.answer('{"name": "Rhine", "km": 1233}')
    *_, last = llm.stream_structured_predict(River, PromptTemplate("Tell me of a river."))
    assert last == River(name="Rhine", km=1233)


def test_structured_models_chat(llm: Rivya, sandbox: Sandbox) -> None:
    """`as_structured_llm` gives the object as `raw`."""
    sandbox.answer('```json\n{"name": "Rhine", "km": 1233}\n```')
    assert llm.as_structured_llm(River).complete("A river.").raw == River(name="Rhine", km=1233)


def test_predict_and_call_runs_the_tool(llm: Rivya, sandbox: Sandbox) -> None:
    """A reply without a call, repair included, is an `OutputError`, never a bare error of Python."""
    tool = FunctionTool.from_defaults(multiply)
    sandbox.answer(call("multiply", a=6, b=7))
    assert str(llm.predict_and_call([tool], "6 times 7?")) == "42"
    sandbox.answer("No.")
    with pytest.raises(OutputError, match="tool call"):
        llm.get_tool_calls_from_response(llm.chat_with_tools([tool], "6 times 7?"))
    for _ in range(2):
        sandbox.answer(call("multiply", a="six", b=7))
    with pytest.raises(OutputError, match="'six' is not of type 'integer'"):
        llm.predict_and_call([tool], "6 times 7?")


def test_a_required_call_is_asked_for_and_asked_for_again(llm: Rivya, sandbox: Sandbox) -> None:
    """`tool_required`, which programs and selectors set, is said in words and held by the repair turn."""
    sandbox.answer("The Rhine has 1233 km.")
    sandbox.answer(call("River", name="Rhine", km=1233))
    program = FunctionCallingProgram.from_defaults(River, prompt_template_str="Tell me of {x}.", llm=llm)
    assert program(x="the Rhine") == River(name="Rhine", km=1233)
    first, repair = (request.body["message"] for request in sandbox.journal.requests)
    assert "You must call a tool now." in first
    assert "it holds no call of `River`, and one is required" in repair
