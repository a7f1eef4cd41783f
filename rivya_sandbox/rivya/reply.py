"""A reply of Rivya's chat, ready to be written in any form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivya_sandbox.values import Answer, Usage


@dataclass(frozen=True)
class Reply:
    """The result of a chat turn."""

    id: str
    session_id: str
    message_id: str
    model: str
    created_at: str
    answer: Answer
    usage: Usage
    reserved: int
    final: int

    def body(self) -> dict[str, Any]:
        """Return the whole reply as the API writes it."""
        message: dict[str, Any] = {"id": self.message_id, "role": "assistant", "content": self.answer.text}
        if self.answer.reasoning:
            message["thoughts"] = self.answer.reasoning
        return {"id": self.id, "object": "chat.completion", **self.metadata(), "message": message, **self.cost()}

    def metadata(self) -> dict[str, Any]:
        """Return session, model and time."""
        return {"session_id": self.session_id, "model": self.model, "created_at": self.created_at}

    def cost(self) -> dict[str, Any]:
        """Return usage and credits."""
        usage = {
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "total_tokens": self.usage.total_tokens,
        }
        return {"usage": usage, "credits": {"reserved": self.reserved, "final": self.final}}
