"""One turn of a Rivya conversation, from a message list to a reply: route, claim, upload, send, remember.

Written as plans. The promise kept here: after a successful turn the session holds exactly the caller's list, and
the turn was charged once. What cannot be known (a stream left early, an answer lost after the last retry) poisons
the session, so that the next turn replays into a new one instead of trusting it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import httpx

from rivya_core.errors import (
    InvalidInputError,
    LedgerError,
    NotFoundError,
    RivyaError,
    SessionConflictError,
)
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, Streaming, call
from rivya_core.http.retry import RetryPolicy, outcome_unknown, send_with_retries
from rivya_core.media.fetch_url import FetchRules, fetch_image
from rivya_core.rivya.files import upload_image
from rivya_core.rivya.wire import (
    STREAM_PATH,
    WHOLE_PATH,
    ChatOptions,
    RivyaStreamDecoder,
    chat_body,
    check_text,
    read_whole,
)
from rivya_core.sessions import pointers as sessions
from rivya_core.sessions.ledger import Head, Ledger
from rivya_core.sessions.pointers import OnMismatch, Origin, Pointer, Route
from rivya_core.sessions.transcript import render, sendable_verbatim
from rivya_core.types import ChatDelta, Media, Message, Text

T = TypeVar("T")
log = logging.getLogger("rivya")


@dataclass(frozen=True)
class RivyaWire:
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
    retry: RetryPolicy = RetryPolicy()
    on_mismatch: OnMismatch = "replay"
    session_id: str | None = None
    fetching: FetchRules = FetchRules()

    @cached_property
    def origin(self) -> Origin:
        """Where this conversation's sessions live, and as whom."""
        key = self.endpoint.key.get_secret_value() if self.endpoint.key else ""
        return sessions.origin_of(self.endpoint.base_url, self.options.model, key)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        turn, response = yield from self._send(messages, WHOLE_PATH)
        try:
            delta = read_whole(response)
        except BaseException:
            yield from turn.invalidate()
            raise
        return (yield from turn.settle(delta, delta.text))

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        turn, response = yield from self._send(messages, STREAM_PATH)
        decoder = RivyaStreamDecoder(response)

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            said = decoder.partial or closing[-1].text  # a plain answer to a stream request says all at its end
            last = yield from turn.settle(closing[-1], said)
            return [*closing[:-1], last]

        return Streaming(response, decoder, settle, turn.invalidate)

    def _send(self, messages: Sequence[Message], path: str) -> Plan[tuple[_Turn, httpx.Response]]:
        """Send the turn; a session that the server does not know or give is replayed into a new one, once."""
        if not messages:
            raise InvalidInputError("There is no message to send.")
        turn = yield from self._claimed(tuple(messages))
        request = yield from turn.prepare(path)
        try:
            return turn, (yield from turn.post(request, path))
        except (SessionConflictError, NotFoundError) as error:
            if turn.route.reason != "continue":
                raise
            yield from turn.invalidate()
            turn = self._replay(turn.messages, f"the server does not give the session of the last reply ({error})")
        request = yield from turn.prepare(path)
        return turn, (yield from turn.post(request, path))

    def _claimed(self, messages: tuple[Message, ...]) -> Plan[_Turn]:
        """Choose the route; a head that someone else holds or has moved on from is a fork, which replays."""
        if self.session_id is not None:
            route, session = sessions.pinned(messages, self.session_id), self.origin.head(self.session_id)
            yield from self.ask(lambda: self.ledger.invalidate(session))  # what replies pointed to goes on unseen
            return _Turn(self, messages, route)
        route = sessions.route(messages, self.origin, self.on_mismatch)
        if route.pointer is not None:
            head = route.pointer.head
            if not (yield from self.ask(lambda: self.ledger.claim(head))):
                return self._replay(messages, "the session of the last reply is in use, has gone on, or is in doubt")
        return _Turn(self, messages, route)

    def _replay(self, messages: tuple[Message, ...], why: str) -> _Turn:
        return _Turn(self, messages, sessions.replayed(messages, self.on_mismatch, why))

    def ask(self, work: Callable[[], T]) -> Plan[T]:
        """Ask the ledger, off the event loop where it may wait."""
        return (yield from call(work)) if self.ledger.blocking else work()


