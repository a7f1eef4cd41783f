"""A wire whose calls are followed from the first request to the last piece of the reply."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from rivya_core.chat_stream import Wire
from rivya_core.http.observers import RequestObserver
from rivya_core.http.plan import Plan, Streaming
from rivya_core.types import ChatDelta, Message


class CallObserver(RequestObserver, Protocol):
    """Follows one call: its beginning, its requests and its end."""

    def begins(self) -> None:
        """The call begins."""
        ...

    def replied(self, reply: ChatDelta) -> Plan[None]:
        """The reply is complete; *reply* is its last piece, or all of it."""
        ...

    def abandoned(self, error: BaseException | None) -> Plan[None]:
        """The call ended with *error*, or its stream was left before its end."""
        ...


class ObservedWire:
    """Sends turns like *wire*, and calls the observers.

    Args:
        wire: A wire with a `retry` policy.
        observers: The observers of this call.
        paced: Whether requests that meet a rate limit queue in this process, too.
    """

    def __init__(self, wire: Any, observers: Sequence[CallObserver], *, paced: bool) -> None:
        self._observers = observers
        self._wire: Wire = replace(wire, retry=replace(wire.retry, observers=tuple(observers), paced=paced))

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        self._begin()
        try:
            reply = yield from self._wire.reply(messages)
        except BaseException as error:
            yield from self._abandoned(error)
            raise
        yield from self._replied(reply)
        return reply

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        self._begin()
        try:
            streaming = yield from self._wire.stream(messages)
        except BaseException as error:
            yield from self._abandoned(error)
            raise

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            closing = yield from streaming.settle(closing)
            yield from self._replied(closing[-1])
            return closing

        def abandon() -> Plan[None]:
            error = sys.exc_info()[1]  # the driver gives a stream up while it handles what ended it
            yield from streaming.abandon()
            yield from self._abandoned(None if isinstance(error, GeneratorExit) else error)

        return replace(streaming, settle=settle, abandon=abandon)

    def _begin(self) -> None:
        for observer in self._observers:
            observer.begins()

    def _replied(self, reply: ChatDelta) -> Plan[None]:
        for observer in self._observers:
            yield from observer.replied(reply)

    def _abandoned(self, error: BaseException | None) -> Plan[None]:
        for observer in self._observers:
            yield from observer.abandoned(error)
