"""A list of messages written into one, for a chat that takes one message at a time.

The form, which people and models can read and which cannot be forged from within::

    [conversation 3f9a2c1e]
    What follows is the conversation so far, oldest message first. ...

    [3f9a2c1e system]
    You are terse.
    [3f9a2c1e user {"name": "Ann"}]
    Hi
    [3f9a2c1e end]

Every message starts on a line of its own with the conversation's token; its text is exactly what stands between
that line's end and the line break before the next such line. The token is chosen so that it occurs in no text of
the conversation, so no user's text can open a message of another role. Attributes of a message (speaker's name,
tool call id, attachment number) are one JSON object in the line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from rivya_core.chat import Media, Message, Native, Text

OPENING = "[conversation "
EXPLANATION = (
    "What follows is the conversation so far, oldest message first. Each message stands below a line with its role. "
    "Follow the system messages, then write the assistant's next message and nothing else."
)


def is_plain(message: Message) -> bool:
    """Whether *message* can go out word for word: a user's, with nothing beside text and media."""
    return (
        message.role == "user"
        and message.name is None
        and not any(isinstance(part, Native) for part in message.parts)
        and not message.text.lstrip().startswith(OPENING)
    )


def render(messages: Sequence[Message]) -> str:
    """Return *messages* as one text; the media of all messages are attachments, numbered from 1 in their order."""
    blocks = [block for message in _numbered(messages) for block in message]
    token = _token([text for _, _, text in blocks])
    lines = [f"{OPENING}{token}]", EXPLANATION, ""]
    for role, attributes, text in blocks:
        facts = f" {json.dumps(attributes, ensure_ascii=False)}" if attributes else ""
        lines += [f"[{token} {role}{facts}]", text]
    return "\n".join([*lines, f"[{token} end]"])


def _numbered(messages: Sequence[Message]) -> Iterator[list[tuple[str, dict[str, object], str]]]:
    """Blocks of role, attributes and text: one for each message, one more for each tool call in it."""
    attached = 0
    for message in messages:
        count = len(message.media)
        attributes = _attributes(message)
        if count:
            attributes["attachments"] = list(range(attached + 1, attached + count + 1))
        attached += count
        yield [(message.role, attributes, _text(message)), *_calls(message)]


def _calls(message: Message) -> list[tuple[str, dict[str, object], str]]:
    return [("tool_call", {"id": call.id, "name": call.name}, call.arguments) for call in message.tool_calls]


def _attributes(message: Message) -> dict[str, object]:
    attributes: dict[str, object] = {}
    if message.name:
        attributes["name"] = message.name
    if message.tool_call_id:
        attributes["tool_call_id"] = message.tool_call_id
    if message.failed:
        attributes["failed"] = True
    return attributes


def _text(message: Message) -> str:
    return "".join(_words(part) for part in message.parts)


def _words(part: Text | Media | Native) -> str:
    match part:
        case Text(text):
            return text
        case Native(block):
            return json.dumps(block, ensure_ascii=False)
        case Media():
            return ""


def _token(texts: Sequence[str]) -> str:
    """Eight hex digits that stand in none of *texts*; the same texts give the same ones."""
    seed = "\0".join(texts).encode("utf-8", "surrogatepass")
    while True:
        seed = hashlib.sha256(seed).digest()
        token = seed.hex()[:8]
        if not any(token in text for text in texts):
            return token
