"""LangChain's agents and LangGraph over all chat models, on the sandbox."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import respx
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel
from wire import PATH, URL, body, chunk, events, reply

from langchain_rivya import ChatEvolink, ChatGMI, ChatOpenAICompatible, ChatRivya
from rivya_sandbox import Sandbox


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"It is 21 degrees in {city}."


@pytest.fixture(params=["rivya", "evolink", "gmi", "compatible", "gmi-responses", "chained", "prompted"])
def model(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    """Each kind of model."""
    made = {
        "rivya": lambda: ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url),
        "prompted": lambda: ChatOpenAICompatible(
            model="gpt-5.2", api_key=sandbox.api_key, base_url=sandbox.openai_url, tool_calling="prompted"
        ),
        "evolink": lambda: ChatEvolink(api_key=sandbox.api_key, base_url=sandbox.evolink_url),
        "gmi": lambda: ChatGMI(api_key=sandbox.api_key, base_url=sandbox.gmi_url),
        "compatible": lambda: ChatOpenAICompatible(
            model="gpt-5.2", api_key=sandbox.api_key, base_url=sandbox.openai_url
        ),
        "gmi-responses": lambda: ChatGMI(api_key=sandbox.api_key, base_url=sandbox.gmi_url, use_responses_api=True),
        "chained": lambda: ChatOpenAICompatible(
            model="gpt-5.2",
            api_key=sandbox.api_key,
            base_url=sandbox.openai_url,
            use_previous_response_id=True,
        ),
    }
    return made[request.param]()


QUESTION = {"messages": [HumanMessage("What is the weather in Basel?")]}


def test_an_agent_calls_its_tool_and_answers(model: Any) -> None:
    """Sync and async give the same round: question, call, result, answer."""
    agent = create_agent(model, tools=[get_weather])
    for state in (agent.invoke(QUESTION), asyncio.run(agent.ainvoke(QUESTION))):
        kinds = [type(message) for message in state["messages"]]
        assert kinds == [HumanMessage, AIMessage, ToolMessage, AIMessage]
        assert state["messages"][1].tool_calls[0]["args"] == {"city": "Basel"}
        assert "21" in state["messages"][-1].text


def test_an_agent_streams_tokens(model: Any) -> None:
    """LangGraph's `messages` mode sees the chunks of every model call."""
    agent = create_agent(model, tools=[get_weather])
    chunks = [piece for piece, _ in agent.stream(QUESTION, stream_mode="messages") if isinstance(piece, AIMessageChunk)]
    assert "21" in "".join(piece.text for piece in chunks)
    assert any(piece.tool_call_chunks for piece in chunks)


class Weather(BaseModel):
    """The weather."""

    city: str
    degrees: int


def test_an_agent_gives_structured_output(model: Any) -> None:
    """The profile lets `create_agent` choose the provider's own format where there is one."""
    state = create_agent(model, tools=[get_weather], response_format=Weather).invoke(QUESTION)
    assert isinstance(state["structured_response"], Weather)
    if model.profile["structured_output"]:
        state = create_agent(model, tools=[get_weather], response_format=ProviderStrategy(Weather)).invoke(QUESTION)
        assert isinstance(state["structured_response"], Weather)


WEATHER = '{"city": "Basel", "degrees": 21}'
AWKWARD = [f"```json\n{WEATHER}\n```", f"Here it is: {WEATHER} - enjoy.", f"<think>{{}}</think>{WEATHER}"]


@pytest.mark.parametrize("reply", AWKWARD)
@pytest.mark.parametrize("model", ["rivya", "prompted"], indirect=True)
def test_an_agent_reads_an_object_with_words_around_it(model: Any, sandbox: Sandbox, reply: str) -> None:
    """LangChain reads the message's text as JSON, so the text is the object; whole and streamed."""
    for tools in ([], [get_weather]):
        for form in (Weather, ProviderStrategy(Weather)):
            agent = create_agent(model, tools=tools, response_format=form)
            sandbox.answer(reply)
            assert agent.invoke(QUESTION)["structured_response"] == Weather(city="Basel", degrees=21)
            sandbox.answer(reply)
            *_, (_, last) = agent.stream(QUESTION, stream_mode=["messages", "values"])
            assert last["structured_response"] == Weather(city="Basel", degrees=21)


