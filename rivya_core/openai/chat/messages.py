"""Messages in the form of chat completions. Pure.

https://platform.openai.com/docs/api-reference/chat/create, as far as the back end takes it (`CompletionsProfile`).
What the wire cannot say raises an error that names the part and the role; nothing is dropped silently.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.http.json_codec import arguments_text, is_object
from rivya_core.openai import custom_tools
from rivya_core.openai.client_calls import refuse_client_calls
from rivya_core.openai.late_media import with_late_media
from rivya_core.openai.reply_state import NO_STATE, ReplyState
from rivya_core.providers import CompletionsProfile
from rivya_core.types import Media, Message, Part, RawBlock, Text, ToolCall

NO_NAME = re.compile(r"[^\w-]+")
LONGEST_NAME = 64
AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-flac": "flac", "mp4": "m4a"}
TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "file": "application/pdf"}
"""MIME type of media whose type is unknown."""

WireMessage = dict[str, Any]
StateOf = Callable[[Message], ReplyState]


def no_state(_: Message) -> ReplyState:
    """Return that nothing goes back beside what the message says."""
    return NO_STATE


def wire_messages(
    messages: Sequence[Message],
    rules: CompletionsProfile,
    state_of: StateOf = no_state,
    custom: frozenset[str] = frozenset(),
) -> list[WireMessage]:
    """Return *messages* as the wire has them.

    Args:
        messages: What the model is to see.
        rules: How the model wants them written.
        state_of: Returns the state of an assistant's message that goes back with it.
        custom: Names of the custom tools of the request.

    Raises:
        InvalidInputError: There are no messages, or this API cannot express one of them.
    """
    if not messages:
        raise InvalidInputError("There is no message to send.")
    if rules.one_system_message:
        messages = _one_system_message(messages)
    found = with_late_media(messages, lambda message: message.role == "tool" and rules.tool_media)
    return [_wire(message, rules, state_of, custom) for message in found]


def _one_system_message(messages: Sequence[Message]) -> list[Message]:
    instructions = [message for message in messages if message.role in ("system", "developer")]
    rest = [message for message in messages if message.role not in ("system", "developer")]
    if not instructions:
        return rest
    parts = tuple(part for message in instructions for part in message.parts)
    if all(is_plain_text(part) for part in parts):
        parts = (Text("\n\n".join(message.text for message in instructions)),)
    return [Message("system", parts), *rest]


def _wire(message: Message, rules: CompletionsProfile, state_of: StateOf, custom: frozenset[str]) -> WireMessage:
    if message.role in ("assistant", "tool"):
        refuse_client_calls(message)
    if message.role == "assistant":
        wire = _assistant(message, state_of(message), custom)
    elif message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id or "", "content": _tool_content(message)}
    else:
        plain_system = message.role == "developer" and not rules.developer_role
        wire = {"role": "system" if plain_system else message.role, "content": _content(message.parts, message.role)}
    if message.name and rules.names:
        wire["name"] = NO_NAME.sub("_", message.name)[:LONGEST_NAME]
    return wire


def _assistant(message: Message, state: ReplyState, custom: frozenset[str]) -> WireMessage:
    content = _content(message.parts, "assistant")
    wire: WireMessage = {"role": "assistant", "content": content or (None if message.tool_calls else "")}
    if message.tool_calls:
        wire["tool_calls"] = [_call(call, state.calls.get(call.id, {}), custom) for call in message.tool_calls]
    refusal = message.extras.get("refusal")
    if isinstance(refusal, str) and refusal and not content:
        wire["refusal"] = refusal
    if state.parts:
        wire["content"] = [*state.parts, *_as_parts(content)]
    return {**state.message, **wire} if state.message else wire


def _as_parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []


def _call(call: ToolCall, state: Mapping[str, Any], custom: frozenset[str]) -> WireMessage:
    """A call goes back as it came; what is not a JSON object is wrapped into one, because servers refuse the rest."""
    if call.name in custom:
        called = {"name": call.name, "input": custom_tools.input_of(call.arguments)}
        return {**state, "id": call.id, "type": custom_tools.CUSTOM, custom_tools.CUSTOM: called}
    text = arguments_text(call.arguments)
    if not is_object(text):
        text = json.dumps({"invalid_arguments": call.arguments}, ensure_ascii=False)
    function = {**state.get("function", {}), "name": call.name, "arguments": text}
    return {**state, "id": call.id, "type": "function", "function": function}


def _tool_content(message: Message) -> Any:
    """What a tool said; that it failed is said in words, for the wire has no other place for it."""
    failed = message.failed and not message.text.lower().startswith("error")
    return _content((Text("Error: "), *message.parts) if failed else message.parts, "tool")


def _content(parts: Sequence[Part], role: str) -> Any:
    """Text alone as a string, which every back end takes; anything else as a list of parts."""
    if len(parts) == 1 and isinstance(part := parts[0], Text) and not part.extras:
        return part.text
    if all(is_plain_text(part) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [_part(part, role) for part in parts if not isinstance(part, Text) or part.block_text]


def is_plain_text(part: Part) -> TypeGuard[Text]:
    """Whether a part is text with nothing on its block, so that it can be part of a plain string."""
    return isinstance(part, Text) and not part.extras


def _part(part: Part, role: str) -> Mapping[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.block_text, **(part.extras or {})}
        case RawBlock(block):
            return _result_text(block) or block
        case Media():
            return {**_media(part, role), **_known(part, "cache_control")}


def _result_text(block: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The result of a custom tool in the form of the Responses API, as text."""
    if block.get("type") != f"{custom_tools.CALL}_output":
        return None
    output = block.get("output")
    return {"type": "text", "text": output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)}


