"""A reply in which the arguments of a tool are the object that was asked for, where a server has no response format."""

from __future__ import annotations

from collections.abc import Sequence

from rivya_core.chat_stream import WrappedDecoder
from rivya_core.http.plan import Decoder
from rivya_core.types import ChatDelta


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


class OutputToolDecoder(WrappedDecoder):
    """Decodes a streamed reply in which the arguments of a tool are the text."""

    def __init__(self, inner: Decoder[ChatDelta], tool: str) -> None:
        super().__init__(inner)
        self._tool = tool
        self._indexes: set[int] = set()

    def feed(self, data: bytes) -> list[ChatDelta]:
        """Return the deltas that *data* completes."""
        return self._as_text(super().feed(data))

    def finish(self) -> list[ChatDelta]:
        """Return the closing deltas."""
        return self._as_text(super().finish())

    def _as_text(self, deltas: Sequence[ChatDelta]) -> list[ChatDelta]:
        return [as_text(delta, self._tool, self._indexes) for delta in deltas]
