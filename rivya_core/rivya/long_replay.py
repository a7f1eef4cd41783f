"""A transcript that is longer than one message, put into a new session in several messages.

Opt-in (`long_replay="parts"`), because every part is a turn of its own that the model answers and that is charged.
The parts are pieces of the text that `transcript.render` makes, so nothing is left out and nothing is added to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_core.types import ChatDelta

ROOM = 400
"""Characters of a message that are kept for the lines around a part."""
PART = "[{token} part {number} of {count}]\n{text}\n[{token} end of part {number}]\n"
MORE = "More parts follow. Reply with the single word OK."
LAST = "These were all parts. Read them together as one text, and do what the text says."


def parts_of(text: str, longest: int) -> list[str]:
    """Return *text* as messages of at most *longest* characters, each with a line that says which part it is.

    The token in that line is not in *text*.
    """
    size, token = longest - ROOM, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    count = len(pieces)
    return [
        PART.format(token=token, number=number, count=count, text=piece) + (LAST if number == count else MORE)
        for number, piece in enumerate(pieces, 1)
    ]


@dataclass(frozen=True, slots=True)
class SentParts:
    """The parts that a session holds before the last one.

    Attributes:
        session_id: The new session.
        count: How many were sent.
        credits: What they cost, where the provider says.
        tokens: Tokens of the parts and the replies to them.
    """

    session_id: str
    count: int = 0
    credits: float = 0
    tokens: int = 0

    def and_one(self, reply: ChatDelta) -> SentParts:
        """Return these parts and one more with its *reply*."""
        spent = reply.metadata.get("credits")
        final = spent.get("final") if isinstance(spent, Mapping) else spent
        cost = final if isinstance(final, (int, float)) and not isinstance(final, bool) else 0
        session_id = str(reply.metadata.get("session_id") or self.session_id)
        tokens = reply.usage.total_tokens if reply.usage else 0
        return SentParts(session_id, self.count + 1, self.credits + cost, self.tokens + tokens)

    def to_json(self) -> dict[str, Any]:
        """Return what the final reply's metadata say of the parts before it."""
        return {"parts": self.count + 1, "credits": self.credits, "tokens": self.tokens}


NO_PARTS = SentParts("")
