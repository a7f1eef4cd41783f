"""The input of a response, checked as strictly as OpenAI checks it.

https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator

from rivya_sandbox.openai.content import FileId, Url, parse_body
from rivya_sandbox.openai.errors import NOT_FOUND, OpenAIError
from rivya_sandbox.validation import Body, invalid
from rivya_sandbox.values import Attachment, Context, Message

PASSED_BACK = ("_call", "_output", "_list_tools", "_request", "_response")
"""Endings of the types of items that a client may send back and that the model does not see here."""
PARTS = {"assistant": ("output_text", "refusal")}
OTHER_PARTS = ("input_text", "input_image", "input_file")
SOURCES = {"input_image": ("file_id", "image_url"), "input_file": ("file_id", "file_url", "file_data")}
Find = Callable[[str], "Mapping[str, Any] | None"]


class PartBody(Body):
    """One part of an item's content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    file_id: FileId | None = None
    image_url: Url | None = None
    file_url: Url | None = None
    file_data: Url | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def _has_one_value(self) -> PartBody:
        if self.type in ("input_text", "output_text", "refusal"):
            key = "refusal" if self.type == "refusal" else "text"
            if getattr(self, key) is None:
                raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", f".{key}")
        if len(found := self._sources()) != 1 and self.type in SOURCES:
            code = "mutually_exclusive_error" if found else "missing_required_parameter"
            keys = ", ".join(map(repr, SOURCES[self.type]))
            raise invalid(code, f"Expected exactly one of {keys} in '{{param}}'.")
        if self.file_data is not None and self.filename is None:
            raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", ".filename")
        return self

    def _sources(self) -> list[Attachment]:
        keys = SOURCES.get(self.type, ())
        return [value for key in keys if (value := getattr(self, key)) is not None]

    def read(self) -> str | Attachment:
        """Return the part's text or attachment."""
        return next(iter(self._sources()), self.text or self.refusal or "")


Content = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[PartBody], Tag("parts")],
    Discriminator(lambda content: "text" if isinstance(content, str) else "parts"),
]


def check_parts(content: Content, role: str, at: str) -> None:
    """Check that a role may send these parts."""
    allowed = PARTS.get(role, OTHER_PARTS)
    for place, part in enumerate(() if isinstance(content, str) else content):
        if part.type not in allowed:
            message = f"Invalid value: '{part.type}'. Supported values are: {', '.join(map(repr, allowed))}."
            raise invalid("invalid_value", message, f"{at}[{place}]")


def read_parts(content: Content) -> tuple[str, tuple[Attachment, ...]]:
    """Return the text and the attachments of a content."""
    found = [content] if isinstance(content, str) else [part.read() for part in content]
    text = "".join(part for part in found if isinstance(part, str))
    return text, tuple(part for part in found if isinstance(part, Attachment))


class MessageItem(Body):
    """A message."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Content

    @model_validator(mode="after")
    def _fits_role(self) -> MessageItem:
        check_parts(self.content, self.role, ".content")
        return self

    def add_to(self, context: list[Message], _new: int) -> None:
        """Append the message to what the model sees."""
        context.append(Message("system" if self.role == "developer" else self.role, *read_parts(self.content)))


class CallItem(Body):
    """A tool call."""

    call_id: str
    name: str
    arguments: str

    def add_to(self, context: list[Message], new: int) -> None:
        """Add the call to the assistant's message right before it, or to a new one."""
        call = {
            "id": self.call_id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }
        if len(context) > new and context[-1].role == "assistant":
            context[-1] = replace(context[-1], tool_calls=(*context[-1].tool_calls, call))
        else:
            context.append(Message("assistant", "", tool_calls=(call,)))


class OutputItem(Body):
    """The result of a tool call."""

    call_id: str
    output: Content

    @model_validator(mode="after")
    def _fits_role(self) -> OutputItem:
        check_parts(self.output, "tool", ".output")
        return self

    def add_to(self, context: list[Message], _new: int) -> None:
        """Append the result."""
        context.append(Message("tool", *read_parts(self.output), tool_call_id=self.call_id))


ITEMS: Mapping[str, type[MessageItem | CallItem | OutputItem]] = {
    "message": MessageItem,
    "function_call": CallItem,
    "function_call_output": OutputItem,
}


def read_input(value: Any, find: Find, before: Context = ()) -> Context:
    """Return what the model sees of an input.

    Args:
        value: A text or a list of items.
        find: Finds an item of a stored response by its id.
        before: What comes before the input.

    Raises:
        OpenAIError: An item is invalid, or calls and outputs do not match.
    """
    items = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise OpenAIError("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    resolved = [resolve(item, f"input[{place}]", find) for place, item in enumerate(items)]
    check_reasoning_items(resolved, find)
    context = list(before)
    for place, item in enumerate(resolved):
        add(item, f"input[{place}]", context, new=len(before))
    check_outputs(context)
    return tuple(context)


def resolve(item: Any, where: str, find: Find) -> Mapping[str, Any]:
    """Return the item, or the stored item that it refers to."""
    if not isinstance(item, Mapping):
        raise OpenAIError(f"Invalid type for '{where}': expected an object.", param=where, code="invalid_type")
    if item.get("type") != "item_reference":
        return item
    found = find(str(item.get("id")))
    if found is None:
        raise OpenAIError(f"Item with id '{item.get('id')}' not found.", status=NOT_FOUND, param="input")
    return found


def add(item: Mapping[str, Any], where: str, context: list[Message], *, new: int) -> None:
    """Add an item to what the model sees."""
    kind = str(item.get("type") or ("message" if "role" in item else None))
    if kind in ITEMS:
        parse_body(ITEMS[kind], item, where).add_to(context, new)
    elif kind not in ("reasoning", "compaction") and not kind.endswith(PASSED_BACK):
        raise OpenAIError(f"Invalid value: '{kind}' for '{where}.type'.", param=where, code="invalid_value")


def check_reasoning_items(items: Sequence[Mapping[str, Any]], find: Find) -> None:
    """Check reasoning items: the server must know each or get all of it, and what followed it must follow.

    Raises:
        OpenAIError: An item is unknown or alone.
    """
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        if not item.get("encrypted_content") and find(str(item.get("id"))) is None:
            raise OpenAIError(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false.",
                status=NOT_FOUND,
                param="input",
            )
        after = items[place + 1] if place + 1 < len(items) else {}
        if after.get("role", "assistant") != "assistant" or not after or "output" in after:
            raise OpenAIError(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.",
                param="input",
            )


def check_outputs(context: Sequence[Message]) -> None:
    """Check that every call has an output, and every output a call.

    Raises:
        OpenAIError: One is missing.
    """
    waiting: list[str] = []
    for message in context:
        waiting += [call["id"] for call in message.tool_calls]
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise OpenAIError(
                    f"No tool call found for function call output with call_id {message.tool_call_id}.", param="input"
                )
            waiting.remove(str(message.tool_call_id))
    if waiting:
        raise OpenAIError(f"No tool output found for function call {waiting[0]}.", param="input")
