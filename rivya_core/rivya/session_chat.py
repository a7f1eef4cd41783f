"""One turn of a Rivya conversation, from a message list to a reply: route, claim, upload, send, remember.

Written as plans. The promise: after a successful turn the session holds exactly the caller's list, and the turn was
charged once. An unknown outcome (a stream left early, a response lost after the last retry) invalidates the session, so
the next turn replays into a new one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

from rivya_core.errors import (
    ContextOverflowError,
    InvalidInputError,
    LedgerError,
    NotFoundError,
    RivyaError,
    SessionConflictError,
)
from rivya_core.http.endpoint import STREAMED, Endpoint
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.retry import RetryPolicy, outcome_unknown, send_with_retries
from rivya_core.media.fetch_url import FetchRules, fetch_image
from rivya_core.prompted.exchange import Outcome, PromptedDecoder, finish
from rivya_core.prompted.prompt import NOTHING_TOLD, Prompt, Told
from rivya_core.rivya.files import upload_image
from rivya_core.rivya.head_claims import HeadClaims, run_ledger
from rivya_core.rivya.long_replay import NO_PARTS, SentParts, parts_of
from rivya_core.rivya.raw_blocks import refuse_raw_media
from rivya_core.rivya.told import told_by, with_told
from rivya_core.rivya.turn_text import text_of
from rivya_core.rivya.wire import (
    LONGEST_MESSAGE,
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
from rivya_core.sessions.modes import POINTER_KEY, LongReplay, OnMismatch, OnRepair
from rivya_core.sessions.pointers import Origin, Pointer, Route
from rivya_core.sessions.stored_ledger import StoredLedger
from rivya_core.types import ChatDelta, Media, Message, Text

T = TypeVar("T")
log = logging.getLogger("rivya")
REJECTED = (SessionConflictError, NotFoundError)
"""Errors that say that the server does not continue a session."""


@dataclass(frozen=True)
class RivyaWire:
    """Everything that a turn needs except its messages; it holds no state of any conversation.

    Attributes:
        endpoint: Endpoint and credentials.
        options: What the request holds besides its message.
        ledger: Where session heads are remembered.
        retry: How often requests are repeated.
        on_mismatch: What to do with a history that no session holds.
        session_id: Pins one session instead of letting the history decide.
        fetching: Which image URLs may be fetched.
        long_replay: What to do with a transcript that is longer than one message.
        idempotency_key: The caller's own key for this call; a fresh one by default.
        prompt: The tools and the schema that are asked for in words.
        on_repair: Whether a session with a repair turn in it is continued.
    """

    endpoint: Endpoint
    options: ChatOptions
    ledger: Ledger
    retry: RetryPolicy = RetryPolicy()
    on_mismatch: OnMismatch = "replay"
    session_id: str | None = None
    fetching: FetchRules = FetchRules()
    long_replay: LongReplay = "error"
    idempotency_key: str | None = None
    prompt: Prompt = Prompt()
    on_repair: OnRepair = "continue"

    @cached_property
    def origin(self) -> Origin:
        """The account and model whose sessions these are."""
        return sessions.origin_of(self.endpoint.base_url, self.options.model, self.endpoint.account)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        turn, response = yield from self._send(messages, WHOLE_PATH)
        try:
            delta = read_whole(response)
        except BaseException:
            yield from turn.invalidate()
            raise
        return (yield from turn.conclude(delta, delta.text))

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        turn, response = yield from self._send(messages, STREAM_PATH)
        decoder = RivyaStreamDecoder(response)
        if turn.is_prompted:
            prompted = PromptedDecoder(decoder, self.prompt)
            return Streaming(response, prompted, partial(turn.conclude_stream, prompted), turn.invalidate)

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            said = decoder.partial or closing[-1].text  # a plain response to a stream request has its text at the end
            last = yield from turn.conclude(closing[-1], said)
            return [*closing[:-1], last]

        return Streaming(response, decoder, settle, turn.invalidate)

    def _send(self, messages: Sequence[Message], path: str) -> Plan[tuple[_Turn, httpx.Response]]:
        """Send the turn; a session that the server rejects is replayed into a new one, once."""
        if not messages:
            raise InvalidInputError("There is no message to send.")
        refuse_raw_media(messages)
        turn = yield from self._claimed(tuple(messages), path)
        turn, request = yield from turn.prepare(path)
        try:
            return turn, (yield from turn.post(request, path))
        except REJECTED as error:
            if turn.route.reason != "continue":
                raise
            turn = turn.replayed(f"the server rejected the session of the last reply ({error})")
        turn, request = yield from turn.prepare(path)
        return turn, (yield from turn.post(request, path))

    def _claimed(self, messages: tuple[Message, ...], path: str) -> Plan[_Turn]:
        """Choose the route; a head that is not granted replays."""
        if self.session_id is not None:
            route, session = sessions.pinned(messages, self.session_id), self.origin.head(self.session_id)
            yield from self.run_ledger(lambda: self.ledger.invalidate(session))  # other replies must not continue it
            return _Turn(self, messages, route)
        route = sessions.route(messages, self.origin, self.on_mismatch)
        if isinstance(self.ledger, StoredLedger):
            yield from self.run_ledger(self.ledger.check)
        turn = _Turn(self, messages, route)
        if route.pointer is None:
            return turn
        reply = messages[-len(route.messages) - 1]
        claim = yield from self.claims(path).claim(route.pointer, reply)
        if claim.refusal:
            return turn.replayed(claim.refusal)
        return turn._replace(repeated=claim.repeated, told=told_by(self.origin, route.pointer, reply.pointer))

    def claims(self, path: str = "") -> HeadClaims:
        """Return what claims the heads of turns that go to *path*."""
        key = self.idempotency_key if self.endpoint.idempotent(path) else None
        return HeadClaims(self.ledger, self.endpoint, self.retry, self.origin, key)

    def run_ledger(self, work: Callable[[], T]) -> Plan[T]:
        """Run *work* on the ledger, off the event loop if it may wait."""
        return run_ledger(self.ledger, work)


class _Turn(NamedTuple):
    """One turn on its route: what is sent, and what is remembered afterwards."""

    wire: RivyaWire
    messages: tuple[Message, ...]
    route: Route
    parts: SentParts = NO_PARTS
    repeated: bool = False
    told: Told = NOTHING_TOLD

    @property
    def is_prompted(self) -> bool:
        """Whether tools or a schema are a part of this turn."""
        return self.wire.prompt.is_needed(self.told)

    @property
    def text(self) -> str:
        """What is sent of the route's messages."""
        return text_of(self.route, self.messages, self.wire.prompt if self.is_prompted else None, self.told)

    def prepare(self, path: str) -> Plan[tuple[_Turn, httpx.Request]]:
        """Upload attachments and return the turn and its request; release the claim if that fails."""
        if self.route.why:
            log.info("Replaying %d messages into a new session, because %s.", len(self.messages), self.route.why)
        try:
            text = self.text
            file_ids = yield from self._file_ids()
            *first, text = self._pieces(text)
            turn = (yield from self._with_parts(first)) if first else self
            here = turn.parts.session_id or self.route.session_id
            return turn, turn.request(path, chat_body(self.wire.options, text, here, file_ids))
        except BaseException as error:
            yield from self._end_claim_after(error, unknown=False)
            raise

    def replayed(self, why: str) -> _Turn:
        """Return this turn on the route into a new session."""
        route = sessions.replayed(self.messages, self.wire.on_mismatch, why, self.route.digest)
        return self._replace(route=route, repeated=False, told=NOTHING_TOLD)

    def _pieces(self, text: str) -> list[str]:
        """The text as one message, or in parts where it is too long and parts are allowed."""
        if len(text) <= LONGEST_MESSAGE or self.route.session_id is not None:
            check_text(text)
            return [text]
        if self.wire.long_replay == "parts":
            return parts_of(text, LONGEST_MESSAGE)
        if self.route.reason == "replay":
            raise ContextOverflowError(
                f"The transcript has {len(text):,} characters and one message to Rivya's chat takes "
                f"{LONGEST_MESSAGE:,}, so it cannot be replayed into a new session; that is needed because "
                f"{self.route.why}. Nothing was sent. Trim or summarise the history, share a ledger between your "
                "processes (`session_ledger=` or RIVYA_SESSION_LEDGER), pin the session with `session_id=`, or set "
                '`long_replay="parts"`, which sends the transcript in several messages that are charged.'
            )
        check_text(text)
        return [text]

    def _with_parts(self, pieces: Sequence[str]) -> Plan[_Turn]:
        """Send all parts but the last, each a whole turn of the new session."""
        parts = self.parts
        for piece in pieces:
            body = chat_body(self.wire.options, piece, parts.session_id or None, ())
            turn = self._replace(parts=parts)
            response = yield from turn.post(turn.request(WHOLE_PATH, body), WHOLE_PATH)
            parts = parts.and_one(read_whole(response))
            if not parts.session_id:
                raise InvalidInputError("The server named no session for a part of a long transcript; it was charged.")
        return self._replace(parts=parts)

    def request(self, path: str, body: dict[str, Any], purpose: str = "") -> httpx.Request:
        """Return the request for *body* under this turn's idempotency key."""
        headers = {"idempotency-key": self._key(purpose), **(STREAMED if path == STREAM_PATH else {})}
        return self.wire.endpoint.request("POST", path, body=body, headers=headers)

    def _key(self, purpose: str) -> str:
        """A fresh key, or the caller's; what is sent for another reason than the call itself has a key of its own."""
        given = self.wire.idempotency_key
        if given is None:
            return secrets.token_hex(16)
        replayed = "-replay" if self.route.reason == "replay" else ""
        part = f"-part{self.parts.count + 1}" if self.parts.count else ""
        return f"{given}{replayed}{part}{purpose}"

    def post(self, request: httpx.Request, path: str) -> Plan[httpx.Response]:
        """Send *request*, and end the claim if that fails."""
        endpoint, retry = self.wire.endpoint, self.wire.retry
        streamed, idempotent = path == STREAM_PATH, endpoint.idempotent(path)
        try:
            return (
                yield from send_with_retries(
                    request, retry, keep_open=streamed, idempotent=idempotent, bare_503_is_unknown=True
                )
            )
        except BaseException as error:
            unknown = not isinstance(error, RivyaError) or outcome_unknown(error, bare_503_is_unknown=True)
            yield from self._end_claim_after(error, unknown=unknown)
            raise

    def conclude(self, delta: ChatDelta, said: str, shown: str = "") -> Plan[ChatDelta]:
        """Read a reply that *said* something, of which the caller has seen what was *shown*; repair and settle it."""
        if not self.is_prompted:
            return (yield from self._settle(Outcome(delta, Message("assistant", (Text(said),)))))
        try:
            outcome = yield from finish(self.wire.prompt, delta, said, shown, self._repair)
        except BaseException:
            yield from self.invalidate()
            raise
        return (yield from self._settle(outcome))

    def conclude_stream(self, decoder: PromptedDecoder, closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
        """Conclude a streamed reply; its closing deltas hold text that was not shown."""
        last = yield from self.conclude(closing[-1], decoder.raw, decoder.shown)
        return [*(delta._replace(text="") for delta in closing[:-1]), last]

    def _repair(self, words: str, reply: ChatDelta) -> Plan[ChatDelta]:
        """Say in the session of *reply* what is wrong with it, and return the next one."""
        session_id = reply.metadata.get("session_id") or self.parts.session_id or self.route.session_id
        if not isinstance(session_id, str):
            raise InvalidInputError("The server named no session, so the reply could not be asked for again.")
        body = chat_body(self.wire.options, words, session_id, ())
        request, idempotent = self.request(WHOLE_PATH, body, "-repair"), self.wire.endpoint.idempotent(WHOLE_PATH)
        sending = send_with_retries(request, self.wire.retry, idempotent=idempotent, bare_503_is_unknown=True)
        return read_whole((yield from sending))

    def _settle(self, outcome: Outcome) -> Plan[ChatDelta]:
        """Remember the session's new head and return the reply with its pointer.

        A reply gets no pointer if the session may hold something else than the messages and the reply, or if the reply
        does not name its session (a stream that ended right after the text). The next turn then replays.
        """
        delta = outcome.delta
        here, named = self.parts.session_id or self.route.session_id, delta.metadata.get("session_id")
        facts: dict[str, Any] = {"session_id": here, **delta.metadata, "session_route": self.route.reason}
        sound = not facts.pop("text_disagrees", False) and self.route.reason != "pinned" and outcome.sure
        sound = sound and not (outcome.repairs and self.wire.on_repair == "replay")
        if named is not None and here not in (None, named):
            sound = False
            log.warning("Session %s was continued, but session %s answered; the next turn is replayed.", here, named)
        pointer = self._pointer_after(named, outcome) if sound and named is not None else None
        if pointer is None or not (yield from self._tell(self._remember, pointer.head)):
            yield from self.invalidate()
        else:
            told = self.wire.prompt.told_after(self.told)
            facts[POINTER_KEY] = with_told(self.wire.origin, pointer, told)
        if self.parts.count:
            facts["long_replay"] = self.parts.to_json()
        return delta._replace(metadata=facts)

    def invalidate(self) -> Plan[None]:
        """Give the session up, because it is unknown what it holds now."""
        if self.route.pointer is not None:
            yield from self._tell(self.wire.ledger.invalidate, self.route.pointer.head)

    def _end_claim_after(self, error: BaseException, *, unknown: bool) -> Plan[None]:
        if isinstance(error, GeneratorExit):
            return  # a generator that is closed cannot wait; a claim that is never ended is never granted again
        if unknown or self.repeated or isinstance(error, REJECTED):  # how a repeated call's first run ended is unknown
            yield from self.invalidate()
        elif self.route.pointer is not None:
            head = self.route.pointer.head
            if (yield from self._tell(self.wire.ledger.release, head)):
                yield from self.wire.claims().give_back(head)

    def _remember(self, head: Head) -> None:
        """Make *head* the newest of its session, unless an earlier run of the call did that and it may have gone on."""
        ledger, pointer = self.wire.ledger, self.route.pointer
        if pointer is None:
            settled = self.wire.idempotency_key is not None and ledger.knows(head)
        else:  # in another process; the next turn asks the server
            settled = self.repeated and not ledger.knows(pointer.head)
        if not settled:
            ledger.settle(head)

    def _tell(self, what: Callable[[Head], None], head: Head) -> Plan[bool]:
        """Record in the ledger how the turn ended; if it is down, the claim stays, and the reply is returned anyway."""
        try:
            yield from self.wire.run_ledger(lambda: what(head))
        except LedgerError as error:
            log.warning("The session cannot be continued after this turn: %s", error)
            return False
        return True

    def _pointer_after(self, session_id: str, outcome: Outcome) -> Pointer | None:
        before = self.route.pointer.turn if self.route.pointer else self.parts.count
        digest = self.route.digest.upto([*self.messages, outcome.message])
        reply_id = outcome.delta.metadata.get("id")
        named = reply_id if isinstance(reply_id, str) else ""
        turn = before + 1 + outcome.repairs
        return self.wire.origin.pointer(session_id, turn, digest.hex, self.wire.ledger.name, named)

    def _file_ids(self) -> Plan[list[str]]:
        file_ids = []
        for media in [media for message in self.route.messages for media in message.media]:
            file_ids.append((yield from self._attach(media)))
        return file_ids

    def _attach(self, media: Media) -> Plan[str]:
        """Return the file id of an image, uploading it if it is not on the server yet."""
        if media.kind != "image":
            raise InvalidInputError(f"Rivya's chat takes text and images, not {media.kind}; nothing was sent.")
        if media.file_id is not None:
            return media.file_id
        if media.data is None:
            media = yield from fetch_image(media.url or "", self.wire.fetching, self.wire.retry)
        uploaded = yield from upload_image(self.wire.endpoint, media, self.wire.retry)
        return uploaded.id
