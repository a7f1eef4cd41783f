"""The frameworks' prompts, as a table: how to recognize each, and which function answers it in its own format.

`PROMPTS` is the list of what the stand-in can do beyond plain conversation. The first prompt that matches counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rivya_sandbox.model import choices, evaluation, extraction
from rivya_sandbox.model.passages import best_sentences, central_sentences
from rivya_sandbox.model.text_utils import stems

NOT_FOUND = "The given context does not say."
RULE = r"\n\s*-{3,}\n"
END = r"(?:\n\s*(?:helpful |final )?answer\b[^\n]*:?\s*)?\Z"
SOURCES = r"(?:context|documents?|passages?|sources?)\b[^\n:]{0,60}:\s*"
SYSTEM_CONTEXT = re.compile(
    r"(?is)(?:relevant documents for the context:|context information (?:is below\.?|below to assist the user\.?)|"
    r"\b(?:context|documents|passages|sources)(?: (?:below|above|provided|given))?\s*:|"
    r"(?:retrieved|given|provided|following) (?:pieces of )?"
    r"(?:retrieved )?context\b[^\n]*\n)(?P<context>.+?)(?:\n\s*Instruction:|\Z)"
)
"""The documents in a system message."""


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes:
        marker: A text that the user's message contains; it is checked first, because it is quick.
        pattern: The form of the user's message. Its groups are what the reply needs.
        reply: Returns the reply, or `None` if this is not the prompt after all.
        system: A text that the system message contains, if the prompt has one.
    """

    marker: str
    pattern: str
    reply: Callable[[re.Match[str]], str | None]
    system: str = ""

    def answer(self, text: str, system: str) -> str | None:
        """Return the reply to a message, or `None` if it is another prompt."""
        if self.marker not in text or self.system not in system:
            return None
        match = re.search(self.pattern, text)
        return self.reply(match) if match else None


def answer_prompt(text: str, system: str) -> str | None:
    """Return the reply to a framework's prompt, or `None` if the message is not one."""
    return next((reply for prompt in PROMPTS if (reply := prompt.answer(text, system)) is not None), None)


def answer_from_passages(text: str) -> str | None:
    """Return the answer to a question about passages, or `None` if the message is another prompt or finds nothing."""
    asked = (prompt for prompt in PROMPTS if prompt.reply in (from_passages, refined))
    answer = next((reply for prompt in asked if (reply := prompt.answer(text, "")) is not None), None)
    return None if answer == NOT_FOUND else answer


def material(text: str) -> str | None:
    """Return the text between rules from which a prompt asks for an extract, or `None` if there is none."""
    match = re.search(r"(?is)\bextract\b.*?\n-{3,}\n(.+?)\n-{3,}\s*\Z", text)
    return match[1] if match else None


def from_passages(match: re.Match[str]) -> str:
    """Answer a question from the passages."""
    question, context = match["query"], match["context"]
    if re.search(r"(?i)\b(?:summar|overview)", question):
        return " ".join(central_sentences(context)) or NOT_FOUND
    return " ".join(best_sentences(question, context)) or NOT_FOUND


def from_documents(question: str, instructions: str) -> str | None:
    """Answer a question whose documents are in the system message; `None` if they do not answer it."""
    match = SYSTEM_CONTEXT.search(instructions)
    return " ".join(best_sentences(question, match["context"])) or None if match else None


def refined(match: re.Match[str]) -> str:
    """Return the old answer, unless a sentence of the new context covers more of the question."""
    question, answer = match["query"], match["answer"].strip()
    better = " ".join(best_sentences(question, match["context"]))
    return better if len(stems(question) & stems(better)) > len(stems(question) & stems(answer)) else answer


def standalone(match: re.Match[str]) -> str:
    """Return a follow-up question with the history's newest name in place of its first pronoun."""
    question, said = match["question"].strip(), without_speakers(match["history"])
    names = re.findall(r"\b(?:the )?[A-Z][\w'-]+(?: (?:of |the |de )?[A-Z][\w'-]+)*", said)
    if not names:
        return question
    longest = max(names, key=lambda name: (len(name.split()), said.rfind(name)))
    replaced = re.sub(r"(?i)\b(its|his|her|their)\b", f"{longest}'s", question, count=1)
    if replaced == question:
        replaced = re.sub(r"(?i)\b(it|he|she|they|this|that|there)\b", longest, question, count=1)
    return replaced


