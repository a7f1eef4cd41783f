"""An independent reader of the transcripts that `rivya_core.sessions.transcript` writes, from their documented form alone.

It is the other half of the proof that a transcript can be read in one way only, and it turns what the sandbox's
journal saw back into a list of messages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

FIRST_LINE = re.compile(r"\[conversation ([0-9a-f]{8})( continues)?\]")


@dataclass(frozen=True)
class Seen:
    """A message as a model saw it."""

    role: str
    text: str
    name: str | None = None
    tool_call_id: str | None = None
    failed: bool = False
    calls: tuple[tuple[str, str, str], ...] = ()
    attachments: tuple[Any, ...] = ()


def is_transcript(text: str) -> bool:
    """Whether a message is one that holds others."""
    return FIRST_LINE.match(text.partition("\n")[0]) is not None


def read(text: str, attachments: tuple[Any, ...] = ()) -> list[Seen]:
    """Return the messages in a transcript; *attachments* are those of the message that it came in."""
    first = FIRST_LINE.fullmatch(text.partition("\n")[0])
    assert first, f"no transcript: {text[:80]!r}"
    pieces = text.split(f"\n[{first[1]} ")
    assert pieces[-1] == "end]", "the transcript has no end"
    seen: list[Seen] = []
    for piece in pieces[1:-1]:
        line, separator, body = piece.partition("\n")
        assert separator, "a message without a text"
        assert line.endswith("]"), f"not a message's line: {line!r}"
        role, _, facts = line[:-1].partition(" ")
        seen = _with(seen, role, json.loads(facts) if facts else {}, body, attachments)
    return seen


def _with(seen: list[Seen], role: str, facts: dict[str, Any], body: str, attachments: tuple[Any, ...]) -> list[Seen]:
    if role == "tool_call":
        *before, last = seen
        assert last.role == "assistant"
        calls = (*last.calls, (facts["id"], facts["name"], body))
        return [*before, Seen(last.role, last.text, last.name, None, last.failed, calls, last.attachments)]
    numbers = facts.pop("attachments", [])
    carried = tuple(attachments[number - 1] for number in numbers) if attachments else tuple(numbers)
    return [*seen, Seen(role, body, attachments=carried, **facts)]
