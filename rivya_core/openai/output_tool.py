"""A reply in which the arguments of a tool are the object that was asked for, where a server has no response format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.http.plan import Decoder
from rivya_core.types import NOTHING, ChatDelta


def as_text(delta: ChatDelta, name: str, indexes: set[int]) -> ChatDelta:
    """Return *delta* with the arguments of the tool called *name* as its text.

    Args:
        delta: A piece of a reply, or a whole one.
        name: Name of the tool.
        indexes: Numbers of its calls; those that begin here are added.
    """
    indexes |= {call.index for call in delta.tool_calls if call.name == name}
    own = [call for call in delta.tool_calls if call.index in indexes]
    if not own and not (delta.last and indexes):
        return delta
    rest = tuple(call for call in delta.tool_calls if call.index not in indexes)
    facts = dict(delta.metadata)
    if delta.last and facts.get("finish_reason") == "tool_calls":
        facts["finish_reason"] = "stop"
    return delta._replace(text=delta.text + "".join(call.arguments for call in own), tool_calls=rest, metadata=facts)


class OutputToolDecoder:
    """Decodes a streamed reply in which the arguments of a tool are the text."""

    def __init__(self, decoder: Decoder[ChatDelta], tool: str) -> None:
        self._decoder, self._tool = decoder, tool
        self._indexes: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether the end of the reply was seen."""
        return self._decoder.complete

    @property
    def done(self) -> bool:
        """Whether the rest of the body can be ignored."""
        return self._decoder.done

    @property
    def facts(self) -> Mapping[str, Any]:
        """The response as the events so far describe it, where the decoder knows it."""
        found: Mapping[str, Any] = getattr(self._decoder, "facts", NOTHING)
        return found

    @property
    def partial(self) -> str:
        """The text so far."""
        return self._decoder.partial

    def feed(self, data: bytes) -> list[ChatDelta]:
        """Return the deltas that *data* completes."""
        return [as_text(delta, self._tool, self._indexes) for delta in self._decoder.feed(data)]

    def finish(self) -> list[ChatDelta]:
        """Return the closing deltas."""
        return [as_text(delta, self._tool, self._indexes) for delta in self._decoder.finish()]
