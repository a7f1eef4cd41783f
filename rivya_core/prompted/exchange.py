"""A reply in words and its repair: what is read, what is asked for once more, and the outcome.

Written as a plan over the way in which a message is sent, which differs between chats with and without sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rivya_core.chat_stream import WrappedDecoder
from rivya_core.errors import RivyaError
from rivya_core.http.plan import Decoder, Plan
from rivya_core.prompted.escaping import escaped
from rivya_core.prompted.prompt import Prompt
from rivya_core.prompted.reply import Reading, read
from rivya_core.prompted.text_filter import TextFilter
from rivya_core.prompted.transcript import call_block
from rivya_core.types import ChatDelta, Message, Text, ToolCall, ToolCallDelta, Usage

REPAIRED_KEY = "repaired"
"""Metadata of a reply that was asked for twice: what was wrong, and the outcome of the repair."""
MOST_PROBLEMS = 5
"""Problems that a repair names; a hostile reply has more."""
NOTHING = ChatDelta()
NO_CALL = ToolCallDelta(0)
Ask = Callable[[str, ChatDelta], Plan[ChatDelta]]
"""Sends a message after a reply, and returns the reply to it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a call in words.

    Attributes:
        delta: The reply: the text that was not shown yet, its calls, the usage and metadata of the whole exchange.
        message: The reply as both frameworks keep it.
        repairs: How many repair turns the session holds now.
        sure: Whether the session is known to hold the message and, apart from repairs, nothing more.
    """

    delta: ChatDelta
    message: Message
    repairs: int = 0
    sure: bool = True


def finish(prompt: Prompt, reply: ChatDelta, said: str, shown: str, ask: Ask) -> Plan[Outcome]:
    """Read a reply, and ask once more for one that does not fit.

    Args:
        prompt: What was asked for.
        reply: The reply; of a streamed one, its last delta.
        said: The complete text of the reply.
        shown: The text that the caller has seen.
        ask: Sends the repair.
    """
    reading = read(prompt, said)
    if not (reading.problems and prompt.repair):
        return _outcome(prompt, reply, reading, shown)
    try:
        again = yield from ask(repair_words(prompt, reading), reply)
    except RivyaError as error:
        facts: dict[str, Any] = {"problems": list(reading.problems), "error": f"{type(error).__name__}: {error}"}
        failed = replace(_outcome(prompt, reply, reading, shown), sure=False)
        return replace(failed, delta=_noted(failed.delta, facts))
    second = read(prompt, said_by(again))
    facts = {"problems": list(reading.problems)}
    if second.problems:
        facts["unsolved"] = list(second.problems)
    if shown and prompt.schema is not None and not second.calls:
        facts["text"] = second.text  # what was shown before does not count
    text = f"{shown}\n\n{second.text}" if shown and second.text else shown + second.text
    together = _noted(_added(reply, again), facts)
    return replace(_outcome(prompt, together, replace(second, text=text), shown), repairs=1)


def repair_words(prompt: Prompt, reading: Reading) -> str:
    """Return the message that says what is wrong with a reply."""
    wrong = escaped("; ".join(reading.problems[:MOST_PROBLEMS]))
    form = ", with each call in a <tool_call> block" if prompt.callable else ""
    return f"<tools>\nYour last reply cannot be used: {wrong}. Write the whole reply again{form}.\n</tools>"


def said_by(reply: ChatDelta) -> str:
    """Return the text of a whole reply, with the calls in words that the server itself took out of it."""
    return _in_words(reply.text, reply.tool_calls)


def _in_words(text: str, calls: Iterable[ToolCallDelta]) -> str:
    return "\n".join([text, *(call_block(call.name or "", call.arguments) for call in calls)])


def calls_of(reading: Reading) -> tuple[ToolCall, ...]:
    """Return the calls of a reply as both frameworks keep them in a message."""
    return tuple(ToolCall(call.id or "", call.name or "", call.arguments) for call in reading.calls)


def _outcome(prompt: Prompt, reply: ChatDelta, reading: Reading, shown: str) -> Outcome:
    facts = {**reply.metadata, "tool_calling": "prompted"} if prompt.tools else dict(reply.metadata)
    if reading.has_valid_call and facts.get("finish_reason") == "stop":
        facts["finish_reason"] = "tool_calls"
    rest = _rest(reading.text, shown, is_object=prompt.schema is not None)
    text = shown + rest
    message = Message("assistant", (Text(text),) if text else (), tool_calls=calls_of(reading))
    delta = reply._replace(text=rest, tool_calls=reading.calls, metadata=facts)
    return Outcome(delta, message, sure=not reading.dropped)


def _rest(text: str, shown: str, *, is_object: bool) -> str:
    """What is left to show of a text; an object that was not shown follows what was taken for it."""
    if text.startswith(shown):
        return text[len(shown) :]
    return f"\n\n{text}" if is_object and text else ""


def _noted(delta: ChatDelta, facts: Mapping[str, Any]) -> ChatDelta:
    return delta._replace(metadata={**delta.metadata, REPAIRED_KEY: dict(facts)})


def _added(first: ChatDelta, second: ChatDelta) -> ChatDelta:
    """The second reply, with the usage and the credits of both."""
    metadata = {**first.metadata, **second.metadata}
    cost = _sum(first.metadata.get("credits"), second.metadata.get("credits"))
    metadata |= {"credits": cost} if cost else {}
    gap = "\n" if first.reasoning and second.reasoning else ""
    return second._replace(
        usage=_usage(first.usage, second.usage),
        metadata=metadata,
        reasoning=f"{first.reasoning}{gap}{second.reasoning}",
        blocks=(*first.blocks, *second.blocks),
        places=(),
        last=True,
    )


def _sum(first: Any, second: Any) -> Any:
    """The numbers of two replies added up, key by key."""
    if not (isinstance(first, Mapping) and isinstance(second, Mapping)):
        return first if second is None else second
    names = [*first, *(name for name in second if name not in first)]
    return {name: _add(first.get(name), second.get(name)) for name in names}


def _add(first: Any, second: Any) -> Any:
    known = [value for value in (first, second) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return sum(known) if known else (second if second is not None else first)


def _usage(first: Usage | None, second: Usage | None) -> Usage | None:
    if first is None or second is None:
        return first or second
    return Usage(*map(_add, first, second))


class PromptedDecoder(WrappedDecoder):
    """The decoder of a streamed reply, behind which calls do not show as text.

    Args:
        inner: Decodes the body.
        prompt: What was asked for.
    """

    def __init__(self, inner: Decoder[ChatDelta], prompt: Prompt) -> None:
        super().__init__(inner)
        holds_json = bool(prompt.callable) or prompt.json_only
        self._filter = TextFilter(holds_json=holds_json, only_json=prompt.schema is not None)
        self._calls: dict[int, ToolCallDelta] = {}

    @property
    def raw(self) -> str:
        """The complete text of the reply, with its calls, also those that the server took out of it."""
        return _in_words(self._filter.raw, self._calls.values())

    @property
    def shown(self) -> str:
        """The text that was passed on."""
        return self._filter.shown

    def feed(self, data: bytes) -> Sequence[ChatDelta]:
        """Return the deltas that *data* completes, without calls."""
        return [shown for delta in super().feed(data) if (shown := self._shown(delta)) is not None]

    def finish(self) -> Sequence[ChatDelta]:
        """Return the closing deltas; their text is read when the reply is settled."""
        closing = [self._without_calls(delta) for delta in super().finish()]
        for delta in closing:
            self._filter.hold(delta.text)
        return closing

    def _without_calls(self, delta: ChatDelta) -> ChatDelta:
        for call in delta.tool_calls:
            before = self._calls.get(call.index, NO_CALL)
            name, arguments = (before.name or "") + (call.name or ""), before.arguments + call.arguments
            self._calls[call.index] = replace(before, name=name, arguments=arguments)
        return delta._replace(tool_calls=()) if delta.tool_calls else delta

    def _shown(self, delta: ChatDelta) -> ChatDelta | None:
        if delta.tool_calls:
            delta = self._without_calls(delta)
            if delta == NOTHING:
                return None
        if not delta.text:
            return delta
        text = self._filter.feed(delta.text)
        found = delta._replace(text=text)
        return None if found == NOTHING else found
