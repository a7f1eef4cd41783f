"""What the models talk through, as far as they know it."""

from collections.abc import Sequence
from typing import Protocol

from rivya_core.http.plan import Plan, Streaming
from rivya_core.types import ChatDelta, Message


class Wire(Protocol):
    """Carries the turns of one call."""

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        ...

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        ...
