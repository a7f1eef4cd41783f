"""JSON as servers and models write it: read quickly, forgiven where the meaning is clear, never guessed."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json


def loads_lenient(data: bytes) -> Any:
    """Return the JSON value in *data*; raise `ValueError` if there is none.

    Half a surrogate pair in an escape is kept as it is: its other half may stand in the next piece of a stream.
    """
    try:
        return from_json(data)
    except ValueError:
        if b"\\u" not in data and b"\\U" not in data:
            raise
        return json.loads(data)


def is_object(text: str) -> bool:
    """Whether *text* is one whole JSON object."""
    try:
        return isinstance(from_json(text), dict)
    except ValueError:
        return False


def arguments_text(value: Any) -> str:
    """Return a tool call's arguments as JSON text, whatever the server sent: text, object, text twice encoded, null.

    What is no object stays as it is; `is_object` tells.
    """
    if value is None:
        return "{}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.strip() or text.strip() == "null":
        return "{}"
    return _inner(text) if text.lstrip().startswith('"') else text


def _inner(text: str) -> str:
    """The text in a JSON string, if what it holds is an object or nothing."""
    try:
        value = from_json(text)
    except ValueError:
        return text
    if not isinstance(value, str):
        return text
    inner = arguments_text(value)
    return inner if is_object(inner) else text


class SurrogateBuffer:
    """Text in pieces whose ends may cut a character's surrogate pair; what never gets its other half is replaced."""

    def __init__(self) -> None:
        self.rest = ""

    def add(self, text: str) -> str:
        """Return the whole characters that *text* completes."""
        if not self.rest and text.isascii():
            return text
        every = self.rest + text
        self.rest = every[-1] if "\ud800" <= every[-1:] <= "\udbff" else ""
        return _paired(every[: len(every) - len(self.rest)])

    def finish(self) -> str:
        """Return what is left."""
        left, self.rest = _paired(self.rest), ""
        return left


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
