"""Messages as input items of the Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses/create. An assistant's message goes back as the very items that
it came as (reasoning, searches, ids), as long as it still says what they say and they came from the same account;
else it is written anew from the message, and the items are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.http.json_codec import arguments_text, is_object, loads
from rivya_core.media.fetch_url import data_url as read_data_url
from rivya_core.openai import custom_tools
from rivya_core.openai.chat.messages import data_url, is_plain_text
from rivya_core.openai.client_calls import refuse_client_calls
from rivya_core.openai.late_media import with_late_media
from rivya_core.openai.responses.answers import answers_in, image_source
from rivya_core.openai.responses.item_types import APPROVAL
from rivya_core.openai.responses.items import ITEMS_KEY, verified_items
from rivya_core.openai.responses.output import read_output
from rivya_core.sessions.pointers import Origin
from rivya_core.types import Media, Message, Part, RawBlock, SendBack, Text

Item = Mapping[str, Any]


def input_items(
    messages: Sequence[Message], origin: Origin, send_back: SendBack = "own", custom: frozenset[str] = frozenset()
) -> str | list[Item]:
    """Return *messages* as `input`: a plain text for a single one that is nothing else, otherwise items.

    Args:
        messages: Messages that the model gets.
        origin: Where the request goes; items that came from elsewhere are not sent back.
        send_back: Which items of a reply may go back.
        custom: Names of the custom tools of the request.

    Raises:
        InvalidInputError: There are no messages, or this API cannot express one of them.
    """
    if not messages:
        raise InvalidInputError("There is no message to send.")
    only = messages[0]
    if len(messages) == 1 and only.role == "user" and not only.name and all(map(is_plain_text, only.parts)):
        return only.text
    items: list[Item] = []
    for message in with_late_media(messages, lambda m: m.role == "tool" or bool(_kept(m, origin, send_back))):
        match message.role:
            case "assistant":
                items += _kept(message, origin, send_back) or _assistant(message, custom)
            case "tool":
                items.append(_result(message, items))
            case _:
                items += _said(message)
    return items


def _said(message: Message) -> Iterator[Item]:
    """The message of a user, or of the instructions; answers in it are items of their own."""
    answers = answers_in(message)
    parts = [part for part in message.parts if not isinstance(part, RawBlock) or part.block not in answers]
    yield from answers
    if parts or not answers:
        named = (Text(f"{message.name}: "), *parts) if message.name else parts
        yield {"role": message.role, "content": _content(named, message.role)}


def _result(message: Message, items: Sequence[Item]) -> Item:
    """What a tool returned, in the form that fits the call which it answers."""
    call_id = message.tool_call_id or ""
    own = next(iter(answers_in(message)), None)
    if own is not None:
        return own if own["type"] == APPROVAL else {**own, "call_id": call_id}
    is_custom = any(item.get("type") == custom_tools.CALL and item.get("call_id") == call_id for item in items)
    kind = custom_tools.CALL if is_custom else "function_call"
    return {"type": f"{kind}_output", "call_id": call_id, "output": _output(message)}


def _kept(message: Message, origin: Origin, send_back: SendBack) -> list[Item]:
    """The items that the message came as, if they can go back and say what the message still says."""
    items = verified_items(message.extras.get(ITEMS_KEY), origin, send_back)
    said = read_output(items)
    calls = [(call.id, call.name, _canonical(call.arguments)) for call in said.calls]
    same = calls == [(call.id, call.name, _canonical(call.arguments)) for call in message.tool_calls]
    media = {media.identity for media in message.media}
    return items if same and said.text == message.text and media <= _images(said.blocks) else []


def _images(blocks: Sequence[Mapping[str, Any]]) -> set[str]:
    """The identities of the images among *blocks*."""
    return {read_data_url(block["image_url"]["url"]).identity for block in blocks if block.get("type") == "image_url"}


def _canonical(arguments: str) -> str:
    try:
        value = loads(arguments_text(arguments))
    except ValueError:
        return arguments
    only = custom_tools.input_of(arguments)
    return json.dumps(value, sort_keys=True) if only == arguments else only


def _assistant(message: Message, custom: frozenset[str]) -> Iterator[Item]:
    refuse_client_calls(message)
    refusal = message.extras.get("refusal")
    parts = message.parts or ((Text(refusal),) if isinstance(refusal, str) and refusal else ())
    if any(not isinstance(part, Text) or part.text for part in parts):
        yield {"role": "assistant", "content": _content(parts, "assistant")}
    elif not message.tool_calls:
        yield {"role": "assistant", "content": ""}
    for call in message.tool_calls:
        if call.name in custom:
            called = {"call_id": call.id, "name": call.name, "input": custom_tools.input_of(call.arguments)}
            yield {"type": custom_tools.CALL, **called}
            continue
        text = arguments_text(call.arguments)
        if not is_object(text):
            text = json.dumps({"invalid_arguments": call.arguments}, ensure_ascii=False)
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": text}


def _output(message: Message) -> Any:
    """Return a tool's result; a failure is marked in the text."""
    failed = message.failed and not message.text.lower().startswith("error")
    return _content((Text("Error: "), *message.parts) if failed else message.parts, "tool")


def _content(parts: Sequence[Part], role: str) -> Any:
    if all(is_plain_text(part) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [_part(part, role) for part in parts if not isinstance(part, Text) or part.block_text]


def _part(part: Part, role: str) -> Item:
    match part:
        case Text():
            kind = "output_text" if role == "assistant" else "input_text"
            return {"type": kind, "text": part.block_text, **(part.extras or {})}
        case RawBlock(block):
            return block
        case Media():
            cache = {name: value for name, value in part.extras.items() if name == "cache_control"}
            return {**_media(part, role), **cache}


def _media(media: Media, role: str) -> Item:
    if role in ("system", "developer"):
        raise NotSupportedError(
            f"The Responses API takes no {media.kind} in a message of role {role!r}; put it into a user's message. "
            "Nothing was sent."
        )
    if media.kind == "image":
        detail = {"detail": media.extras["detail"]} if media.extras.get("detail") else {}
        return {"type": "input_image", **image_source(media), **detail}
    if media.kind == "file":
        return {"type": "input_file", **_file(media)}
    raise NotSupportedError(
        f"The Responses API takes no {media.kind}; use chat completions (`use_responses_api=False`). Nothing was sent."
    )


def _file(media: Media) -> dict[str, Any]:
    if media.file_id is not None:
        return {"file_id": media.file_id}
    if media.url is not None:
        return {"file_url": media.url}
    ending = (media.mime_type or "application/pdf").rpartition("/")[2].partition(";")[0]
    return {"filename": media.name or f"file.{ending}", "file_data": data_url(media)}
