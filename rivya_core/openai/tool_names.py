"""Names of tools that the APIs do not take, and the way back. Pure, apart from the plan around a turn.

https://platform.openai.com/docs/api-reference/chat/create: a function's name is made of letters, digits, `_` and `-`,
at most 64. Frameworks and MCP servers have others, such as `files.read` or a title with spaces. Such a tool is sent
under a legal name, and its calls come back under its own, because that is the name by which it is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rivya_core.chat_stream import WrappedDecoder
from rivya_core.http.plan import Decoder, Plan, Streaming
from rivya_core.structured.schemas import LONGEST_NAME, legal_name
from rivya_core.structured.wire_forms import tool_name
from rivya_core.types import ChatDelta, Message, ToolCall

LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


@dataclass(frozen=True)
class ToolNames:
    """The names of a request's tools that are sent differently.

    Attributes:
        sent: By their own names.
        own: By the names that are sent.
    """

    sent: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)

    def tool(self, tool: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a tool under the name that is sent."""
        name = self.sent.get(tool_name(tool))
        if name is None:
            return tool
        key = next((key for key in ("function", "custom") if isinstance(tool.get(key), Mapping)), None)
        return {**tool, "name": name} if key is None else {**tool, key: {**tool[key], "name": name}}

    def choice(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a choice of one tool, or of several that are allowed, under the names that are sent."""
        allowed = choice.get("allowed_tools")
        if not isinstance(allowed, Mapping):
            return self.tool(choice)
        return {**choice, "allowed_tools": {**allowed, "tools": [self.tool(tool) for tool in allowed.get("tools", ())]}}

    def message(self, message: Message) -> Message:
        """Return a message whose calls have legal names."""
        if all(LEGAL.match(call.name) for call in message.tool_calls):
            return message
        return message._replace(tool_calls=tuple(map(self._call, message.tool_calls)))

    def delta(self, delta: ChatDelta) -> ChatDelta:
        """Return a piece of a reply whose calls have the tools' own names."""
        if not any(call.name in self.own for call in delta.tool_calls):
            return delta
        calls = tuple(replace(call, name=self.own.get(call.name or "", call.name)) for call in delta.tool_calls)
        return delta._replace(tool_calls=calls)

    def _call(self, call: ToolCall) -> ToolCall:
        is_legal = LEGAL.match(call.name) or not call.name
        return call if is_legal else replace(call, name=self.sent.get(call.name) or legal_name(call.name))


def tool_names(tools: Sequence[Mapping[str, Any]]) -> ToolNames:
    """Return which of *tools* are sent under other names; no two have the same."""
    names = [name for tool in tools if (name := tool_name(tool))]
    taken = {name for name in names if LEGAL.match(name)}
    sent: dict[str, str] = {}
    for name in names:
        if name not in taken and name not in sent:
            sent[name] = next(found for found in _candidates(name) if found not in taken)
            taken.add(sent[name])
    return ToolNames(sent, {legal: own for own, legal in sent.items()})


def needs_names(tools: Sequence[Mapping[str, Any]], messages: Sequence[Message]) -> bool:
    """Whether a tool, or a call in the messages, has a name that the APIs do not take."""
    for message in messages:
        for call in message.tool_calls:
            if not LEGAL.match(call.name):
                return True
    return bool(tools) and any((name := tool_name(tool)) and not LEGAL.match(name) for tool in tools)


def renamed_stream(stream: Plan[Streaming[ChatDelta]], names: ToolNames) -> Plan[Streaming[ChatDelta]]:
    """Return the plan of a stream whose calls have the tools' own names."""
    begun = yield from stream

    def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
        settled = yield from begun.settle(closing)
        return [names.delta(delta) for delta in settled]

    return Streaming(begun.response, _RenamingDecoder(begun.decoder, names), settle, begun.abandon)


class _RenamingDecoder(WrappedDecoder):
    """A decoder whose events have the tools' own names; the closing ones get them when they are settled."""

    def __init__(self, inner: Decoder[ChatDelta], names: ToolNames) -> None:
        super().__init__(inner)
        self._names = names

    def feed(self, data: bytes) -> Sequence[ChatDelta]:
        return [self._names.delta(delta) for delta in super().feed(data)]


def _candidates(name: str) -> Iterator[str]:
    legal, number = legal_name(name), 1
    yield legal
    while True:
        number += 1
        yield f"{legal[: LONGEST_NAME - 5]}_{number}"
