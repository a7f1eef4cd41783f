"""A ledger in a SQLite file, for several processes on one host.

Whoever dies by `kill -9` between claim and settle leaves the claim behind, which nobody can take. A claim is on the
disk before it is given, so that not even a power failure gives a head out twice; how a turn ended may be lost with
the power, for then the claim stands.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakSet

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import Entry, Head, State, may_claim
from rivya_core.sessions.stored_ledger import StoredLedger, WhenDown

SCHEMA = """
CREATE TABLE IF NOT EXISTS heads (
    session TEXT PRIMARY KEY, turn INTEGER NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS heads_used ON heads (used);
"""
READ = "SELECT turn, digest, state FROM heads WHERE session = ?"
WRITE = "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)"
FORGET = "DELETE FROM heads WHERE used < ?"
DAY = 86_400.0


class SQLiteLedger(StoredLedger):
    """Remembers session heads in a file that several processes on one host share.

    Args:
        path: The file; its directory must exist. A network file system will not do, for SQLite cannot lock there.
        timeout: Seconds to wait for other processes' locks.
        keep: Seconds after which an unused session is forgotten, and replayed when it comes back. Default 90 days.
        when_down: What to do with a turn when the file cannot be used: `"error"` or `"replay"`.
        clock: Gives the time in seconds since 1970.
    """

    name = "sqlite"
    _lock: Lock
    _file: sqlite3.Connection | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        keep: float = 90 * DAY,
        when_down: WhenDown = "error",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(when_down)
        self.path = os.path.abspath(os.path.expanduser(os.fspath(path)))  # noqa: PTH100, PTH111 - bytes paths too
        if os.fspath(path) in ("", ":memory:"):
            raise ConfigurationError("`SQLiteLedger` needs a file to share; use `MemoryLedger` for one process.")
        self._timeout, self._keep, self._clock = timeout, keep, clock
        self._begin()

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._writing() as file:
            known = _entry(file, head)
            file.execute(FORGET, (self._clock() - self._keep,))
            self._put(file, head, "poisoned" if known is not None and known.state == "poisoned" else "free")

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._writing() as file:
            self._put(file, head, "poisoned")

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    def __repr__(self) -> str:
        return f"SQLiteLedger({self.path!r})"

    def __getstate__(self) -> dict[str, Any]:
        """The same file, opened anew where it is read back."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_file")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __del__(self) -> None:
        self._close()

    def _claim(self, head: Head) -> bool:
        with self._writing(durably=True) as file:
            free = may_claim(_entry(file, head), head, self.name)
            if free:
                self._put(file, head, "claimed")
            return free

    def _put(self, file: sqlite3.Connection, head: Head, state: State) -> None:
        file.execute(WRITE, (head.session, head.turn, head.digest, state, self._clock()))

    @contextmanager
    def _writing(self, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction that no other process can come between."""
        with self._lock:
            try:
                file = self._opened()
                file.execute(f"PRAGMA synchronous = {'FULL' if durably else 'NORMAL'}")
                file.execute("BEGIN IMMEDIATE")
                yield file
                file.execute("COMMIT")
            except sqlite3.Error as exc:
                self._close()
                raise LedgerError(
                    f"The session ledger {self.path!r} cannot be used ({exc}); no session was continued. Check the "
                    'path, its permissions and the disk, or set `when_down="replay"` to go on without it.'
                ) from exc

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            self._file = sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.executescript(SCHEMA)
        return self._file

    def _begin(self) -> None:
        self._lock = Lock()
        self._file = None
        _ledgers.add(self)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _part(self) -> None:
        """In a fork: the file is the parent's, and SQLite forbids even to close it here."""
        if self._file is not None:
            _parents.append(self._file)
        self._begin()


_ledgers: WeakSet[SQLiteLedger] = WeakSet()
_parents: list[sqlite3.Connection] = []


def _part_all() -> None:
    for ledger in list(_ledgers):
        ledger._part()  # noqa: SLF001 - this file's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_part_all)


def _entry(file: sqlite3.Connection, head: Head) -> Entry | None:
    row = file.execute(READ, (head.session,)).fetchone()
    return None if row is None else Entry(*row)
