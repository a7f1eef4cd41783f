"""What the sandbox's model saw, as plain messages: the judge of every test about sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transcript_reader import Seen, is_transcript, read

from rivya_sandbox import Message as Heard
from rivya_sandbox import Sandbox, Turn


def context_of(turn: Turn) -> list[Seen]:
    """Every message that the model saw in *turn*, transcripts taken apart; images as their digests."""
    return [one for heard in turn.context for one in _messages(heard)]


def _messages(heard: Heard) -> list[Seen]:
    images = tuple(attachment.sha256 for attachment in heard.attachments)
    if heard.role == "user" and is_transcript(heard.text):
        return read(heard.text, images)
    return [Seen(heard.role, heard.text, attachments=images)]


def turn_of(sandbox: Sandbox, reply_id: str) -> Turn:
    """The one turn that a reply came from; it was charged."""
    (turn,) = [turn for turn in sandbox.journal.turns if turn.id == reply_id]
    assert turn.charged > 0
    return turn


class Watch:
    """The turns that a sandbox ran since the watch began."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._journal, self._from = sandbox.journal, len(sandbox.journal.turns)

    @property
    def turns(self) -> list[Turn]:
        """The turns since then that became part of their session."""
        return [turn for turn in self._journal.turns[self._from :] if turn.completed]

    @property
    def charged(self) -> int:
        """How many of them were charged."""
        return sum(turn.charged > 0 for turn in self.turns)

    def only(self) -> Turn:
        """The one turn since then."""
        (turn,) = self.turns
        assert turn.charged > 0
        return turn


def history(messages: Iterable[Any]) -> list[Seen]:
    """What a model is to see of messages of the core in which user and assistant take turns."""
    return users(*(message.text for message in messages))


def users(*texts: str) -> list[Seen]:
    """What a conversation looks like in which user and assistant take turns."""
    return [Seen(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)]
