"""A request of either OpenAI API that is changed for what the back end refuses, and sent again.

A refused request costs nothing. If the changed one is accepted, the finding is remembered (`chat/quirks.py`), and later
requests to the same model are right at once. A stream that begins with a refusal is read again as a whole reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from rivya_core.chat_stream import WrappedDecoder
from rivya_core.errors import APIError
from rivya_core.http.plan import Decoder, Plan
from rivya_core.openai.chat import quirks
from rivya_core.openai.chat.quirks import Quirks
from rivya_core.openai.chat.refusals import quirk_from_error
from rivya_core.types import ChatDelta

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Body = Mapping[str, Any]
Teaches = Callable[[APIError], bool]
"""Whether an error says how the request must be changed, so that repeating it unchanged is of no use."""


class Send(Protocol[T_co]):
    """Sends a body and reads what comes back."""

    def __call__(self, body: Body, teaches: Teaches) -> Plan[T_co]:
        """Return what came back, or raise the error that it is."""
        ...


@dataclass(frozen=True)
class AdjustedRequest:
    """A request that can be written for what the back end refuses.

    Attributes:
        place: Base URL and model.
        write: Returns the body for a back end with these quirks.
        insists: Whether the caller has asked by name for what would be left out.
    """

    place: tuple[str, str]
    write: Callable[[Quirks], Body]
    insists: Callable[[Quirks], bool]

    def learn(self, error: APIError, found: Quirks) -> Quirks | None:
        """Return what *error* adds to what was *found* before, or None if it is to be raised."""
        learnt = quirk_from_error(error, self.write(found), found)
        return None if learnt is None or self.insists(learnt) else learnt

    def send(self, send: Send[T], found: Quirks | None = None) -> Plan[tuple[T, Quirks]]:
        """Send the request until it is accepted; return what came back and what the request took into account.

        Args:
            send: Sends a body.
            found: What an earlier attempt has found out.

        Raises:
            APIError: The refusal is about something else.
        """
        before = quirks.known(*self.place)
        found = found or before
        while True:
            try:
                result = yield from send(self.write(found), partial(self._teaches, found))
            except APIError as error:
                learnt = self.learn(error, found)
                if learnt is None:
                    raise
                found = learnt
            else:
                if found is not before and found != before:
                    quirks.learn(*self.place, before, found)
                return result, found

    def _teaches(self, found: Quirks, error: APIError) -> bool:
        return self.learn(error, found) is not None


class RefusalDecoder(WrappedDecoder):
    """Decodes a stream; a refusal before its first piece is kept instead of raised.

    Attributes:
        learnt: What the refusal says about the back end.
    """

    def __init__(self, inner: Decoder[ChatDelta], learn: Callable[[APIError], Quirks | None]) -> None:
        super().__init__(inner)
        self._learn = learn
        self.learnt: Quirks | None = None

    def finish(self) -> Sequence[ChatDelta]:
        """Return the closing deltas; none that says anything after a refusal."""
        try:
            return super().finish()
        except APIError as error:
            self.learnt = None if self.has_said else self._learn(error)
            if self.learnt is None:
                raise
        return [ChatDelta(last=True)]
