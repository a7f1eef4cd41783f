"""Where the heads of sessions are remembered, so that two continuations of one reply cannot both have it.

A head is a session with the number and digest of its newest turn. A turn claims the head that it continues, and
afterwards settles the new head, releases the claim (nothing happened) or invalidates the session (the outcome is
unknown). A claim that is never ended, because its process died, stays: like an invalidated session it is final, so no
lease and no clock are needed. `SQLiteLedger` and `RedisLedger` follow the rule in `verdict_on`.
"""

from __future__ import annotations

import os
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol, runtime_checkable
from weakref import WeakValueDictionary

State = Literal["free", "claimed", "invalid"]
Verdict = Literal["granted", "refused", "unknown"]


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
    """Written into the pointers of the replies that this ledger remembered."""

    def claim(self, head: Head, *, proven: bool = False) -> bool:
        """Return whether the caller, and no one else, may continue from *head*; see `verdict_on`.

        Args:
            head: What the caller wants to continue.
            proven: Whether the server's own record proves that the session ends with *head*. Then a session that
                the ledger does not know is claimed.
        """
        ...

    def knows(self, head: Head) -> bool:
        """Return whether a refused claim on *head* is final, because this ledger has seen its session itself."""
        ...

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim; an invalid session stays invalid."""
        ...

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was, and an invalid one stays invalid."""
        ...

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again, because its state is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger knows of a session: its newest head, and whether that is free, claimed or invalid."""

    turn: int
    digest: str
    state: State


def verdict_on(entry: Entry | None, head: Head, *, proven: bool) -> Verdict:
    """Return whether *head* may be continued, given what a ledger knows of its session.

    A ledger vouches only for a head that it has itself seen and that is the newest. Of a session that it does not
    know it says so, and only the server's record can take its place.
    """
    if entry is None:
        return "granted" if proven else "unknown"
    if entry.state == "free" and (entry.turn, entry.digest) == (head.turn, head.digest):
        return "granted"
    if entry.state == "free" and head.turn > entry.turn:
        return "granted" if proven else "unknown"  # another process went further
    return "refused"


class MemoryLedger:
    """Remembers the heads of the sessions used last, in this process.

    A copy is the same ledger, and so is one unpickled in its own process. In another process, a fork included, it
    starts empty and vouches for nothing that happened elsewhere.

    Args:
        size: Sessions to remember; the one unused for longest is forgotten first, and replayed when it comes back.
    """

    blocking = False

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._start()

    def claim(self, head: Head, *, proven: bool = False) -> bool:
        """Return whether the caller, and no one else, may continue from *head*."""
        with self._lock:
            granted = verdict_on(self._entries.get(head.session), head, proven=proven) == "granted"
            if granted:
                self._put(head, "claimed")
            return granted

    def knows(self, head: Head) -> bool:
        """Return whether a refused claim on *head* is final."""
        with self._lock:
            return verdict_on(self._entries.get(head.session), head, proven=False) != "unknown"

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._lock:
            known = self._entries.get(head.session)
            self._put(head, "invalid" if known is not None and known.state == "invalid" else "free")

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        self.settle(head)

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._lock:
            self._put(head, "invalid")

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

    def _start(self) -> None:
        """Become an empty ledger: a new one, or that of a forked process, which has seen nothing itself."""
        self._lock = Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.name = f"memory:{uuid.uuid4().hex[:12]}"
        _ledgers[self.name] = self


_ledgers: WeakValueDictionary[str, MemoryLedger] = WeakValueDictionary()


def _living(name: str, size: int) -> MemoryLedger:
    return _ledgers.get(name) or MemoryLedger(size)


def _start_all() -> None:
    for ledger in list(_ledgers.values()):
        ledger._start()  # noqa: SLF001 - this file's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all)

PROCESS_LEDGER = MemoryLedger()
"""The ledger of models that were given none: one for the whole process, whichever objects make the calls."""
