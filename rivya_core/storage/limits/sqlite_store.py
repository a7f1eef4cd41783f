"""Rate limits in a SQLite file, for the processes of one host."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable

from rivya_core.errors import ConfigurationError
from rivya_core.storage.limits.bucket import at_time
from rivya_core.storage.limits.stores import Change, R, dump, load
from rivya_core.storage.sqlite_file import SQLiteFile

SCHEMA = "CREATE TABLE IF NOT EXISTS rate_limits (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;"
READ = "SELECT state FROM rate_limits WHERE name = ?"
WRITE = "INSERT OR REPLACE INTO rate_limits VALUES (?, ?)"


class SQLiteLimitStore:
    """Keeps limits in a file that several processes on one host share.

    Args:
        path: The file; its directory must exist.
        timeout: Seconds to wait for the locks of other processes.
        clock: Gives the time in seconds, the same for all processes.

    Raises:
        ConfigurationError: *path* is not a file that can be shared.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 30.0, clock: Callable[[], float] = time.time
    ) -> None:
        if os.fspath(path) in ("", ":memory:"):
            raise ConfigurationError("A rate limiter needs a file to share; leave `store` out for one process.")
        self._file, self._clock = SQLiteFile(path, SCHEMA, timeout=timeout), clock

    def update(self, name: str, change: Change[R]) -> R:
        """Apply *change* as one step."""
        try:
            with self._file.transaction() as database:
                row = database.execute(READ, (name,)).fetchone()
                before = at_time(load(row[0] if row else None), self._clock())
                state, result = change(before)
                if state != before:
                    database.execute(WRITE, (name, dump(state)))
                return result
        except (sqlite3.Error, OSError) as exc:
            raise ConfigurationError(
                f"The rate limiter's file {self._file.path!r} cannot be used ({exc}); nothing was sent. Check the "
                "path, its permissions and the disk."
            ) from exc

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def __repr__(self) -> str:
        return f"SQLiteLimitStore({self._file.path!r})"
