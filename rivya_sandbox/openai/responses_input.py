"""The input of a response, checked as strictly as OpenAI does, as what the model sees.

https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.messages import digest, located
from rivya_sandbox.values import Attachment, Context, Message

ROLES = ("user", "assistant", "system", "developer")
PASSED_BACK = ("_call", "_output", "_list_tools", "_request", "_response")
"""Endings of the kinds of items that may be sent back and that the model need not see here."""
NOT_FOUND = 404
Find = Callable[[str], "Mapping[str, Any] | None"]


def read_input(value: Any, find: Find, before: Context = ()) -> tuple[Context, tuple[Mapping[str, Any], ...]]:
    """What the model sees of an input, and its items.

    Args:
        value: A text or a list of items.
        find: Finds an item of a stored response by its id.
        before: What stood before it.

    Raises:
        OpenAIRefusal: An item is malformed, or calls and their outputs do not belong together.
    """
    items = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise OpenAIRefusal("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    resolved = [referred(item, f"input[{place}]", find) for place, item in enumerate(items)]
    refuse_lonely_reasoning(resolved, find)
    context = list(before)
    for place, item in enumerate(resolved):
        add(item, f"input[{place}]", context, new=len(before))
    refuse_unanswered(context)
    return tuple(context), tuple(resolved)


def referred(item: Any, where: str, find: Find) -> Mapping[str, Any]:
    """The item itself, also where only its id is given."""
    if not isinstance(item, Mapping):
        raise OpenAIRefusal(f"Invalid type for '{where}': expected an object.", param=where, code="invalid_type")
    if item.get("type") != "item_reference":
        return item
    found = find(str(item.get("id")))
    if found is None:
        raise OpenAIRefusal(f"Item with id '{item.get('id')}' not found.", status=NOT_FOUND, param="input")
    return found


def add(item: Mapping[str, Any], where: str, context: list[Message], *, new: int) -> None:
    """Put an item at the end of what the model sees; a call belongs to the assistant's message right before it."""
    kind = item.get("type") or ("message" if "role" in item else None)
    match kind:
        case "message":
            context.append(message(item, where))
        case "function_call":
            call = function_call(item, where)
            last = context[-1] if len(context) > new and context[-1].role == "assistant" else None
            if last is None:
                context.append(Message("assistant", "", tool_calls=(call,)))
            else:
                context[-1] = replace(last, tool_calls=(*last.tool_calls, call))
        case "function_call_output":
            text, attachments = content(item.get("output"), "user", f"{where}.output")
            context.append(Message("tool", text, attachments, tool_call_id=text_of(item, "call_id", where)))
        case "reasoning" | "compaction":
            pass
        case _ if not str(kind).endswith(PASSED_BACK):
            raise OpenAIRefusal(f"Invalid value: '{kind}' for '{where}.type'.", param=where, code="invalid_value")


def message(item: Mapping[str, Any], where: str) -> Message:
    """A message item."""
    role = item.get("role")
    if role not in ROLES:
        raise OpenAIRefusal(f"Invalid value for '{where}.role'.", param=f"{where}.role", code="invalid_value")
    text, attachments = content(item.get("content"), str(role), f"{where}.content")
    return Message("system" if role == "developer" else str(role), text, attachments)


def function_call(item: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A call item, in the form that chat completions have for it."""
    name, arguments = text_of(item, "name", where), text_of(item, "arguments", where)
    return {
        "id": text_of(item, "call_id", where),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def text_of(item: Mapping[str, Any], key: str, where: str) -> str:
    """A required text of an item."""
    value = item.get(key)
    if not isinstance(value, str):
        raise OpenAIRefusal(
            f"Missing required parameter: '{where}.{key}'.", param=f"{where}.{key}", code="missing_required_parameter"
        )
    return value


def content(value: Any, role: str, where: str) -> tuple[str, tuple[Attachment, ...]]:
    """Text and attachments of a message or an output."""
    if isinstance(value, str):
        return value, ()
    if not isinstance(value, list):
        raise OpenAIRefusal(f"Invalid type for '{where}'.", param=where, code="invalid_type")
    parts = [part_of(part, role, f"{where}[{place}]") for place, part in enumerate(value)]
    return "".join(text for text, _ in parts), tuple(found for _, found in parts if found is not None)


def part_of(part: Any, role: str, where: str) -> tuple[str, Attachment | None]:
    """One content part: its text, or what it attaches."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    texts = {"output_text": "text", "refusal": "refusal"} if role == "assistant" else {"input_text": "text"}
    if kind in texts:
        return text_of(part, texts[str(kind)], where), None
    if role == "assistant" or kind not in ("input_image", "input_file"):
        allowed = ", ".join(
            repr(name) for name in (*texts, *(() if role == "assistant" else ("input_image", "input_file")))
        )
        raise OpenAIRefusal(
            f"Invalid value: '{kind}'. Supported values are: {allowed}.", param=where, code="invalid_value"
        )
    return "", attached(part, where)


def attached(part: Mapping[str, Any], where: str) -> Attachment:
    """A picture or a file, by exactly one of its id, its place and its bytes."""
    keys = ("file_id", "image_url") if part["type"] == "input_image" else ("file_id", "file_url", "file_data")
    given = [key for key in keys if part.get(key) is not None]
    if len(given) != 1:
        raise OpenAIRefusal(
            f"Expected exactly one of {', '.join(repr(key) for key in keys)} in '{where}'.",
            param=where,
            code="mutually_exclusive_error" if given else "missing_required_parameter",
        )
    if given[0] == "file_data" and not isinstance(part.get("filename"), str):
        raise OpenAIRefusal(f"Missing required parameter: '{where}.filename'.", param=f"{where}.filename")
    value = part[given[0]]
    return Attachment(str(value), digest(str(value).encode())) if given[0] == "file_id" else located(value, where)


def refuse_lonely_reasoning(items: Sequence[Mapping[str, Any]], find: Find) -> None:
    """Reasoning goes back with what followed it, and only if the server still has it or it is all there.

    Raises:
        OpenAIRefusal: It does not.
    """
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        if not item.get("encrypted_content") and find(str(item.get("id"))) is None:
            raise OpenAIRefusal(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false.",
                status=NOT_FOUND,
                param="input",
            )
        after = items[place + 1] if place + 1 < len(items) else {}
        if after.get("role", "assistant") != "assistant" or not after or "output" in after:
            raise OpenAIRefusal(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.",
                param="input",
            )


def refuse_unanswered(context: Sequence[Message]) -> None:
    """Every call has an output, and every output a call.

    Raises:
        OpenAIRefusal: One has not.
    """
    open_calls: list[str] = []
    for message_ in context:
        open_calls += [call["id"] for call in message_.tool_calls]
        if message_.role == "tool":
            if message_.tool_call_id not in open_calls:
                raise OpenAIRefusal(
                    f"No tool call found for function call output with call_id {message_.tool_call_id}.", param="input"
                )
            open_calls.remove(str(message_.tool_call_id))
    if open_calls:
        raise OpenAIRefusal(f"No tool output found for function call {open_calls[0]}.", param="input")
