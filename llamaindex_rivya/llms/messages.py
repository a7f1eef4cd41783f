"""LlamaIndex's messages to the core's. Single blocks are read in `blocks.py`; replies are made in `responses.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CitationBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from llamaindex_rivya.llms.blocks import InputCapabilities, RefusalBlock, needs_reading, parts_of
from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.http.plan import Plan, call
from rivya_core.openai.reply_state import STATE_KEY
from rivya_core.openai.responses.items import ITEMS_KEY
from rivya_core.sessions.modes import POINTER_KEY
from rivya_core.types import CLIENT_CALLS_KEY, Message, Role, Text, ToolCall

ROLES: dict[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "developer",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
_as_json = json.JSONEncoder(ensure_ascii=False).encode
ONLY_TEXT = frozenset({TextBlock})
EXTRAS = ("refusal", ITEMS_KEY, STATE_KEY, CLIENT_CALLS_KEY)
"""Facts of a message that a next turn may send back."""
CALL_IDS = ("id", "tool_call_id", "toolUseId", "tool_id", "call_id")


def check_messages(messages: Any) -> None:
    """Check the type of what a chat gets.

    Raises:
        InvalidInputError: It is not a list of messages; nothing was sent.
    """
    if isinstance(messages, (str, bytes, Mapping, ChatMessage)) or not isinstance(messages, Sequence):
        advice = "Pass `[ChatMessage(text)]`, or use `complete` for one text."
        raise InvalidInputError(
            f"`messages` must be a list of `ChatMessage`, not {type(messages).__name__}. {advice} Nothing was sent."
        )
    for kind in set(map(type, messages)):
        if not issubclass(kind, ChatMessage):
            advice = "Pass its `message`." if issubclass(kind, ChatResponse) else "Use `ChatMessage(text)`."
            raise InvalidInputError(
                f"`messages` must be a list of `ChatMessage`, but holds a {kind.__name__}. {advice} Nothing was sent."
            )


def check_prompt(prompt: Any) -> None:
    """Check the type of what a completion gets.

    Raises:
        InvalidInputError: It is not text; nothing was sent.
    """
    if not isinstance(prompt, str):
        raise InvalidInputError(
            f"`prompt` must be text, not {type(prompt).__name__}. Use `chat` for messages. Nothing was sent."
        )


def to_core(messages: Sequence[ChatMessage], takes: InputCapabilities) -> Plan[list[Message]]:
    """Return *messages* as the core's; files are read off the event loop.

    Raises:
        InvalidInputError: A block is not supported; the message names it and its role.
    """
    convert = partial(_messages, tuple(messages), takes)
    if any(needs_reading(message.blocks) for message in messages):
        return (yield from call(convert))
    return convert()


def _messages(messages: Sequence[ChatMessage], takes: InputCapabilities) -> list[Message]:
    return [to_message(message, takes) for message in messages]


def to_message(message: ChatMessage, takes: InputCapabilities) -> Message:
    """Return one message as the core's.

    Raises:
        InvalidInputError: A block is not supported.
    """
    role, facts, blocks = ROLES[message.role], message.additional_kwargs, message.blocks
    if len(blocks) == 1 and type(blocks[0]) is TextBlock:  # nearly every message of a long history
        if not facts:
            return Message(role, (Text(blocks[0].text),))
        if role == "assistant" and not (facts.get("refusal") or facts.get("tool_calls") or facts.get("name")):
            return Message(role, (Text(blocks[0].text),), pointer=facts.get(POINTER_KEY), extras=_extras(facts))
    said = _said(blocks, role, facts)
    name, call_id = facts.get("name"), facts.get("tool_call_id")
    return Message(
        role=role,
        parts=parts_of(said, role, takes),
        name=name if isinstance(name, str) and name else None,
        tool_calls=tool_calls_of(message) if role == "assistant" else (),
        tool_call_id=str(call_id) if role == "tool" and call_id else None,
        reasoning="" if said is blocks else _reasoning(blocks),
        pointer=facts.get(POINTER_KEY),
        extras=_extras(facts),
        failed=role == "tool" and facts.get("is_error") is True,
    )


def _said(blocks: Sequence[Any], role: str, facts: Mapping[str, Any]) -> Sequence[Any]:
    """The blocks that are said in a message; what else a reply holds has places of its own."""
    if ONLY_TEXT.issuperset(map(type, blocks)) and not facts.get("refusal"):
        return blocks
    said = [block for block in blocks if not isinstance(block, (ThinkingBlock, ToolCallBlock))]
    if role != "assistant" and len(said) < len(blocks):
        raise NotSupportedError(f"A {role} message cannot hold reasoning or tool calls; nothing was sent.")
    if facts.get("citations"):  # of a reply, whose text holds the words already
        said = [block for block in said if not isinstance(block, CitationBlock)]
    return [block for block in said if not _is_refusal(block, facts.get("refusal"))] if role == "assistant" else said


def _reasoning(blocks: Sequence[Any]) -> str:
    return "\n".join([block.content for block in blocks if isinstance(block, ThinkingBlock) and block.content])


def _extras(facts: Mapping[str, Any]) -> dict[str, Any]:
    if facts.keys().isdisjoint(EXTRAS):
        return {}
    return {key: facts[key] for key in EXTRAS if facts.get(key)}


def _is_refusal(block: Any, refusal: Any) -> bool:
    """Whether a block is a refusal; stored messages have it as a text."""
    return isinstance(block, RefusalBlock) or (bool(refusal) and isinstance(block, TextBlock) and block.text == refusal)


def tool_calls_of(message: ChatMessage) -> tuple[ToolCall, ...]:
    """Return the calls in the blocks, or, of messages that other integrations made, in `additional_kwargs`."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return tuple(ToolCall(b.tool_call_id or "", b.tool_name, _arguments(b.tool_kwargs)) for b in blocks)
    foreign = message.additional_kwargs.get("tool_calls")
    return tuple(_foreign_call(item) for item in foreign) if isinstance(foreign, list) else ()


def _foreign_call(item: Any) -> ToolCall:
    """A call in OpenAI's form, or flat as the integrations of Anthropic, Bedrock and others keep it."""
    plain = item.model_dump() if hasattr(item, "model_dump") else item
    if isinstance(plain, Mapping):
        inner = plain.get("function")
        function = inner if isinstance(inner, Mapping) else plain
        name = _first(function, "name", "tool_name")
        if name:
            arguments = _first(function, "arguments", "input", "args", "tool_kwargs")
            return ToolCall(str(_first(plain, *CALL_IDS) or ""), str(name), _arguments(arguments))
    raise InvalidInputError(
        '`additional_kwargs["tool_calls"]` holds an entry that is not a tool call; nothing was sent.'
    )


def _first(value: Mapping[str, Any], *names: str) -> Any:
    return next((value[name] for name in names if value.get(name)), None)


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return _as_json(value or {})
    except (TypeError, ValueError) as exc:
        raise InvalidInputError(f"The arguments of a tool call cannot be written as JSON ({exc}).") from None