def _media(media: Media, role: str) -> WireMessage:
    if role in ("system", "developer"):
        raise NotSupportedError(
            f"Chat completions take no {media.kind} in a message of role {role!r}; put it into a user's message. "
            "Nothing was sent."
        )
    match media.kind:
        case "image":
            return {"type": "image_url", "image_url": {"url": _url(media), **_known(media, "detail")}}
        case "video":
            return {"type": "video_url", "video_url": {"url": _url(media)}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": _base64(media), "format": _format(media)}}
        case "file":
            return {"type": "file", "file": _file(media)}


def _known(media: Media, *names: str) -> dict[str, Any]:
    return {name: media.extras[name] for name in names if media.extras.get(name) is not None}


def _url(media: Media) -> str:
    if media.url is not None:
        return media.url
    if media.data is None:
        raise NotSupportedError(
            f"Chat completions take no {media.kind} by `file_id`; pass the bytes or a URL, or use the Responses API. "
            "Nothing was sent."
        )
    return data_url(media)


def data_url(media: Media) -> str:
    """Return the bytes of *media* as a `data:` URL."""
    encoded = base64.b64encode(media.data or b"").decode()
    return f"data:{media.mime_type or TYPES[media.kind]};base64,{encoded}"


def _base64(media: Media) -> str:
    if media.data is None:
        raise NotSupportedError(
            "Chat completions take sound as bytes alone, not by URL or `file_id`. Nothing was sent."
        )
    return base64.b64encode(media.data).decode()


def _format(media: Media) -> str:
    if media.extras.get("format"):
        return str(media.extras["format"])
    kind = (media.mime_type or TYPES["audio"]).rpartition("/")[2].partition(";")[0]
    return AUDIO_FORMATS.get(kind, kind)


def _file(media: Media) -> dict[str, Any]:
    if media.file_id is not None:
        return {"file_id": media.file_id}
    if media.data is None:
        raise NotSupportedError(
            "Chat completions take no file by URL; pass its bytes, or use the Responses API "
            "(`use_responses_api=True`). Nothing was sent."
        )
    ending = (media.mime_type or TYPES["file"]).rpartition("/")[2].partition(";")[0]
    return {"filename": media.name or f"file.{ending}", "file_data": data_url(media)}
