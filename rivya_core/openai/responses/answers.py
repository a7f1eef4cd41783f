"""Answers to calls of a computer, a shell or a patch, and to requests for approval, as the API's items. Pure.

https://platform.openai.com/docs/api-reference/responses/create has the items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivya_core.errors import InvalidInputError
from rivya_core.http.json_codec import is_object, loads
from rivya_core.openai.chat.messages import data_url
from rivya_core.openai.responses.item_types import is_answer
from rivya_core.types import Media, Message, RawBlock


def with_answers(messages: Sequence[Message]) -> Sequence[Message]:
    """Return *messages* in which the answers to calls that are no tool calls are items.

    Raises:
        InvalidInputError: An answer is neither an item, nor JSON text of one, nor an image of the computer's screen.
    """
    asked = {str(call.get("call_id") or call.get("id")): call for message in messages for call in message.client_calls}
    return [_answered(message, asked) for message in messages] if asked else messages


def answers_in(message: Message) -> list[Mapping[str, Any]]:
    """Return the items in *message* that are answers."""
    return [part.block for part in message.parts if isinstance(part, RawBlock) and is_answer(part.block)]


def image_source(media: Media) -> dict[str, str]:
    """Return where the API finds an image."""
    return {"file_id": media.file_id} if media.file_id else {"image_url": media.url or data_url(media)}


def _answered(message: Message, asked: Mapping[str, Mapping[str, Any]]) -> Message:
    call = asked.get(message.tool_call_id or "") if message.role == "tool" else None
    if call is None or answers_in(message):
        return message
    return message._replace(parts=(RawBlock(_answer(call, message)),))


def _answer(call: Mapping[str, Any], message: Message) -> Mapping[str, Any]:
    if not message.media and is_object(message.text) and is_answer(item := loads(message.text)):
        return dict(item)
    if call.get("type") == "computer_call" and len(message.parts) == 1 and message.media:
        output = {"type": "computer_screenshot", **image_source(message.media[0])}
        return {"type": "computer_call_output", "output": output}
    raise InvalidInputError(
        f"The answer to a `{call.get('type')}` must be the API's item for it, as a block or as JSON text. Nothing was "
        "sent. https://platform.openai.com/docs/api-reference/responses/create has the items."
    )
