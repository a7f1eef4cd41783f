"""Messages of a chat completion request, checked as strictly as OpenAI does, as what the model sees."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.values import Attachment, Context, Message

ROLES = ("developer", "system", "user", "assistant", "tool", "function")
NAME = re.compile(r"^[^\s<|\\/>]{1,64}$")
PARTS = {
    "user": ("text", "image_url", "input_audio", "file", "video_url"),
    "assistant": ("text", "refusal"),
}
TEXT_ONLY = ("text",)


def read_messages(value: Any) -> Context:
    """The messages of a request.

    Raises:
        OpenAIRefusal: One of them is malformed, or tool calls and their answers do not belong together.
    """
    if not isinstance(value, list) or not value:
        raise OpenAIRefusal("Invalid 'messages': expected a non-empty array.", param="messages")
    messages = tuple(read_message(item, f"messages[{place}]") for place, item in enumerate(value))
    check_tool_answers(messages)
    return messages


def read_message(item: Any, where: str) -> Message:
    """One message; a developer's is a system's for the model."""
    if not isinstance(item, Mapping) or item.get("role") not in ROLES:
        raise OpenAIRefusal(
            f"Invalid value for {where}.role: expected one of {', '.join(ROLES)}.", param=f"{where}.role"
        )
    role = str(item["role"])
    text, attachments = read_content(item, role, where)
    name = item.get("name")
    if name is not None and not (isinstance(name, str) and NAME.match(name)):
        raise OpenAIRefusal(
            f"Invalid '{where}.name': string does not match pattern. Expected a string that matches the pattern "
            "'^[^\\s<|\\\\/>]+$'.",
            param=f"{where}.name",
            code="invalid_value",
        )
    call_id = item.get("tool_call_id")
    if role == "tool" and not isinstance(call_id, str):
        raise OpenAIRefusal(f"Missing parameter '{where}.tool_call_id'.", param=f"{where}.tool_call_id")
    calls = tuple(read_call(call, where) for call in item.get("tool_calls") or ())
    return Message("system" if role == "developer" else role, text, attachments, name, calls, call_id)


def read_content(item: Mapping[str, Any], role: str, where: str) -> tuple[str, tuple[Attachment, ...]]:
    """Text and attachments of a message."""
    content = item.get("content")
    if isinstance(content, str):
        return content, ()
    if content is None and role == "assistant" and (item.get("tool_calls") or item.get("refusal")):
        return str(item.get("refusal") or ""), ()
    if not isinstance(content, list) or not content:
        raise OpenAIRefusal(
            f"Invalid value for 'content': expected a string, got {json_type(content)}.",
            param=f"{where}.content",
        )
    parts = [read_part(part, role, f"{where}.content[{place}]") for place, part in enumerate(content)]
    return "".join(text for text, _ in parts), tuple(found for _, found in parts if found is not None)


def json_type(value: Any) -> str:
    """What JSON calls a value's type."""
    return "null" if value is None else "object" if isinstance(value, Mapping) else type(value).__name__


def read_part(part: Any, role: str, where: str) -> tuple[str, Attachment | None]:
    """One content part: its text, or what it attaches."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    allowed = PARTS.get(role, TEXT_ONLY)
    if kind not in allowed:
        raise OpenAIRefusal(
            f"Invalid value: '{kind}'. Supported values are: {', '.join(repr(name) for name in allowed)}.",
            param=f"{where}.type" if kind else where,
            code="invalid_value",
        )
    inner = part.get(kind)
    if kind in ("text", "refusal"):
        if not isinstance(inner, str):
            raise OpenAIRefusal(f"Missing required parameter: '{where}.{kind}'.", param=f"{where}.{kind}")
        return inner, None
    if not isinstance(inner, Mapping):
        raise OpenAIRefusal(f"Missing required parameter: '{where}.{kind}'.", param=f"{where}.{kind}")
    return "", attachment(kind, inner, where)


def attachment(kind: str, inner: Mapping[str, Any], where: str) -> Attachment:
    """A picture, a sound or a file: by its bytes, or by the place that it is named by."""
    if kind in ("image_url", "video_url"):
        return located(inner.get("url"), f"{where}.{kind}.url")
    if kind == "input_audio":
        if inner.get("format") not in ("wav", "mp3", "flac", "m4a", "ogg", "webm", "opus", "pcm16"):
            raise OpenAIRefusal(f"Invalid value for '{where}.input_audio.format'.", param=f"{where}.input_audio.format")
        return decoded(inner.get("data"), f"{where}.input_audio.data")
    if isinstance(inner.get("file_id"), str):
        return Attachment(inner["file_id"], digest(inner["file_id"].encode()))
    if not isinstance(inner.get("filename"), str):
        raise OpenAIRefusal(f"Missing required parameter: '{where}.file.file_id'.", param=f"{where}.file.file_id")
    return located(inner.get("file_data"), f"{where}.file.file_data")


def located(url: Any, where: str) -> Attachment:
    """What a URL names; the bytes of a `data:` URL count, of any other URL its text."""
    if isinstance(url, str) and url.startswith("data:") and ";base64," in url:
        return decoded(url.partition(";base64,")[2], where)
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        return Attachment("", digest(url.encode()))
    raise OpenAIRefusal(
        f"Invalid '{where}'. Expected a base64-encoded data URL with a MIME type, or a URL.",
        param=where,
        code="invalid_value",
    )


def decoded(data: Any, where: str) -> Attachment:
    """Bytes in base64."""
    try:
        return Attachment("", digest(base64.b64decode(data, validate=True)))
    except (binascii.Error, ValueError, TypeError):
        raise OpenAIRefusal(f"Invalid '{where}': not valid base64.", param=where, code="invalid_base64") from None


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_call(call: Any, where: str) -> Mapping[str, Any]:
    """One tool call of an assistant's message."""
    function = call.get("function") if isinstance(call, Mapping) else None
    sound = (
        isinstance(function, Mapping)
        and isinstance(call.get("id"), str)
        and call.get("type") == "function"
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )
    if not sound:
        raise OpenAIRefusal(
            f"Invalid type for '{where}.tool_calls[0].function.arguments': expected a string.",
            param=f"{where}.tool_calls",
            code="invalid_type",
        )
    return dict(call)


def check_tool_answers(messages: Sequence[Message]) -> None:
    """Every call has to be answered right after it, and nothing else may be.

    Raises:
        OpenAIRefusal: A call without an answer, or an answer without a call.
    """
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise OpenAIRefusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'.",
                    param=f"messages[{place}].role",
                )
            waiting.discard(str(message.tool_call_id))
            continue
        refuse_unanswered(waiting)
        waiting = {call["id"] for call in message.tool_calls}
    refuse_unanswered(waiting)


def refuse_unanswered(waiting: set[str]) -> None:
    """Refuse calls that nobody answered."""
    if waiting:
        raise OpenAIRefusal(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(sorted(waiting)),
            param="messages",
        )
