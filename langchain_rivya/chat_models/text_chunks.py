"""Chunks and whole replies that hold only text, as nearly all of them do, made as copies of validated ones.

Validation is the largest part of a chunk's cost, and it is not needed here: the types of the values are known and
everything else is empty. The class itself makes the original when this module is imported, so that a copy has all
fields that the installed version of langchain-core puts into an empty one.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import BaseModel

from rivya_core.pydantic_fast import construct_unvalidated


class _Pattern:
    """A validated model, and a function that copies it."""

    def __init__(self, model: BaseModel) -> None:
        self._class = type(model)
        self._values = dict(vars(model))
        self._fields_set = set(model.__pydantic_fields_set__)
        self._fresh = [
            (key, type(value))
            for key, value in self._values.items()
            if isinstance(value, (dict, list)) and key not in self._fields_set
        ]
        self._extra = model.__pydantic_extra__

    def made(self, given: dict[str, Any]) -> Any:
        """Return a copy of the original with the values *given* for the fields that were set in the original."""
        values = {**self._values, **given}
        for name, kind in self._fresh:
            values[name] = kind()
        extra: dict[str, Any] | None = None if self._extra is None else {}
        return construct_unvalidated(self._class, values, self._fields_set.copy(), extra)


_EMPTY = ChatGenerationChunk(message=AIMessageChunk(content=""))
_TEXT: type[str] = type(_EMPTY.text)
"""A string subclass in versions in which `text` was once a method."""
_CHUNK_MESSAGE, _CHUNK = _Pattern(AIMessageChunk(content="")), _Pattern(_EMPTY)
_REASONING = _Pattern(AIMessageChunk(content="", additional_kwargs={}))
_MESSAGE = _Pattern(AIMessage(content="", response_metadata={}, usage_metadata=None))
_GENERATION = _Pattern(ChatGeneration(message=AIMessage(content="")))
_RESULT = _Pattern(ChatResult(generations=[], llm_output={}))


def text_chunk(text: str, reasoning: str = "") -> ChatGenerationChunk:
    """Return what `ChatGenerationChunk(message=AIMessageChunk(content=text))` returns, with the reasoning, if any."""
    if reasoning:
        message = _REASONING.made({"content": text, "additional_kwargs": {"reasoning_content": reasoning}})
    else:
        message = _CHUNK_MESSAGE.made({"content": text})
    chunk: ChatGenerationChunk = _CHUNK.made({"message": message, "text": str.__new__(_TEXT, text)})
    return chunk


def text_message(text: str, metadata: dict[str, Any], usage: UsageMetadata | None) -> AIMessage:
    """Return what `AIMessage(content=text, response_metadata=metadata, usage_metadata=usage)` returns."""
    message: AIMessage = _MESSAGE.made({"content": text, "response_metadata": metadata, "usage_metadata": usage})
    return message


def text_result(message: AIMessage, llm_output: dict[str, Any]) -> ChatResult:
    """Return *message*, whose content is a text, as the validated `ChatResult` of one generation would hold it."""
    generation = _GENERATION.made({"message": message, "text": str.__new__(_TEXT, message.content)})
    result: ChatResult = _RESULT.made({"generations": [generation], "llm_output": llm_output})
    return result
