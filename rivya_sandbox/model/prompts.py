"""The prompts of the frameworks, recognised by their form and answered in the form that they ask for.

Each function takes one message and returns the answer, or `None` if the message is not such a prompt.
"""

from __future__ import annotations

import re

from rivya_sandbox.model.passages import best_sentences, central_sentences
from rivya_sandbox.model.words import keywords, stems, subject_of

NOT_FOUND = "The given context does not say."
RULE = r"\n\s*-{3,}\n"

PASSAGE_FORMS = (
    re.compile(rf"(?s)Context information.*?below\..*?{RULE}(?P<context>.*){RULE}.*?Query:\s*(?P<query>.*?)\s*Answer:"),
    re.compile(
        r"(?is)\b(?:context|documents?|passages?|sources?)\b[^\n:]{0,60}:\s*(?P<context>.+)\n\s*"
        r"(?:user )?(?:question|query)\s*:\s*(?P<query>.+?)(?:\n\s*(?:helpful |final )?answer\b[^\n]*:?\s*)?\Z"
    ),
    re.compile(
        r"(?is)\b(?:question|query)\s*:\s*(?P<query>[^\n]+)\n\s*"
        r"(?:[\w ]{0,40}\s)?(?:context|documents?|passages?|sources?)\b[^\n:]{0,60}:\s*(?P<context>.+?)"
        r"(?:\n\s*(?:helpful |final )?answer\b[^\n]*:?\s*)?\Z"
    ),
)

REFINE_FORMS = (
    re.compile(
        r"(?s)New Context:\s*(?P<context>.*)\n\s*Query:\s*(?P<query>.*?)\n\s*"
        r"Original Answer:\s*(?P<answer>.*?)\n\s*New Answer:"
    ),
    re.compile(
        r"(?s)original query is as follows:\s*(?P<query>.*?)\n.*?existing answer:\s*(?P<answer>.*?)\n"
        rf"We have the opportunity.*?{RULE}(?P<context>.*){RULE}"
    ),
)

CONDENSE_FORMS = (
    re.compile(r"(?s)Chat History:\s*(?P<history>.*)Follow Up Input:\s*(?P<question>.*?)\s*Standalone question:"),
    re.compile(r"(?s)<Chat History>\s*(?P<history>.*?)<Follow Up Message>\s*(?P<question>.*?)\s*<Standalone question>"),
    re.compile(
        r"(?is)chat history:\s*(?P<history>.*)follow[- ]up (?:question|input):\s*(?P<question>.*?)\s*standalone"
    ),
)


def from_passages(text: str) -> str | None:
    """Questions with passages, as query engines and retrieval chains ask them."""
    if "ontext" not in text and "ocument" not in text and "assage" not in text and "ource" not in text:
        return None
    for form in PASSAGE_FORMS:
        if match := form.search(text):
            return extract(match["query"], match["context"])
    return None


def extract(question: str, context: str) -> str:
    """The sentences of the context that answer the question."""
    if re.search(r"(?i)\b(?:summar|overview)", question):
        return " ".join(central_sentences(context)) or NOT_FOUND
    return " ".join(best_sentences(question, context)) or NOT_FOUND


def from_documents(question: str, instructions: str) -> str | None:
    """A plain question under instructions that hold the documents, as chat engines with a context ask it."""
    match = re.search(
        r"(?is)(?:relevant documents for the context:|context information is below\.?|(?:following|retrieved) context:)"
        r"(?P<context>.+?)(?:\n\s*Instruction:|\Z)",
        instructions,
    )
    if match is None:
        return None
    return " ".join(best_sentences(question, match["context"])) or None


def refined(text: str) -> str | None:
    """Prompts to improve an answer with more context: the better one of the old answer and what the context says."""
    for form in REFINE_FORMS:
        if match := form.search(text):
            return better(match["query"], match["answer"].strip(), match["context"])
    return None


def better(question: str, answer: str, context: str) -> str:
    """The old answer, unless a sentence of the context covers more of the question."""
    fresh = " ".join(best_sentences(question, context))
    covered = stems(question) & stems(fresh)
    return fresh if len(covered) > len(stems(question) & stems(answer)) else answer


