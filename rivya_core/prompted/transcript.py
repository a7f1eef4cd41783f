"""Messages with tool calls and results as messages of plain text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rivya_core.prompted.escaping import escaped, escaped_json
from rivya_core.sessions.pointers import written
from rivya_core.types import Media, Message, Part, RawBlock, Text

ATTACHED = "The result is attached."


def in_words(messages: Sequence[Message], start: int = 0) -> list[Message]:
    """Return the messages from *start* on, with everything that is not text written as text.

    Calls become `<tool_call>` blocks of the assistant's text. The results that follow one another become one user
    message of `<tool_response>` blocks. Tags in anybody's text are escaped.

    Args:
        messages: The whole transcript; the ones before *start* give results the names of their calls.
        start: Where to begin.

    Raises:
        InvalidInputError: A message holds something that JSON cannot carry.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return list(_written(messages[start:], names, _calls_before(messages, start)))


def with_words(messages: Sequence[Message], words: str) -> list[Message]:
    """Return *messages* with a call's added text: in front of a single message, else as a system message."""
    if not words:
        return list(messages)
    if len(messages) == 1 and messages[0].role == "user":
        only = messages[0]
        return [only._replace(parts=(Text(f"{words}\n\n"), *only.parts))]
    if messages and messages[0].role == "system":
        first = messages[0]
        return [first._replace(parts=(*first.parts, Text(f"\n\n{words}"))), *messages[1:]]
    return [Message("system", (Text(words),)), *messages]


def call_block(name: str, arguments: str) -> str:
    """Return a call in the form that models are asked for; arguments that are not JSON stay a text."""
    try:
        value: Any = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        value = arguments
    return f"<tool_call>{escaped_json({'name': name, 'arguments': value})}</tool_call>"


def _calls_before(messages: Sequence[Message], start: int) -> int:
    """How many calls the newest assistant message before *start* made."""
    return next((len(message.tool_calls) for message in reversed(messages[:start]) if message.role == "assistant"), 0)


def _written(messages: Iterable[Message], names: Mapping[str, str], calls: int) -> Iterator[Message]:
    for is_result, group in groupby(messages, lambda message: message.role == "tool"):
        run = list(group)
        if is_result:
            yield _results(run, names, alone=len(run) == 1 and calls <= 1)
            continue
        yield from map(_plain, run)
        calls = len(run[-1].tool_calls) if run[-1].role == "assistant" else calls


def _plain(message: Message) -> Message:
    parts = tuple(map(_escaped, message.parts))
    if not message.tool_calls:
        return message._replace(parts=parts)
    blocks = "\n".join(call_block(call.name, call.arguments) for call in message.tool_calls)
    gap = "\n" if message.text else ""
    return message._replace(parts=(*parts, Text(gap + blocks)), tool_calls=())


def _escaped(part: Part) -> Part:
    return Text(escaped(part.text)) if isinstance(part, Text) else part


def _results(results: Sequence[Message], names: Mapping[str, str], *, alone: bool) -> Message:
    """One user message with the results, in their order; media of all of them are attached."""
    blocks = [_result(message, names.get(message.tool_call_id or "", message.name or ""), alone) for message in results]
    media = [part for message in results for part in message.parts if isinstance(part, Media)]
    return Message("user", (Text("\n".join(blocks)), *media))


def _result(message: Message, name: str, alone: bool) -> str:  # noqa: FBT001
    said = "".join(part.text if isinstance(part, Text) else _raw(part) for part in message.parts)
    said = said or (ATTACHED if message.media else "")
    if message.failed:
        return f"<tool_response>{escaped_json({'name': name, 'error': said})}</tool_response>"
    if alone:
        return f"<tool_response>{escaped(said)}</tool_response>"
    return f"<tool_response>{escaped_json({'name': name, 'content': _value(said)})}</tool_response>"


def _raw(part: Part) -> str:
    return written(part.block) if isinstance(part, RawBlock) else ""


def _value(text: str) -> Any:
    """A result that is a JSON object or list goes in as such, so that it is not quoted twice."""
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return text
