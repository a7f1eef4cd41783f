"""The messages of a chat completion request, checked as strictly as OpenAI checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from rivya_sandbox.openai.content import Base64, FileId, Url
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.validation import Body, invalid, json_type
from rivya_sandbox.values import Attachment, Context, Message

PARTS = {"user": ("text", "image_url", "input_audio", "file", "video_url"), "assistant": ("text", "refusal")}
"""The kinds of parts that a role's messages may contain; other roles only have text."""


class _Link(Body):
    url: Url


class _Audio(Body):
    format: Literal["wav", "mp3", "flac", "m4a", "ogg", "webm", "opus", "pcm16"]
    data: Base64


class _File(Body):
    file_id: FileId | None = None
    filename: str | None = None
    file_data: Url | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> _File:
        if self.file_id is None and (self.filename is None or self.file_data is None):
            raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", ".file_id")
        return self


class PartBody(Body):
    """One part of a message's content. `type` names the key of its value."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Link | None = None
    video_url: _Link | None = None
    input_audio: _Audio | None = None
    file: _File | None = None

    @model_validator(mode="after")
    def _has_value(self) -> PartBody:
        if getattr(self, self.type, "") is None:
            raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", f".{self.type}")
        return self

    def read(self) -> str | Attachment:
        """Return the part's text or attachment."""
        links = [link.url for link in (self.image_url, self.video_url) if link]
        audio = [self.input_audio.data] if self.input_audio else []
        files = [self.file.file_id or self.file.file_data] if self.file else []
        return next((found for found in (*links, *audio, *files) if found), self.text or self.refusal or "")


def as_parts(content: Any) -> Any:
    """Turn a text into a list of one part."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if content is not None and not (isinstance(content, list) and content):
        message = f"Invalid value for '{{param}}': expected a string or a non-empty array, got {json_type(content)}."
        raise invalid("invalid_type", message)
    return content


class _FunctionCall(Body):
    name: str
    arguments: str


class _ToolCall(Body):
    id: str
    type: Literal["function"]
    function: _FunctionCall


class MessageBody(Body):
    """One message."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: Annotated[list[PartBody] | None, BeforeValidator(as_parts)] = None
    name: str | None = Field(None, pattern=r"^[^\s<|\\/>]{1,64}$")
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _fits_role(self) -> MessageBody:
        if self.content is None and not (self.role == "assistant" and (self.tool_calls or self.refusal)):
            raise invalid("invalid_type", "Invalid value for '{param}': expected a string, got null.", ".content")
        if self.role == "tool" and self.tool_call_id is None:
            raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", ".tool_call_id")
        allowed = PARTS.get(self.role, ("text",))
        for place, part in enumerate(self.content or ()):
            if part.type not in allowed:
                supported = ", ".join(map(repr, allowed))
                message = f"Invalid value: '{part.type}'. Supported values are: {supported}."
                raise invalid("invalid_value", message, f".content[{place}].type")
        return self

    def read(self) -> Message:
        """Return the message as the model sees it. The developer's messages are system messages."""
        found = [part.read() for part in self.content or ()] or [self.refusal or ""]
        text = "".join(part for part in found if isinstance(part, str))
        attachments = tuple(part for part in found if isinstance(part, Attachment))
        calls = tuple(call.model_dump() for call in self.tool_calls or ())
        role = "system" if self.role == "developer" else self.role
        return Message(role, text, attachments, self.name, calls, self.tool_call_id)


def check_tool_results(messages: Sequence[Message]) -> Context:
    """Check that every tool call is followed by its result, and every result follows its call.

    Raises:
        OpenAIError: One of them is missing.
    """
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise OpenAIError(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'.",
                    param=f"messages[{place}].role",
                )
            waiting.discard(str(message.tool_call_id))
            continue
        check_none_waiting(waiting)
        waiting = {call["id"] for call in message.tool_calls}
    check_none_waiting(waiting)
    return tuple(messages)


def check_none_waiting(waiting: set[str]) -> None:
    """Reject calls without a result."""
    if waiting:
        raise OpenAIError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(sorted(waiting)),
            param="messages",
        )
