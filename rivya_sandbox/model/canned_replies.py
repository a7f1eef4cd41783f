"""Plain conversation: repeats, remembers, calculates, greets, and says a sensible sentence on anything else.

Each function takes the question and the history before it, and returns an answer or `None`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rivya_sandbox.model import knowledge
from rivya_sandbox.model.slot_extractor import is_command
from rivya_sandbox.model.text_utils import LEAD, subject_of, tokens
from rivya_sandbox.values import Context

SHORT = 400
RECENT = 20
OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "plus": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "minus": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "x": lambda a, b: a * b,
    "times": lambda a, b: a * b,
    "multiplied by": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "divided by": lambda a, b: a / b,
}
GREETING = 5
"""Most words of a message that is only a greeting."""
HELLO = re.compile(r"(?:hi|hello|hey|good (?:morning|day|evening)|greetings)\b")
COURTESIES = (
    (re.compile(r"^(?:thanks|thank you)\b"), "You are welcome."),
    (re.compile(r"^(?:bye|goodbye)\b"), "Goodbye!"),
    (re.compile(r"\b(?:who|what) are you\b|\byour name\b"), "I am the stand-in model of the Rivya sandbox."),
    (re.compile(r"\bhow are you\b"), "I am fine, thank you. How can I help you?"),
)
SAY = re.compile(
    r"(?is)^(?:now |then |please |just |and )*(?:say|repeat|echo|"
    r"(?:reply|respond|answer) (?:only |just |exactly )*with(?! (?:one|two|three|a|an|at most|json|your|yes or no)\b))"
    r"(?: after me| back)?"
    r"(?: only| exactly| just| the words?| the phrase| the text| the following(?: text)?)*\s*:?\s+(?P<rest>.+)$"
)
OPEN, CLOSE = "\"'`\u201c\u2018", "\"'`\u201d\u2019"
QUOTED = re.compile(rf"(?s)^[{OPEN}](?P<inner>.+?)[{CLOSE}][.!]?(?:\s+(?:and nothing else|only|exactly)[.!]?)?$")
FACT = re.compile(r"(?i)\bmy ([\w' -]{1,40}?) (?:is|are) (?:called )?((?:(?! and (?:i|my)\b)[^.!?\n]){1,80})")
NAME = re.compile(r"(?i:\b(?:i am called|i'm called|call me|i am|i'm)) ([A-Z][\w'-]+)")
WHAT_IS_MY = re.compile(r"(?i)\bwhat(?:'s| is| was| are| were) my ([\w' -]{1,40}?)\s*(?:\?|$|again|called)")


@dataclass(frozen=True)
class History:
    """The messages before the question. They are read only when needed, because there may be thousands."""

    messages: Context = ()

    @property
    def by_user(self) -> list[str]:
        """The user's messages, oldest first."""
        return [message.text for message in self.messages if message.role == "user"]

    @property
    def by_assistant(self) -> list[str]:
        """The replies, oldest first."""
        return [message.text for message in self.messages if message.role == "assistant"]


def repeat(question: str, _history: History) -> str | None:
    """Repeat X for `Say X` and similar requests."""
    match = SAY.match(question.strip())
    if match is None or len(question) > SHORT * 5:
        return None
    rest = match["rest"].strip()
    if quoted := QUOTED.match(rest):
        return quoted["inner"]
    rest = re.sub(r"(?i)[,.]?\s+and nothing else[.!]?$", "", rest)
    return rest[:-1] if rest.endswith(".") and not rest.endswith("..") else rest


def recall(question: str, history: History) -> str | None:
    """Recall what the user said about themselves, or an earlier message."""
    if re.search(r"(?i)\bwho am i\b", question):
        return state_fact("name", known_facts(history.by_user))
    if (quoted := quote_message(question, history)) is not None:
        return quoted
    if match := WHAT_IS_MY.search(question):
        return state_fact(match[1].strip().lower().removesuffix("'s name"), known_facts(history.by_user))
    return None


def known_facts(said: Sequence[str]) -> dict[str, str]:
    """Return all `my X is Y` so far; the last one counts."""
    facts: dict[str, str] = {}
    for text in said:
        if name := NAME.search(text[:SHORT]):
            facts["name"] = name[1]
        facts.update({what.strip().lower(): value.strip() for what, value in FACT.findall(text[: SHORT * 5])})
    return facts


def state_fact(what: str, facts: dict[str, str]) -> str:
    """State a fact, or that it is not known."""
    if what in facts:
        return f"Your {what} is {facts[what]}."
    return f"You have not told me your {what}."


