"""A wire without tools of its own, on which tools and schemas are asked for in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rivya_core.chat_stream import Wire
from rivya_core.http.plan import Plan, Streaming
from rivya_core.prompted.exchange import PromptedDecoder, finish, said_by
from rivya_core.prompted.prompt import Prompt, Told
from rivya_core.prompted.transcript import in_words, with_words
from rivya_core.types import ChatDelta, Message, Text


@dataclass(frozen=True, slots=True)
class PromptedWire:
    """Sends the turns of one call, with every turn the whole transcript.

    Attributes:
        inner: The wire that carries text.
        prompt: What is asked for in words.
    """

    inner: Wire
    prompt: Prompt

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        words = self._words(messages)
        delta = yield from self.inner.reply(words)
        said = said_by(delta)
        outcome = yield from finish(self.prompt, delta, said, "", partial(self._ask, words, said))
        return outcome.delta

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        words = self._words(messages)
        streaming = yield from self.inner.stream(words)
        decoder = PromptedDecoder(streaming.decoder, self.prompt)

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            *before, last = yield from streaming.settle(closing)
            ask = partial(self._ask, words, decoder.raw)
            outcome = yield from finish(self.prompt, last, decoder.raw, decoder.shown, ask)
            return [*(delta._replace(text="") for delta in before), outcome.delta]

        return Streaming(streaming.response, decoder, settle, streaming.abandon)

    def _words(self, messages: Sequence[Message]) -> list[Message]:
        return with_words(in_words(messages), self.prompt.words(Told()))

    def _ask(self, words: Sequence[Message], said: str, repair: str, _reply: ChatDelta) -> Plan[ChatDelta]:
        turn = (Message("assistant", (Text(said),)), Message("user", (Text(repair),)))
        return (yield from self.inner.reply([*words, *turn]))
