"""Which server session holds this history: canonical digests, pointers, and the choice of a turn's route.

A reply carries a pointer in its metadata. A call looks for the newest assistant message whose pointer has this
model's and account's origin, recomputes the digest of the transcript up to there, and only if it is the same are
the newer messages alone sent to that session. Everything else starts a new session with the whole transcript.
All here is pure; claims are the ledger's and sending is the turn's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from rivya_core.errors import HistoryMismatchError, InvalidInputError
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.modes import OnMismatch
from rivya_core.types import Media, Message, RawBlock, Text

POINTER_VERSION = 2
"""Raised when the canonical form or a seal below changes; a pointer of another version is a mismatch."""
_quoted = json.encoder.encode_basestring_ascii
_line = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode
_sorted = json.JSONEncoder(sort_keys=True).encode
LARGEST_TURN = 1_000_000
LONGEST_WORD = 512

Reason = Literal["new", "continue", "replay", "pinned"]


class Pointer(NamedTuple):
    """Where on the server the transcript up to a reply is held.

    Attributes:
        session_id: The server's id of the session, or of the response in the Responses API.
        turn: Number of the reply in its session, from 1.
        origin: Fingerprint of base URL, model and account.
        digest: Seal of the transcript up to and including the reply and of everything else here.
        ledger: Name of the ledger that remembered the reply; empty if none did.
        reply_id: The server's id of the reply, by which it is recognised in the server's record.
        reply_seal: Seal of `reply_id`.
    """

    session_id: str
    turn: int
    origin: str
    digest: str
    ledger: str = ""
    reply_id: str = ""
    reply_seal: str = ""

    @property
    def head(self) -> Head:
        """What the ledger remembers of it."""
        return Head(f"{self.origin}:{self.session_id}", self.turn, self.digest, self.ledger)

    def to_json(self) -> dict[str, Any]:
        """Return the form that goes into a message's metadata."""
        return {
            "v": POINTER_VERSION,
            "session_id": self.session_id,
            "turn": self.turn,
            "origin": self.origin,
            "digest": self.digest,
            "ledger": self.ledger,
            **({"reply_id": self.reply_id, "reply_seal": self.reply_seal} if self.reply_id else {}),
        }

    @staticmethod
    def from_json(value: Any) -> Pointer | None:
        """Return the pointer in a message's metadata, or None for anything that is not a sound one."""
        if not isinstance(value, Mapping) or value.get("v") != POINTER_VERSION:
            return None
        session_id, turn, ledger = value.get("session_id"), value.get("turn"), value.get("ledger", "")
        origin, digest = value.get("origin"), value.get("digest")
        if not all(map(_is_word, (session_id, origin, digest, ledger or "-"))):
            return None
        if not isinstance(turn, int) or isinstance(turn, bool) or not 0 < turn < LARGEST_TURN:
            return None
        reply = (value.get("reply_id"), value.get("reply_seal"))
        kept = reply if all(map(_is_word, reply)) else ("", "")
        return Pointer(str(session_id), turn, str(origin), str(digest), str(ledger), *map(str, kept))


@dataclass(frozen=True, slots=True)
class Origin:
    """The API and account of sessions. Pointers are accepted only if they were made with its secret.

    Attributes:
        fingerprint: Names it in pointers; it cannot be turned back into the key.
        secret: Seals its pointers, so that a forged one cannot lead into another conversation's session.
    """

    fingerprint: str
    secret: bytes = field(repr=False)

    def head(self, session_id: str) -> Head:
        """Return what a ledger calls a session of which nothing more is known."""
        return Head(f"{self.fingerprint}:{session_id}", 0, "")

    def pointer(self, session_id: str, turn: int, digest: str, ledger: str = "", reply_id: str = "") -> Pointer | None:
        """Return the pointer for a session that holds a transcript, or None if its id is not one that can be kept."""
        if not (_is_word(session_id) and 0 < turn < LARGEST_TURN and _is_word(ledger or "-")):
            return None
        seal = self._seal(session_id, turn, digest, ledger)
        if not _is_word(reply_id):
            return Pointer(session_id, turn, self.fingerprint, seal, ledger)
        return Pointer(session_id, turn, self.fingerprint, seal, ledger, reply_id, self._reply_seal(seal, reply_id))

    def reply_id(self, pointer: Pointer) -> str:
        """Return the server's id of the reply that *pointer* is about, or nothing if the id was not sealed here."""
        seal = self._reply_seal(pointer.digest, pointer.reply_id)
        return pointer.reply_id if hmac.compare_digest(seal.encode(), pointer.reply_seal.encode()) else ""

    def owns(self, pointer: Pointer, digest: str) -> bool:
        """Whether *pointer* was made here, as it is, for exactly the transcript with this digest."""
        seal = self._seal(pointer.session_id, pointer.turn, digest, pointer.ledger)
        return pointer.origin == self.fingerprint and hmac.compare_digest(seal.encode(), pointer.digest.encode())

    def _reply_seal(self, digest: str, reply_id: str) -> str:
        return blake2b(f"{digest}:{reply_id}".encode(), key=self.secret, digest_size=16).hexdigest()

    def _seal(self, session_id: str, turn: int, digest: str, ledger: str) -> str:
        words = ",".join(map(_quoted, (session_id, self.fingerprint, ledger, digest)))
        return blake2b(f"[{POINTER_VERSION},{turn},{words}]".encode(), key=self.secret, digest_size=32).hexdigest()


