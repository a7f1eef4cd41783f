"""Plain conversation with the stand-in: it repeats, remembers, calculates and writes short texts."""

import re
from pathlib import Path

import pytest

from rivya_sandbox import Answer, Attachment, Message, StandIn
from rivya_sandbox.model.text_utils import subject_of


def conversation(*said):
    roles = ("user", "assistant")
    return tuple(Message(roles[place % 2], text) for place, text in enumerate(said))


def answer(*said):
    return StandIn()(conversation(*said)).text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Say hello", "hello"),
        ('Please say "Ahoy there!" and nothing else.', "Ahoy there!"),
        ("Reply with exactly: PONG", "PONG"),
        ("Repeat after me: one two three.", "one two three"),
        ("What is 12 * 12?", "12 * 12 = 144"),
        ("7.5 minus 10", "7.5 minus 10 = -2.5"),
        ("What is 3 divided by 0?", "Nothing can be divided by zero."),
        ("Hello!", "Hello! How can I help you?"),
        ("Hi, who are you?", "I am the stand-in model of the Rivya sandbox."),
        ("How are you?", "I am fine, thank you. How can I help you?"),
        ("thanks a lot", "You are welcome."),
        ("Bye", "Goodbye!"),
        ("My name is Ada", "Nice to meet you, Ada."),
        ("my favourite colour is green", "I will remember that your favourite colour is green."),
        ("What is my name?", "You have not told me your name."),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("What did I say first?", "You have not said anything before this."),
        ("Name three rivers in Europe.", "The Rhine, the Danube and the Elbe."),
        ("Name a river.", "The Rhine."),
        ("Please list 4 planets", "Mercury, Venus, Earth and Mars."),
        ("What are the seasons?", "Spring, summer, autumn and winter."),
        ("Tell me of the river Rhine.", "The Rhine is a river in central Europe."),
        ("How high is Mount Everest?", "Mount Everest is 8,849 metres high."),
        (
            "Name two rivers in Atlantis.",
            "I am the stand-in model of the Rivya sandbox and cannot do that. A real model can.",
        ),
        ("Please add 12 and 30.", "12 + 30 = 42"),
        ("Please multiply 6 and 7.", "6 * 7 = 42"),
        ("The Rhine is 1230 kilometres long.", "Thank you, I have noted that."),
        (
            "When was Voyager 2 launched?",
            "I am the stand-in model of the Rivya sandbox and cannot do that. A real model can.",
        ),
        ("I like trains.", "Thank you, I have noted that."),
        (
            "Explain entropy",
            "I am the stand-in model of the Rivya sandbox and know little about entropy. A real model says more.",
        ),
    ],
)
def test_plain_talk(said, expected):
    """One line in, one line out."""
    assert answer(said) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is my name?", "Your name is Ada."),
        ("Who am I?", "Your name is Ada."),
        ("What's my dog's name?", "Your dog is Rex."),
        ("what is my favourite colour", "Your favourite colour is green."),
        ("What did I say first?", "You said: My name is Ada"),
        ("What was my last message?", "You said: My dog is called Rex and I live here. My favourite colour is green."),
        ("What did you just say?", "I said: Fine."),
        ("What did you say first?", "I said: Hello Ada."),
        ("Hello", "Hello again!"),
        ("Name another one.", "The Danube."),
    ],
)
def test_what_was_said_before_is_remembered(question, expected):
    """From the whole context; the newest fact counts."""
    before = (
        "My name is Ada",
        "Hello Ada.",
        "Name a river.",
        "The Rhine.",
        "My dog is called Rex and I live here. My favourite colour is green.",
        "Fine.",
    )

    assert answer(*before, question) == expected


@pytest.mark.parametrize("asked", ["joke", "haiku about rain", "launch plan for tea", "short story about Rome"])
def test_little_things_are_written(asked):
    """On the subject, if there is one."""
    text = answer(f"Write a {asked}")

    assert len(text) > 40
    assert asked.split()[-1] in text or asked == "joke"


def test_images_are_named_by_their_digests():
    """It cannot see, but it can tell them apart."""
    message = Message("user", "What is it?", (Attachment("file_1", "ab" * 32), Attachment("", "cd" * 32)))

    assert StandIn()((message,)).text == "I see 2 images (sha256 abababab, cdcdcdcd)."


def test_nothing_is_too_odd_for_an_answer():
    """Empty, huge or wordless messages get an answer too, quickly."""
    for odd in ("", "?", "…", "a" * 20_000, "my " * 6000, "say " * 5000, "Context:" * 2000, "- " * 9000):
        assert isinstance(StandIn()(conversation(odd)), Answer)
    assert StandIn()(()).text


def test_the_reasoning_says_what_the_question_is_about():
    """Short, and from the message itself."""
    assert "the moon" in StandIn()(conversation("Tell me about the moon")).reasoning
    assert subject_of("Please draw me a picture of a red fox!") == "a red fox"


ROOT = Path(__file__).parents[3]
ASKED = re.compile(r'(?:invoke|stream|complete|chat)\(\s*\[?(?:HumanMessage|ChatMessage)?\(?"([^"]+)"')
FIRST_READ = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "quickstart").glob("*.md"))]
DOCSTRINGS = [path for package in ("langchain_rivya", "llamaindex_rivya") for path in (ROOT / package).rglob("*.py")]
WITH_TOOLS = {"What is the weather in Basel?"}


def test_the_first_questions_of_a_reader_are_answered():
    """What the README, the quick starts and the docstrings ask; questions that need a tool have one there."""
    questions = {question for path in FIRST_READ + DOCSTRINGS for question in ASKED.findall(path.read_text("utf-8"))}

    replies = {question: answer(question) for question in questions - WITH_TOOLS}

    assert {"Name three rivers in Europe.", "My name is Ada."} <= replies.keys()
    assert not {question for question, reply in replies.items() if "cannot" in reply or "know little" in reply}
