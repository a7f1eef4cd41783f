"""Finding the sentence of a passage that answers a question.

A sentence counts for what it says itself and, less, for what its paragraph and its heading have said before it: "It
opened in 1937" is about the bridge of the sentence before. Names in the question tell what it is about, its other
words tell what is asked, so those count more.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rivya_sandbox.model.words import stem, stems, tokens

ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|No|vs|ca|approx|e\.g|i\.e|etc|cf|al))\.$")
BULLET = re.compile(r"\s*(?:[-*\u2022]|\d+[.)])\s+")
METADATA = re.compile(r"\s*(?:file_path|file_name|page_label|source|url|title|doc_id|score)\s*:", re.IGNORECASE)
HEADING = re.compile(r"\s*#+\s*(?P<words>.*)")
RULE = re.compile(r"\s*[-=*_]{3,}\s*$")

INHERITED, INHERITED_NAME = 0.5, 0.8
NAMED = 0.4
RELATED = 0.7
FURTHER = 0.5
"""Weights: of a word that was said before, of a name that was, of any name, of a word that only answers the one that
was asked for; and how good a further sentence must be, against the best one."""

SAME = {
    "heavy": "weight weigh tonnes kilograms",
    "tall": "height high",
    "high": "height tall",
    "old": "age founded",
    "big": "size area large square",
    "large": "size area big square",
    "golden": "gold",
    "find": "found discovered",
    "far": "distance kilometres miles",
    "fast": "speed",
    "deep": "depth",
    "wide": "width",
    "long": "length",
    "cost": "price costs",
    "begin": "start began",
    "start": "begin began",
    "author": "wrote written",
    "wrote": "author written",
    "write": "author wrote written",
    "built": "build construction constructed",
    "open": "opened opening",
    "population": "people inhabitants",
    "inhabitants": "people population",
}
"""Words that answer each other."""


@dataclass(frozen=True)
class Sentence:
    """A sentence and the stems of its words, of what stood before it, and of what it is about.

    What stood before it counts from the heading of its paragraph on. What it is about stands in the heading and in
    the paragraph's first sentence.
    """

    text: str
    own: frozenset[str]
    inherited: frozenset[str]
    topic: frozenset[str]


@dataclass(frozen=True)
class Match:
    """How well a sentence answers, and which words of the question it covers itself."""

    score: float
    place: int
    text: str
    covers: frozenset[str]


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text: of its paragraphs and its list items, without headings and metadata lines."""
    found: list[Sentence] = []
    for heading, block in blocks(text):
        said = topic = heading
        for number, sentence in enumerate(split(block)):
            own = frozenset(stems(sentence))
            found.append(Sentence(sentence, own, said, topic))
            said |= own
            topic = topic if number else said
    return found


def blocks(text: str) -> Iterator[tuple[frozenset[str], str]]:
    """Paragraphs with their lines joined, and list items; each with the stems of its heading."""
    heading: frozenset[str] = frozenset()
    gathered: list[str] = []
    for line in [*text.splitlines(), ""]:
        title, bare = HEADING.match(line), line.strip()
        marks = bool(title or METADATA.match(line) or RULE.match(line))
        if gathered and (marks or not bare or BULLET.match(line) or bare.startswith("|")):
            yield heading, " ".join(gathered)
            gathered = []
        if marks:
            heading = frozenset(stems(title["words"])) if title else frozenset()
        elif bare:
            gathered.append(BULLET.sub("", bare, count=1) if BULLET.match(line) else bare)


def split(block: str) -> list[str]:
    """The sentences of a paragraph; a full stop after an abbreviation or an initial ends none."""
    found: list[str] = []
    for piece in re.split(r"(?<=[.!?])\s+(?=[^\sa-z])", block):
        if found and ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [piece.strip() for piece in found if piece.strip()]