def quote_message(question: str, history: History) -> str | None:
    """Answer `What did I say first?` and similar questions."""
    match = re.search(
        r"(?i)\bwhat (?:did|have) (i|you) (?:just )?(?:say|said|ask|asked|answer|answered|tell|told)\b", question
    )
    asks = re.search(r"(?i)\bwhat was (my|your) (first|last|previous) (?:message|question|answer|reply)\b", question)
    if not match and not asks:
        return None
    mine = (match or asks or [""])[1].lower() in ("i", "my")
    said, who = (history.by_user, "You") if mine else (history.by_assistant, "I")
    if not said:
        return f"{who} have not said anything before this."
    first = re.search(r"(?i)\b(first|beginning|start)\b", question)
    return f"{who} said: {shortened(said[0] if first else said[-1])}"


def shortened(text: str, most: int = 200) -> str:
    """Return the text on one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0] + " …"


def calculate(question: str, _history: History) -> str | None:
    """Calculate with two numbers."""
    if len(question) > SHORT:
        return None
    question = re.sub(r"(?i)\badd (-?\d[\d.]*) (?:and|to) (-?\d[\d.]*)", r"\1 + \2", question)
    question = re.sub(r"(?i)\bmultiply (-?\d[\d.]*) (?:and|by|with) (-?\d[\d.]*)", r"\1 * \2", question)
    names = "|".join(re.escape(name) for name in sorted(OPERATORS, key=len, reverse=True))
    match = re.search(rf"(?i)(?<![\w.])(-?\d+(?:\.\d+)?)\s*({names})\s*(-?\d+(?:\.\d+)?)(?![\w.]*\w)", question)
    if match is None:
        return None
    left, right, name = float(match[1]), float(match[3]), match[2].lower()
    if name in ("/", "divided by") and not right:
        return "Nothing can be divided by zero."
    return f"{match[1]} {match[2]} {match[3]} = {OPERATORS[name](left, right):g}"


def greet(question: str, history: History) -> str | None:
    """Reply to greetings, thanks, and what users say about themselves."""
    text = question.strip().lower()
    if len(text) > SHORT:
        return None
    if FACT.search(question) or NAME.search(question):
        return acknowledge(question)
    courtesy = next((answer for form, answer in COURTESIES if form.search(text)), None)
    if courtesy is None and HELLO.match(text) and len(tokens(text)) <= GREETING:
        return (
            "Hello again!"
            if any(message.role == "user" for message in history.messages)
            else "Hello! How can I help you?"
        )
    return courtesy


def acknowledge(statement: str) -> str:
    """Acknowledge a fact."""
    facts = known_facts([statement])
    if "name" in facts:
        return f"Nice to meet you, {facts['name']}."
    what, value = next(iter(facts.items()))
    return f"I will remember that your {what} is {value}."


def know(question: str, history: History) -> str | None:
    """Answer from the little that the stand-in knows."""
    return knowledge.know(question, [message.text for message in history.messages[-RECENT:]])


def write(question: str, _history: History) -> str | None:
    """Write short plans, lists, poems and jokes on the subject."""
    text, subject = question.lower()[:SHORT], subject_of(question, 16)
    about = re.sub(r"(?i)^.*?\b(?:about|on|of)\b\s*", "", subject)
    if re.search(r"\bjoke\b", text):
        return "Why did the model cross the session? To get to the other side of the context."
    if re.search(r"\b(?:poem|haiku|verse)\b", text):
        return f"Morning light on {about},\na quiet line, then another:\nthe page turns slowly."
    if re.search(r"\b(?:plan|steps|outline|checklist)\b", text):
        steps = "1. Say what it is for and for whom.\n2. Make a first version.\n3. Show it and improve it."
        return f"{subject[:1].upper()}{subject[1:]}:\n{steps}"
    if re.search(r"\b(?:story|tale|essay|paragraph)\b", text):
        return f"There was once a question about {about}. It went from session to session until somebody answered it."
    return None


def anything_else(question: str) -> str:
    """Reply to anything else, honestly: with what this model is."""
    subject = subject_of(question) or "that"
    if LEAD.match(question):
        return f"I am the stand-in model of the Rivya sandbox and know little about {subject}. A real model says more."
    if question.rstrip().endswith("?") or is_command(next(iter(re.findall(r"[a-z]+", question.lower())), "")):
        return "I am the stand-in model of the Rivya sandbox and cannot do that. A real model can."
    return "Thank you, I have noted that."
