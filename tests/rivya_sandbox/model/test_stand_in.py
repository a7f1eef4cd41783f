"""The stand-in model: sensible answers, the same every time."""

import json
import time

import pytest

from rivya_sandbox import Message, StandIn
from rivya_sandbox.model.prompts import PROMPTS

DOCUMENTS = """file_path: data/eiffel.md

# The Eiffel Tower

The Eiffel Tower is a lattice tower on the Champ de Mars in Paris. It is named after the engineer Gustave Eiffel, whose
company built the tower from 1887 to 1889. It was criticised at first by some of France's leading artists, e.g. Charles
Garnier, for its design.

The tower is 330 metres tall. It was the first structure to surpass the 300-metre mark in height.

- Visitors: 5.9 million people in 2022
- Weight: 10,100 tonnes

file_path: data/bridge.md

The Golden Gate Bridge is a suspension bridge. It opened in 1937 and was designed by Joseph Strauss. Its colour is
International Orange."""

ASKED = [
    ("How tall is the Eiffel Tower?", "The tower is 330 metres tall."),
    ("When did the Golden Gate Bridge open?", "It opened in 1937 and was designed by Joseph Strauss."),
    ("Who designed the Golden Gate Bridge?", "It opened in 1937 and was designed by Joseph Strauss."),
    ("What colour is the bridge?", "Its colour is International Orange."),
    ("How heavy is the tower?", "Weight: 10,100 tonnes"),
    ("How many visitors came in 2022?", "Visitors: 5.9 million people in 2022"),
    (
        "Which artists criticised it?",
        "It was criticised at first by some of France's leading artists, e.g. Charles Garnier, for its design.",
    ),
    ("At what temperature does water boil?", "The given context does not say."),
    ("How tall is the Leaning Tower of Pisa?", "The given context does not say."),
    (
        "What is this about?",
        "The Eiffel Tower is a lattice tower on the Champ de Mars in Paris. It is named after the engineer Gustave "
        "Eiffel, whose company built the tower from 1887 to 1889.",
    ),
]

PASSAGE_PROMPTS = [
    "Context information is below.\n---------------------\n{context}\n---------------------\n"
    "Given the context information and not prior knowledge, answer the query.\nQuery: {question}\nAnswer: ",
    "Context information from multiple sources is below.\n---------------------\n{context}\n---------------------\n"
    "Given the information from multiple sources, answer the query.\nQuery: {question}\nAnswer: ",
    "Answer the question based only on the following context:\n{context}\n\nQuestion: {question}",
    "Use the following pieces of retrieved context to answer the question.\n"
    "Question: {question} \nContext: {context} \nAnswer:",
]


def conversation(*said):
    roles = ("user", "assistant")
    return tuple(Message(roles[place % 2], text) for place, text in enumerate(said))


def answer(*said):
    return StandIn()(conversation(*said)).text


@pytest.mark.parametrize("prompt", PASSAGE_PROMPTS, ids=["query", "summarize", "chain", "retrieval"])
@pytest.mark.parametrize(("question", "expected"), ASKED)
def test_a_question_with_passages_is_answered_from_them(prompt, question, expected):
    """Also if the sentence says `it`, if a list item is the answer, and if there is no answer."""
    assert answer(prompt.format(context=DOCUMENTS, question=question)) == expected


@pytest.mark.parametrize(
    "instructions",
    [
        "Here are the relevant documents for the context:\n\n{context}\n\n  Instruction: Answer the question below.",
        "Answer from this.\nContext information is below.\n{context}",
    ],
)
def test_documents_in_the_system_message_count_too(instructions):
    """Chat engines put them there; small talk is still small talk."""
    system = Message("system", instructions.format(context=DOCUMENTS))

    def ask(text):
        return StandIn()((system, Message("user", text))).text

    assert ask("How tall is it?") == "The tower is 330 metres tall."
    assert ask("Good morning") == "Hello! How can I help you?"


def test_two_sentences_are_given_where_each_says_something_asked_for():
    """One for the colour, one for the year."""
    question = "Which colour is the Golden Gate Bridge, and when did it open?"

    assert answer(PASSAGE_PROMPTS[0].format(context=DOCUMENTS, question=question)) == (
        "It opened in 1937 and was designed by Joseph Strauss. Its colour is International Orange."
    )


def test_an_overview_is_made_of_the_central_sentences():
    """A question for an overview has no single sentence as its answer."""
    overview = answer(PASSAGE_PROMPTS[0].format(context=DOCUMENTS, question="Summarize the documents"))

    assert overview.startswith("The Eiffel Tower is a lattice tower")
    assert len(overview) > 200


def test_keywords_come_in_the_form_that_is_asked_for():
    """Without stop words, and no more than the prompt allows."""
    prompt = (
        "A question is provided below. Given the question, extract up to 2 keywords from the text.\n"
        "---------------------\nHow tall is the Eiffel Tower?\n---------------------\n"
        "Provide keywords in the following comma-separated format: 'KEYWORDS: <keywords>'\n"
    )

    assert answer(prompt) == "KEYWORDS: tall, eiffel"


REFINE = (
    "Rewrite an original answer using the new context.\nNew Context: {context}\nQuery: How tall is the Eiffel Tower?\n"
    "Original Answer: {given}\nNew Answer: "
)
REFINE_TEXT = (
    "The original query is as follows: How tall is the Eiffel Tower?\nWe have provided an existing answer: {given}\n"
    "We have the opportunity to refine it with some more context below.\n------------\n{context}\n------------\n"
    "Given the new context, refine the original answer.\nRefined Answer: "
)


