"""LangChain's messages to the core's. Pure; no wire is known here, and `responses.py` converts replies.

Whatever form a message is in (text, provider-style blocks, standard v1 blocks, a checkpoint's JSON read back), it
becomes the same `Message`, so that its digest is the same.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_rivya.chat_models.blocks import TEXT_BLOCKS, block_text, caller_keys, media_kind
from langchain_rivya.chat_models.responses import UNREPAIRABLE
from rivya_core.errors import InvalidInputError
from rivya_core.media.fetch_url import data_url
from rivya_core.openai.responses.item_types import image_block, is_client_run
from rivya_core.sessions.modes import POINTER_KEY
from rivya_core.types import CLIENT_CALLS_KEY, Media, MediaKind, Message, Part, RawBlock, Role, Text, ToolCall

ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
}
REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "thinking", "redacted_thinking"})
CALLS = frozenset(
    "tool_call tool_call_chunk invalid_tool_call tool_use function_call input_json_delta server_tool_call "
    "server_tool_call_chunk server_tool_result".split()
)
REPORTS = re.compile(
    r"(_call|_calls|_call_output|tool_use|tool_result|_result|executable_code|mcp_\w+|compaction|container_upload)\Z"
)
"""Types of blocks with which providers report calls and what they ran themselves."""
MEDIA: dict[str, MediaKind] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "video": "video",
    "video_url": "video",
    "file": "file",
    "document": "file",
    "input_file": "file",
}


_as_json = json.JSONEncoder(ensure_ascii=False).encode


def to_core(messages: Sequence[BaseMessage]) -> list[Message]:
    """Return *messages* as the core's values.

    Raises:
        InvalidInputError: A message or one of its blocks cannot be read; the error names it.
    """
    return [_message(message) for message in messages]


def _message(message: BaseMessage) -> Message:
    content = message.content
    if isinstance(content, str):
        parts: tuple[Part, ...] = (Text(content),)
    else:
        speaker = "ai" if isinstance(message, AIMessage) else message.type  # the type of a chunk is another word
        parts = tuple(_parts(content, speaker))
    if isinstance(message, HumanMessage):
        return Message("user", parts, message.name)
    if isinstance(message, AIMessage):
        return _reply(message, parts)
    if isinstance(message, ToolMessage):
        return Message(
            "tool", parts, name=message.name, tool_call_id=message.tool_call_id, failed=message.status == "error"
        )
    return Message(_role(message), parts, message.name)


def _reply(message: AIMessage, parts: tuple[Part, ...]) -> Message:
    """A model's message. What another provider ran means nothing here; what the caller must run is kept apart."""
    extras = {**message.response_metadata, **message.additional_kwargs}
    content = message.content
    if not isinstance(content, str):
        blocks = [part.block for part in parts if isinstance(part, RawBlock)]
        to_run = [dict(block) for block in blocks if is_client_run(block)]
        parts = tuple(part for part in parts if not _is_report(part)) if blocks else parts
        extras = {**_refusal(content), **extras, **({CLIENT_CALLS_KEY: to_run} if to_run else {})}
    return Message(
        "assistant",
        parts,
        message.name,
        tuple(_calls(message)) if message.tool_calls or message.invalid_tool_calls else (),
        reasoning="" if isinstance(content, str) and not message.additional_kwargs else _reasoning(message),
        pointer=message.response_metadata.get(POINTER_KEY),
        extras=extras,
    )


def _is_report(part: Part) -> bool:
    return isinstance(part, RawBlock) and REPORTS.search(str(part.block.get("type"))) is not None


def _role(message: BaseMessage) -> Role:
    if isinstance(message, SystemMessage):
        developer = message.additional_kwargs.get("__openai_role__") == "developer"
        return "developer" if developer else "system"
    if isinstance(message, FunctionMessage):
        return "tool"
    role = ROLES.get(message.role.lower()) if isinstance(message, ChatMessage) else None
    if role is None:
        what = message.role if isinstance(message, ChatMessage) else type(message).__name__
        raise InvalidInputError(f"A message of role {what!r} cannot be sent; use one of {', '.join(ROLES)}.")
    return role


def _calls(message: AIMessage) -> Iterator[ToolCall]:
    for call in message.tool_calls:
        yield ToolCall(call["id"] or "", call["name"], _as_json(call["args"]))
    for invalid in message.invalid_tool_calls:
        arguments = (invalid["args"] or "").removesuffix(UNREPAIRABLE)
        yield ToolCall(invalid["id"] or "", invalid["name"] or "", arguments)


def _reasoning(message: AIMessage) -> str:
    kept = message.additional_kwargs.get("reasoning_content")
    if isinstance(kept, str) and kept:
        return kept
    if isinstance(message.content, str):
        return ""
    blocks = [block for block in message.content if isinstance(block, dict)]
    reasonings = [
        block.get("reasoning") or block.get("thinking")
        for block in blocks
        if str(block.get("type")) in REASONING_BLOCKS
    ]
    return "".join(reasoning for reasoning in reasonings if isinstance(reasoning, str))


