"""Splits a conversation that is written into one message back into its messages.

A client that has a list of messages writes the list into one message for an API that takes one message at a time::

    [conversation 3f9a2c]
    (a few lines of explanation)

    [3f9a2c system]
    You are terse.
    [3f9a2c user {"name": "Ann"}]
    Hi
    [3f9a2c end]

The token occurs in no text of the conversation, so a line that begins with it is a header. A header may contain a JSON
object: a speaker's name, the id of the tool call that a message responds to, the numbers of its attachments (from 1, in
the order of the whole message's attachments). A `tool_call` block belongs to the message before it.

The stand-in reads messages in this way, and tests can: `unfold(turn.context)` is the original conversation.
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
    """Return the context, with its messages in place of every written conversation.

    A replay sends a whole transcript as one message. `unfold` turns it into the messages that it holds, as a model of
    your own usually wants them.
    """
    if not any(message.text.startswith(OPENED) for message in context):
        return context
    return tuple(message for folded in context for message in messages_in(folded))


def messages_in(folded: Message) -> tuple[Message, ...]:
    """Return the messages in one message: the message itself, unless it is a written conversation."""
    opening = OPENING.match(folded.text) if folded.role == "user" else None
    if opening is None:
        return (folded,)
    blocks = list(blocks_of(folded.text, opening[1]))
    if not blocks:
        return (folded,)
    found: list[Message] = []
    for role, data, text in blocks:
        if role == "tool_call" and found:
            call = {**data, "arguments": text}
            found[-1] = replace(found[-1], tool_calls=(*found[-1].tool_calls, call))
        else:
            found.append(message_of(role, data, text, folded.attachments))
    return tuple(found)


def blocks_of(text: str, token: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield role, header data and text of each block; nothing if the conversation has no proper end."""
    headers = list(re.finditer(rf"(?m)^\[{token} (\w+)(?: (\{{.*\}}))?\]$", text))
    if not headers or headers[-1][1] != "end":
        return
    for header, following in pairwise(headers):
        yield header[1], header_data(header[2]), text[header.end() + 1 : max(header.end() + 1, following.start() - 1)]


def header_data(written: str | None) -> dict[str, Any]:
    """Return the JSON object of a header; an empty one if it is missing or invalid."""
    try:
        data = json.loads(written or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def message_of(role: str, data: dict[str, Any], text: str, attachments: tuple[Attachment, ...]) -> Message:
    """Build one message from its block."""
    numbers = [number for number in data.get("attachments", ()) if 0 < number <= len(attachments)]
    return Message(
        role,
        text,
        tuple(attachments[number - 1] for number in numbers),
        name=data.get("name"),
        tool_call_id=data.get("tool_call_id"),
    )
