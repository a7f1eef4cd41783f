"""Where the heads of sessions are remembered, so that two continuations of one reply cannot both have it.

A head is a session with the number and digest of its newest turn. A turn claims the head that it continues from,
and afterwards settles the new head, releases the claim (nothing happened) or poisons the session (nobody knows
what happened). This file must not know how turns are sent.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Head:
    """A session as one reply left it.

    Attributes:
        session: The session's id, with its origin, so that accounts cannot meet.
        turn: Number of the reply, from 1.
        digest: Digest of the transcript up to and including the reply.
    """

    session: str
    turn: int
    digest: str


class Ledger(Protocol):
    """Remembers session heads. All methods are safe to call from any thread."""

    blocking: bool
    """Whether calls may wait for a disk or a network, so that an event loop must not make them itself."""

    def claim(self, head: Head) -> bool:
        """Return whether the caller, and no one else, may continue from *head*.

        A session that is not known, or known only at an earlier turn, is trusted: another process was there.
        """
        ...

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        ...

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        ...

    def poison(self, head: Head) -> None:
        """End the claim on *head*; the session must not be continued from it, for nobody knows how it stands."""
        ...


@dataclass(slots=True)
class _Entry:
    turn: int
    digest: str
    claimed_at: float | None = None
    poisoned: bool = False


class MemoryLedger:
    """Remembers the heads of the sessions used last, in this process.

    Args:
        size: Sessions to remember; the one unused for longest is forgotten first.
        lease: Seconds after which a claim that nobody ended counts as poisoned.
        clock: Gives the time in seconds.
    """

    blocking = False

    def __init__(
        self, size: int = 10_000, lease: float = 900.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._lease, self._clock = size, lease, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = Lock()

    def claim(self, head: Head) -> bool:
        """Return whether the caller, and no one else, may continue from *head*."""
        with self._lock:
            entry = self._entries.get(head.session)
            if entry is not None and not self._free(entry, head):
                return False
            self._put(head, _Entry(head.turn, head.digest, claimed_at=self._clock()))
            return True

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._lock:
            self._put(head, _Entry(head.turn, head.digest))

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        self.settle(head)

    def poison(self, head: Head) -> None:
        """End the claim on *head*; the session must not be continued from it."""
        with self._lock:
            self._put(head, _Entry(head.turn, head.digest, poisoned=True))

    def __reduce__(self) -> tuple[object, ...]:
        """A pickled ledger starts empty: heads are this process's knowledge."""
        return (type(self), (self._size, self._lease))

    def _free(self, entry: _Entry, head: Head) -> bool:
        if entry.claimed_at is not None and self._clock() - entry.claimed_at > self._lease:
            entry.poisoned, entry.claimed_at = True, None
        if entry.poisoned or entry.claimed_at is not None:
            return False
        return head.turn > entry.turn or (head.turn, head.digest) == (entry.turn, entry.digest)

    def _put(self, head: Head, entry: _Entry) -> None:
        self._entries[head.session] = entry
        self._entries.move_to_end(head.session)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)


PROCESS_LEDGER = MemoryLedger()
"""The ledger of models that were given none: one for the whole process, whichever objects make the calls."""
