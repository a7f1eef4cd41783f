"""What the frameworks ask for in words, with their own objects on a real port: the stand-in plays along."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core import Document, SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    ContextRelevancyEvaluator,
    CorrectnessEvaluator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    PairwiseComparisonEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.extractors import (
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.indices.property_graph import (
    DynamicLLMPathExtractor,
    SchemaLLMPathExtractor,
    SimpleLLMPathExtractor,
)
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.schema import QueryBundle, TextNode
from llama_index.core.selectors import LLMSingleSelector, PydanticSingleSelector
from llama_index.core.tools import ToolMetadata
from pydantic import BaseModel, Field

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from llamaindex_rivya import OpenAICompatible, Rivya
from rivya_sandbox import Sandbox

QUESTION = "How long is the Rhine?"
RIGHT = "The Rhine is 1,230 kilometres long."
WRONG = "The Rhine is 99 kilometres long and green."
CONTEXTS = [
    "The Rhine is 1,230 kilometres long. It flows into the North Sea.",
    "The Danube flows into the Black Sea. It is 2,850 kilometres long.",
]


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The name of the person")
    height_in_meters: float = Field(description="The height of the person expressed in meters.")


class River(BaseModel):
    """A river."""

    name: str
    length_km: int


@pytest.fixture(params=["rivya", "openai"])
def llm(sandbox: Sandbox, request: pytest.FixtureRequest) -> Any:
    """LlamaIndex on a chat-only API, and on one with tools."""
    if request.param == "rivya":
        return Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)
    return OpenAICompatible(model="gpt-4.1", api_key=sandbox.api_key, base_url=sandbox.openai_url)


@pytest.fixture(params=["rivya", "openai"])
def chat(sandbox: Sandbox, request: pytest.FixtureRequest) -> Any:
    """The same for LangChain."""
    if request.param == "rivya":
        return ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)
    return ChatOpenAICompatible(model="gpt-4.1", api_key=sandbox.api_key, base_url=sandbox.openai_url)


@pytest.mark.parametrize(("response", "passing"), [(RIGHT, True), (WRONG, False)])
def test_evaluators_tell_a_right_answer_from_a_wrong_one(llm: Any, response: str, passing: bool) -> None:
    asked = {"query": QUESTION, "response": response}

    assert FaithfulnessEvaluator(llm=llm).evaluate(**asked, contexts=CONTEXTS).passing is passing
    assert RelevancyEvaluator(llm=llm).evaluate(**asked, contexts=CONTEXTS).passing is passing
    assert CorrectnessEvaluator(llm=llm).evaluate(**asked, reference=RIGHT).passing is passing


@pytest.mark.parametrize(("response", "passing"), [(RIGHT, True), ("Bananas.", False)])
def test_evaluators_tell_an_answer_to_the_question_from_another(llm: Any, response: str, passing: bool) -> None:
    asked = {"query": QUESTION, "response": response}

    assert GuidelineEvaluator(llm=llm).evaluate(**asked, contexts=CONTEXTS).passing is passing
    assert AnswerRelevancyEvaluator(llm=llm).evaluate(**asked).score == (1.0 if passing else 0.0)
    assert PairwiseComparisonEvaluator(llm=llm).evaluate(**asked, second_response="None.").score == (
        1.0 if passing else 0.5
    )
    assert ContextRelevancyEvaluator(llm=llm).evaluate(query=QUESTION, contexts=[response]).score == (
        1.0 if passing else 0.0
    )


TEXT = " ".join(CONTEXTS) + " The Golden Gate Bridge was opened in 1937. It was designed by Joseph Strauss."


@pytest.mark.parametrize(
    ("extractor", "words"),
    [
        (TitleExtractor, "Rhine"),
        (KeywordExtractor, "kilometres"),
        (QuestionsAnsweredExtractor, "How long is The Rhine?"),
        (SummaryExtractor, "The Rhine is 1,230 kilometres long."),
    ],
)
def test_extractors_find_metadata(llm: Any, extractor: Any, words: str) -> None:
    [metadata] = extractor(llm=llm).extract([TextNode(text=TEXT)])

    assert words in next(iter(metadata.values()))


@pytest.mark.parametrize("extractor", [SimpleLLMPathExtractor, DynamicLLMPathExtractor])
def test_a_graph_is_made_of_triplets(llm: Any, extractor: Any) -> None:
    """A pronoun stands for the name before it."""
    [node] = extractor(llm=llm)([TextNode(text=TEXT)])

    found = {(one.source_id.lower(), one.label.lower(), one.target_id.lower()) for one in node.metadata["relations"]}
    assert ("the rhine", "flows into", "the north sea") in found
    assert ("the golden gate bridge", "was designed by", "joseph strauss") in found


def test_a_graph_with_a_schema_is_made_of_the_text_alone(llm: Any) -> None:
    [node] = SchemaLLMPathExtractor(llm=llm)([TextNode(text=TEXT)])
    assert node.metadata["nodes"]
    assert all(one.name in TEXT for one in node.metadata["nodes"])


def test_a_question_is_split_for_the_tools_that_fit(llm: Any) -> None:
    tools = [ToolMetadata(name=name, description=f"Facts about {name}") for name in ("rivers", "bridges", "bananas")]

    found = LLMQuestionGenerator.from_defaults(llm=llm).generate(tools, QueryBundle("Compare rivers and bridges"))

    assert [one.tool_name for one in found] == ["rivers", "bridges"]


def test_a_program_gets_its_object(llm: Any) -> None:
    program = LLMTextCompletionProgram.from_defaults(
        output_cls=River, prompt_template_str="Extract the river: {text}", llm=llm
    )

    assert program(text="The Rhine is 1230 kilometres long.") == River(name="Rhine", length_km=1230)


@pytest.mark.parametrize("place", ["human", "system"])
def test_an_output_parser_gets_its_object(chat: Any, place: str) -> None:
    """LangChain's own instructions, in either message."""
    parser = PydanticOutputParser(pydantic_object=Person)
    if place == "human":
        template: Any = PromptTemplate.from_template("Answer the user query.\n{instructions}\n{query}\n")
    else:
        template = ChatPromptTemplate([("system", "Answer the user query.\n{instructions}"), ("human", "{query}")])
    chain = template.partial(instructions=parser.get_format_instructions()) | chat | parser

    asked = {"query": "Anna is 23 years old and she is 1.8 meters tall"}

    assert chain.invoke(asked) == Person(name="Anna", height_in_meters=1.8)


