"""Errors without what they repeat of the request's own texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

RUN = 4
"""Words in a row that count as repeated; a shorter text counts as a whole."""
SHORTEST = 2
MOST_WORDS = 600
"""Words of an error that are looked at."""
WORD = re.compile(r"\w+")


def without_echoes(words: str, body: Mapping[str, Any]) -> str:
    """Return what of an error's *words* is not repeated from the messages of *body*.

    An error that holds nothing else is the server's own: the caller has asked about such an error.
    """
    found = [*WORD.finditer(words)][:MOST_WORDS]
    said = [match.group().lower() for match in found]
    repeated: set[int] = set()
    for text in _texts(body.get("messages") or body.get("input")):
        repeated |= _repeated(said, WORD.findall(text.lower()))
    if not repeated or len(repeated) == len(said):
        return words
    kept, end = [], 0
    for number, match in enumerate(found):
        if number in repeated:
            kept.append(words[end : match.start()])
            end = match.end()
    return "".join(kept) + words[end:]


def _repeated(said: list[str], text: list[str]) -> set[int]:
    """The numbers of the words in *said* that are in *text* in the same order."""
    run = min(RUN, len(text))
    if run < SHORTEST:
        return set()
    source = f" {' '.join(text)} "
    starts = [n for n in range(len(said) - run + 1) if f" {' '.join(said[n : n + run])} " in source]
    return {number for start in starts for number in range(start, start + run)}


def _texts(value: Any) -> Iterator[str]:
    """All texts of messages, without names of keys, roles and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("role", "type", "id", "name", "tool_call_id", "call_id"):
                yield from _texts(inner)