@pytest.mark.parametrize("model", ["rivya", "prompted"], indirect=True)
@pytest.mark.parametrize("reply", ['["Rhine", "Aare"]', '{"value": ["Rhine", "Aare"]}'])
@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_reads_a_list(model: Any, sandbox: Sandbox, reply: str, streaming: bool) -> None:
    """A list is asked for inside an object. LangChain reads the text, so the text is the list alone."""
    sandbox.answer(reply)
    rivers = {"title": "Rivers", "type": "array", "items": {"type": "string"}}
    agent = create_agent(model.model_copy(update={"streaming": streaming}), response_format=ProviderStrategy(rivers))
    assert agent.invoke(QUESTION)["structured_response"] == ["Rhine", "Aare"]


@pytest.mark.parametrize("model", ["rivya", "prompted"], indirect=True)
def test_an_agent_reads_the_repaired_object_of_a_stream(model: Any, sandbox: Sandbox) -> None:
    """What did not fit is not shown, for the text must be the object alone."""
    sandbox.answer('{"city": "Basel"}')
    sandbox.answer(WEATHER)
    agent = create_agent(model, response_format=ProviderStrategy(Weather))
    *_, (_, last) = agent.stream(QUESTION, stream_mode=["messages", "values"])
    assert last["structured_response"] == Weather(city="Basel", degrees=21)


@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_never_ends_without_its_object(model: Any, sandbox: Sandbox, streaming: bool) -> None:
    """LangChain itself ends silently where a model ignores `tool_choice`, although `ToolStrategy` wants an object."""
    sandbox.answer("It is warm.")
    sandbox.answer("Quite warm.")
    model = model.model_copy(update={"streaming": streaming})
    agent = create_agent(model, tools=[get_weather], response_format=ToolStrategy(Weather))
    with pytest.raises(OutputParserException, match="calls no tool, and a call is required"):
        agent.invoke(QUESTION)


def test_summarisation_knows_the_models_size(model: Any) -> None:
    """A fraction of the context needs the profile; a long history is summarised by the model itself."""
    middleware = SummarizationMiddleware(model=model, trigger=("fraction", 0.001), keep=("messages", 2))
    agent = create_agent(model, tools=[], middleware=[middleware], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    for number in range(6):
        state = agent.invoke({"messages": [HumanMessage(f"Fact {number}: " + "blue " * 200)]}, config)
    assert len(state["messages"]) < 12
    assert "summar" in state["messages"][0].text.lower()


def test_a_conversation_is_remembered_by_a_checkpointer(model: Any) -> None:
    """Two turns of one thread."""
    agent = create_agent(model, tools=[get_weather], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke({"messages": [HumanMessage("My name is Ada.")]}, config)
    state = agent.invoke({"messages": [HumanMessage("What is my name?")]}, config)
    assert "Ada" in state["messages"][-1].text


def test_retry_and_fallback_middleware_read_the_errors(sandbox: Sandbox) -> None:
    """A retryable error is retried; one that is not goes to the fallback at once."""
    with respx.mock(assert_all_mocked=False) as router:
        router.route(host="127.0.0.1").pass_through()
        answers = [body({"error": {"message": "x"}}, 503), reply(), body({"error": {"message": "no"}}, 401)]
        router.post(PATH).mock(side_effect=answers)
        flaky = ChatOpenAICompatible(model="m", base_url=URL, max_retries=0)
        retrying = create_agent(flaky, middleware=[ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)])
        assert retrying.invoke({"messages": ["?"]})["messages"][-1].text == "hi"

        rivya = ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)
        falling = create_agent(flaky, middleware=[ModelFallbackMiddleware(rivya)])
        last = falling.invoke({"messages": ["Say hello"]})["messages"][-1]
        assert last.response_metadata["model_provider"] == "rivya"


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_v3_events_have_text_reasoning_and_calls() -> None:
    """LangChain's event protocol, sync and async."""
    stream = events(
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "hi"}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}}]}),
        chunk(finish="tool_calls"),
    )
    with respx.mock() as router:
        router.post(PATH).mock(
            side_effect=lambda _: httpx.Response(200, headers=stream.headers, content=stream.content)
        )
        model = ChatOpenAICompatible(model="m", base_url=URL)

        async def collect() -> Any:
            return await (await model.astream_events("?", version="v3")).output

        for message in (model.stream_events("?", version="v3").output, asyncio.run(collect())):
            assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]
            assert json.loads(json.dumps(message.tool_calls[0]["args"])) == {"x": 1}
