"""Where the heads of sessions are remembered, so that two continuations of one reply cannot both have it.

A head is a session with the number and digest of its newest turn. A turn claims the head that it continues from,
and afterwards settles the new head, releases the claim (nothing happened) or poisons the session (nobody knows
what happened). A claim that nobody ends, because its process died, stays: like poison it is final, so that no lease
and no clock are needed. `SQLiteLedger` and `RedisLedger` keep to the rule here; how turns are sent is not known.
"""

from __future__ import annotations

import os
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol, runtime_checkable
from weakref import WeakValueDictionary

State = Literal["free", "claimed", "poisoned"]


@dataclass(frozen=True, slots=True)
class Head:
    """A session as one reply left it.

    Attributes:
        session: The session's id, with its origin, so that accounts cannot meet.
        turn: Number of the reply, from 1.
        digest: Digest of the transcript up to and including the reply.
        ledger: Name of the ledger that remembered the reply when it was given; empty if none did.
    """

    session: str
    turn: int
    digest: str
    ledger: str = ""


@runtime_checkable
class Ledger(Protocol):
    """Remembers session heads. All methods are safe to call from any thread; they raise `LedgerError` alone."""

    blocking: bool
    """Whether calls may wait for a disk or a network, so that an event loop must not make them itself."""
    name: str
    """Tells heads that this ledger remembered itself from those that another one did; equal only if both share one
    memory."""

    def claim(self, head: Head) -> bool:
        """Return whether the caller, and no one else, may continue from *head*; see `may_claim`."""
        ...

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim; a poisoned session stays poisoned."""
        ...

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was, and a poisoned one stays poisoned."""
        ...

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again, for nobody knows how it stands."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger knows of a session: its newest head, and whether somebody is at it or nobody knows any more."""

    turn: int
    digest: str
    state: State


def may_claim(entry: Entry | None, head: Head, ledger: str) -> bool:
    """Return whether *head* may be continued, going by what the ledger named *ledger* knows of its session.

    The head that it knows may, unless claimed or poisoned. A head that another ledger remembered is trusted if it is
    ahead or its session unknown: another process was there. One of this ledger's own that is not what it knows has
    moved on, or was forgotten together with whatever happened to it since.
    """
    if entry is not None and entry.state != "free":
        return False
    if entry is not None and (entry.turn, entry.digest) == (head.turn, head.digest):
        return True
    return head.ledger != ledger and (entry is None or head.turn > entry.turn)


class MemoryLedger:
    """Remembers the heads of the sessions used last, in this process.

    A copy is the same ledger, and so is one unpickled in its own process; in another process it starts empty.

    Args:
        size: Sessions to remember; the one unused for longest is forgotten first, and replayed when it comes back.
    """

    blocking = False

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._part()

    def claim(self, head: Head) -> bool:
        """Return whether the caller, and no one else, may continue from *head*."""
        with self._lock:
            free = may_claim(self._entries.get(head.session), head, self.name)
            if free:
                self._put(head, "claimed")
            return free

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._lock:
            known = self._entries.get(head.session)
            self._put(head, "poisoned" if known is not None and known.state == "poisoned" else "free")

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        self.settle(head)

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._lock:
            self._put(head, "poisoned")

    def __deepcopy__(self, memo: dict[int, object]) -> MemoryLedger:
        return self

    def __copy__(self) -> MemoryLedger:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (_living, (self.name, self._size))

    def _put(self, head: Head, state: State) -> None:
        self._entries[head.session] = Entry(head.turn, head.digest, state)
        self._entries.move_to_end(head.session)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def _part(self) -> None:
        """Become a ledger of its own: a new one, or a fork's, which from now on sees nothing of its parent's turns."""
        self._lock = Lock()
        self.name = f"memory:{uuid.uuid4().hex[:12]}"
        _ledgers[self.name] = self


_ledgers: WeakValueDictionary[str, MemoryLedger] = WeakValueDictionary()


def _living(name: str, size: int) -> MemoryLedger:
    return _ledgers.get(name) or MemoryLedger(size)


def _part_all() -> None:
    for ledger in list(_ledgers.values()):
        ledger._part()  # noqa: SLF001 - this file's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_part_all)

PROCESS_LEDGER = MemoryLedger()
"""The ledger of models that were given none: one for the whole process, whichever objects make the calls."""
