"""Chunks that hold only text, as nearly all of them do, made as copies of one validated chunk.

Validation is the largest part of a chunk's cost, and it is not needed here: the text is known to be a string and
everything else is empty. The class itself makes the original when this module is imported, so that a copy has all
fields that the installed version of langchain-core puts into an empty chunk.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel

from rivya_core.pydantic_fast import construct_unvalidated


class _Pattern:
    """A validated model, and a function that copies it."""

    def __init__(self, model: BaseModel) -> None:
        self._class = type(model)
        self._values = dict(vars(model))
        self._containers = [
            (key, type(value)) for key, value in self._values.items() if isinstance(value, (dict, list))
        ]
        self._extra = model.__pydantic_extra__
        self._fields_set = set(model.__pydantic_fields_set__)

    def made(self, key: str, value: Any) -> tuple[Any, dict[str, Any]]:
        """Return a copy of the original with one other value, and its dictionary, which may still be changed."""
        values = self._values.copy()
        for name, kind in self._containers:
            values[name] = kind()
        values[key] = value
        extra: dict[str, Any] | None = None if self._extra is None else {}
        return construct_unvalidated(self._class, values, self._fields_set.copy(), extra), values


_MESSAGE = _Pattern(AIMessageChunk(content=""))
_EMPTY = ChatGenerationChunk(message=AIMessageChunk(content=""))
_GENERATION = _Pattern(_EMPTY)
_TEXT: type[str] = type(_EMPTY.text)
"""A string subclass in versions in which `text` was once a method."""


def text_chunk(text: str) -> ChatGenerationChunk:
    """Return what `ChatGenerationChunk(message=AIMessageChunk(content=text))` returns."""
    message, _ = _MESSAGE.made("content", text)
    chunk: ChatGenerationChunk
    chunk, values = _GENERATION.made("message", message)
    values["text"] = _TEXT(text)
    return chunk
