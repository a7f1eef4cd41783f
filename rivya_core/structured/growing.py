"""Reading an object while its JSON still arrives. Pure.

Only complete values are returned, so no value changes later: a number or a string appears when it has ended, and an
object or a list grows by whole values. A reply that does not start with the object (prose, a schema, an example)
returns nothing before it is complete.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

OPENING = re.compile(
    r"\s*(?:<(think|thinking|reasoning)>.*?</\1>\s*)?(?:```+[ \t]*(?:json)?[ \t]*\r?\n\s*)?(?=[{\[])",
    re.DOTALL | re.IGNORECASE,
)
ENDS_VALUE = re.compile(r"[,}\]]")
UNFINISHED = re.compile(r"[\w.+-]+\Z")
"""A number or a word at the end, which may still continue."""


class GrowingObject:
    """The object in a text that arrives piece by piece.

    Args:
        in_prose: Whether the text is a reply's, which may begin with something else; else it is JSON from its start.
    """

    def __init__(self, *, in_prose: bool = False) -> None:
        self._pieces: list[str] = []
        self._in_prose = in_prose
        self._value: Any = None

    def feed(self, piece: str) -> Any:
        """Take the next piece and return the object so far, or None while there is none."""
        self._pieces.append(piece)
        if ENDS_VALUE.search(piece):
            self._value = self._read("".join(self._pieces))
        return self._value

    def _read(self, text: str) -> Any:
        self._pieces = [text]
        if self._in_prose:
            opening = OPENING.match(text)
            if opening is None:
                return None
            text = text[opening.end() :]
        try:
            return from_json(UNFINISHED.sub("", text.partition("\n```")[0]), allow_partial=True)
        except ValueError:
            return self._value
