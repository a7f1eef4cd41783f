"""Whether a server continued the stored response that a request named.

A server that ignores `previous_response_id` answers null, or does not repeat it. Null is proof that the model did not
see the conversation. The finding is remembered for the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rivya_core.chat_stream import WrappedDecoder
from rivya_core.errors import APIError
from rivya_core.http.plan import Decoder
from rivya_core.openai.chat import quirks
from rivya_core.openai.chat.refusals import REFUSAL
from rivya_core.types import ChatDelta

KEY = "previous_response_id"
WHY_IGNORED = "the server ignores `previous_response_id`"
WHY_REFUSED = "the server refuses `previous_response_id`"


def is_ignored(facts: Mapping[str, Any]) -> bool:
    """Whether a reply's facts, or a response, say that no stored response was continued."""
    return KEY in facts and facts[KEY] is None


def is_refused(error: APIError) -> bool:
    """Whether *error* refuses the parameter itself, not the id in it."""
    return KEY in f"{error.param or ''} {error}" and REFUSAL.search(str(error)) is not None


def lacks_storage(base_url: str) -> bool:
    """Whether the server is known to ignore or refuse stored responses."""
    return quirks.known(base_url, "").no_stored_responses


def remember_no_storage(base_url: str) -> None:
    """Remember that the server ignores or refuses stored responses."""
    quirks.remember(base_url, "", replace(quirks.known(base_url, ""), no_stored_responses=True))


class CheckedDecoder(WrappedDecoder):
    """Decodes a streamed response, and stops before its first piece if the stored response was not continued.

    Attributes:
        ignored: Whether the server did not continue it.
        failure: The error that came instead of the first piece.
    """

    def __init__(self, inner: Decoder[ChatDelta]) -> None:
        super().__init__(inner)
        self._has_begun = False
        self.ignored = False
        self.failure: APIError | None = None

    @property
    def complete(self) -> bool:
        """Whether the end of the reply was seen."""
        return self.ignored or super().complete

    @property
    def done(self) -> bool:
        """Whether the rest of the body can be ignored."""
        return self.ignored or super().done

    def feed(self, data: bytes) -> Sequence[ChatDelta]:
        """Return the deltas that *data* completes."""
        return self._checked(super().feed(data), self.facts)

    def finish(self) -> Sequence[ChatDelta]:
        """Return the closing deltas; none that says anything if the stored response was not continued."""
        try:
            closing = [ChatDelta(last=True)] if self.ignored else super().finish()
        except APIError as error:
            if self._has_begun:
                raise
            self.failure, closing = error, [ChatDelta(last=True)]
        self._checked(closing, closing[-1].metadata)
        return [ChatDelta(last=True)] if self.ignored else closing

    def _checked(self, deltas: Sequence[ChatDelta], facts: Mapping[str, Any]) -> Sequence[ChatDelta]:
        self.ignored = self.ignored or (not self._has_begun and is_ignored(facts))
        self._has_begun = self._has_begun or bool(deltas)
        return [] if self.ignored else deltas
