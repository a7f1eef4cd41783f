"""`GMI` and `Evolink` where LlamaIndex drives them, on the sandbox's own rules."""

from __future__ import annotations

import pytest
from llama_index.core import Document, PromptTemplate, SummaryIndex
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from pydantic import BaseModel
from samples import png

from llamaindex_rivya import GMI, AuthenticationError, Evolink, OpenAICompatible

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]


@pytest.fixture(params=["Evolink", "GMI", "OpenAICompatible"])
def llm(request, sandbox):
    """Each class on its flavour of the sandbox."""
    if request.param == "Evolink":
        return Evolink(api_key=sandbox.api_key, base_url=sandbox.evolink_url)
    if request.param == "GMI":
        return GMI(api_key=sandbox.api_key, base_url=sandbox.gmi_url)
    return OpenAICompatible(model="gpt-5.2", api_key=sandbox.api_key, base_url=sandbox.openai_url)


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class City(BaseModel):
    """A city."""

    name: str
    people: int


def test_chats_and_streams_say_the_same(llm, calls):
    """A plain question, whole and streamed, with usage."""
    asked = [ChatMessage(role="user", content="Hello!")]

    whole = calls.run(llm, "chat", asked)
    last = calls.each(llm, "stream_chat", asked)[-1]

    assert whole.message.content
    assert last.message.content == whole.message.content
    assert last.raw["usage"]["total_tokens"] == whole.raw["usage"]["total_tokens"] > 0


async def test_function_agents(llm):
    """An agent calls a tool and answers with its result."""
    memory = ChatMemoryBuffer.from_defaults(token_limit=10_000)

    result = await FunctionAgent(tools=[multiply], llm=llm).run("Please multiply 6 and 7.", memory=memory)

    assert "42" in str(result)
    assert [call.tool_name for call in result.tool_calls] == ["multiply"]


async def test_react_agents(llm):
    """An agent that works in text does so on these models too."""
    memory = ChatMemoryBuffer.from_defaults(token_limit=10_000)

    result = await ReActAgent(tools=[multiply], llm=llm).run("Please multiply 6 and 7.", memory=memory)

    assert "42" in str(result)


def test_query_engines(llm, calls):
    """A query engine over documents."""
    documents = [Document(text="The Danube is 2,850 kilometres long. It rises in the Black Forest.")]
    engine = SummaryIndex.from_documents(documents).as_query_engine(llm=llm)

    assert "2,850" in str(calls.run(engine, "query", "How long is the Danube?"))


def test_structured_prediction(llm, calls):
    """An object out of a reply, whole and streamed."""
    ask = PromptTemplate("Describe the city {name} with its people.")

    city = calls.run(llm, "structured_predict", City, ask, name="Basel")
    streamed = calls.each(llm, "stream_structured_predict", City, ask, name="Basel")[-1]

    assert isinstance(city, City)
    assert streamed == city


def test_images_are_seen(llm, sandbox, calls):
    """An image in a message reaches the model."""
    message = ChatMessage(role="user", blocks=[TextBlock(text="What is it?"), ImageBlock(image=png())])

    calls.run(llm, "chat", [message])

    assert sandbox.journal.turns[-1].context[-1].attachments


def test_a_wrong_key_is_a_typed_error(llm, calls):
    """The error says what the provider said, and keeps the key to itself."""
    wrong = type(llm)(model=llm.model, base_url=llm.base_url, api_key="sk-wrong-key-123456")

    with pytest.raises(AuthenticationError) as caught:
        calls.run(wrong, "complete", "Hi")

    assert "sk-wrong-key-123456" not in str(caught.value)
