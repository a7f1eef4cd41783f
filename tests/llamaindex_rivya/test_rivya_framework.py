"""`Rivya` where LlamaIndex drives it: query engines, chat engines, agents, programs, on the sandbox."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
from llama_index.core import Document, PromptTemplate, Settings, SimpleKeywordTableIndex, SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from pydantic import BaseModel

from llamaindex_rivya import Rivya

# LlamaIndex's agents and workflows use names that pydantic, and they themselves, have deprecated; and pydantic 2.14
# cannot write their memories, which is why each run here is given its memory.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]

RIVERS = [
    Document(text="The Rhine is 1,233 kilometres long. It rises in the Swiss Alps."),
    Document(text="The Danube is 2,850 kilometres long. It rises in the Black Forest."),
]


AGENTS_RUN_ALONE = find_spec("llama_index.core.agent.workflow.agent_context") is not None


class River(BaseModel):
    """A river."""

    name: str
    length: int
    countries: list[str] = []


JSON = json.dumps({"name": "Rhine", "length": 1233, "countries": ["Switzerland", "Germany"]})


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize", "simple_summarize", "accumulate"])
def test_summary_indexes_answer_from_their_documents(rivya, calls, mode):
    """A query engine over documents, in every response mode."""
    engine = SummaryIndex.from_documents(RIVERS).as_query_engine(llm=rivya, response_mode=mode)

    assert "2,850" in str(calls.run(engine, "query", "How long is the Danube?"))


def test_keyword_tables_answer(rivya, calls):
    """A keyword index needs no embedding."""
    engine = SimpleKeywordTableIndex.from_documents(RIVERS, llm=rivya).as_query_engine(llm=rivya)

    assert "1,233" in str(calls.run(engine, "query", "How long is the Rhine?"))


def test_query_engines_stream(rivya):
    """A streaming query engine gives the answer piece by piece."""
    engine = SummaryIndex.from_documents(RIVERS).as_query_engine(llm=rivya, streaming=True)

    pieces = list(engine.query("How long is the Danube?").response_gen)

    assert len(pieces) > 1
    assert "2,850" in "".join(pieces)


def test_long_documents_are_packed_below_the_message_limit(rivya, sandbox):
    """The default window keeps every prompt below 20,000 characters, whatever the documents' size."""
    long = [Document(text=" ".join(f"Sentence {n} about rivers and seas and mountains." for n in range(2000)))]
    engine = SummaryIndex.from_documents(long).as_query_engine(llm=rivya, response_mode="tree_summarize")

    engine.query("What is it about?")

    lengths = [len(request.body["message"]) for request in sandbox.journal.requests]
    assert len(lengths) > 1
    assert 10_000 < max(lengths) <= 20_000


def test_chat_engines_condense_and_answer(rivya, calls):
    """An engine that rewrites the question and puts retrieved text into a message answers in every turn."""
    memory = ChatMemoryBuffer.from_defaults(llm=rivya)
    retriever = SummaryIndex.from_documents(RIVERS).as_retriever()
    engine = CondensePlusContextChatEngine.from_defaults(retriever=retriever, llm=rivya, memory=memory)

    assert "2,850" in str(calls.run(engine, "chat", "How long is the Danube?"))
    assert "1,233" in str(calls.run(engine, "chat", "How long is the Rhine?"))


def test_chat_engines_with_context_in_a_system_message(rivya, sandbox, calls):
    """Retrieved text that changes from turn to turn is what the model sees, and the earlier one is not."""
    memory = ChatMemoryBuffer.from_defaults(llm=rivya)
    retriever = SimpleKeywordTableIndex.from_documents(RIVERS, llm=rivya).as_retriever()
    engine = ContextChatEngine.from_defaults(retriever=retriever, llm=rivya, memory=memory)

    calls.run(engine, "chat", "How long is the Danube?")
    calls.run(engine, "chat", "Where does the Rhine rise?")

    (context,) = [message.text for message in sandbox.journal.turns[-1].context]
    assert "Swiss Alps" in context
    assert "Black Forest" not in context
    assert "How long is the Danube?" in context


def test_tokens_are_counted_through_an_engine(rivya, sandbox, monkeypatch):
    """Counts of a query engine are those of the provider."""
    counter = TokenCountingHandler()
    monkeypatch.setattr(Settings, "_callback_manager", CallbackManager([counter]))

    SummaryIndex.from_documents(RIVERS).as_query_engine(llm=rivya).query("How long is the Danube?")

    (entry,) = sandbox.journal.turns
    assert counter.prompt_llm_token_count == sum(message.tokens for message in entry.context)


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def test_react_agents_use_tools(rivya):
    """An agent that works in text calls a tool and answers with its result."""
    agent = ReActAgent(tools=[multiply], llm=rivya)

    result = await agent.run("Please multiply 6 and 7.", memory=ChatMemoryBuffer.from_defaults(llm=rivya))

    assert "42" in str(result)
    assert [call.tool_name for call in result.tool_calls] == ["multiply"]


