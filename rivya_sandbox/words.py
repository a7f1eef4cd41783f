"""Words and sentences: what the stand-in needs to find the sentence that answers a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STOPWORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being between both but by can "
    "could did do does doing done for from further give had has have having he her here hers him his how i if in into "
    "is it its itself just know let like many may me might more most much must my no nor not now of off on once only "
    "or other our out over own please same say said she should show so some such tell than that the their theirs them "
    "then there these they this those through to too under until up us use used very was we were what when where which "
    "while who whom whose why will with would you your yours".split()
)

ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|No|vs|ca|approx|e\.g|i\.e|etc|cf|al))\.$")
BULLET = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+")
METADATA = re.compile(r"\s*(?:file_path|file_name|page_label|source|url|title|doc_id|score)\s*:", re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """All words, in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def stem(word: str) -> str:
    """A word without its ending, crudely: enough to let `opened` meet `opening`."""
    for ending in ("ingly", "edly", "ing", "ies", "ied", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:  # noqa: PLR2004
            return word[: -len(ending)]
    return word


def stems(text: str) -> set[str]:
    """The stems of the words that carry meaning."""
    return {stem(word) for word in tokens(text) if word not in STOPWORDS}


def sentences(text: str) -> list[str]:
    """The sentences of a text: of its paragraphs and its list items, without headings and metadata lines."""
    return [sentence for block in blocks(text) for sentence in split(block)]


def blocks(text: str) -> Iterator[str]:
    """Paragraphs with their lines joined, and list items."""
    gathered: list[str] = []
    for line in [*text.splitlines(), ""]:
        bare = line.strip()
        starts_new = not bare or BULLET.match(line) or METADATA.match(line) or bare.startswith(("#", "|", "---"))
        if starts_new and gathered:
            yield " ".join(gathered)
            gathered = []
        if bare and not METADATA.match(line) and not bare.startswith(("#", "---")):
            gathered.append(BULLET.sub("", bare) if BULLET.match(line) else bare)


def split(block: str) -> list[str]:
    """The sentences of a paragraph; a full stop after an abbreviation or an initial ends none."""
    found: list[str] = []
    for piece in re.split(r"(?<=[.!?])\s+(?=[^\sa-z])", block):
        if found and ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [piece.strip() for piece in found if piece.strip()]


@dataclass(frozen=True)
class Match:
    """How well a sentence answers."""

    score: float
    place: int
    sentence: str
    covers: frozenset[str]


def best_sentences(question: str, text: str, most: int = 2) -> list[str]:
    """The sentences that share most with the question, rare words counting more; in their order in the text.

    A further sentence is taken only if it covers words of the question that the better ones do not.
    """
    ranked = rank(question, sentences(text))
    chosen: list[Match] = []
    for match in ranked[:12]:
        fresh = match.covers - {word for other in chosen for word in other.covers}
        if not chosen or (fresh and match.score >= ranked[0].score * 0.5):
            chosen.append(match)
        if len(chosen) == most:
            break
    return [match.sentence for match in sorted(chosen, key=lambda match: match.place)]


def rank(question: str, candidates: Sequence[str]) -> list[Match]:
    """The sentences that share anything with the question, best first."""
    wanted = stems(question)
    found = [stems(sentence) for sentence in candidates]
    spread = Counter(word for words in found for word in words & wanted)
    matches = []
    for place, (sentence, words) in enumerate(zip(candidates, found, strict=True)):
        if shared := words & wanted:
            weight = sum(math.log(1 + len(found) / spread[word]) for word in shared)
            score = (weight + bonus(question, sentence)) / (1 + 0.01 * len(words))
            matches.append(Match(score, place, sentence, frozenset(shared)))
    return sorted(matches, key=lambda match: (-match.score, match.place))


def bonus(question: str, sentence: str) -> float:
    """A little more for a sentence with the kind of thing that is asked for."""
    asked = question.lower()
    if re.search(r"\b(when|year|how (many|much|long|tall|high|old|far|deep))\b", asked):
        return 0.7 if re.search(r"\d", sentence) else 0.0
    if re.search(r"\bwho\b", asked):
        return 0.5 if re.search(r"\b[A-Z][a-z]+ [A-Z][a-z]+", sentence) else 0.0
    return 0.0


def keywords(text: str, most: int) -> list[str]:
    """The words that occur most often, then those that come first."""
    counted = Counter(word for word in tokens(text) if word not in STOPWORDS and len(word) > 2)  # noqa: PLR2004
    return [word for word, _ in counted.most_common(most)]


LEAD = re.compile(
    r"(?i)^(?:please\s+)?(?:(?:can|could|would) you\s+)?(?:tell me about|explain|describe|write(?: about)?|"
    r"what(?:'s| is| are)|who (?:is|was)|how (?:do i|does|to)|why (?:is|are)|give me|"
    r"draw|paint|generate|create|make)\s+"
)


def subject_of(text: str, most: int = 8) -> str:
    """What a text is about, in a few of its own words."""
    words = LEAD.sub("", " ".join(text.split())).rstrip(".!?").split(" ")
    return " ".join(words[:most]) + (" \u2026" if len(words) > most else "")
