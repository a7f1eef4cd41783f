"""Finds the sentences of a passage that answer a question.

A sentence scores for its own words and, less, for the words of its paragraph before it and of the heading: "It opened
in 1937" is about the bridge in the sentence before. The names in a question are its subject; the other words are what
it asks for, so they count more.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rivya_sandbox.model.text_utils import stem, stems, tokens

ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|No|vs|ca|approx|e\.g|i\.e|etc|cf|al))\.$")
BULLET = re.compile(r"\s*(?:[-*\u2022]|\d+[.)])\s+")
METADATA = re.compile(r"\s*(?:file_path|file_name|page_label|source|url|title|doc_id|score)\s*:", re.IGNORECASE)
HEADING = re.compile(r"\s*#+\s*(?P<words>.*)")
RULE = re.compile(r"\s*[-=*_]{3,}\s*$")

INHERITED, INHERITED_NAME = 0.5, 0.8
NAMED = 0.4
RELATED = 0.7
FURTHER = 0.5
"""Weights of an inherited word, of an inherited name, of any name, and of a related word; and the least score of a
further sentence, relative to the best one."""

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
"""Words that are related."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the stems of its own words, of the inherited words and of its topic.

    It inherits the words of its paragraph before it and of the heading. Its topic is in the heading and in the
    paragraph's first sentence.
    """

    text: str
    own: frozenset[str]
    inherited: frozenset[str]
    topic: frozenset[str]


@dataclass(frozen=True)
class Match:
    """The score of a sentence, and the words of the question that it covers itself."""

    score: float
    place: int
    text: str
    covers: frozenset[str]


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text's paragraphs and list items, without headings and metadata lines."""
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
    """Yield paragraphs with their lines joined, and list items, each with the stems of its heading."""
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
    """Split a paragraph into sentences. A full stop after an abbreviation or an initial does not end a sentence."""
    found: list[str] = []
    for piece in re.split(r"(?<=[.!?])\s+(?=[^\sa-z])", block):
        if found and ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [piece.strip() for piece in found if piece.strip()]


def best_sentences(question: str, text: str, most: int = 2) -> list[str]:
    """Return the sentences that answer best, in their order in the text.

    A further sentence is added only if it contains wanted words that the better ones lack. A question without words of
    its own (`What is this about?`) gets the first sentences.
    """
    found = sentences(text)
    if not stems(question):
        return [sentence.text for sentence in found[:most]]
    ranked = rank(question, found)
    names = names_in(question)
    if names_unknown_things(names, found):
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
    """Return the first sentence and those that share most words with the whole, in their order."""
    ranked = rank(text.lower(), sentences(text))
    first = [match for match in ranked if match.place == 0]
    chosen = (first + [match for match in ranked if match.place])[:most]
    return [match.text for match in sorted(chosen, key=lambda match: match.place)]


def names_unknown_things(names: frozenset[str], found: Sequence[Sentence]) -> bool:
    """Return whether at least half of a question's names occur nowhere. Then the text cannot answer it."""
    known = {word for sentence in found for word in sentence.own | sentence.inherited}
    return bool(names) and 2 * len(covered(names, frozenset(known))) <= len(names)


def rank(question: str, candidates: Sequence[Sentence]) -> list[Match]:
    """Rank the sentences that contain any of the question's words, best first.

    A sentence about none of the things that the question names is not an answer.
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
    """Return the wanted words that occur, themselves or by a related word."""
    return frozenset(word for word in wanted if word in said or not said.isdisjoint(RELATED_STEMS.get(word, ())))


def names_in(question: str) -> frozenset[str]:
    """Return the stems of the words that are written like names: with a capital, not at the start."""
    inner = re.findall(r"(?<=[^\s.!?:] )[A-Z][\w'-]*", question)
    return frozenset(stem(token) for word in inner for token in tokens(word))


def bonus(question: str, sentence: str) -> float:
    """Return a bonus for a sentence with the kind of value that the question asks for."""
    asked = question.lower()
    if re.search(r"\b(when|year|how (many|much|long|tall|high|old|far|deep|heavy|big|large))\b", asked):
        return 0.7 if re.search(r"\d", sentence) else 0.0
    if re.search(r"\bwho\b", asked):
        return 0.5 if re.search(r"\b[A-Z][a-z]+ [A-Z][a-z]+", sentence) else 0.0
    return 0.0


RELATED_STEMS = {stem(word): frozenset(stems(others)) for word, others in SAME.items()}
