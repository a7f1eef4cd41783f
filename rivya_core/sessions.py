"""Which server session holds this history: canonical digests, pointers, and the choice of how a turn goes out.

A reply carries a pointer in its metadata. A call looks for the newest assistant message whose pointer has this
model's and account's origin, recomputes the digest of the transcript up to there, and only if it is the same are
the newer messages alone sent to that session. Everything else starts a new session with the whole transcript.
All here is pure; claims are the ledger's and sending is the turn's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rivya_core.chat import Media, Message, Native, Text
from rivya_core.errors import HistoryMismatchError, InvalidInputError
from rivya_core.ledger import Head

POINTER_KEY = "rivya_session"
"""Under which a message's metadata hold the pointer."""
POINTER_VERSION = 1
"""Raised when the canonical form below changes; a pointer of another version is a mismatch."""
LARGEST_TURN = 1_000_000

OnMismatch = Literal["replay", "error"]
Reason = Literal["new", "continue", "replay", "pinned"]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where on the server the transcript up to a reply is held.

    Attributes:
        session_id: The server's id of the session, or of the response in the Responses API.
        turn: Number of the reply in its session, from 1.
        origin: Fingerprint of base URL, model and account.
        digest: Digest of the transcript up to and including the reply.
    """

    session_id: str
    turn: int
    origin: str
    digest: str

    @property
    def head(self) -> Head:
        """What the ledger remembers of it."""
        return Head(f"{self.origin}:{self.session_id}", self.turn, self.digest)

    def to_json(self) -> dict[str, Any]:
        """Return the form that goes into a message's metadata."""
        return {
            "v": POINTER_VERSION,
            "session_id": self.session_id,
            "turn": self.turn,
            "origin": self.origin,
            "digest": self.digest,
        }

    @staticmethod
    def from_json(value: Any) -> Pointer | None:
        """Return the pointer in a message's metadata, or None for anything that is not a sound one."""
        if not isinstance(value, Mapping) or value.get("v") != POINTER_VERSION or value.get("v") is True:
            return None
        session_id, turn = value.get("session_id"), value.get("turn")
        origin, digest = value.get("origin"), value.get("digest")
        words = (session_id, origin, digest)
        if not all(isinstance(word, str) and 0 < len(word) <= 512 for word in words):  # noqa: PLR2004 - absurd ids
            return None
        if not isinstance(turn, int) or isinstance(turn, bool) or not 0 < turn < LARGEST_TURN:
            return None
        return Pointer(str(session_id), turn, str(origin), str(digest))


@dataclass(frozen=True, slots=True)
class Route:
    """How a turn goes out.

    Attributes:
        reason: Why this way; it is reported in the reply's metadata.
        messages: What is sent: all of the transcript, or what is newer than the pointer.
        pointer: The reply that is continued, or None for a new session.
        session_id: The session to name in the request, or None.
    """

    reason: Reason
    messages: tuple[Message, ...]
    pointer: Pointer | None = None
    session_id: str | None = None


def origin_of(base_url: str, model: str, key: str) -> str:
    """Return a fingerprint of where sessions live; it cannot be turned back into the key."""
    return hashlib.sha256(json.dumps([base_url, model, key]).encode()).hexdigest()[:24]


def digest_of(messages: Sequence[Message]) -> str:
    """Return the digest of what a model would see of *messages*: not ids, not metadata, not reasoning."""
    whole = hashlib.sha256(b"rivya-transcript-1")
    for message in messages:
        line = json.dumps(_canonical(message), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        whole.update(hashlib.sha256(line.encode()).digest())
    return whole.hexdigest()


def route(messages: Sequence[Message], origin: str, on_mismatch: OnMismatch = "replay") -> Route:
    """Return how the next turn of *messages* goes out, before the ledger is asked.

    Raises:
        HistoryMismatchError: The history has a reply of a session that holds something else, and *on_mismatch* is
            `"error"`.
    """
    every = tuple(messages)
    found = _newest_pointer(every, origin)
    if found is None:
        return Route("new", every)
    position, pointer = found
    newer = every[position + 1 :]
    if newer and digest_of(every[: position + 1]) == pointer.digest:
        return Route("continue", newer, pointer, pointer.session_id)
    return replayed(every, on_mismatch)


def replayed(messages: Sequence[Message], on_mismatch: OnMismatch = "replay") -> Route:
    """Return the route of a whole transcript into a new session.

    Raises:
        HistoryMismatchError: *on_mismatch* is `"error"`.
    """
    if on_mismatch == "error":
        raise HistoryMismatchError(
            "The messages are not the history that the session holds (edited, trimmed, forked or continued "
            'elsewhere); nothing was sent. Use `on_history_mismatch="replay"` to start a new session with them.'
        )
    return Route("replay", tuple(messages))


def pinned(messages: Sequence[Message], session_id: str) -> Route:
    """Return the route into a session that the caller names: the messages after the last reply, unchecked.

    Raises:
        InvalidInputError: There is nothing new to send, or a reply points to another session.
    """
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


def _newest_pointer(messages: tuple[Message, ...], origin: str) -> tuple[int, Pointer] | None:
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        pointer = Pointer.from_json(message.pointer) if message.role == "assistant" else None
        if pointer is not None and pointer.origin == origin:
            return position, pointer
    return None


def _canonical(message: Message) -> dict[str, Any]:
    """What a model sees of a message, in one form, whichever form the framework holds it in."""
    facts: dict[str, Any] = {"role": message.role, "parts": list(_joined(message.parts))}
    if message.name and message.role != "assistant":  # agents name their models' replies after the fact
        facts["name"] = message.name
    if message.tool_calls:
        facts["calls"] = [[call.id, call.name, _json(call.arguments)] for call in message.tool_calls]
    if message.tool_call_id:
        facts["answers"] = message.tool_call_id
    if message.failed:
        facts["failed"] = True
    return facts


def _joined(parts: Sequence[Text | Media | Native]) -> Iterator[Any]:
    """Neighbouring texts are one text, however many blocks they came in; empty ones are none."""
    run = ""
    for part in parts:
        if isinstance(part, Text):
            run += part.text
            continue
        if run:
            yield run
        run = ""
        yield [part.kind, part.identity] if isinstance(part, Media) else ["native", _json(part.block)]
    if run:
        yield run


def _json(value: Any) -> Any:
    """Arguments count by their value, not by their blanks or key order."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        return json.dumps(parsed, sort_keys=True, default=str)
    except ValueError:
        return value
