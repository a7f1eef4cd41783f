"""LlamaIndex's agents over the Responses API, on the sandbox, with and without stored state."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer

from llamaindex_rivya import GMI, OpenAICompatible
from rivya_sandbox import Sandbox

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"It is 21 degrees in {city}."


@pytest.fixture(params=["gmi", "chained"])
def llm(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    """GMI with the whole history each time, and a plain back end that continues stored responses."""
    if request.param == "gmi":
        return GMI(api_key=sandbox.api_key, base_url=sandbox.gmi_url, use_responses_api=True)
    return OpenAICompatible(
        model="gpt-5.2", api_key=sandbox.api_key, base_url=sandbox.openai_url, use_previous_response_id=True
    )


@pytest.mark.parametrize("workflow", [False, True], ids=["agent", "workflow"])
async def test_an_agent_calls_its_tool_remembers_and_answers(llm: Any, sandbox: Sandbox, workflow: bool) -> None:
    """Two runs with one memory; each request went to the Responses API."""
    agent: Any = FunctionAgent(llm=llm, tools=[get_weather])
    agent = AgentWorkflow(agents=[agent]) if workflow else agent
    memory = ChatMemoryBuffer.from_defaults(token_limit=10_000)

    first = await agent.run("My name is Ada. What is the weather in Basel?", memory=memory)
    second = await agent.run("What is my name?", memory=memory)

    assert "21" in str(first)
    assert "Ada" in str(second)
    assert {entry.path.rpartition("/")[2] for entry in sandbox.journal.requests} == {"responses"}
    continued = [bool(entry.body.get("previous_response_id")) for entry in sandbox.journal.requests]
    assert continued == ([False, True, True] if llm.use_previous_response_id else [False] * 3)