def _refusal(content: Sequence[str | dict[str, Any]]) -> dict[str, str]:
    """The words of a refusal that is a content block only."""
    blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "refusal"]
    words = "".join(str(block.get("refusal") or "") for block in blocks)
    return {"refusal": words} if words else {}


def _parts(blocks: Sequence[str | dict[str, Any]], speaker: str) -> Iterator[Part]:
    """Neighbouring blocks of text are pieces of one text, as in LangChain; a document stands on lines of its own."""
    role = ROLES.get(speaker.lower(), "user")
    has_text = after_document = False
    for block in blocks:
        part = Text(block) if isinstance(block, str) else _part(block, role)
        if isinstance(part, Text):
            if not part.text:
                continue
            is_document = isinstance(block, dict) and block.get("type") == "text-plain"
            before = "\n" if has_text and role != "assistant" and (is_document or after_document) else ""
            part = Text(before + part.text, before, part.extras) if before else part
            has_text, after_document = True, is_document
        if part is not None:
            yield part


def _part(block: Mapping[str, Any], role: Role) -> Part | None:
    """One content block; None for what is carried elsewhere in the message (tool calls, reasoning, refusals)."""
    kind = str(block.get("type"))
    if kind in TEXT_BLOCKS:
        text = block_text(block)
        return _media("file", block) if text is None else Text(text, "", caller_keys(block, role) or None)
    if kind in REASONING_BLOCKS or kind in CALLS or kind == "refusal":
        return None
    if kind == "non_standard" and isinstance(block.get("value"), Mapping):
        value = block["value"]
        return RawBlock(value) if value.get("type") in (None, "non_standard") else _part(value, role)
    if kind == "image_generation_call" and (image := image_block(block)) is not None:
        return _part(image, role)
    if kind not in MEDIA and kind != "media":
        return RawBlock(block)
    media = _media(MEDIA.get(kind) or media_kind(block), block)
    cache = caller_keys(block, "assistant")
    return replace(media, extras={**media.extras, **cache}) if cache else media


def _media(kind: MediaKind, block: Mapping[str, Any]) -> Media:
    """The forms in use: standard v1, v0 with `source_type`, both of OpenAI's, Anthropic's `source`, Google's, MCP's."""
    nested = block.get(str(block.get("type")))
    inner = nested if isinstance(nested, Mapping) else block.get("source")
    facts: Mapping[str, Any] = inner if isinstance(inner, Mapping) else block
    links = (facts.get(name) for name in ("url", "image_url", "file_url", "file_uri"))
    link = nested if isinstance(nested, str) else next((one for one in links if isinstance(one, str)), None)
    encoded = facts.get("base64") or facts.get("data") or facts.get("file_data")
    mime_types = (facts.get("mime_type"), facts.get("media_type"), facts.get("mimeType"), block.get("mime_type"))
    mime_type = next((str(one) for one in mime_types if one), None)
    name = _name(block) or _name(facts)
    extras = {key: value for key, value in facts.items() if key in {"detail", "format"}}
    if isinstance(link, str) and link.startswith("data:"):
        return _named(data_url(link), kind, name, extras)
    if isinstance(encoded, str) and encoded.startswith("data:"):
        return _named(data_url(encoded), kind, name, extras)
    if isinstance(link, str) and link:
        return Media(kind, url=link, mime_type=mime_type, name=name, extras=extras)
    if isinstance(encoded, (str, bytes)) and encoded:
        return Media(kind, data=_bytes(encoded, kind), mime_type=mime_type, name=name, extras=extras)
    file_id = facts.get("file_id") or facts.get("id")
    if isinstance(file_id, str) and file_id:
        return Media(kind, file_id=file_id, mime_type=mime_type, name=name, extras=extras)
    raise InvalidInputError(f"A block of type {block.get('type')!r} has none of `url`, `base64` and `file_id`.")


def _named(media: Media, kind: MediaKind, name: str | None, extras: Mapping[str, Any]) -> Media:
    return Media(kind, data=media.data, mime_type=media.mime_type, name=name, extras=extras)


def _name(facts: Mapping[str, Any]) -> str | None:
    extras = facts.get("extras")
    inner = extras.get("filename") if isinstance(extras, Mapping) else None
    inner = inner or (facts.get("title") if facts.get("type") in ("document", "text-plain") else None)
    found = facts.get("filename") or facts.get("file_name") or inner
    return found if isinstance(found, str) else None


def _bytes(encoded: str | bytes, kind: str) -> bytes:
    if isinstance(encoded, bytes):
        return encoded
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError(f"The `base64` of a block of type {kind!r} is not valid; nothing was sent.") from None