@pytest.mark.parametrize(
    "template",
    [
        "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer "
        "the question. If you don't know the answer, say that you don't know.\n\n{context}",
        "Use the given context to answer the question. Use three sentences maximum. Context: {context}",
        "Answer the user's questions based on the below context:\n\n<context>\n{context}\n</context>",
        "Answer based solely on the context below:\n\n<context>\n{context}\n</context>",
        "Answer from these documents:\n{context}",
        "Use the context information below to assist the user.\n--------------------\n{context}\n---------------\n",
    ],
)
def test_documents_in_the_system_message_answer_the_question(chat: Any, template: str) -> None:
    context = "\n\n".join(CONTEXTS)

    reply = chat.invoke([SystemMessage(template.format(context=context)), HumanMessage("How long is the Danube?")])

    assert reply.text == "It is 2,850 kilometres long."


def test_a_follow_up_question_is_asked_on_its_own(chat: Any) -> None:
    """LangChain's prompt for retrievers that know the history."""
    system = "Given a chat history and the latest user question, formulate a standalone question. Do NOT answer it."
    history = [HumanMessage("Tell me about the Danube."), AIMessage("The Danube is a river.")]
    assert chat.invoke([SystemMessage(system), *history, HumanMessage("How long is it?")]).text == (
        "How long is the Danube?"
    )


def test_objects_are_made_of_the_passages_that_answer_the_question(llm: Any) -> None:
    """As in a query engine with `output_cls`."""
    engine = SummaryIndex.from_documents([Document(text=text) for text in CONTEXTS]).as_query_engine(
        llm=llm, output_cls=River
    )
    assert engine.query("How long is the Rhine?").response == River(name="Rhine", length_km=1230)


def test_selectors_choose_the_summary_that_fits(llm: Any) -> None:
    summaries = ["Facts about single rivers", "Summaries of all documents"]
    for kind in (LLMSingleSelector, PydanticSingleSelector):
        assert kind.from_defaults(llm=llm).select(summaries, "Summarize the documents").inds == [1]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def record_notes(title: str, notes: str) -> str:
    """Record notes on a topic."""
    return f"{title}: {len(notes)} characters recorded."


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own, about pydantic
@pytest.mark.parametrize("kind", [ReActAgent, FunctionAgent])
async def test_an_agent_hands_off_to_one_that_uses_its_tool(llm: Any, kind: Any) -> None:
    calculator = kind(
        name="Calculator", description="Does arithmetic.", tools=[add], llm=llm, can_handoff_to=["Writer"]
    )
    writer = kind(name="Writer", description="Records notes.", tools=[record_notes], llm=llm)
    workflow = AgentWorkflow(agents=[calculator, writer], root_agent="Calculator")

    assert "7" in str(await workflow.run("What is 3 + 4?"))
    assert str(await workflow.run("Please record notes about llamas.")).endswith("characters recorded.")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_code_agent_computes_with_its_function(llm: Any) -> None:
    def execute(code: str) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, {"add": add})
        return output.getvalue()

    agent = CodeActAgent(code_execute_fn=execute, tools=[add], llm=llm)

    assert "7" in str(await agent.run("What is 3 + 4?"))
    assert str(await agent.run("Hello")) == "Hello! How can I help you?"
