"""A ledger in a SQLite file, for several processes on one host.

A process that is killed between claim and settle leaves its claim behind, and that claim is never granted again. A
claim is on the disk before it is granted, so that not even a power failure grants a head twice. How a turn ended may
be lost with the power; then the claim stays.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import (
    Entry,
    Head,
    Verdict,
    after_release,
    after_settle,
    verdict_on,
)
from rivya_core.sessions.stored_ledger import StoredLedger, WhenDown
from rivya_core.storage.sqlite_file import SQLiteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS session_heads (
    session TEXT PRIMARY KEY, turn INTEGER NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, used REAL NOT NULL,
    epoch TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_heads_used ON session_heads (used);
CREATE TABLE IF NOT EXISTS session_ledger (id INTEGER PRIMARY KEY CHECK (id = 0), name TEXT, epoch TEXT, changes INT);
INSERT OR IGNORE INTO session_ledger VALUES (0, lower(hex(randomblob(16))), lower(hex(randomblob(16))), 0);
"""
NAME = "SELECT name FROM session_ledger"
READ = "SELECT turn, digest, state, epoch FROM session_heads WHERE session = ?"
WRITE = "INSERT OR REPLACE INTO session_heads VALUES (?, ?, ?, ?, ?, ?)"
FORGET = "DELETE FROM session_heads WHERE session = ?"
EXPIRE = "DELETE FROM session_heads WHERE used < ?"
COUNT = "UPDATE session_ledger SET changes = changes + 1 RETURNING epoch, changes"
NEW_EPOCH = "UPDATE session_ledger SET epoch = ?, changes = ?"
DAY = 86_400.0


class SQLiteLedger(StoredLedger):
    """Remembers session heads in a file that several processes on one host share.

    A file that is restored from a backup holds heads that have moved on since. The file counts its changes, and a
    second file next to it (`<path>-changes`) stores that number. If the file goes back in time, its old heads are not
    trusted: the server proves those sessions, or they are replayed. If you restore both files together, call `forget`.

    Args:
        path: The file; its directory must exist. Network file systems do not work, because SQLite cannot lock there.
        timeout: Seconds to wait for the locks of other processes.
        keep: Seconds after which an unused session is forgotten, and replayed when it comes back. Default 90 days.
        when_down: What to do while the file cannot be used: `"error"` or `"replay"`.
        clock: Gives the time in seconds since 1970.

    Raises:
        ConfigurationError: *path* is not a file that can be shared, or *when_down* is unknown.
    """

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
        if os.fspath(path) in ("", ":memory:"):
            raise ConfigurationError("`SQLiteLedger` needs a file to share; use `MemoryLedger` for one process.")
        self._file = SQLiteFile(path, SCHEMA, timeout=timeout)
        self._changes = _ChangeCount(self._file.path + "-changes")
        self._keep, self._clock = keep, clock

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return self._file.path

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._transaction() as database:
            database.execute(EXPIRE, (self._clock() - self._keep,))
            before = self._entry(database, head)
            self._change(database, head, before, after_settle(before, head))

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        with self._transaction() as database:
            before = self._entry(database, head)
            after = after_release(before, head, own=head.ledger in ("", self.name))
            self._change(database, head, before, after)

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._transaction() as database:
            self._put(database, head.session, Entry(head.turn, head.digest, "invalid"))

    def forget(self) -> None:
        """Trust no head that was remembered so far, for example after the file was restored from a backup."""
        with self._transaction(durably=True) as database:
            self._begin_epoch(database, self._counted(database)[1])

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def __repr__(self) -> str:
        return f"SQLiteLedger({self.path!r})"

    def _read_name(self) -> str:
        with self._transaction() as database:
            return f"sqlite:{database.execute(NAME).fetchone()[0]}"

    def _claim(self, head: Head, *, proven: bool) -> bool:
        with self._transaction(durably=True) as database:
            granted = self._verdict(database, head, proven=proven) == "granted"
            if granted:
                self._put(database, head.session, Entry(head.turn, head.digest, "claimed"))
            return granted

    def _knows(self, head: Head) -> bool:
        with self._transaction() as database:
            return self._verdict(database, head, proven=False) != "unknown"

    def _verdict(self, database: sqlite3.Connection, head: Head, *, proven: bool) -> Verdict:
        row = database.execute(READ, (head.session,)).fetchone()
        entry, trusted = (None, True) if row is None else (Entry(*row[:3]), row[3] == self._epoch(database))
        return verdict_on(entry, head, proven=proven, trusted=trusted)

    def _entry(self, database: sqlite3.Connection, head: Head) -> Entry | None:
        row = database.execute(READ, (head.session,)).fetchone()
        return None if row is None else Entry(*row[:3])

    def _change(self, database: sqlite3.Connection, head: Head, before: Entry | None, after: Entry | None) -> None:
        """Put *after*; an entry that stays as it is keeps its epoch, too."""
        if after is None:
            database.execute(FORGET, (head.session,))
        elif after != before:
            self._put(database, head.session, after)

    def _put(self, database: sqlite3.Connection, session: str, entry: Entry) -> None:
        facts = (session, entry.turn, entry.digest, entry.state)
        database.execute(WRITE, (*facts, self._clock(), self._epoch(database)))

    def _epoch(self, database: sqlite3.Connection) -> str:
        """The file's epoch; a new one begins when the file holds fewer changes than were seen before."""
        epoch, changes = self._counted(database)
        seen = self._changes.exchange(changes)
        return epoch if seen <= changes else self._begin_epoch(database, seen + 1)

    def _counted(self, database: sqlite3.Connection) -> tuple[str, int]:
        epoch, changes = database.execute(COUNT).fetchall()[0]
        return str(epoch), int(changes)

    def _begin_epoch(self, database: sqlite3.Connection, changes: int) -> str:
        epoch = uuid.uuid4().hex
        database.execute(NEW_EPOCH, (epoch, changes))
        return epoch

    @contextmanager
    def _transaction(self, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.transaction(durably=durably) as database:
                yield database
        except (sqlite3.Error, OSError) as exc:
            raise LedgerError(
                f"The session ledger {self.path!r} cannot be used ({exc}); no session was continued. Check the path, "
                'its permissions and the disk, or set `when_down="replay"` to work without it.'
            ) from exc


class _ChangeCount:
    """A number in a small file of its own: the most changes of a database that any process has seen.

    It is read and written only inside a transaction of that database, so no lock of its own is needed.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def exchange(self, changes: int) -> int:
        """Return the number that was seen, and remember *changes* if that is larger."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            text = os.read(descriptor, 20)
            seen = int(text) if text.strip().isdigit() else 0
            if changes > seen:
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, b"%020d" % changes)
            return seen
        finally:
            os.close(descriptor)