def best_sentences(question: str, text: str, most: int = 2) -> list[str]:
    """The sentences that answer best, in their order in the text.

    A further sentence is taken only if it says itself something of what is asked that the better ones do not. A
    question without a word of its own (`What is this about?`) gets the beginning.
    """
    found = sentences(text)
    if not stems(question):
        return [sentence.text for sentence in found[:most]]
    ranked = rank(question, found)
    names = names_in(question)
    if asks_for_strangers(names, found):
        return []
    chosen: list[Match] = []
    for match in ranked[:12]:
        fresh = match.covers - names - {word for other in chosen for word in other.covers}
        if not chosen or (fresh and match.score >= ranked[0].score * FURTHER):
            chosen.append(match)
        if len(chosen) == most:
            break
    return [match.text for match in sorted(chosen, key=lambda match: match.place)]


def central_sentences(text: str, most: int = 3) -> list[str]:
    """The first sentence, which says what a text is about, and those that share most with the whole; in their order."""
    ranked = rank(text.lower(), sentences(text))
    first = [match for match in ranked if match.place == 0]
    chosen = (first + [match for match in ranked if match.place])[:most]
    return [match.text for match in sorted(chosen, key=lambda match: match.place)]


def asks_for_strangers(names: frozenset[str], found: Sequence[Sentence]) -> bool:
    """Whether half of the names in a question or more occur nowhere: then the text cannot answer it."""
    known = {word for sentence in found for word in sentence.own | sentence.inherited}
    return bool(names) and 2 * len(covered(names, frozenset(known))) <= len(names)


def rank(question: str, candidates: Sequence[Sentence]) -> list[Match]:
    """The sentences that say anything of what is asked, best first.

    A sentence that is about none of the things that the question names answers nothing.
    """
    wanted, names = stems(question), names_in(question)
    said = [covered(wanted, sentence.own) for sentence in candidates]
    spread = Counter(word for words in said for word in words)
    worth = {word: math.log(1 + len(said) / spread[word]) * (NAMED if word in names else 1) for word in spread}
    matches = []
    for place, (sentence, own) in enumerate(zip(candidates, said, strict=True)):
        inherited = covered(wanted, sentence.inherited) - own
        weight = sum(worth[word] * (1 if word in sentence.own else RELATED) for word in own)
        weight += sum(worth.get(word, 0) * (INHERITED_NAME if word in names else INHERITED) for word in inherited)
        if own and 2 * len(covered(names, sentence.own | sentence.inherited)) >= len(names):
            length = 1 + 0.01 * len(sentence.text.split())
            covers = own | covered(wanted, sentence.topic)
            matches.append(Match((weight + bonus(question, sentence.text)) / length, place, sentence.text, covers))
    return sorted(matches, key=lambda match: (-match.score, match.place))


def covered(wanted: set[str] | frozenset[str], said: frozenset[str]) -> frozenset[str]:
    """The wanted words that are said, by themselves or by a word that answers them."""
    return frozenset(word for word in wanted if word in said or not said.isdisjoint(ANSWERS.get(word, ())))


def names_in(question: str) -> frozenset[str]:
    """The stems of the words that are written like names: with a capital, not at the beginning."""
    inner = re.findall(r"(?<=[^\s.!?:] )[A-Z][\w'-]*", question)
    return frozenset(stem(token) for word in inner for token in tokens(word))


def bonus(question: str, sentence: str) -> float:
    """A little more for a sentence with the kind of thing that is asked for."""
    asked = question.lower()
    if re.search(r"\b(when|year|how (many|much|long|tall|high|old|far|deep|heavy|big|large))\b", asked):
        return 0.7 if re.search(r"\d", sentence) else 0.0
    if re.search(r"\bwho\b", asked):
        return 0.5 if re.search(r"\b[A-Z][a-z]+ [A-Z][a-z]+", sentence) else 0.0
    return 0.0


ANSWERS = {stem(word): frozenset(stems(others)) for word, others in SAME.items()}
