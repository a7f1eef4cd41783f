"""The values that pass between a model and the APIs: messages, tools, requests, answers, tool calls.

They know no HTTP and no provider's format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Self

TOKENS_PER_IMAGE = 85
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or file in a message.

    Attributes:
        file_id: Its id in the Files API; empty if it came inline.
        sha256: Hexadecimal digest of its bytes.
    """

    file_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call.

    Attributes:
        name: The tool.
        arguments: A JSON object, or text that is sent unchanged (broken JSON, for example).
        id: The call's id; a new one by default.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def text(self) -> str:
        """The arguments as JSON text."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the model sees it.

    Attributes:
        role: `system`, `user`, `assistant` or `tool`.
        text: The text, exactly as it arrived.
        attachments: The images and files, in order.
        name: The speaker's name, where the API has one.
        tool_calls: The tool calls of an assistant message, as the API gave them.
        tool_call_id: The call that a `tool` message responds to.
    """

    role: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    name: str | None = None
    tool_calls: tuple[Any, ...] = ()
    tool_call_id: str | None = None

    @property
    def tokens(self) -> int:
        """A deterministic count: four characters per token, 85 tokens per image."""
        return count_tokens(self.text) + TOKENS_PER_IMAGE * len(self.attachments)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tool calls, whichever form the API gave them in."""
        found = [{**call, **(call.get("function") or {})} for call in self.tool_calls]
        return tuple(Call(str(one.get("name")), str(one.get("arguments") or "{}"), one.get("id")) for one in found)


Context: TypeAlias = tuple[Message, ...]
"""Everything that the model sees in one turn, oldest message first."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call.

    Attributes:
        name: Its name.
        description: What it does.
        parameters: JSON schema of its arguments.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the arguments, by name."""
        found = self.parameters.get("properties")
        return found if isinstance(found, Mapping) else {}


class ModelRequest(tuple[Message, ...]):  # noqa: SLOT001 - a tuple of any length can have no slots
    """What a model gets: a tuple of the messages, oldest first, with what else the request contains.

    Attributes:
        tools: The tools that the model may call.
        tool_choice: `auto`, `none` or `required`.
        forced_tool: The name of the tool that the model must call, if the request names one.
        parallel_tool_calls: Whether the reply may contain several calls.
        schema: The JSON schema of the reply; `{}` for any JSON object, `None` for any text.
        max_tokens: The most tokens of the reply.
    """

    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    forced_tool: str | None = None
    parallel_tool_calls: bool = True
    schema: Mapping[str, Any] | None = None
    max_tokens: int | None = None

    def __new__(cls, messages: Iterable[Message] = (), **attributes: Any) -> Self:
        """Create a request from its messages and attributes."""
        made = super().__new__(cls, messages)
        vars(made).update(attributes)
        return made

    @property
    def system(self) -> str:
        """The text of the system messages."""
        return "\n\n".join(message.text for message in self if message.role == "system")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model replies.

    Attributes:
        text: The text.
        reasoning: The reasoning, if the model shows it.
    """

    text: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Completion(Answer):
    """An answer that may contain more than text.

    It can be scripted: `sandbox.answer(Completion(calls=(Call("add", {"a": 1, "b": 2}),)))`.

    Attributes:
        calls: Tool calls.
        finish_reason: Why it ended; by default `tool_calls` or `stop`.
        refusal: A refusal in place of text.
        citations: Sources as `{"url", "title"}`, cited at the end of the text.
        searches: Queries of web searches, for the Responses API.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    citations: tuple[Mapping[str, str], ...] = ()
    searches: tuple[str, ...] = ()

    def __call__(self, _request: Context, /) -> Completion:
        """Return this answer, whatever the request."""
        return self


@dataclass(frozen=True, slots=True)
class Wire(Completion):
    """An answer that is sent byte for byte: for everything that real servers get wrong.

    Attributes:
        pieces: The body. Each piece is sent on its own.
        status: HTTP status.
        headers: Headers of the response.
        broken: Whether the connection breaks after the last piece.
    """

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    broken: bool = False

    @staticmethod
    def body(value: Any, status: int = 200) -> Wire:
        """Send a JSON value as the whole response."""
        return Wire(pieces=(json.dumps(value).encode(),), status=status)

    @staticmethod
    def text_body(text: str, content_type: str = "text/plain; charset=utf-8", status: int = 200) -> Wire:
        """Send a text or a page as the whole response."""
        return Wire(pieces=(text.encode(),), status=status, headers={"content-type": content_type})

    @staticmethod
    def events(*values: Any, done: bool = True, broken: bool = False) -> Wire:
        """Stream JSON values, or text that stands for an event's data. `done` adds the end marker."""
        data = [value if isinstance(value, str) else json.dumps(value) for value in values]
        frames = [f"data: {text}\n\n".encode() for text in [*data, *(["[DONE]"] if done else [])]]
        return Wire(pieces=tuple(frames), headers={"content-type": "text/event-stream"}, broken=broken)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one turn; `output_tokens` includes `reasoning_tokens`."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class Model(Protocol):
    """Anything that replies: `StandIn`, `Upstream`, or a callable of your own.

    It is called with a `ModelRequest` and returns an `Answer`, a `Completion` or a `Wire`. It may block, because it
    runs in a thread. An exception that it raises becomes a server error.
    """

    def __call__(self, request: ModelRequest, /) -> Answer:
        """Reply to the last message of the request."""
        ...


def count_tokens(text: str) -> int:
    """Return a quarter of the characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
