"""The words that identify the frames of Rivya's chat stream: all assumptions about names, as tables.

https://rivya.ai/docs/api-chat documents server-sent events with the assistant's text in pieces, but no names or
shapes. So labels (the event's name, `type`, `kind`) and keys are split into words, and the words are looked up here. If
the service differs, correct these tables. `frames.py` and `metadata.py` read the frames; this module does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

ENDING = frozenset(
    "done completed complete incomplete end ended finished finish final stop stopped succeeded success closed close "
    "eos".split()
)
"""A label with one of these words ends the reply or a part of it."""
REPLY = frozenset(
    "message chat response reply completion answer assistant stream streaming conversation turn session generation "
    "generate output run event request all is rivya agent model on".split()
)
"""A label ends the whole reply only if its other words are all among these; `content.done` ends a part."""
PIECE = frozenset(
    "delta message msg token tokens chunk text content answer output completion assistant response reply chat data "
    "part partial piece update updated append appended add added snapshot stream streaming event generation generating "
    "markdown word words model agent refusal block".split()
)
"""A labelled frame holds text only if its label has one of these words; other names are skipped."""
SNAPSHOT = frozenset("snapshot updated accumulated cumulative full".split())
"""A frame with one of these words in its label holds all text so far, not the next piece."""
UNRELATED = frozenset(
    "citation citations source sources annotation annotations search tool tools function title suggestion suggestions "
    "followup followups related image images attachment attachments file files memory moderation upload".split()
)
"""A frame with one of these words in its label is not about the reply, nor are its text, end and failure."""
BOOKKEEPING = frozenset(
    "usage credits credit billing session status ping heartbeat keepalive keep alive queued progress metadata meta "
    "info debug log user human system input prompt signature".split()
)
"""Text in a frame with one of these words in its label is not the assistant's."""
STARTING = frozenset("start started starting created begin began init opened open".split())
"""A frame with one of these words in its label holds text only if it starts a part of the reply."""
STARTING_PARTS = frozenset("text content block part output".split())
FAILING = frozenset("error errors failed failure".split())
CONTAINERS = frozenset(
    "data response completion result payload chat turn item body output reply answer final event part content block "
    "assistant generation complete done".split()
)
"""A key of these words only may hold an object whose contents are read like those of the outer object."""
FOREIGN_ROLES = frozenset("user human system developer tool function".split())
NO_WORDS = frozenset("ping pong ok null none true keep-alive keepalive heartbeat connected".split())
"""Bare data that is not text, unless bare text came before it."""
NOT_LABELS = frozenset("event chunk frame sse data".split())
"""A label of these words only has no meaning."""

REASONING = re.compile(r"thought|thinking|reasoning", re.IGNORECASE)
NOT_REASONING = re.compile(
    r"effort|token|mode|enabled|id$|signature|duration|time|count|level|status|budget", re.IGNORECASE
)
REASONING_FLAG = re.compile(r"(is_?)?(thought|thinking|reasoning)", re.IGNORECASE)
END_MARK = re.compile(rb'\s*"?\[(done|end|eos|stop|finished|completed?)\]"?\s*', re.IGNORECASE)
LONGEST_LABEL = 100


@lru_cache(maxsize=1024)
def words_of(label: str) -> frozenset[str]:
    """Return the words of a label or key in lower case; `messageDelta` and `MESSAGE_DELTA` have the same words."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label[:LONGEST_LABEL])
    return frozenset(re.findall(r"[a-z]+", split.lower()))


@lru_cache(maxsize=1024)
def is_reasoning(key: str) -> bool:
    """Whether *key* holds the model's reasoning."""
    return bool(REASONING.search(key)) and not NOT_REASONING.search(key)


@lru_cache(maxsize=1024)
def is_container(key: str) -> bool:
    """Whether the object under *key* is a wrapper."""
    words = words_of(key)
    return bool(words) and words <= CONTAINERS


@lru_cache(maxsize=1024)
def is_end_flag(key: str) -> bool:
    """Whether `true` under *key* ends the reply: `done`, `is_final`, `isComplete`."""
    words = words_of(key) - {"is", "last"}
    return key.lower() in {"last", "is_last", "islast"} or (bool(words) and words <= ENDING)


@lru_cache(maxsize=1024)
def is_unrelated(key: str) -> bool:
    """Whether the value under *key* is not about the reply."""
    return bool(words_of(key) & (UNRELATED | FOREIGN_ROLES))


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of all labels of a frame.

    Attributes:
        words: All their words.
        closes: Whether one of them ends the whole reply.
        parts: Whether one of them ends only a part of the reply.
        unrelated: Whether one of them is not about the reply.
        reasons: Whether one of them is about the model's reasoning.
        repeats: Whether one of them marks the text as all text so far.
        fails: Whether one of them reports a failure of the reply.
        silent: Whether the frame's text is not the assistant's.
    """

    words: frozenset[str]
    closes: bool
    parts: bool
    unrelated: bool
    reasons: bool
    repeats: bool
    fails: bool
    silent: bool


@lru_cache(maxsize=1024)
def meaning(labels: tuple[str, ...]) -> Meaning:
    """Return the meaning of *labels* together."""
    each = [words for label in labels if not (words := words_of(label)) <= NOT_LABELS]
    words = frozenset[str]().union(*each)
    reasons = any(REASONING.search(word) for word in words)
    closes = any(words_end_reply(found) for found in each)
    return Meaning(
        words=words,
        closes=closes,
        parts=any(found & ENDING and not found <= ENDING | REPLY for found in each),
        unrelated=bool(words & UNRELATED),
        reasons=reasons,
        repeats=bool(words & SNAPSHOT),
        fails=any(found & FAILING and not found & UNRELATED for found in each),
        silent=bool(words) and not (reasons or closes) and _is_silent(words),
    )


def words_end_reply(words: frozenset[str]) -> bool:
    """Whether a label of *words* ends the whole reply."""
    return bool(words & ENDING) and words <= ENDING | REPLY


def _is_silent(words: frozenset[str]) -> bool:
    if words & (UNRELATED | BOOKKEEPING) or (words & STARTING and not words & STARTING_PARTS):
        return True
    return not words & (PIECE | SNAPSHOT)