def keyword_list(text: str) -> str | None:
    """Keyword extraction, answered as `KEYWORDS: a, b`."""
    if "KEYWORDS:" not in text:
        return None
    match = re.search(rf"(?s)up to (\d+)\s.*?-{{3,}}\n(.*){RULE}", text)
    if match is None:
        return None
    return "KEYWORDS: " + ", ".join(keywords(match[2], int(match[1])))


def choice(text: str) -> str | None:
    """Choices between numbered documents or summaries."""
    if text.startswith("Some choices are given below"):
        return chosen_summary(text)
    if text.startswith("A list of documents is shown below"):
        return chosen_documents(text)
    return None


def chosen_summary(text: str) -> str | None:
    """One summary for a question: as JSON where that is asked for, else as `ANSWER: n`."""
    asked = re.search(r"(?s)relevant to the question: '(.*?)'\n", text)
    options = dict(re.findall(r"(?m)^\s*\((\d+)\)\s*(.+)$", text))
    if asked is None or not options:
        return None
    number = best_number(asked[1], options)
    reason = f"it speaks of {subject_of(options[number])}"
    if "JSON" in text:
        return f'[{{"choice": {number}, "reason": {reason!r}}}]'.replace("'", '"')
    return f"ANSWER: {number}\nThis summary was selected because {reason}."


def chosen_documents(text: str) -> str | None:
    """The documents to consult for a question, with a relevance."""
    task = text.rpartition("Let's try this now:")[2]
    asked = re.search(r"(?s)Question:\s*(.*?)\s*Answer:", task)
    if asked is None:
        return None
    documents = dict(re.findall(r"(?s)Document (\d+):\s*(.*?)(?=\nDocument \d+:|\nQuestion:)", task))
    scored = {number: len(stems(asked[1]) & stems(body)) for number, body in documents.items()}
    ordered = sorted((number for number in scored if scored[number]), key=lambda number: -scored[number])
    lines = [f"Doc: {number}, Relevance: {min(10, 4 + 2 * scored[number])}" for number in ordered]
    return "\n".join(lines or [f"Doc: {number}, Relevance: 1" for number in list(documents)[:1]])


def best_number(question: str, options: dict[str, str]) -> str:
    """The number of the option that shares most with the question, the first of equals."""
    return max(options, key=lambda number: len(stems(question) & stems(options[number])))


def condensed(text: str) -> str | None:
    """A follow-up question made to stand alone: its pronoun replaced by what the history spoke of."""
    for form in CONDENSE_FORMS:
        if match := form.search(text):
            return standalone(match["question"].strip(), match["history"])
    return None


def standalone(question: str, history: str) -> str:
    """The question, with the newest name of the history in place of its first pronoun."""
    spoken = without_speakers(history)
    names = re.findall(r"\b(?:the )?[A-Z][\w'-]+(?: (?:of |the |de )?[A-Z][\w'-]+)*", spoken)
    if not names:
        return question
    longest = max(names, key=lambda name: (len(name.split()), spoken.rfind(name)))
    owner = f"{longest}'s"
    replaced = re.sub(r"(?i)\b(its|his|her|their)\b", owner, question, count=1)
    if replaced == question:
        replaced = re.sub(r"(?i)\b(it|he|she|they|this|that|there)\b", longest, question, count=1)
    return replaced


def without_speakers(history: str) -> str:
    """The history without the labels of its speakers and the capitals of its sentences' first words."""
    bare = re.sub(r"(?mi)^\s*(?:user|human|assistant|ai|system|tool)\s*:\s*", "", history)
    return re.sub(r"(?m)(^|[.!?]\s+)([A-Z][a-z]*)\b", lambda match: match[1] + match[2].lower(), bare)


def summarised(text: str) -> str | None:
    """Summaries: the sentences that share most with the whole, in their order."""
    if not re.search(r"(?i)\bsummar(?:y|ise|ize)", text[:600] + text[-200:]):
        return None
    body = max(re.split(r"\n\s*\n", text), key=len) if "\n\n" in text else text
    body = re.sub(r"(?i)^[^\n:]{0,80}\bsummar\w+[^\n:]{0,80}:\s*", "", body)
    central = central_sentences(body)
    return " ".join(central) if len(central) > 1 else None
