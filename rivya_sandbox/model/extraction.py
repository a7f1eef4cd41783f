"""What extractors ask for: keywords, titles, questions and triplets of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rivya_sandbox.model.passages import central_sentences, sentences
from rivya_sandbox.model.text_utils import STOPWORDS, keywords

MOST = 10
LONGEST = 80
NAME = re.compile(r"\b[A-Z][\w'-]+(?:\s+(?:(?:of|de|von|van|the)\s+)?[A-Z][\w'-]+)*")
VERB = (
    r"(?:is|are|was|were|has|have|had|can|will)(?: \w+(?:ed|en)\b)?(?: (?:in|by|on|at|from|to|of|for|as|into)\b)?|"
    r"\w{3,}(?:ed|es|s)\b(?: (?:in|by|into|to|from|at|of|on|for|with)\b)?"
)
TRIPLET = re.compile(rf"(?P<subject>(?:[\w'-]+ ){{0,5}}?[\w'-]+) (?P<verb>{VERB}) (?P<object>[^,;:.!?()]{{2,80}})")


def keyword_line(match: re.Match[str]) -> str:
    """Return keywords in the form `KEYWORDS: a, b`."""
    return "KEYWORDS: " + comma_separated(match)


def comma_separated(match: re.Match[str]) -> str:
    """Return keywords, separated by commas."""
    return ", ".join(keywords(match["text"], int(match["most"])))


def title(match: re.Match[str]) -> str:
    """Return a title: the first heading, else the first names, else the most frequent words."""
    text = match["text"]
    heading = re.search(r"(?m)^#+\s+(.+)$", text)
    names = [name for name in NAME.findall(text) if name.lower() not in STOPWORDS]
    named = " and ".join(dict.fromkeys(names[:2]))
    return (heading[1].strip() if heading else named or " ".join(keywords(text, 4)).capitalize())[:LONGEST]


def first_title(match: re.Match[str]) -> str:
    """Return the first of several candidate titles."""
    return match["text"].partition(",")[0].strip()[:LONGEST]


def summary(match: re.Match[str]) -> str:
    """Return the central sentences of a section."""
    return " ".join(central_sentences(match["text"])) or match["text"].strip()[:LONGEST]


def questions(match: re.Match[str]) -> str:
    """Return questions that the text answers, one on each line."""
    asked = match.groupdict().get("most") or next(iter(re.findall(r"\d+", match.groupdict().get("task") or "")), "2")
    found = list(dict.fromkeys(question(*found) for found in triplets(match["text"])))
    found = found or [f"What does the text say of {word}?" for word in keywords(match["text"], int(asked))]
    return "\n".join(f"{number}. {one}" for number, one in enumerate(found[: int(asked)], 1))


def question(subject: str, verb: str, rest: str) -> str:
    """Return the question that a triplet answers."""
    aux, _, participle = verb.partition(" ")
    if measured := re.match(r"[\d.,]+ \w+ (long|tall|high|wide|deep|old)\b", rest):
        return f"How {measured[1]} {aux} {subject}?"
    if aux in ("is", "are", "was", "were") and re.fullmatch(r"(?:in )?\d{4}", rest):
        return f"When {aux} {subject} {participle.removesuffix(' in')}?".replace(" ?", "?")
    return f"What {aux} {subject}?" if aux in ("is", "are", "was", "were") else f"What does the text say of {subject}?"


def triplets(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield subject, predicate and object of each sentence that has them in this order.

    A pronoun stands for the subject before it.
    """
    subject = ""
    for sentence in sentences(re.sub(r"(?<=\d),(?=\d)", "", text)):
        if found := TRIPLET.match(sentence.text):
            pronoun = found["subject"].lower() in ("it", "he", "she", "they") and subject
            subject = pronoun or found["subject"].strip()
            yield subject, found["verb"].strip(), found["object"].strip()


def triplet_lines(match: re.Match[str]) -> str:
    """Return triplets in the form `(subject, predicate, object)`, one on each line."""
    return "\n".join(f"({', '.join(found)})" for found in list(triplets(match["text"]))[:MOST])


def triplet_json(match: re.Match[str]) -> str:
    """Return triplets with types, as JSON."""
    names = ("head", "relation", "tail")
    rows = [dict(zip(names, found, strict=True)) for found in list(triplets(match["text"]))[:MOST]]
    return json.dumps([{**row, "head_type": "ENTITY", "tail_type": "ENTITY"} for row in rows], ensure_ascii=False)
