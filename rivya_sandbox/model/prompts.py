"""The frameworks' prompts: recognized by their form, and answered in the form that they ask for.

Each function takes one message and returns the answer, or `None` if the message is no such prompt.
"""

from __future__ import annotations

import re

from rivya_sandbox.model.passages import best_sentences, central_sentences
from rivya_sandbox.model.text_utils import keywords, stems, subject_of

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
    """Answer a question with passages, the prompt of query engines and retrieval chains."""
    if "ontext" not in text and "ocument" not in text and "assage" not in text and "ource" not in text:
        return None
    for form in PASSAGE_FORMS:
        if match := form.search(text):
            return extract(match["query"], match["context"])
    return None


def extract(question: str, context: str) -> str:
    """Return the sentences of the context that answer the question."""
    if re.search(r"(?i)\b(?:summar|overview)", question):
        return " ".join(central_sentences(context)) or NOT_FOUND
    return " ".join(best_sentences(question, context)) or NOT_FOUND


def from_documents(question: str, instructions: str) -> str | None:
    """Answer a question whose documents are in the instructions, the prompt of chat engines with a context."""
    match = re.search(
        r"(?is)(?:relevant documents for the context:|context information is below\.?|(?:following|retrieved) context:)"
        r"(?P<context>.+?)(?:\n\s*Instruction:|\Z)",
        instructions,
    )
    if match is None:
        return None
    return " ".join(best_sentences(question, match["context"])) or None


def refined(text: str) -> str | None:
    """Refine an answer with more context: return the old answer, or a better one from the context."""
    for form in REFINE_FORMS:
        if match := form.search(text):
            return better(match["query"], match["answer"].strip(), match["context"])
    return None


def better(question: str, answer: str, context: str) -> str:
    """Return the old answer, unless a sentence of the context covers more of the question."""
    fresh = " ".join(best_sentences(question, context))
    covered = stems(question) & stems(fresh)
    return fresh if len(covered) > len(stems(question) & stems(answer)) else answer


def keyword_list(text: str) -> str | None:
    """Extract keywords, in the form `KEYWORDS: a, b`."""
    if "KEYWORDS:" not in text:
        return None
    match = re.search(rf"(?s)up to (\d+)\s.*?-{{3,}}\n(.*){RULE}", text)
    if match is None:
        return None
    return "KEYWORDS: " + ", ".join(keywords(match[2], int(match[1])))


def choice(text: str) -> str | None:
    """Choose between numbered documents or summaries."""
    if text.startswith("Some choices are given below"):
        return chosen_summary(text)
    if text.startswith("A list of documents is shown below"):
        return chosen_documents(text)
    return None


def chosen_summary(text: str) -> str | None:
    """Choose one summary for a question: as JSON if the prompt asks for it, else as `ANSWER: n`."""
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
    """Choose the documents for a question, each with a relevance."""
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
    """Return the number of the option that shares most words with the question."""
    return max(options, key=lambda number: len(stems(question) & stems(options[number])))


def condensed(text: str) -> str | None:
    """Rewrite a follow-up question so that it stands alone: replace its pronoun by the subject of the history."""
    for form in CONDENSE_FORMS:
        if match := form.search(text):
            return standalone(match["question"].strip(), match["history"])
    return None


def standalone(question: str, history: str) -> str:
    """Return the question with the history's newest name in place of its first pronoun."""
    said = without_speakers(history)
    names = re.findall(r"\b(?:the )?[A-Z][\w'-]+(?: (?:of |the |de )?[A-Z][\w'-]+)*", said)
    if not names:
        return question
    longest = max(names, key=lambda name: (len(name.split()), said.rfind(name)))
    owner = f"{longest}'s"
    replaced = re.sub(r"(?i)\b(its|his|her|their)\b", owner, question, count=1)
    if replaced == question:
        replaced = re.sub(r"(?i)\b(it|he|she|they|this|that|there)\b", longest, question, count=1)
    return replaced


def without_speakers(history: str) -> str:
    """Return the history without its speakers' labels and without the capitals of its sentences' first words."""
    bare = re.sub(r"(?mi)^\s*(?:user|human|assistant|ai|system|tool)\s*:\s*", "", history)
    return re.sub(r"(?m)(^|[.!?]\s+)([A-Z][a-z]*)\b", lambda match: match[1] + match[2].lower(), bare)


def summarized(text: str) -> str | None:
    """Summarize: return the sentences that share most words with the whole, in their order."""
    if not re.search(r"(?i)\bsummar(?:y|ise|ize)", text[:600] + text[-200:]):
        return None
    body = max(re.split(r"\n\s*\n", text), key=len) if "\n\n" in text else text
    body = re.sub(r"(?i)^[^\n:]{0,80}\bsummar\w+[^\n:]{0,80}:\s*", "", body)
    central = central_sentences(body)
    return " ".join(central) if len(central) > 1 else None
