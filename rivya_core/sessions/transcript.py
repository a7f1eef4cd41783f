"""A list of messages as one text, for a chat that takes one message at a time.

The form, which people and models can read and which cannot be forged from within::

    [conversation 3f9a2c1e]
    What follows is the conversation so far, oldest message first. ...

    [3f9a2c1e system]
    You are terse.
    [3f9a2c1e user {"name": "Ann"}]
    Hi
    [3f9a2c1e end]

Every message starts on a line of its own with the conversation's token; its text is everything between
that line's end and the line break before the next such line. The token does not occur in any message, so no user's
text can open a message of another role. A user's message that is sent word for word never contains the opening, so it
cannot be mistaken for a conversation. Attributes of a message (speaker's name, tool
call id, attachment numbers) are one JSON object in the line. Calls of an assistant's message follow it as blocks of
their own, with the arguments as text. In a session that holds the beginning already, the opening is
`[conversation 3f9a2c1e continues]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rivya_core.sessions.pointers import written
from rivya_core.types import Media, Message, RawBlock, Text

OPENING = "[conversation "
WHOLE = (
    "What follows is the conversation so far, oldest message first. Each message stands below a line with its role. "
    "Follow the system messages, then write the assistant's next message and nothing else."
)
CONTINUED = (
    "The conversation continues with the messages that follow, oldest first. Each stands below a line with its role. "
    "Follow the system messages, then write the assistant's next message and nothing else."
)


class Block(NamedTuple):
    """A message, or a tool call in it: its line and the text below the line."""

    role: str
    attributes: str
    text: str


def sendable_verbatim(message: Message) -> bool:
    """Whether *message* can be sent word for word: a user's message with text and otherwise only media."""
    return (
        message.role == "user"
        and message.name is None
        and not any(isinstance(part, RawBlock) for part in message.parts)
        and bool(message.text.strip() or not message.media)
        and OPENING not in message.text.casefold()
    )


def render(messages: Sequence[Message], *, continues: bool = False) -> str:
    """Return *messages* as one text; the media of all messages are attachments, numbered from 1 in their order.

    Args:
        messages: What to write, oldest first.
        continues: Whether the session that it goes to holds the beginning of the conversation.

    Raises:
        InvalidInputError: A message holds something that JSON cannot carry.
    """
    blocks = list(_blocks(messages))
    token = _token(blocks)
    lines = [f"{OPENING}{token}{' continues' if continues else ''}]", CONTINUED if continues else WHOLE, ""]
    for role, attributes, text in blocks:
        lines += [f"[{token} {role}{attributes}]", text]
    return "\n".join([*lines, f"[{token} end]"])


def _blocks(messages: Sequence[Message]) -> Iterator[Block]:
    """One block for each message, one more for each tool call in it."""
    attached = 0
    for message in messages:
        numbers = range(attached + 1, attached + len(message.media) + 1)
        attached += len(numbers)
        yield Block(message.role, _attributes(message, numbers), "".join(_words(part) for part in message.parts))
        for call in message.tool_calls:
            yield Block("tool_call", _object({"id": call.id, "name": call.name}), call.arguments)
        for item in message.client_calls:
            facts = {"id": item.get("call_id") or item.get("id"), "name": item.get("type")}
            yield Block("tool_call", _object(facts), written(item))


def _attributes(message: Message, attachments: range) -> str:
    facts = {
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "failed": message.failed,
        "attachments": list(attachments),
    }
    return _object({key: value for key, value in facts.items() if value})


def _object(facts: dict[str, object]) -> str:
    """JSON on one line: what any reader takes for a line break is escaped."""
    if not facts:
        return ""
    escaped = json.dumps(facts, ensure_ascii=False)
    return " " + "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in escaped)


def _words(part: Text | Media | RawBlock) -> str:
    match part:
        case Text():
            return part.text
        case RawBlock(block):
            return written(block)
        case Media():
            return ""


def _token(blocks: Sequence[Block]) -> str:
    """Eight hex digits that occur in none of *blocks*; the same blocks give the same digits."""
    seed = json.dumps(blocks).encode()
    while True:
        seed = hashlib.sha256(seed).digest()
        token = seed.hex()[:8]
        if not any(token in text or token in attributes for _, attributes, text in blocks):
            return token
