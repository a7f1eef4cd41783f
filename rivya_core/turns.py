"""One turn of a Rivya conversation, from a message list to a reply: route, claim, upload, send, remember.

Written as plans. The promise kept here: after a successful turn the session holds exactly the caller's list, and
the turn was charged once. What cannot be known (a stream left early, an answer lost after the last retry) poisons
the session, so that the next turn replays into a new one instead of trusting it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import httpx

from rivya_core import sessions
from rivya_core.chat import ChatDelta, Media, Message, Text
from rivya_core.errors import InvalidInputError, NotFoundError, RivyaError, SessionConflictError
from rivya_core.exchange import Retry, exchange
from rivya_core.fetch import FetchRules, fetch_image
from rivya_core.files import upload_image
from rivya_core.ledger import Head, Ledger
from rivya_core.plan import Plan, Streaming, call
from rivya_core.providers import Endpoint
from rivya_core.rivya_chat import (
    STREAM_PATH,
    WHOLE_PATH,
    ChatOptions,
    RivyaStream,
    chat_body,
    check_text,
    read_whole,
)
from rivya_core.sessions import OnMismatch, Pointer, Route
from rivya_core.transcript import is_plain, render

T = TypeVar("T")
log = logging.getLogger("rivya")


@dataclass(frozen=True)
class Conversation:
    """Everything that a turn needs to know beside its messages; it holds no state of any conversation.

    Attributes:
        endpoint: Where, and as whom.
        options: What the request says beside its message.
        ledger: Where session heads are remembered.
        retry: How often and how patiently requests are repeated.
        on_mismatch: What to do with a history that no session holds.
        session_id: Pins one session instead of letting the history decide.
        fetching: Which image URLs may be fetched.
    """

    endpoint: Endpoint
    options: ChatOptions
    ledger: Ledger
    retry: Retry = Retry()
    on_mismatch: OnMismatch = "replay"
    session_id: str | None = None
    fetching: FetchRules = FetchRules()

    @property
    def origin(self) -> str:
        """Fingerprint of where this conversation's sessions live."""
        key = self.endpoint.key.get_secret_value() if self.endpoint.key else ""
        return sessions.origin_of(self.endpoint.base_url, self.options.model, key)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        turn, response = yield from self._send(messages, WHOLE_PATH)
        try:
            delta = read_whole(response)
        except BaseException:
            yield from turn.poison()
            raise
        return (yield from turn.settle(delta, delta.text))

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        turn, response = yield from self._send(messages, STREAM_PATH)
        decoder = RivyaStream(response)

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            said = decoder.partial or closing[-1].text  # a plain answer to a stream request says all at its end
            last = yield from turn.settle(closing[-1], said)
            return [*closing[:-1], last]

        return Streaming(response, decoder, settle, turn.poison)

    def _send(self, messages: Sequence[Message], path: str) -> Plan[tuple[_Turn, httpx.Response]]:
        """Send the turn; a session that the server does not know or give is replayed into a new one, once."""
        if not messages:
            raise InvalidInputError("There is no message to send.")
        turn = yield from self._claimed(messages)
        try:
            return turn, (yield from turn.send(path))
        except (SessionConflictError, NotFoundError) as error:
            if turn.route.reason != "continue":
                raise
            yield from turn.poison()
            log.info("Session %s cannot be continued (%s); replaying in a new one.", turn.route.session_id, error.code)
            turn = _Turn(self, tuple(messages), sessions.replayed(messages, self.on_mismatch))
            return turn, (yield from turn.send(path))

    def _claimed(self, messages: Sequence[Message]) -> Plan[_Turn]:
        """Choose the route; a head that someone else holds or has moved on from is a fork, which replays."""
        if self.session_id is not None:
            return _Turn(self, tuple(messages), sessions.pinned(messages, self.session_id))
        route = sessions.route(messages, self.origin, self.on_mismatch)
        if route.pointer is not None:
            head = route.pointer.head
            if not (yield from self.ask(lambda: self.ledger.claim(head))):
                route = sessions.replayed(messages, self.on_mismatch)
        return _Turn(self, tuple(messages), route)

    def ask(self, work: Callable[[], T]) -> Plan[T]:
        """Ask the ledger, off the event loop where it may wait."""
        return (yield from call(work)) if self.ledger.blocking else work()


