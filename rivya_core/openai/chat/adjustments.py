"""Requests of chat completions, changed for what a back end is known to refuse. Pure; `refusals.py` has the reasons."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.chat.refusals import REASONING_KEY, is_blank, is_forced, left_out
from rivya_core.openai.reply_state import CALL_KEYS, FUNCTION_KEYS, MESSAGE_KEYS, reasoning_parts
from rivya_core.structured.wire_forms import tool_name

NO_TEXT = "(empty)"
"""Stands for the text of a message that has none, where a server refuses that."""
NOT_ASCII_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
LONGEST_NAME = 64

Message = Mapping[str, Any]


def adjusted(body: dict[str, Any], known: Quirks, keep: Collection[str] = ()) -> dict[str, Any]:
    """Return the *body* for a back end with these quirks; the options in *keep* stay as they are."""
    if known is NONE:
        return body
    refused = left_out(known, body)
    left = {key: value for key, value in body.items() if key in keep or key not in refused}
    if isinstance(body.get("messages"), Sequence):
        left["messages"] = [_message(message, known) for message in body["messages"]]
    made = left if "tool_choice" in keep else _tool_choice(left, known)
    return made if "response_format" in keep else _format(made, known)


def output_tool(body: Mapping[str, Any], known: Quirks) -> str | None:
    """Return the name of the tool that stands for the response format of *body*, or None if none does."""
    form = body.get("response_format")
    if known.schema_by != "tool" or not _is_schema(form) or body.get("tools"):
        return None
    return str(form["json_schema"].get("name") or "output") if form else None


def _format(body: dict[str, Any], known: Quirks) -> dict[str, Any]:
    form = body.get("response_format")
    if isinstance(form, Mapping) and form.get("type") == "json_object" and known.no_json_object:
        return {key: value for key, value in body.items() if key != "response_format"}
    if known.schema_by == "format" or not _is_schema(form) or form is None:
        return body
    name = output_tool(body, known)
    rest = {key: value for key, value in body.items() if key != "response_format"}
    inner = form["json_schema"]
    if name is None:
        return {**rest, "messages": with_words(rest["messages"], schema_words(inner.get("schema")))}
    about = inner.get("description") or f"Give the {name}."
    function = {"name": name, "description": about, "parameters": inner.get("schema") or {"type": "object"}}
    choice = {"type": "function", "function": {"name": name}}
    return {**rest, "tools": [{"type": "function", "function": function}], "tool_choice": choice}


def _tool_choice(body: dict[str, Any], known: Quirks) -> dict[str, Any]:
    choice = body.get("tool_choice")
    if not known.no_forced_tool or not is_forced(choice):
        return body
    rest = {key: value for key, value in body.items() if key != "tool_choice"}
    return {**rest, "messages": with_words(rest["messages"], tool_words(choice))}


def tool_words(choice: Any) -> str:
    """Return the instruction to call the tool that *choice* demands."""
    name = tool_name(choice) if isinstance(choice, Mapping) else ""
    return f"Answer with a call of {f'the tool `{name}`' if name else 'one of the tools'}."


def _is_schema(form: Any) -> bool:
    return isinstance(form, Mapping) and isinstance(form.get("json_schema"), Mapping)


def with_words(messages: Sequence[Message], words: str) -> list[Message]:
    """Add *words* to the instructions, which strict servers take at the beginning only."""
    first = messages[0] if messages else {}
    if first.get("role") in ("system", "developer") and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{words}"}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]


def schema_words(schema: Any) -> str:
    """Return the instruction to answer with an object of this *schema*."""
    text = json.dumps(schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{text}"


def _message(message: Message, known: Quirks) -> Message:
    made = dict(message)
    if made.get("role") == "developer" and known.no_developer:
        made["role"] = "system"
    if "name" in made and made.get("role") != "tool":
        made = _named(made, known)
    if known.missing_reasoning != "absent" and made.get("role") == "assistant" and not made.get(REASONING_KEY):
        made[REASONING_KEY] = NO_TEXT if known.missing_reasoning == "words" else ""
    return _filled(_without_state(made, known.refused_state), known)


def _named(message: dict[str, Any], known: Quirks) -> dict[str, Any]:
    if known.names == "none":
        return {key: value for key, value in message.items() if key != "name"}
    return {**message, "name": ascii_name(str(message["name"]))} if known.names == "ascii" else message


def ascii_name(name: str) -> str:
    """Return *name* in the characters that strict servers take; two different names stay different."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    legal = NOT_ASCII_NAME.sub("_", plain).strip("_")
    lost = any(not character.isascii() for character in unicodedata.normalize("NFC", name))
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8] if lost else ""
    return "_".join(part for part in (legal[: LONGEST_NAME - 9], digest) if part) or "user"


def _without_state(message: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    if not refused:
        return message
    made = {key: value for key, value in message.items() if key in MESSAGE_KEYS or key not in refused}
    if "content" in refused:
        made["content"] = _without_reasoning(made.get("content"))
    if made.get("tool_calls"):
        made["tool_calls"] = [_call_without(call, refused) for call in made["tool_calls"]]
    return made


def _without_reasoning(content: Any) -> Any:
    """Return a content without reasoning, as a plain text if that is what is left."""
    dropped = reasoning_parts(content)
    left = [part for part in content if part not in dropped] if dropped else content
    if not dropped or any(part.keys() != {"type", "text"} for part in left):
        return left
    return "".join(part["text"] for part in left) or None


def _call_without(call: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    made = {key: value for key, value in call.items() if key in CALL_KEYS or key not in refused}
    function = made.get("function")
    if isinstance(function, Mapping):
        made["function"] = {k: v for k, v in function.items() if k in FUNCTION_KEYS or k not in refused}
    return made


def _filled(message: dict[str, Any], known: Quirks) -> dict[str, Any]:
    """Give a message without text the content that the server takes."""
    if not is_blank(message.get("content")):
        return message
    if not message.get("tool_calls"):
        return {**message, "content": NO_TEXT} if known.no_blanks else message
    match known.call_content:
        case "null":
            return message
        case "absent":
            return {key: value for key, value in message.items() if key != "content"}
        case form:
            return {**message, "content": "" if form == "empty" else NO_TEXT}
