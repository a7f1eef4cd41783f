"""Where the heads of sessions are remembered, so that two continuations of one reply cannot both have it.

A head is a session with the number and digest of its newest turn. A turn claims the head that it continues, and
afterwards settles the new head, releases the claim (nothing happened) or invalidates the session (the outcome is
unknown). A claim that is never ended, because its process died, stays: like an invalidated session it is final, so no
lease and no clock are needed. `SQLiteLedger` and `RedisLedger` follow the same rules, which are functions below.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal, NamedTuple, Protocol, runtime_checkable
from weakref import WeakValueDictionary

from rivya_core.sessions.claim_files import MEMORY, ClaimFiles

State = Literal["free", "claimed", "invalid"]
Verdict = Literal["granted", "refused", "unknown"]
LONGEST_MEMORY = 7 * 86_400.0
"""Seconds for which a ledger in memory trusts itself; the files of other processes' claims may be cleaned up later."""


class Head(NamedTuple):
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

    @property
    def name(self) -> str:
        """Names what remembers, not the object; written into the pointers of the replies that it remembered."""
        ...

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
        """Remember *head* as the newest of its session and end the claim; see `after_settle`."""
        ...

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was, and an invalid one stays invalid."""
        ...

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again, because its state is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger knows of a session.

    Attributes:
        turn: Number of its newest reply.
        digest: Digest of the transcript up to that reply.
        state: Whether that head is free, claimed or invalid.
    """

    turn: int
    digest: str
    state: State


def verdict_on(entry: Entry | None, head: Head, *, proven: bool, trusted: bool = True) -> Verdict:
    """Return whether *head* may be continued, given what a ledger knows of its session.

    A ledger vouches only for a head that it has itself seen and that is the newest. Of a session that it does not
    know it says so, and only the server's record can take its place.

    Args:
        entry: What the ledger knows.
        head: What a turn wants to continue.
        proven: Whether the server's record proves that the session ends with *head*.
        trusted: Whether no one can have continued the session without this ledger.
    """
    if entry is None:
        return "granted" if proven else "unknown"
    same = (entry.turn, entry.digest) == (head.turn, head.digest)
    if entry.state != "free" or not (same or head.turn > entry.turn):
        return "refused"
    return "granted" if proven or (same and trusted) else "unknown"


def after_settle(entry: Entry | None, head: Head) -> Entry:
    """Return what a ledger knows after a turn that ended with *head*.

    A session does not go back to an earlier turn. One that begins is new, whatever was known under its id.
    """
    if entry is None or (entry.state != "invalid" and (head.turn == 1 or entry.turn < head.turn)):
        return Entry(head.turn, head.digest, "free")
    return entry


def after_release(entry: Entry | None, head: Head, *, own: bool) -> Entry | None:
    """Return what a ledger knows after a claim on *head* that was released.

    Args:
        entry: What it knew.
        head: What was claimed.
        own: Whether this ledger remembered the head. One of another ledger is that ledger's again.
    """
    if entry is None or entry.state != "claimed" or (entry.turn, entry.digest) != (head.turn, head.digest):
        return entry
    return replace(entry, state="free") if own else None


class MemoryLedger:
    """Remembers the heads of the sessions used last, in this process.

    A copy is the same ledger, and so is one unpickled in its own process. In another process, a fork included, it
    starts empty and vouches for nothing that happened elsewhere. Its claims are files as well, so that another process
    of the host can continue its sessions and neither continues what the other one has; see `claim_files.py`.

    Args:
        size: Sessions to remember; the one unused for longest is forgotten first. One that comes back after that, or
            after a week, needs the server's record to be continued.
    """

    blocking = False
    _has_folder: bool

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._start()

    @property
    def name(self) -> str:
        """Names the memory of this process."""
        return self._name

    def claim(self, head: Head, *, proven: bool = False) -> bool:
        """Return whether the caller, and no one else, may continue from *head*."""
        with self._lock:
            granted = self._verdict(head, proven=proven) == "granted" and self._claim_file(head, proven=proven)
            if granted:
                self._put(head.session, Entry(head.turn, head.digest, "claimed"))
            return granted

    def knows(self, head: Head) -> bool:
        """Return whether a refused claim on *head* is final."""
        with self._lock:
            return self._verdict(head, proven=False) != "unknown"

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._lock:
            self._create_files()
            before = self._entry(head.session)
            self._change(head, before, after_settle(before, head))

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        with self._lock:
            before = self._entry(head.session)
            self._change(head, before, after_release(before, head, own=self._is_own(head)))

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._lock:
            self._put(head.session, Entry(head.turn, head.digest, "invalid"))

    def __deepcopy__(self, memo: dict[int, object]) -> MemoryLedger:
        return self

    def __copy__(self) -> MemoryLedger:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (_living, (self.name, self._size))

    def _verdict(self, head: Head, *, proven: bool) -> Verdict:
        return verdict_on(self._entry(head.session), head, proven=proven)

    def _entry(self, session: str) -> Entry | None:
        entry, put_at = self._entries.get(session, (None, 0.0))
        return entry if abs(time.time() - put_at) < LONGEST_MEMORY else None

    def _change(self, head: Head, before: Entry | None, after: Entry | None) -> None:
        if after is None:
            self._entries.pop(head.session, None)
        elif after != before:
            self._put(head.session, after)
        else:
            self._entries.move_to_end(head.session)

    def _is_own(self, head: Head) -> bool:
        return head.ledger in ("", self._name)

    def _put(self, session: str, entry: Entry) -> None:
        """Store *entry*; a claim on the entry that it replaces ends, in any process."""
        before, _ = self._entries.get(session, (None, 0.0))
        self._entries[session] = entry, time.time()
        self._entries.move_to_end(session)
        if before is not None and (before.turn != entry.turn or entry.state == "free"):
            self._files.end(session, before.turn)
        while len(self._entries) > self._size:
            oldest, (last, _) = self._entries.popitem(last=False)
            self._files.end(oldest, last.turn)

    def _claim_file(self, head: Head, *, proven: bool) -> bool:
        """Keep other processes from *head*; a caller with a head of another ledger has claimed it there already."""
        if not self._is_own(head):
            return True
        try:
            return self._files.claim(head.session, head.turn)
        except OSError:
            return not self._lose_files() or proven

    def _lose_files(self) -> bool:
        """Distrust all heads if claims of other processes may be lost; return whether they may be.

        Without a folder from the start, as on a read-only disk, no other process can have continued a session.
        """
        if not self._has_folder:
            return False
        kept = [(session, known) for session, known in self._entries.items() if known[0].state != "free"]
        self._entries.clear()
        self._entries.update(kept)
        self._tried = self._has_folder = False
        return True

    def _create_files(self) -> None:
        if not self._tried:
            self._tried = True
            with suppress(OSError):
                self._files.create()
                self._has_folder = True

    def _start(self) -> None:
        """Become an empty ledger: a new one, or that of a forked process, which has seen nothing itself."""
        self._lock = Lock()
        self._entries: OrderedDict[str, tuple[Entry, float]] = OrderedDict()
        self._name = f"{MEMORY}{uuid.uuid4().hex[:12]}"
        self._files = ClaimFiles(self._name)
        self._tried = self._has_folder = False
        _ledgers[self._name] = self


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
