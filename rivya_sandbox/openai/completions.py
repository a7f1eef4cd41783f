"""What a model behind an OpenAI-compatible API says: text, tool calls, a refusal, or exact bytes.

Each of these values is a line of a script: `sandbox.answer(Completion(calls=(Call("add", {"a": 1, "b": 2}),)))`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rivya_sandbox.values import Answer

if TYPE_CHECKING:
    from rivya_sandbox.values import Context


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function.

    Attributes:
        name: The function.
        arguments: A JSON object, or text that is sent as it is (broken JSON, for example).
        id: The call's id; a new one by default.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def text(self) -> str:
        """The arguments as they go over the wire."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Completion(Answer):
    """An answer that may hold more than text.

    Attributes:
        calls: Functions that the model wants called.
        finish_reason: Why it ended; by default `tool_calls` or `stop`.
        refusal: What is said instead of text.
        citations: Sources as `{"url", "title"}`, cited at the text's end.
        searches: Queries of web searches, for the Responses API.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    citations: tuple[Mapping[str, str], ...] = ()
    searches: tuple[str, ...] = ()

    def __call__(self, _context: Context, /) -> Completion:
        """Say it, whatever was asked."""
        return self


@dataclass(frozen=True, slots=True)
class Wire(Completion):
    """An answer that is sent byte for byte, for everything that real back ends get wrong.

    Attributes:
        pieces: The body; each piece leaves on its own.
        status: HTTP status.
        headers: Of the answer.
        broken: Whether the connection breaks after the last piece.
    """

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    broken: bool = False

    @staticmethod
    def body(value: Any, status: int = 200) -> Wire:
        """A JSON value as the whole answer."""
        return Wire(pieces=(json.dumps(value).encode(),), status=status)

    @staticmethod
    def text_body(text: str, content_type: str = "text/plain; charset=utf-8", status: int = 200) -> Wire:
        """A text or a page as the whole answer."""
        return Wire(pieces=(text.encode(),), status=status, headers={"content-type": content_type})

    @staticmethod
    def events(*values: Any, done: bool = True, broken: bool = False) -> Wire:
        """A stream of JSON values, or of text that stands in for an event's data; `done` adds the end mark."""
        data = [value if isinstance(value, str) else json.dumps(value) for value in values]
        frames = [f"data: {text}\n\n".encode() for text in [*data, *(["[DONE]"] if done else [])]]
        return Wire(pieces=tuple(frames), headers={"content-type": "text/event-stream"}, broken=broken)