@pytest.mark.parametrize("prompt", [REFINE, REFINE_TEXT])
def test_an_answer_is_refined_only_if_the_new_context_says_more(prompt):
    """Otherwise it is repeated."""
    good = "The Eiffel Tower is 330 m tall."

    assert answer(prompt.format(given=good, context="Bananas are yellow.")) == good
    assert answer(prompt.format(given="Unknown.", context=DOCUMENTS)) == "The tower is 330 metres tall."


CHOICES = (
    "Some choices are given below. It is provided in a numbered list (1 to 2).\n---------------------\n"
    "(1) About bridges\n\n(2) About towers\n---------------------\nUsing only the choices above, return "
    "the choice that is most relevant to the question: 'Which tower is it?'\n"
)


def test_choices_are_made():
    """As a number, as JSON, and as documents with a relevance."""
    documents = (
        "A list of documents is shown below.\nDocument 1:\n<summary of document 1>\n\nLet's try this now:\n\n"
        "Document 1:\nBridges\n\nDocument 2:\nTowers and their height\n\nQuestion: How high are towers?\nAnswer:"
    )

    assert answer(CHOICES).startswith("ANSWER: 2\n")
    assert json.loads(answer(CHOICES + "The output should be formatted as JSON."))[0]["choice"] == 2
    assert answer(documents) == "Doc: 2, Relevance: 6"
    assert answer(documents.replace("high are towers", "old is Rome")) == "Doc: 1, Relevance: 1"
    assert answer("Some choices are given below, but which?") is not None
    assert answer("A list of documents is shown below, but no question.") is not None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How tall is it?", "How tall is the Eiffel Tower?"),
        ("What is its weight?", "What is the Eiffel Tower's weight?"),
        ("Thank you.", "Thank you."),
    ],
)
@pytest.mark.parametrize(
    "prompt",
    [
        "Chat History:\n{history}\nFollow Up Input: {question}\nStandalone question:",
        "<Chat History>\n{history}\n\n<Follow Up Message>\n{question}\n\n<Standalone question>\n",
    ],
)
def test_a_follow_up_question_is_made_to_stand_alone(prompt, question, expected):
    """The subject of the history replaces the pronoun."""
    history = "user: Tell me of the Eiffel Tower\nassistant: It is in Paris."

    assert answer(prompt.format(history=history, question=question)) == expected
    assert answer(prompt.format(history="user: hi", question=question)) == question


def test_a_summary_is_made_of_the_central_sentences():
    """In their order."""
    summary = answer(f'Write a summary of the following.\n\n\n{DOCUMENTS}\n\n\nSUMMARY:"""\n')

    assert summary.startswith("The Eiffel Tower is a lattice tower")
    assert summary.endswith("e.g. Charles Garnier, for its design.")


TOOLS = """You have access to the following tools:
> Tool Name: multiply
Tool Description: multiply(a: int, b: int) -> int
Multiply two integers.
Tool Args: {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}

> Tool Name: generate_image
Tool Description: Generate an image from a prompt.
Tool Args: {"properties": {"prompt": {"type": "string"}, "aspect_ratio": {"enum": ["1:1", "16:9"], "type": "string"}, \
"tags": {"type": "array"}}, "required": ["prompt", "tags"]}

> Tool Name: broken
Tool Description: Unknown.
Tool Args: {nonsense}

```
Thought: I need to use a tool.
Action: tool name (one of multiply, generate_image).
Action Input: {"input": "hello world"}
```
Answer: [your answer here]
"""


def step(*said, instructions=TOOLS):
    return StandIn()((Message("system", instructions), *conversation(*said))).text


def test_an_agent_uses_a_tool_that_fits():
    """With arguments from the question, in the form that the prompt asks for."""
    assert step("Multiply 12 by -7").endswith('\nAction: multiply\nAction Input: {"a": 12, "b": -7}')
    assert step("Draw a red fox in 16:9").endswith(
        '\nAction: generate_image\nAction Input: {"prompt": "a red fox in 16:9", "aspect_ratio": "16:9", "tags": ["Draw a red fox in 16:9"]}'
    )
    assert step("Make a picture").startswith("Thought: ")


def test_an_agent_answers_after_an_observation_and_where_no_tool_fits():
    """The observation is the answer; small talk needs no tool."""
    assert step("Multiply 2 by 3", "Action: multiply", "Observation: 6").endswith("\nAnswer: 6")
    assert step("Hello").endswith("\nAnswer: Hello! How can I help you?")
    assert step("Hello", instructions=TOOLS + "Final Answer: the final answer").endswith(
        "\nFinal Answer: Hello! How can I help you?"
    )
    assert step("Observation: 6", instructions=TOOLS).endswith("Answer: 6")


def test_a_tool_message_is_an_observation():
    """For an agent, and for a model without instructions."""
    said = (Message("user", "Multiply 2 by 3"), Message("assistant", ""), Message("tool", "6"))

    assert StandIn()((Message("system", TOOLS), *said)).text.endswith("Answer: 6")
    assert StandIn()(said).text == "The tool answered: 6"


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.marker)
def test_no_prompt_takes_long(prompt):
    """A message as long as the API takes, full of what the prompt contains."""
    for piece in (prompt.marker, f"{prompt.marker} Query: x\nContext: y\nText: z\nAnswer: "):
        began = time.process_time()
        answer((piece + "\n") * (20_000 // (len(piece) + 1)))
        assert time.process_time() - began < 2