class TranscriptDigest:
    """Digest of what a model would see of messages: not ids, not metadata, not reasoning.

    It grows with the transcript: each message is digested once in a turn, however long the history is. What is hashed
    is one line of JSON for each message.

    Attributes:
        count: Number of messages that are digested.
    """

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256(b"rivya-transcript-2")

    def upto(self, messages: Sequence[Message]) -> TranscriptDigest:
        """Return the digest of *messages*, of which the first `count` are the ones digested here.

        Raises:
            InvalidInputError: A message holds something that JSON cannot carry.
        """
        longer = TranscriptDigest()
        longer.count, longer._hash = len(messages), self._hash.copy()
        for message in messages[self.count :]:
            longer._hash.update(_canonical_line(message).encode())
        return longer

    @property
    def hex(self) -> str:
        """The digest as text."""
        return self._hash.hexdigest()


NOTHING_YET = TranscriptDigest()
"""The digest of no messages."""


class Route(NamedTuple):
    """How a turn is sent.

    Attributes:
        reason: Why this way; it is reported in the reply's metadata.
        messages: What is sent: all of the transcript, or what is newer than the pointer.
        pointer: The reply that is continued, or None for a new session.
        session_id: The session to name in the request, or None.
        why: For a replay, why no session was continued.
        digest: Digest of the transcript's beginning, as far as it was needed to choose the route.
    """

    reason: Reason
    messages: tuple[Message, ...]
    pointer: Pointer | None = None
    session_id: str | None = None
    why: str = ""
    digest: TranscriptDigest = NOTHING_YET


@lru_cache(maxsize=256)
def origin_of(base_url: str, model: str, key: str) -> Origin:
    """Return the origin of the sessions of *model* at *base_url* for the account of *key*."""
    facts = json.dumps([base_url, model, key]).encode()
    return Origin(hashlib.sha256(facts).hexdigest()[:24], hashlib.sha256(b"rivya-seal" + facts).digest())


def route(messages: Sequence[Message], origin: Origin, on_mismatch: OnMismatch = "replay") -> Route:
    """Return how the next turn of *messages* is sent, before the ledger is read.

    Raises:
        HistoryMismatchError: The messages hold replies, but none that can be continued, and *on_mismatch* is
            `"error"`.
        InvalidInputError: A message holds something that JSON cannot carry.
    """
    every = tuple(messages)
    if not any(message.role == "assistant" for message in every):
        return Route("new", every)
    found = _newest_pointer(every, origin)
    if found is None:
        return replayed(every, on_mismatch, "no reply among them carries a pointer of this model and account")
    position, pointer = found
    newer = every[position + 1 :]
    if not newer:
        return replayed(every, on_mismatch, "nothing follows the last reply")
    digest = NOTHING_YET.upto(every[: position + 1])
    if not origin.owns(pointer, digest.hex):
        return replayed(every, on_mismatch, "they are not the ones that the session of the last reply holds", digest)
    return Route("continue", newer, pointer, pointer.session_id, digest=digest)


UNCHARGED = "Nothing was charged."
CHARGED = "This turn was charged: its new messages were sent without the conversation, and the reply is dropped."


