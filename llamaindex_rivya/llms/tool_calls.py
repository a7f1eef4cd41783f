"""Tool calls in LlamaIndex's forms: while they arrive, in messages, and as the selections that agents run.

A message holds a call twice, as a `ToolCallBlock` and as plain JSON in `additional_kwargs["tool_calls"]`, for
LlamaIndex reads either. Its arguments stay the text that the model wrote. Calls that cannot be run, and why, are in
`additional_kwargs["invalid_tool_calls"]`, by their ids.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection

from llamaindex_rivya.errors import OutputError, RefusalError
from rivya_core.openai.partial_arguments import PartialArguments, read_partial
from rivya_core.types import ToolCall, ToolCallDelta

NO_OBJECT = "its arguments are not a JSON object"
NAMELESS = "unnamed"
"""Placeholder for the name of a call that names no tool."""
_arriving: WeakValueDictionary[str, PartialArguments] = WeakValueDictionary()
"""Readers of calls that are being streamed, by the ids of the calls; agents ask for the arguments at every piece."""


class CallsSoFar:
    """The tool calls of one reply.

    Args:
        single: Whether only the first call counts.
    """

    def __init__(self, *, single: bool = False) -> None:
        self._single = single
        self._calls: dict[int, ToolCallDelta] = {}
        self._blocks: dict[int, ToolCallBlock] = {}
        self._plain: dict[int, dict[str, Any]] = {}
        self._invalid: dict[str, str] = {}
        self._readers: dict[int, PartialArguments] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._blocks)

    @property
    def blocks(self) -> Sequence[ToolCallBlock]:
        """The calls as blocks, in order."""
        return tuple(self._blocks.values())

    @property
    def facts(self) -> dict[str, Any]:
        """The calls for a message's `additional_kwargs`."""
        invalid = {"invalid_tool_calls": dict(self._invalid)} if self._invalid else {}
        return {"tool_calls": list(self._plain.values()), **invalid}

    def add(self, deltas: Sequence[ToolCallDelta]) -> None:
        """Add pieces of calls; only those that they belong to are written anew."""
        for delta in deltas:
            if not self._single or not self._calls or delta.index in self._calls:
                self._add(delta)

    def _add(self, delta: ToolCallDelta) -> None:
        before = self._calls.get(delta.index) or ToolCallDelta(delta.index)
        call = ToolCallDelta(
            delta.index,
            before.id or delta.id,
            (before.name or "") + (delta.name or "") or None,
            before.arguments + delta.arguments,
            delta.invalid,
            before.custom or delta.custom,
            error=before.error or delta.error,
        )
        self._calls[delta.index] = call
        if call.invalid:
            self._invalid[call.id or ""] = call.error or NO_OBJECT
        if delta.index not in self._readers:
            self._readers[delta.index] = _arriving[call.id or ""] = PartialArguments()
        if call.name or call.invalid:
            name = call.name or NAMELESS
            self._blocks[delta.index] = ToolCallBlock(tool_call_id=call.id, tool_name=name, tool_kwargs=call.arguments)
            function = {"name": name, "arguments": call.arguments}
            self._plain[delta.index] = {"id": call.id, "type": "function", "function": function}


def selections(message: ChatMessage, calls: Sequence[ToolCall]) -> list[ToolSelection]:
    """Return what to run for the *calls* in *message*, be they complete or still arriving.

    A call that cannot be run gets the reason as its name. No tool has this name, so an agent returns the text to the
    model and runs nothing.
    """
    reasons = _reasons(message)
    return [_invalid(call, reasons[call.id]) if call.id in reasons else _selection(call) for call in calls]


def invalid_calls(message: ChatMessage, calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Return those of *calls* that cannot be run."""
    reasons = _reasons(message)
    return [call for call in calls if call.id in reasons]


def _reasons(message: ChatMessage) -> Mapping[str, str]:
    """Why calls cannot be run, by their ids; a list of the ids says only that."""
    kept = message.additional_kwargs.get("invalid_tool_calls")
    if isinstance(kept, Mapping):
        return {key: str(reason) for key, reason in kept.items()}
    return {key: NO_OBJECT for key in kept if isinstance(key, str)} if isinstance(kept, list) else {}


def check_calls(message: ChatMessage, calls: Sequence[ToolCall]) -> None:
    """Refuse a reply without a call, or with one that cannot be run.

    Raises:
        OutputError: It says what came instead.
        RefusalError: The model refused.
    """
    text = message.content or ""
    if message.additional_kwargs.get("refusal"):
        raise RefusalError(f"Expected at least one tool call, but the model refused: {text[:500]!r}.", text=text)
    if not calls:
        raise OutputError(f"Expected at least one tool call, but the model said: {text[:500]!r}.", text=text)
    for call in invalid_calls(message, calls):
        why = _reasons(message)[call.id]
        raise OutputError(
            f"The call of `{call.name}` cannot be run: {why}. It was called with {call.arguments[:500]!r}.",
            text=call.arguments,
        )


def _selection(call: ToolCall) -> ToolSelection:
    reader = _arriving.get(call.id)
    arguments = reader.read(call.arguments) if reader else read_partial(call.arguments)
    return ToolSelection(tool_id=call.id, tool_name=call.name, tool_kwargs=arguments)


def _invalid(call: ToolCall, why: str) -> ToolSelection:
    name = f"{call.name} ({why}: {call.arguments[:200]!r})"
    return ToolSelection(tool_id=call.id, tool_name=name, tool_kwargs={})
