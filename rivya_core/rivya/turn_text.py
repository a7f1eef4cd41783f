"""The one text that a turn sends: of its messages, and of what it says about tools."""

from __future__ import annotations

from collections.abc import Sequence

from rivya_core.prompted.prompt import Prompt, Told
from rivya_core.prompted.transcript import in_words, with_words
from rivya_core.sessions.pointers import Route
from rivya_core.sessions.transcript import render, sendable_verbatim
from rivya_core.types import Message


def text_of(route: Route, messages: Sequence[Message], prompt: Prompt | None, told: Told) -> str:
    """Return the text of a turn.

    Args:
        route: Which messages are sent, and whether a session is continued.
        messages: The whole transcript.
        prompt: What is asked for in words, or None.
        told: What the session knows about tools.
    """
    sent: Sequence[Message] = route.messages
    if prompt is not None:
        sent = with_words(in_words(messages, len(messages) - len(sent)), prompt.words(told))
    if len(sent) == 1 and sendable_verbatim(sent[0]):
        return sent[0].text
    return render(sent, continues=route.session_id is not None)
