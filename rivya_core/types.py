"""The values that pass between the rooms: messages in, deltas out. All frozen, none knows a framework or a wire.

The adapters turn their framework's messages into `Message`; the wires turn those into request bodies, and responses
into `ChatDelta`. A whole reply is one `ChatDelta` with everything in it, so that streamed and whole replies are
handled alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Role = Literal["system", "developer", "user", "assistant", "tool"]
MediaKind = Literal["image", "audio", "video", "file"]
SendBack = Literal["own", "none"] | Sequence[str]
"""Which state of a reply goes back to the back end that sent it: all (`own`), none, or the keys with these names."""


class Text(NamedTuple):
    """A run of text; a named tuple, because nearly every message of a history has one.

    Attributes:
        text: The text as in its message, with the separator from the text before it.
        separator: What separates it; a block of its own does not have it.
        extras: What the caller put on the block for the API, for example `cache_control`; never part of a digest.
    """

    text: str
    separator: str = ""
    extras: Mapping[str, Any] | None = None

    @property
    def block_text(self) -> str:
        """The text of a block of its own."""
        return self.text.removeprefix(self.separator)


@dataclass(frozen=True, slots=True)
class Media:
    """An image, sound, video or document: exactly one of *data*, *url* and *file_id* is set.

    Attributes:
        kind: What it is.
        data: The bytes themselves.
        url: Where it can be fetched.
        file_id: The provider's id of an uploaded file.
        mime_type: For example `image/png`; None where it is not known.
        name: File name for the provider.
        extras: Options of the wire, for example `{"detail": "high"}` or `cache_control`.
    """

    kind: MediaKind
    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    file_id: str | None = None
    mime_type: str | None = None
    name: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The same for the same content, whichever form a message has taken."""
        if self.data is not None:
            return "sha256:" + hashlib.sha256(self.data).hexdigest()
        return f"file_id:{self.file_id}" if self.file_id else f"url:{self.url}"


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A content block in the wire's own form, passed through untouched."""

    block: Mapping[str, Any]


Part = Text | Media | RawBlock


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call of a model; *arguments* is JSON text."""

    id: str
    name: str
    arguments: str


NOTHING: Mapping[str, Any] = {}
CLIENT_CALLS_KEY = "client_tool_calls"
"""Under which the extras of a message, and LlamaIndex's `additional_kwargs`, hold the calls that the caller runs."""


class Message(NamedTuple):
    """One message of a transcript; a named tuple, because each call makes one for every message of a history.

    Attributes:
        role: Who speaks.
        parts: What is said, in order.
        name: The speaker's name, if given.
        tool_calls: Calls that an assistant asks for.
        tool_call_id: Which call a tool message answers.
        failed: Whether a tool message reports an error.
        reasoning: An assistant's reasoning, for display; what goes back of it is in the state of the reply.
        pointer: What the message's metadata hold under `rivya_session`: untrusted, any JSON value or None.
        extras: Wire-specific facts that a next turn may send back, for example the state of a reply.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    failed: bool = False
    reasoning: str = ""
    pointer: Any = None
    extras: Mapping[str, Any] = NOTHING

    @property
    def text(self) -> str:
        """The text parts, joined without a separator."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def client_calls(self) -> tuple[Mapping[str, Any], ...]:
        """Items of calls that the caller runs and that are not tool calls: of a computer, a shell, a patch."""
        found = self.extras.get(CLIENT_CALLS_KEY)
        return tuple(call for call in found if isinstance(call, Mapping)) if isinstance(found, list) else ()

    @property
    def media(self) -> tuple[Media, ...]:
        """The parts that are not text."""
        return tuple(part for part in self.parts if isinstance(part, Media))


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; *index* tells the calls of one reply apart.

    Attributes:
        index: Number of the call in its reply, from 0.
        id: On one piece of the call only.
        name: Text to append to the call's name; nearly always on one piece of the call only.
        arguments: Text to append to the call's arguments.
        invalid: The call is complete and cannot be carried out: its arguments are not a JSON object or has no name.
        error: Why it is invalid, where more is known than that.
        custom: The call is one of a custom tool, which takes free text; the arguments are `{"input": text}`.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    invalid: bool = False
    custom: bool = False
    error: str = ""


class Usage(NamedTuple):
    """Tokens of one turn; None where the provider does not say."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    cache_write_tokens: int | None = None


class ChatDelta(NamedTuple):
    """A piece of a reply, or a whole one; a named tuple, because one is made for every token.

    Attributes:
        text: Text to append.
        reasoning: Reasoning to append.
        tool_calls: Pieces of tool calls.
        usage: Tokens of the turn, on one delta of a reply only.
        metadata: What the adapters put into the message's metadata, JSON only, on one delta only; under `refusal` the
            words of a refusal.
        last: Whether the reply is complete with this delta.
        blocks: Further content, JSON objects with a `type`: citations (`url_citation` with `url`, `title`,
            `start_index`, `end_index` as far as known), images (`image_url` in the chat wire's form), sound (`audio`),
            and the Responses API's own items (`web_search_call`, …).
        places: How many characters of `text` are before each of the blocks; without it they come after the text.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    usage: Usage | None = None
    metadata: Mapping[str, Any] = NOTHING
    last: bool = False
    blocks: tuple[Mapping[str, Any], ...] = ()
    places: tuple[int, ...] = ()
