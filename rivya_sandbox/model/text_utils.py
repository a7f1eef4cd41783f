"""Words: which of them carry meaning, and what a text is about."""

from __future__ import annotations

import re
from collections import Counter

STOPWORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being between both but by can "
    "could did do does doing done for from further give had has have having he her here hers him his how i if in into "
    "is it its itself just know let like many may me might more most much must my no nor not now of off on once only "
    "or other our out over own please same say said she should show so some such tell than that the their theirs them "
    "then there these they this those through to too under until up us use used very was we were what when where which "
    "while who whom whose why will with would you your yours".split()
)


def tokens(text: str) -> list[str]:
    """Return all words, in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def stem(word: str) -> str:
    """Remove a word's ending, roughly: enough for `opened` to match `opening`."""
    for ending in ("ingly", "edly", "ing", "ies", "ied", "est", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:  # noqa: PLR2004
            return word[: -len(ending)]
    return word


def stems(text: str) -> set[str]:
    """Return the stems of the words that carry meaning."""
    return {stem(word) for word in tokens(text) if word not in STOPWORDS}


def keywords(text: str, most: int) -> list[str]:
    """Return the most frequent words, earlier ones first among equals. Lines that name a file do not count."""
    text = re.sub(r"(?m)^\s*file_(?:path|name)\s*:.*$", "", text)
    counted = Counter(word for word in tokens(text) if word not in STOPWORDS and len(word) > 2)  # noqa: PLR2004
    return [word for word, _ in counted.most_common(most)]


LEAD = re.compile(
    r"(?i)^(?:please\s+)?(?:(?:can|could|would) you\s+)?(?:tell me about|explain|describe|write(?: about)?|"
    r"what(?:'s| is| are)|who (?:is|was)|how (?:do i|does|to)|why (?:is|are)|give me|"
    r"(?:draw|paint|generate|create|make)(?: me)?(?: (?:an?|the) (?:image|picture|photo|drawing) of)?)\s+"
)


def subject_of(text: str, most: int = 8) -> str:
    """Return what a text is about, in a few of its own words."""
    words = LEAD.sub("", " ".join(text.split())).rstrip(".!?").split(" ")
    return " ".join(words[:most]) + (" \u2026" if len(words) > most else "")


def numbers(text: str) -> list[float]:
    """Return all numbers in a text."""
    return [float(number) if "." in number else int(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
