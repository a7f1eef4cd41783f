"""The stand-in that answers."""

from __future__ import annotations

from .values import Answer, Context


class StandIn:
    """A deterministic model."""

    def __call__(self, context: Context, /) -> Answer:
        """Answer the last message."""
        return Answer(f"You said: {context[-1].text[:200]}", "The user wants an answer.")
