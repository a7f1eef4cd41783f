"""Whether a turn may continue a session: what this process knows, what other processes say, what the server proves."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from rivya_core.errors import RivyaError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, call
from rivya_core.http.retry import RetryPolicy
from rivya_core.rivya.session_records import ends_with_reply, read_session
from rivya_core.sessions.claim_files import claim_elsewhere, claimed_by, end_elsewhere
from rivya_core.sessions.ledger import Head, Ledger
from rivya_core.sessions.pointers import Origin, Pointer
from rivya_core.types import Message

T = TypeVar("T")
log = logging.getLogger("rivya")

IN_USE = "the session of the last reply is in use, has moved on, or its state is unknown"
UNKNOWN = "neither this process's ledger nor the server's record proves where the session of the last reply ends"
SHARE = (
    "Conversations are replayed, which costs their transcript again, because this process has not seen their last "
    "turn: share a ledger between your processes with `session_ledger=` or the variable RIVYA_SESSION_LEDGER."
)
_unproven = itertools.count(1)
"""Replays of this process for want of a ledger; the second one logs `SHARE`, once."""


def _noticed(why: str) -> str:
    if next(_unproven) == 2:  # noqa: PLR2004 - once is chance, twice is a deployment
        log.warning(SHARE)
    return why


def run_ledger(ledger: Ledger, work: Callable[[], T]) -> Plan[T]:
    """Run *work* on the ledger, off the event loop if it may wait."""
    return (yield from call(work)) if ledger.blocking else work()


class Claim(NamedTuple):
    """Outcome of a claim.

    Attributes:
        refusal: Why the session cannot be continued; empty if it can.
        repeated: Whether an earlier run of the call, under the same key, has begun the turn and holds the claim.
    """

    refusal: str = ""
    repeated: bool = False


@dataclass(frozen=True)
class HeadClaims:
    """Claims heads for the turns of one model.

    Attributes:
        ledger: Where session heads are remembered.
        endpoint: Endpoint and credentials.
        retry: How often requests are repeated.
        origin: The account and model whose sessions these are.
        key: The caller's own idempotency key, if the server honours it.
    """

    ledger: Ledger
    endpoint: Endpoint
    retry: RetryPolicy
    origin: Origin
    key: str | None

    def claim(self, pointer: Pointer, reply: Message) -> Plan[Claim]:
        """Claim the head of *pointer*, whose session ends with *reply* as far as the caller knows.

        A head that the ledger has not seen itself is continued only if the server's record proves it. A turn that was
        begun under the same idempotency key is continued under that key, because the server carries it out once.
        """
        head, keyed = pointer.head, self._keyed(pointer.head)
        if not (yield from run_ledger(self.ledger, lambda: self.ledger.claim(head))):
            if keyed is not None and (yield from self._rejoin(head, keyed)):
                return Claim(repeated=True)
            refusal = yield from self._claim_unseen(pointer, reply)
            if refusal:
                return Claim(refusal)
        if keyed is not None:
            yield from self._begin(keyed)
        return Claim()

    def give_back(self, head: Head) -> Plan[None]:
        """Leave *head* to the ledger that remembers it, if that is not this one, which has forgotten it again."""
        if self._is_elsewhere(head):
            yield from call(lambda: end_elsewhere(head.ledger, head.session, head.turn))

    def _claim_unseen(self, pointer: Pointer, reply: Message) -> Plan[str]:
        """Claim a head that the ledger has not seen; return why that is not possible, or nothing."""
        head = pointer.head
        if (yield from run_ledger(self.ledger, lambda: self.ledger.knows(head))):
            return IN_USE
        if self._is_elsewhere(head) and not (
            yield from call(lambda: claim_elsewhere(head.ledger, head.session, head.turn))
        ):
            return _noticed(UNKNOWN)
        if (yield from self._is_newest(pointer, reply)) and (
            yield from run_ledger(self.ledger, lambda: self.ledger.claim(head, proven=True))
        ):
            return ""
        yield from self.give_back(head)
        return _noticed(UNKNOWN)

    def _is_newest(self, pointer: Pointer, reply: Message) -> Plan[bool]:
        """Ask the server, once, whether its record proves that the session ends with *reply*."""
        try:
            record = yield from read_session(self.endpoint, pointer.session_id, replace(self.retry, max_retries=0))
        except RivyaError:
            return False
        return ends_with_reply(record, reply.text, pointer.turn, self.origin.reply_id(pointer))

    def _keyed(self, head: Head) -> Head | None:
        """Return what a ledger calls the turn after *head* under the caller's key."""
        if self.key is None:
            return None
        fingerprint = hashlib.sha256(self.key.encode()).hexdigest()[:32]
        return head._replace(session=f"{head.session} {fingerprint}")

    def _begin(self, keyed: Head) -> Plan[None]:
        """Remember that a turn was begun under a key, wherever another run of the call looks for it."""
        yield from run_ledger(self.ledger, lambda: self.ledger.claim(keyed, proven=True))
        if self._is_elsewhere(keyed):
            yield from call(lambda: claim_elsewhere(keyed.ledger, keyed.session, keyed.turn, self.ledger.name))

    def _rejoin(self, head: Head, keyed: Head) -> Plan[bool]:
        """Return whether the turn after *head* was begun under the key.

        If another process has run it, its reply is continued by one of the two only.
        """
        if (yield from run_ledger(self.ledger, lambda: self.ledger.knows(keyed))):
            return True
        other = yield from call(lambda: claimed_by(keyed.ledger, keyed.session, keyed.turn))
        if other is None:
            return False
        turns = (head.turn + 1, head.turn + 2)  # a reply that was repaired counts as two
        if (yield from call(lambda: all(claim_elsewhere(other, head.session, turn) for turn in turns))):
            yield from run_ledger(self.ledger, lambda: self.ledger.claim(keyed, proven=True))
        else:
            yield from run_ledger(self.ledger, lambda: self.ledger.invalidate(head))
        return True

    def _is_elsewhere(self, head: Head) -> bool:
        return head.ledger not in ("", self.ledger.name)
