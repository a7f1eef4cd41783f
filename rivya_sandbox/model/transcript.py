"""Conversations that arrive written into one message, taken apart again.

A client that has a whole message list and an API that takes one message at a time writes the list out::

    [conversation 3f9a2c]
    (a few lines of explanation)

    [3f9a2c system]
    You are terse.
    [3f9a2c user {"name": "Ann"}]
    Hi
    [3f9a2c end]

The token stands in no text of the conversation, so a line that begins with it is a header. A header may carry a JSON
object: a speaker's name, the id of the tool call that a message answers, numbers of the attachments that belong to it
(from 1, in the order of the whole message's attachments). A `tool_call` block belongs to the message before it.

The model reads messages through here, and tests can: `unfold(turn.context)` is the conversation as its author meant it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from rivya_sandbox.values import Attachment, Context, Message

OPENED = "[conversation "
OPENING = re.compile(r"\[conversation ([0-9a-f]+)(?: continues)?\]\n")


def unfold(context: Context) -> Context:
    """The context with every written-out conversation replaced by its messages."""
    if not any(message.text.startswith(OPENED) for message in context):
        return context
    return tuple(message for folded in context for message in messages_in(folded))


def messages_in(folded: Message) -> tuple[Message, ...]:
    """The messages in one message: itself, unless it is a written-out conversation."""
    opening = OPENING.match(folded.text) if folded.role == "user" else None
    if opening is None:
        return (folded,)
    blocks = list(blocks_of(folded.text, opening[1]))
    if not blocks:
        return (folded,)
    found: list[Message] = []
    for role, facts, text in blocks:
        if role == "tool_call" and found:
            call = {**facts, "arguments": text}
            found[-1] = replace(found[-1], tool_calls=(*found[-1].tool_calls, call))
        else:
            found.append(message_of(role, facts, text, folded.attachments))
    return tuple(found)


def blocks_of(text: str, token: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Role, facts and text of each block, as long as the conversation is closed properly; else nothing."""
    headers = list(re.finditer(rf"(?m)^\[{token} (\w+)(?: (\{{.*\}}))?\]$", text))
    if not headers or headers[-1][1] != "end":
        return
    for header, following in pairwise(headers):
        yield header[1], facts_of(header[2]), text[header.end() + 1 : max(header.end() + 1, following.start() - 1)]


def facts_of(written: str | None) -> dict[str, Any]:
    """The JSON object of a header; nothing if there is none or it is broken."""
    try:
        facts = json.loads(written or "{}")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def message_of(role: str, facts: dict[str, Any], text: str, attachments: tuple[Attachment, ...]) -> Message:
    """One message out of its block."""
    numbers = [number for number in facts.get("attachments", ()) if 0 < number <= len(attachments)]
    return Message(
        role,
        text,
        tuple(attachments[number - 1] for number in numbers),
        name=facts.get("name"),
        tool_call_id=facts.get("tool_call_id"),
    )