@dataclass(frozen=True)
class _Turn:
    """One turn on its route: what is sent, and what is remembered afterwards."""

    conversation: Conversation
    messages: tuple[Message, ...]
    route: Route

    def send(self, path: str) -> Plan[httpx.Response]:
        """Upload what is attached, send the message, and end the claim if that fails."""
        begun = False
        try:
            body = yield from self._body()
            request = self.conversation.endpoint.request(
                "POST", path, body=body, headers={"idempotency-key": uuid.uuid4().hex, "accept": _accepts(path)}
            )
            begun = True
            return (
                yield from exchange(
                    request,
                    self.conversation.retry,
                    keep_open=path == STREAM_PATH,
                    idempotent=self.conversation.endpoint.idempotent(path),
                )
            )
        except BaseException as error:
            yield from self._give_back(unknown=begun and _outcome_unknown(error))
            raise

    def settle(self, delta: ChatDelta, said: str) -> Plan[ChatDelta]:
        """Remember the session's new head and return *delta* with its pointer."""
        session_id = delta.metadata.get("session_id") or self.route.session_id
        facts: dict[str, Any] = {**delta.metadata, "session_id": session_id, "session_route": self.route.reason}
        disagrees = facts.pop("text_disagrees", False)
        if self.route.session_id not in (None, session_id):
            yield from self.poison()  # the server went on in a session of its own choice
        if session_id and self.route.reason != "pinned" and not disagrees:
            pointer = self._pointer_after(str(session_id), said)
            yield from self.conversation.ask(lambda: self.conversation.ledger.settle(pointer.head))
            facts[sessions.POINTER_KEY] = pointer.to_json()
        else:
            yield from self.poison()
        return replace(delta, metadata=facts)

    def poison(self) -> Plan[None]:
        """Nobody knows what the session holds now."""
        yield from self._give_back(unknown=True)

    def _give_back(self, *, unknown: bool) -> Plan[None]:
        if self.route.pointer is None:
            return
        head = self.route.pointer.head
        ledger = self.conversation.ledger
        end: Callable[[Head], None] = ledger.poison if unknown else ledger.release
        yield from self.conversation.ask(lambda: end(head))

    def _pointer_after(self, session_id: str, said: str) -> Pointer:
        reply = Message("assistant", (Text(said),))
        before = self.route.pointer
        return Pointer(
            session_id=session_id,
            turn=before.turn + 1 if before and before.session_id == session_id else 1,
            origin=self.conversation.origin,
            digest=sessions.digest_of([*self.messages, reply]),
        )

    def _body(self) -> Plan[dict[str, Any]]:
        sent = self.route.messages
        alone = len(sent) == 1 and is_plain(sent[0])
        text = sent[0].text if alone else render(sent)
        check_text(text)
        file_ids = []
        for media in [media for message in sent for media in message.media]:
            file_ids.append((yield from self._attach(media)))
        return chat_body(self.conversation.options, text, self.route.session_id, file_ids)

    def _attach(self, media: Media) -> Plan[str]:
        """Return the file id of an image, uploading it if it is not on the server yet."""
        if media.kind != "image":
            raise InvalidInputError(f"Rivya's chat takes text and images, not {media.kind}; nothing was sent.")
        if media.file_id is not None:
            return media.file_id
        if media.data is None:
            media = yield from fetch_image(media.url or "", self.conversation.fetching, self.conversation.retry)
        uploaded = yield from upload_image(self.conversation.endpoint, media, self.conversation.retry)
        return uploaded.id


def _outcome_unknown(error: BaseException) -> bool:
    """Whether the turn may have been carried out although *error* came instead of an answer."""
    return not isinstance(error, RivyaError) or error.repeat == "if safe"


def _accepts(path: str) -> str:
    return "text/event-stream" if path == STREAM_PATH else "application/json"