@dataclass(frozen=True)
class _Turn:
    """One turn on its route: what is sent, and what is remembered afterwards."""

    conversation: RivyaWire
    messages: tuple[Message, ...]
    route: Route

    def prepare(self, path: str) -> Plan[httpx.Request]:
        """Upload what is attached and return the request; release the claim if that fails."""
        if self.route.why:
            log.info("Replaying %d messages into a new session, because %s.", len(self.messages), self.route.why)
        try:
            body = yield from self._body()
            headers = {"idempotency-key": uuid.uuid4().hex, "accept": _accepts(path)}
            return self.conversation.endpoint.request("POST", path, body=body, headers=headers)
        except BaseException as error:
            yield from self._end_claim_after(error, unknown=False)
            raise

    def post(self, request: httpx.Request, path: str) -> Plan[httpx.Response]:
        """Send *request*, and end the claim if that fails."""
        endpoint, retry = self.conversation.endpoint, self.conversation.retry
        streamed, idempotent = path == STREAM_PATH, endpoint.idempotent(path)
        try:
            return (
                yield from send_with_retries(request, retry, keep_open=streamed, idempotent=idempotent, strict=True)
            )
        except BaseException as error:
            unknown = not isinstance(error, RivyaError) or outcome_unknown(error, strict=True)
            yield from self._end_claim_after(error, unknown=unknown)
            raise

    def settle(self, delta: ChatDelta, said: str) -> Plan[ChatDelta]:
        """Remember the session's new head and return *delta* with its pointer.

        A reply gets no pointer where the session may hold something else than the messages and the reply, or where the
        reply does not name its session, as when a stream broke off behind the text; the next turn then replays.
        """
        here, named = self.route.session_id, delta.metadata.get("session_id")
        facts: dict[str, Any] = {"session_id": here, **delta.metadata, "session_route": self.route.reason}
        sound = not facts.pop("text_disagrees", False) and self.route.reason != "pinned"
        if named is not None and here not in (None, named):
            sound = False
            log.warning("Session %s was continued, and %s answered.", here, named)
        pointer = self._pointer_after(named, said) if sound and named is not None else None
        if pointer is None or not (yield from self._tell(self.conversation.ledger.settle, pointer.head)):
            yield from self.invalidate()
        else:
            facts[sessions.POINTER_KEY] = pointer.to_json()
        return delta._replace(metadata=facts)

    def invalidate(self) -> Plan[None]:
        """Nobody knows what the session holds now."""
        if self.route.pointer is not None:
            yield from self._tell(self.conversation.ledger.invalidate, self.route.pointer.head)

    def _end_claim_after(self, error: BaseException, *, unknown: bool) -> Plan[None]:
        if isinstance(error, GeneratorExit):
            return  # nothing can be waited for any more; a claim that nobody ends is never continued
        if unknown:
            yield from self.invalidate()
        elif self.route.pointer is not None:
            yield from self._tell(self.conversation.ledger.release, self.route.pointer.head)

    def _tell(self, what: Callable[[Head], None], head: Head) -> Plan[bool]:
        """Tell the ledger how the turn ended; if it is down, the claim stays and the answer is not lost for that."""
        try:
            yield from self.conversation.ask(lambda: what(head))
        except LedgerError as error:
            log.warning("The session cannot be continued after this turn: %s", error)
            return False
        return True

    def _pointer_after(self, session_id: str, said: str) -> Pointer | None:
        before = self.route.pointer
        return self.conversation.origin.pointer(
            session_id,
            before.turn + 1 if before else 1,
            [*self.messages, Message("assistant", (Text(said),))],
            self.conversation.ledger.name,
        )

    def _body(self) -> Plan[dict[str, Any]]:
        sent, here = self.route.messages, self.route.session_id
        alone = len(sent) == 1 and sendable_verbatim(sent[0])
        text = sent[0].text if alone else render(sent, continues=here is not None)
        check_text(text)
        file_ids = []
        for media in [media for message in sent for media in message.media]:
            file_ids.append((yield from self._attach(media)))
        return chat_body(self.conversation.options, text, here, file_ids)

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


def _accepts(path: str) -> str:
    return "text/event-stream" if path == STREAM_PATH else "application/json"