def rephrased(question: str, system: str, said: Sequence[str]) -> str | None:
    """Return a follow-up question on its own, where the system message asks for that."""
    if not re.search(r"(?i)\bstandalone question\b", system) or not said:
        return None
    match = re.match(r"(?s)(?P<history>.*)\0(?P<question>.*)", "\n".join(said) + "\0" + question)
    return standalone(match) if match else None


def without_speakers(history: str) -> str:
    """Return the history without its speakers' labels and without the capitals of its sentences' first words."""
    plain = re.sub(r"(?mi)^\s*(?:user|human|assistant|ai|system|tool)\s*:\s*", "", history)
    return re.sub(r"(?m)(^|[.!?]\s+)([A-Z][a-z]*)\b", lambda match: match[1] + match[2].lower(), plain)


def variations(match: re.Match[str]) -> str:
    """Return search queries that ask the same in other words."""
    query, most = match["query"].strip(), int(match["most"])
    forms = ("{}", "What is known about this: {}", "Find sources for: {}", "Explain: {}", "Background of: {}")
    return "\n".join(form.format(query) for form in forms[:most])


def summarized(text: str) -> str | None:
    """Summarize: return the sentences that share most words with the whole, in their order."""
    if not re.search(r"(?i)\bsummar(?:y|ise|ize)", text[:600] + text[-200:]):
        return None
    body = max(re.split(r"\n\s*\n", text), key=len) if "\n\n" in text else text
    body = re.sub(r"(?i)^[^\n:]{0,80}\bsummar\w+[^\n:]{0,80}:\s*", "", body)
    central = central_sentences(body)
    return " ".join(central) if len(central) > 1 else None