def replayed(
    messages: Sequence[Message],
    on_mismatch: OnMismatch,
    why: str,
    digest: TranscriptDigest | None = None,
    *,
    charged: bool = False,
) -> Route:
    """Return the route of a whole transcript into a new session.

    Args:
        messages: The transcript.
        on_mismatch: Whether that is allowed.
        why: Why it cannot be continued, as it stands after "because".
        digest: Digest of the transcript's beginning, if it is known.
        charged: Whether the turn was sent and answered before that was known.

    Raises:
        HistoryMismatchError: *on_mismatch* is `"error"`.
    """
    if on_mismatch == "error":
        raise HistoryMismatchError(
            f"No session can be continued with these messages, because {why}. {CHARGED if charged else UNCHARGED} Use "
            '`on_history_mismatch="replay"` to start a new session with all of them.'
        )
    return Route("replay", tuple(messages), why=why, digest=digest or NOTHING_YET)


def pinned(messages: Sequence[Message], session_id: str) -> Route:
    """Return the route into a session that the caller names: the messages after the last reply, unchecked.

    Raises:
        InvalidInputError: There is nothing new to send, a reply points to another session, or the id cannot be one.
    """
    if not _is_word(session_id):
        raise InvalidInputError(f"`session_id` must be the id of a session as text, not {session_id!r}.")
    pointers = [found for message in messages if (found := Pointer.from_json(message.pointer))]
    if any(pointer.session_id != session_id for pointer in pointers):
        raise InvalidInputError(
            "`session_id` is set, but the messages hold a reply of another session. Leave `session_id` out to let "
            "the messages decide, or send only new messages."
        )
    last_reply = max((i for i, message in enumerate(messages) if message.role == "assistant"), default=-1)
    newer = tuple(messages[last_reply + 1 :])
    if not newer:
        raise InvalidInputError("`session_id` is set and there is no message after the last reply; nothing was sent.")
    return Route("pinned", newer, session_id=session_id)


def _newest_pointer(messages: tuple[Message, ...], origin: Origin) -> tuple[int, Pointer] | None:
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        pointer = Pointer.from_json(message.pointer) if message.role == "assistant" else None
        if pointer is not None and pointer.origin == origin.fingerprint:
            return position, pointer
    return None


def _is_word(value: Any) -> bool:
    """Whether *value* is text that an id may be: neither absurdly long nor with characters that no ledger keeps."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_WORD and value.isprintable()


def _canonical_line(message: Message) -> str:
    """What a model sees of a message, in one form, whichever form the framework holds it in: a line of JSON."""
    answers = f'"answers":{_quoted(message.tool_call_id)},' if message.tool_call_id else ""
    calls = f'"calls":{_calls_line(message)},' if message.tool_calls else ""
    failed = '"failed":true,' if message.failed else ""
    speaker = message.name if message.pointer is None else None  # agents name our replies after the fact
    name = f'"name":{_quoted(speaker)},' if speaker else ""
    return f'{{{answers}{calls}{failed}{name}"parts":{_parts_line(message.parts)},"role":"{message.role}"}}\n'


def _calls_line(message: Message) -> str:
    return _line([[call.id, call.name, _arguments(call.arguments)] for call in message.tool_calls])


def _parts_line(parts: Sequence[Text | Media | RawBlock]) -> str:
    if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].text:  # of most messages
        return f"[{_quoted(parts[0].text)}]"
    return _line(list(_joined(parts)))


def _joined(parts: Sequence[Text | Media | RawBlock]) -> Iterator[Any]:
    """Neighbouring texts are one text, however many blocks they came in; empty ones are none."""
    run = ""
    for part in parts:
        if isinstance(part, Text):
            run += part.text
            continue
        if run:
            yield run
        run = ""
        yield [part.kind, part.identity] if isinstance(part, Media) else ["native", written(part.block)]
    if run:
        yield run


def written(value: Any) -> str:
    """Return *value* as JSON in one form, whatever the order of its keys.

    Raises:
        InvalidInputError: JSON cannot carry it.
    """
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidInputError(f"A content block cannot be written as JSON ({exc}); nothing was sent.") from None


def _arguments(text: str) -> str:
    """A call's arguments count by their value, not by their blanks or key order."""
    try:
        return _sorted(json.loads(text))
    except (ValueError, RecursionError):
        return text