async def test_agent_workflows_remember(rivya, sandbox):
    """A workflow picks the agent that calls functions, and its second run knows the first."""
    workflow = AgentWorkflow.from_tools_or_functions([multiply], llm=rivya)
    memory, context = ChatMemoryBuffer.from_defaults(llm=rivya), Context(workflow)

    await workflow.run("Please multiply 6 and 7.", ctx=context, memory=memory)
    await workflow.run("Please multiply 5 and 5.", ctx=context, memory=memory)

    assert isinstance(next(iter(workflow.agents.values())), FunctionAgent)
    assert any("6 and 7" in message.text for message in sandbox.journal.turns[-1].context)


async def test_with_tools_off_function_agents_say_that_they_need_another_model(rivya):
    """LlamaIndex refuses at once; nothing is sent."""
    llm = rivya.model_copy(update={"tool_calling": "off"})
    with pytest.raises(ValueError, match="FunctionCallingLLM"):
        await FunctionAgent(tools=[multiply], llm=llm).run("Hi", memory=ChatMemoryBuffer.from_defaults(llm=llm))


@pytest.mark.skipif(not AGENTS_RUN_ALONE, reason="this framework's own way does not run with today's workflows")
def test_predict_and_call_works_in_text(rivya, calls):
    """`predict_and_call` takes the agent's way for a model without function calling."""
    response = calls.run(rivya, "predict_and_call", [FunctionTool.from_defaults(multiply)], "Please multiply 6 and 7.")

    assert "42" in str(response)


@pytest.mark.parametrize("text", [JSON, f"```json\n{JSON}\n```", f"Here it is: {JSON}"], ids=["bare", "fenced", "said"])
def test_structured_prediction_in_text(rivya, sandbox, calls, text):
    """A pydantic object out of a text answer, whatever stands around it; the schema is in the prompt."""
    sandbox.answer(text)

    river = calls.run(rivya, "structured_predict", River, PromptTemplate("Tell me of {name}."), name="the Rhine")

    assert river == River(name="Rhine", length=1233, countries=["Switzerland", "Germany"])
    assert '"length"' in sandbox.journal.requests[0].body["message"]


def test_structured_streams(rivya, sandbox, calls):
    """Objects grow, the last one is whole."""
    sandbox.answer(JSON)

    objects = calls.each(rivya, "stream_structured_predict", River, PromptTemplate("Tell me of {name}."), name="x")

    assert objects[-1] == River(name="Rhine", length=1233, countries=["Switzerland", "Germany"])


def test_structured_llms(rivya, sandbox, calls):
    """`as_structured_llm` gives the object in `raw`."""
    sandbox.answer(JSON)

    response = calls.run(rivya.as_structured_llm(River), "chat", [ChatMessage(content="The Rhine?")])

    assert response.raw.name == "Rhine"


def test_structured_prediction_leaves_the_callers_objects_alone(rivya, sandbox, calls):
    """The template and keywords that were passed are as they were, and can be used for plain prediction."""
    template, keywords = PromptTemplate("Tell me of {name}."), {"reasoning_effort": "low", "tool_choice": "x"}
    sandbox.answer(JSON)
    sandbox.answer(JSON)

    calls.run(rivya, "structured_predict", River, template, {"reasoning_effort": "low"}, name="x")
    calls.each(rivya, "stream_structured_predict", River, template, {"reasoning_effort": "low"}, name="x")
    calls.run(rivya, "predict", template, name="the Rhine")

    assert template.output_parser is None
    assert keywords == {"reasoning_effort": "low", "tool_choice": "x"}
    assert sandbox.journal.requests[0].body["reasoning_effort"] == "low"
    assert sandbox.journal.requests[-1].body["message"] == "Tell me of the Rhine."


def test_system_prompts_reach_structured_prediction(sandbox, calls):
    """The model's `system_prompt` is said, sync and async."""
    llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, system_prompt="Speak of rivers only.")
    sandbox.answer(JSON)

    calls.run(llm, "structured_predict", River, PromptTemplate("Tell me of {name}."), name="x")

    assert "Speak of rivers only." in sandbox.journal.requests[0].body["message"]


def test_programs_work_in_text_and_by_function(rivya, sandbox):
    """The program for models that answer in text works, and so does the one for function calling."""
    sandbox.answer(JSON)
    parser = PydanticOutputParser(output_cls=River)

    river = LLMTextCompletionProgram.from_defaults(parser, prompt_template_str="A river.", llm=rivya)()

    assert river.name == "Rhine"
    sandbox.answer(f'<tool_call>{{"name": "River", "arguments": {JSON}}}</tool_call>')
    assert FunctionCallingProgram.from_defaults(River, "A river.", llm=rivya)().name == "Rhine"


def test_output_parsers_of_the_model_are_used(sandbox, calls):
    """A parser in the constructor formats prompts and parses answers."""
    llm = Rivya(
        api_key=sandbox.api_key, base_url=sandbox.rivya_url, output_parser=PydanticOutputParser(output_cls=River)
    )
    sandbox.answer(JSON)

    assert "Rhine" in calls.run(llm, "predict", PromptTemplate("Tell me of {name}."), name="the Rhine")


def test_reasoning_is_a_block(rivya, sandbox, calls):
    """The model's reasoning is in a thinking block, before the text."""
    sandbox.answer("Yes.", reasoning="Let me see.")

    message = calls.run(rivya, "chat", [ChatMessage(content="Is it?")]).message

    assert isinstance(message.blocks[0], ThinkingBlock)
    assert message.blocks[0].content == "Let me see."
    assert message.content == "Yes."