PROMPTS: Sequence[Prompt] = (
    # Extractors and knowledge graphs of LlamaIndex
    Prompt("KEYWORDS:", rf"(?s)up to (?P<most>\d+)\s.*?-{{3,}}\n(?P<text>.*){RULE}", extraction.keyword_line),
    Prompt(
        "unique keywords for", r"(?s)^(?P<text>.*)\. Give (?P<most>\d+) unique keywords", extraction.comma_separated
    ),
    Prompt("Give a title that", r"(?s)Context: (?P<text>.*)\. Give a title that summarizes", extraction.title),
    Prompt("comprehensive title", r"(?s)^(?P<text>.*)\. Based on the above candidate titles", extraction.first_title),
    Prompt(
        "questions this context can",
        r"(?s)Here is the context:\n(?P<text>.*?)\n\s*Given the contextual information,\s*generate (?P<most>\d+)",
        extraction.questions,
    ),
    Prompt(
        "generate only questions",
        rf"(?s)-{{3,}}\n(?P<text>.*){RULE}.*?generate only questions.*?query\.(?P<task>.*)",
        extraction.questions,
    ),
    Prompt(
        "content of the section:",
        r"(?s)content of the section:\n(?P<text>.*?)\n\s*Summarize the key topics",
        extraction.summary,
    ),
    Prompt("(subject, predicate, object)", r"(?s)\A.*\nText: (?P<text>.*)\nTriplets:\s*\Z", extraction.triplet_lines),
    Prompt("(head, relation, tail)", r"(?s)\A.*\nText: (?P<text>.*)\nOutput:\s*\Z", extraction.triplet_json),
    # Evaluators of LlamaIndex
    Prompt(
        "is supported by the context",
        r"(?s)\A.*\nInformation: (?P<claim>.*?)\nContext: (?P<context>.*?)\n\s*Answer:\s*\Z",
        evaluation.yes_or_no,
    ),
    Prompt(
        "Query and Response:",
        r"(?s)Query and Response:(?P<claim>.*?)\nContext:(?P<context>.*)\n\s*Answer:\s*\Z",
        evaluation.yes_or_no,
    ),
    Prompt(
        "existing YES/NO answer",
        rf"(?s)context information: (?P<claim>.*?)\n.*?YES/NO answer:\s*(?P<before>\w+).*?{RULE}(?P<context>.*?){RULE}",
        evaluation.yes_or_no,
    ),
    Prompt(
        "## Generated Answer",
        r"(?s)## User Query\n(?P<query>.*?)\n+## Reference Answer\n(?P<reference>.*?)\n+"
        r"## Generated Answer\n(?P<answer>.*)",
        evaluation.correctness,
    ),
    Prompt(
        "based on the guidelines below",
        r"(?s)Query: (?P<query>.*?)\nCritique the following.*?\nResponse: (?P<answer>.*?)\nGuidelines:",
        evaluation.guidelines,
    ),
    Prompt(
        "[RESULT] followed by",
        r"(?s)\A.*\nQuery:\s*(?P<query>.*?)\n(?:Response|Context):\s*(?P<answer>.*)\nFeedback:",
        evaluation.result,
    ),
    Prompt(
        "[The Start of Assistant A",
        r"(?s)\[User Question\]\n(?P<query>.*?)\n.*?A.s Answer\]\n(?P<a>.*?)\n\[.*B.s Answer\]\n(?P<b>.*?)\n\[",
        evaluation.pairwise,
    ),
    # Routers, rerankers and query transformations
    Prompt("Some choices are given below", r"(?s)^(?P<text>Some choices.*)", choices.summary),
    Prompt("A list of documents is shown below", r"(?s)^(?P<text>A list of documents.*)", choices.documents),
    Prompt(
        "relevant sub-questions",
        r"(?s)\A.*<Tools>\n```json\n(?P<tools>\{.*?\})\n```\n+<User Question>\n(?P<query>.*?)\n+<Output>\s*\Z",
        choices.sub_questions,
    ),
    Prompt(
        "generates multiple search queries",
        r"(?s)Generate (?P<most>\d+) search queries.*?Query: (?P<query>.*?)\nQueries:",
        variations,
    ),
    Prompt(
        "different versions of the given user question",
        r"(?s)generate (?P<most>\d+)\s+different versions.*Original question: (?P<query>.*)",
        variations,
    ),
    # Chat engines and conversational chains
    Prompt(
        "Standalone question:",
        r"(?s)Chat History:\s*(?P<history>.*)Follow Up Input:\s*(?P<question>.*?)\s*Standalone question:",
        standalone,
    ),
    Prompt(
        "<Standalone question>",
        r"(?s)<Chat History>\s*(?P<history>.*?)<Follow Up Message>\s*(?P<question>.*?)\s*<Standalone question>",
        standalone,
    ),
    Prompt(
        "tandalone",
        r"(?is)chat history:\s*(?P<history>.*)follow[- ]up (?:question|input):\s*(?P<question>.*?)\s*standalone",
        standalone,
    ),
    # Query engines and chains
    Prompt(
        "Original Answer:",
        r"(?s)New Context:\s*(?P<context>.*)\n\s*Query:\s*(?P<query>.*?)\n\s*"
        r"Original Answer:\s*(?P<answer>.*?)\n\s*New Answer:",
        refined,
    ),
    Prompt(
        "existing answer:",
        r"(?s)original query is as follows:\s*(?P<query>.*?)\n.*?existing answer:\s*(?P<answer>.*?)\n"
        rf"We have the opportunity.*?{RULE}(?P<context>.*){RULE}",
        refined,
    ),
    Prompt(
        "Context information",
        rf"(?s)Context information.*?below\..*?{RULE}(?P<context>.*){RULE}.*?Query:\s*(?P<query>.*?)\s*Answer:",
        from_passages,
    ),
    *(
        Prompt(
            marker,
            rf"(?is)\b{SOURCES}(?P<context>.+)\n\s*(?:user )?(?:question|query)\s*:\s*(?P<query>.+?){END}",
            from_passages,
        )
        for marker in ("ontext", "ocument", "assage", "ource")
    ),
    *(
        Prompt(
            marker,
            rf"(?is)\b(?:question|query)\s*:\s*(?P<query>[^\n]+)\n\s*(?:[\w ]{{0,40}}\s)?"
            rf"{SOURCES}(?P<context>.+?){END}",
            from_passages,
        )
        for marker in ("ontext", "ocument", "assage", "ource")
    ),
)
