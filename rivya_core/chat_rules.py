"""How OpenAI-compatible chat APIs differ, as data: one field for each thing that back ends disagree about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatRules:
    """How a chat completion request is to be written for a model.

    Attributes:
        limit_key: Name of the limit of the reply's tokens, `max_tokens` or `max_completion_tokens`.
        stream_options: Whether usage is asked for in streams with `stream_options`. A back end that refuses it once is
            not asked again.
        developer_role: Whether `developer` is a role; else its messages go out as `system`.
        one_system_message: Whether all system messages have to be one, at the beginning; they are joined then.
        names: Whether a message may have a `name`.
        reasoning_key: Under which key an assistant's reasoning is sent back, for example `reasoning_content`; None
            where it is not.
        tool_media: Whether a tool's message may hold images; else they follow in a user's message of their own.
        json_schema: Whether `response_format` takes a JSON schema.
    """

    limit_key: str = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    one_system_message: bool = False
    names: bool = True
    reasoning_key: str | None = None
    tool_media: bool = False
    json_schema: bool = True
