"""A ledger in a SQLite file, for several processes on one host.

Every call opens the file anew: it costs less than a thousandth of a turn, and threads, forks, pickles and closing
need no rules. Whoever dies by `kill -9` between claim and settle leaves the claim behind, which nobody can take.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.ledger import Entry, Head, State, may_claim
from rivya_core.stored_ledger import StoredLedger, WhenDown

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
        self._laid_out = False

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        with self._writing() as file:
            known = _entry(file, head)
            file.execute(FORGET, (self._clock() - self._keep,))
            self._put(file, head, "poisoned" if known is not None and known.state == "poisoned" else "free")

    def poison(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        with self._writing() as file:
            self._put(file, head, "poisoned")

    def __repr__(self) -> str:
        return f"SQLiteLedger({self.path!r})"

    def _claim(self, head: Head) -> bool:
        with self._writing() as file:
            free = may_claim(_entry(file, head), head, self.name)
            if free:
                self._put(file, head, "claimed")
            return free

    def _put(self, file: sqlite3.Connection, head: Head, state: State) -> None:
        file.execute(WRITE, (head.session, head.turn, head.digest, state, self._clock()))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that no other process can come between."""
        try:
            with closing(sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)) as file:
                self._lay_out(file)
                file.execute("BEGIN IMMEDIATE")
                yield file
                file.execute("COMMIT")
        except sqlite3.Error as exc:
            raise LedgerError(
                f"The session ledger {self.path!r} cannot be used ({exc}); no session was continued. Check the path, "
                'its permissions and the disk, or set `when_down="replay"` to go on without it.'
            ) from exc

    def _lay_out(self, file: sqlite3.Connection) -> None:
        if not self._laid_out:
            file.execute("PRAGMA journal_mode = WAL")
            file.executescript(SCHEMA)
            self._laid_out = True


def _entry(file: sqlite3.Connection, head: Head) -> Entry | None:
    row = file.execute(READ, (head.session,)).fetchone()
    return None if row is None else Entry(*row)
