"""The body of a chat request (https://rivya.ai/docs/api/chat)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator, model_validator

from rivya_sandbox.rivya.bodies import ClientRequestId, RivyaBody, Text, parse_body
from rivya_sandbox.rivya.catalogue import CHAT, EFFORTS, MESSAGE_LIMIT
from rivya_sandbox.validation import invalid

MAX_ATTACHMENTS = 16


@dataclass(frozen=True)
class ChatRequest:
    """What a chat request asks for."""

    model: str
    message: str
    session_id: str | None = None
    file_ids: tuple[str, ...] = ()
    reasoning_effort: str = "default"


class ChatBody(RivyaBody):
    """The request's body."""

    model: Text
    message: Text = Field(max_length=MESSAGE_LIMIT)
    session_id: str | None = Field(None, min_length=1)
    attachments: list[Any] | None = Field(None, max_length=MAX_ATTACHMENTS)
    enable_web_search: bool = False
    reasoning_effort: str = "default"
    client_request_id: ClientRequestId = None

    @field_validator("model")
    @classmethod
    def _is_chat_model(cls, model: str) -> str:
        if model not in CHAT:
            raise invalid("chat_model_not_supported", f"The model {model} is not available for the Chat API.")
        return model

    @field_validator("attachments")
    @classmethod
    def _are_files(cls, attachments: list[Any] | None) -> list[Any] | None:
        for item in attachments or ():
            if not isinstance(item, dict) or set(item) != {"file_id"} or not isinstance(item["file_id"], str):
                message = "An attachment must be an object with a file_id from the Files API."
                raise invalid("chat_attachment_not_supported", message)
        return attachments

    @model_validator(mode="after")
    def _effort_fits(self) -> ChatBody:
        efforts = [effort for effort in EFFORTS if effort in CHAT[self.model].efforts]
        if self.reasoning_effort not in efforts:
            raise invalid("validation_failed", f"reasoning_effort must be one of {', '.join(efforts)}.")
        return self


def parse_chat(body: Mapping[str, Any]) -> ChatRequest:
    """Read a chat request's body.

    Raises:
        ApiError: `validation_failed`, `chat_model_not_supported` or `chat_attachment_not_supported`.
    """
    asked = parse_body(ChatBody, body)
    file_ids = tuple(item["file_id"] for item in asked.attachments or ())
    return ChatRequest(asked.model, asked.message, asked.session_id, file_ids, asked.reasoning_effort)
