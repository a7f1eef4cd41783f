"""Judgements of answers, by the words that they share with the question, the context or a reference."""

from __future__ import annotations

import json
import re

from rivya_sandbox.model.text_utils import numbers, stems

SUPPORTED, CORRECT, RELATED = 0.6, 0.5, 0.2
"""Shares of common words from which a claim counts as supported, an answer as correct or as related."""
FULL, GOOD, PARTIAL, BAD = 5.0, 4.0, 2.5, 1.0
"""Scores of an answer."""


def yes_or_no(match: re.Match[str]) -> str:
    """Decide whether the context supports a claim. A previous YES stays."""
    if match.groupdict().get("before") == "YES":
        return "YES"
    claim = match["claim"].rpartition("Response:")[2]
    supported = covered(claim, match["context"]) >= SUPPORTED
    return "YES" if supported and set(numbers(claim)) <= set(numbers(match["context"])) else "NO"


def correctness(match: re.Match[str]) -> str:
    """Score an answer from 1 to 5 against the reference, or against the question if there is none.

    A short answer that only leaves words of the reference out is good, if it has the numbers.
    """
    reference, answer = (
        match["reference"] if "NO REFERENCE" not in match["reference"] else match["query"],
        match["answer"],
    )
    share = covered(reference, answer)
    exact = max(share, covered(answer, reference)) >= SUPPORTED and set(numbers(reference)) == set(numbers(answer))
    score = FULL if share == 1 and exact else GOOD if exact else PARTIAL if share > RELATED else BAD
    return f"{score}\nThe generated answer has {share:.0%} of the words of the reference answer."


def guidelines(match: re.Match[str]) -> str:
    """Judge an answer: it passes if it speaks of the question and is more than one word."""
    answer = match["answer"].strip()
    passing = covered(answer, match["query"]) > 0 and len(answer.split()) > 1
    feedback = "The response is about the query." if passing else "The response does not answer the query."
    return json.dumps({"passing": passing, "feedback": feedback})


def result(match: re.Match[str]) -> str:
    """Score an answer or a context by two questions, in the form `[RESULT] n`."""
    points = 2 if "worth 2 points" in match.string else 1
    related = covered(match["query"], match["answer"]) >= RELATED
    text = "speaks of the subject of the query" if related else "is about something else"
    whole = 2 * points * related
    return f"1. It {text}.\n2. It {text}.\n[RESULT] {whole if points == 1 else float(whole)}"


def pairwise(match: re.Match[str]) -> str:
    """Choose the answer that covers more of the question, in the form `[[A]]`."""
    a, b = covered(match["query"], match["a"]), covered(match["query"], match["b"])
    return f"I compared how much of the question each answer covers.\n[[{'A' if a > b else 'B' if b > a else 'C'}]]"


def covered(wanted: str, text: str) -> float:
    """Return which share of the wanted words a text contains."""
    words = stems(wanted)
    return len(words & stems(text)) / len(words) if words else 0.0
