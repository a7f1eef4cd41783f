"""LangChain's own summarising middleware before Rivya's chat, whose message has a largest size."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage

from langchain_rivya import ChatRivya
from rivya_sandbox import Sandbox

LONG = [
    message
    for number in range(12)
    for message in (HumanMessage(f"Question {number}"), AIMessage(f"{number} " + "The Rhine is long. " * 100))
]
"""A history of about 23,000 characters, more than one message of Rivya's chat."""


@pytest.fixture
def model(sandbox: Sandbox) -> ChatRivya:
    return ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)


def run(agent: Any, asynchronous: bool) -> Any:
    question: Any = {"messages": [*LONG, HumanMessage("And the Elbe?")]}
    return asyncio.run(agent.ainvoke(question)) if asynchronous else agent.invoke(question)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_fraction_of_the_profile_triggers_the_summary_in_time(
    model: ChatRivya, sandbox: Sandbox, asynchronous: bool
) -> None:
    """As the guide has it: the history is summarised before the agent's own call, which then fits."""
    summarise = SummarizationMiddleware(model, trigger=("fraction", 0.8), keep=("messages", 4))
    state = run(create_agent(model, [], middleware=[summarise]), asynchronous)
    assert isinstance(state["messages"][-1], AIMessage)
    assert len(state["messages"]) < len(LONG)
    assert len(sandbox.journal.turns) == 2, "one for the summary, one for the answer"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_middleware_does_not_act_on_an_overflow_of_the_agents_own_call(
    model: ChatRivya, sandbox: Sandbox, asynchronous: bool
) -> None:
    """With a trigger that does not fire, the error reaches the caller, and nothing is charged."""
    summarise = SummarizationMiddleware(model, trigger=("messages", 1000), keep=("messages", 4))
    with pytest.raises(ContextOverflowError, match="Nothing was sent"):
        run(create_agent(model, [], middleware=[summarise]), asynchronous)
    assert not sandbox.journal.turns
